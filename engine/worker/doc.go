// Package worker is the fixed pool of Python processes × threads that runs WSGI apps. It starts
// them, sends them requests, reads their answers and replaces processes that die. It knows
// neither HTTP nor clients' sockets: handler/wsgi turns exchanges into requests and answers
// into responses.
//
// One Python process, the zygote, imports the apps once and forks the workers. The Python side
// is embedded in the binary, see the folder shim. It travels to the zygote over a socket, so
// nothing is installed or written to disk.
//
// # Requests
//
// Each request is one datagram, marshalled: (id, app, since when it waits in seconds of
// CLOCK_MONOTONIC, values of [Variables], other variables, body). All workers receive from one
// socket: a free thread takes the next request, and the kernel wakes one thread. Few requests
// are in that socket at a time; the others wait in the [Port] of their loop. Without
// SOCK_SEQPACKET each thread gets one request at a time on its own stream instead
// ([Config].StreamMode).
//
//	id  bits 24-30 the loop, 16-23 counted up with each use of the slot, 0-15 the slot
//
// # Answers
//
// Each thread has a stream to each loop, so neither side ever takes a lock. The
// thread sends frames, little-endian:
//
//	uint32 length of the payload
//	uint32 id
//	uint32 kind << 24 | length of the marshalled head, (status, headers)
//	payload: the head, then body bytes
//
// and receives pairs of uint32 (tag, n): credit for a streamed answer, or notice of a
// descriptor. See the constants in wire.go and shim/port.py. A thread with several requests at
// a time ([Config].Slots) sends the frames of their answers in turns. Each answer has its own
// credit.
//
// # Shared memory
//
// A worker thread has a claim for each of its slots. It writes there the id of the request that
// it takes, and the time. A loop has a byte for each slot of its port: it tells a thread not to
// run the request. The claims tell the pool what a dead or hanging worker was doing. The
// supervisor writes one word of the claim to retire the thread.
//
// # Replacement
//
// A zygote and its processes are a generation. The processes of all generations take requests
// from the same queue, so a replacement moves no request. The successor becomes ready first;
// then the old process is retired. When one of its threads takes a request after that, it gives
// the request back, and the loop sends it again. Empty datagrams wake threads that wait.
//
// # Ownership
//
// A Port belongs to its loop, with its slots and streams. Worker states belong to the
// supervisor. [Core] counters are atomic. All else is immutable after [Start].
package worker

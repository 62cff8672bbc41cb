// Package worker is the fixed pool of Python processes × threads that runs WSGI
// apps: it starts them, hands them requests, reads their answers and replaces
// those that die. It knows nothing of HTTP or of clients' sockets; handler/wsgi
// turns exchanges into requests and answers into responses.
//
// One Python process, the zygote, imports the apps once and forks the workers.
// The Python side is embedded, see the folder shim; it travels to the zygote over
// a socket, so nothing is installed and nothing written to disk.
//
// # Requests
//
// Each request is one datagram, marshalled: (id, app, since when it waits in seconds
// of CLOCK_MONOTONIC, values of [Variables], other variables, body). All workers
// receive from one socket, so whoever is free takes the next, and the kernel wakes
// one thread. Few requests are in that socket at a time; the others wait in the
// [Port] of their loop. Where there is no SOCK_SEQPACKET, each thread has one
// request at a time sent on its own stream instead ([Config].StreamMode).
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
// and receives pairs of uint32 (tag, n): how much more of a streamed answer is
// welcome, or that a descriptor comes along. See the constants in wire.go and
// shim/port.py. A thread that has several requests at a time ([Config].Slots) sends the
// frames of their answers in turns; each answer has its own credit.
//
// # Shared memory
//
// A worker thread writes the id of the request it takes, and when, into its claim, one for
// each of its slots;
// a loop writes one byte for each slot whose request must not run any more. From
// the claims the pool knows what a worker that died or hangs was doing. One word of
// the claim is the supervisor's: it tells the thread to take no more requests.
//
// # Replacement
//
// A zygote and its processes are a generation. All processes, of whichever
// generation, take requests from the same queue, so replacing them moves no request:
// the successor is started and ready first, then the old process is told to finish.
// A thread of it that takes a request after that gives it back, unrun, and the loop
// sends it again. Threads that wait are woken by empty datagrams.
//
// # Ownership
//
// A Port and what hangs on it (slots, streams) belongs to its loop. Worker states
// belong to the supervisor. [Core] counters are
// atomic. Everything else is immutable after [Start].
package worker

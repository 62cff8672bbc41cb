// Package load asks servers for answers over HTTP/1.1 or the uwsgi protocol,
// checks every one of them, and tells how long they took.
//
// [Run] is the generator: clients that ask again as soon as they are answered
// (closed loop), or requests that are due at constant spacing whatever the server
// does (open loop), where latency counts from the moment a request was due, so
// that a server that stalls cannot hide it. Each thread of it is one epoll loop
// on non-blocking sockets, about as cheap as wrk, which [Wrk] runs for comparison.
//
// [OpenIdle], [SlowReaders] and [SlowWriters] are crowds of clients that a server
// has to bear beside the measured ones.
//
// An answer counts only when its status, its framing and every byte of its body
// are right. Anything else is an error of one of the kinds below, and its
// connection is not used again.
package load

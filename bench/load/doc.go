// Package load asks servers for answers over HTTP/1.1 or the uwsgi protocol,
// checks every one of them, and tells how long they took.
//
// [Run] is the generator. In a closed loop clients send the next request right after an answer.
// In an open loop requests are due at constant intervals, whatever the server does. There
// latency counts from the due time, so that a server cannot hide a stall. Each thread of it is
// one epoll loop on non-blocking sockets, about as cheap as wrk, which [Wrk] runs for
// comparison.
//
// [OpenIdle], [SlowReaders] and [SlowWriters] are crowds of clients beside the measured ones.
//
// An answer counts only when its status, its framing and every byte of its body
// are right. Anything else is an error of one of the kinds below, and its
// connection is not used again.
package load

// Package proxy is a handler that passes requests on to one of a group of upstreams, and their
// answers back. Bodies stream both ways and are never written to a disk. The slower side sets the
// pace.
//
// Plain HTTP and the uwsgi protocol run on the client's event loop, with no goroutine in between.
// Each loop keeps its own idle connections to upstreams.
//
// # What is promised
//
//   - Upstreams are read as strictly as clients. An answer of uncertain length is never passed on: the
//     client gets 502, or its connection is cut off.
//   - A request is sent a second time if the connection was never made. After that it is only sent
//     again while its method is idempotent (RFC 9110 9.2.2), no byte of its body has been taken, and
//     no byte of an answer has come.
//   - Fields about the client's connection are not passed on. Neither are fields that name the client,
//     unless a trusted proxy has written them: see package forwarded.
package proxy

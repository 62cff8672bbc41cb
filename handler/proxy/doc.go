// Package proxy is a handler that has other servers answer: it passes requests on to one of a group
// of upstreams, and their answers back. Bodies stream both ways and are never written to a disk.
// Whoever is slower sets the pace.
//
// Plain HTTP and the uwsgi protocol run on the event loop that has the client, with no goroutine in
// between. Idle connections to upstreams are kept for each loop.
//
// # What is promised
//
//   - What an upstream sends is read as strictly as what clients send. An answer whose length is not
//     certain is never passed on: the client gets 502, or its connection is cut off.
//   - A request is sent a second time only where it cannot have been run: the connection was not made;
//     or the method is idempotent (RFC 9110 9.2.2), nothing of a body has been taken, and not one
//     byte of an answer has come.
//   - The client's fields about the connection do not go on, nor do those by which it says who it is,
//     unless a trusted proxy has written them: see package forwarded.
package proxy

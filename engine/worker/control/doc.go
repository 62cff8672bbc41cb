// Package control is the channel between the server and each of its Python processes. It
// carries everything except requests: calls of the uwsgi module, and notices of the server.
//
// A channel is a stream socket pair that the process gets at its start. Each side sends frames:
// the length as a little-endian uint32, at most [MaxFrame], then a marshalled list.
//
//	process → server
//	[id, name, argument…]      a call; id is positive, and the answer has it
//	[0, name, argument…]       a notice, which gets no answer
//
//	server → process
//	[id, value]                the answer to a call
//	[-id, kind, text]          a call has failed; kind is the name of a Python exception
//	[0, name, argument…]       a notice
//
// A service is a function of a [Hub] under a name. Services answer at once. The result of
// longer work follows as a notice. shim/control.py is the other side.
//
// A malformed frame ends its process, because nothing after it can be trusted.
package control

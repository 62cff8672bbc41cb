// Package control is the channel between the server and each of its Python processes, for
// everything but requests: what the uwsgi module asks the server, and what the server tells
// a process.
//
// A channel is a stream socket pair that the process gets as it is made. Each side sends
// frames: the length as a little-endian uint32, at most [MaxFrame], then a marshalled list.
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
// A service is a function of a [Hub] under a name. Services answer at once: what takes
// longer is told later by a notice. shim/control.py is the other side.
//
// A frame that is none ends its process, as nothing that follows can be trusted.
package control

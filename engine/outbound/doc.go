// Package outbound opens connections to other servers from an event loop, for handlers that ask
// them on behalf of clients. Nothing here blocks, and there is no goroutine: a [Conn] is one more
// descriptor of the loop that made it.
//
// A [Dialer] and its connections belong to one loop. Only that loop's goroutine may call their
// methods.
package outbound

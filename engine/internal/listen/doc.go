// Package listen turns addresses into listening sockets and listening sockets
// into connections. It deals in raw descriptors, non-blocking and close-on-exec,
// because the reactor polls them itself; no net.Listener and no goroutine is
// involved.
//
// A unix socket begins under a private name, gets its mode and owner, and is then renamed to
// its path. So the path appears with the right permissions and ready for connections.
package listen

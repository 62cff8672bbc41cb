// Package listen turns addresses into listening sockets and listening sockets
// into connections. It deals in raw descriptors, non-blocking and close-on-exec,
// because the reactor polls them itself; no net.Listener and no goroutine is
// involved.
//
// Sockets of the file system are made under a private name, given their mode and
// owner, and only then renamed to the path asked for: whoever can see the path
// sees it with the right permissions and can connect to it.
package listen

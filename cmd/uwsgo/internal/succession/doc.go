// Package succession is how one server takes the place of another: the sockets that it gets
// from systemd or from the server before it, what is told over two pipes, and what each may do
// at which time. Of two servers one at a time owns files, pipes and what runs beside; the other
// only answers requests.
//
//	before                                     after
//	starts the program again  ───────────────▶ finds TakeoverEnv, adopts the sockets
//	                          ◀─── ready ───── serves
//	stops what runs beside it
//	gives up pipes and files  ───── go ──────▶ writes its own, starts what runs beside it
//	finishes its requests and ends
package succession

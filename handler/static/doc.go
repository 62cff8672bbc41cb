// Package static is a handler that serves files: uWSGI's static-map, check-static and
// static-index. All other paths, and all methods except GET and HEAD, go to the next handler,
// usually the app.
//
// It differs from uWSGI where that has holes or is behind the RFCs. A prefix ends at a path
// segment: "/static" does not serve /staticfoo. Symbolic links do not lead out of the folder,
// and absolute ones lead nowhere. FIFOs and devices are never served. A folder with an index
// redirects to its name with a slash, so that relative links work. Answers have an ETag, and
// support ranges and all conditions of RFC 9110.
//
// The loop opens a file itself when the kernel has it cached, in microseconds; otherwise a
// goroutine does. Files go out by sendfile(2).
package static

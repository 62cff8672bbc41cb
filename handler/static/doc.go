// Package static is a handler that serves files: uWSGI's static-map, check-static
// and static-index. What is no file, and every method but GET and HEAD, goes to
// the next handler, usually the app.
//
// It differs from uWSGI where that has holes or is behind the RFCs: a prefix ends
// at a path segment ("/static" does not serve /staticfoo), symbolic links lead
// nowhere outside the folder (and absolute ones nowhere at all), FIFOs and
// devices are never served, a folder with an index is redirected to its name
// with a slash, so that relative links work, and answers have an ETag and know
// ranges and all conditions of RFC 9110.
//
// Files are opened on the loop, which takes microseconds as long as folders are
// on a local disk and in the kernel's cache, and sent by sendfile(2).
package static

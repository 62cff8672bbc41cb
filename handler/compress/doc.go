// Package compress is a handler that compresses another handler's answers with zstd, gzip or
// brotli, if the client accepts it and it pays.
//
// It leaves some responses unchanged: short ones, types that do not compress (images,
// archives), encoded ones, partial ones (206, Content-Range), and those with Cache-Control:
// no-transform or a digest of their bytes. All others get Vary: Accept-Encoding, for every
// client, so that caches keep the variants apart. Compressed ones lose Content-Length and
// Accept-Ranges. Their ETag becomes weak, because it was made for other bytes (RFC 9110 8.8.1).
//
// Bodies up to 64 KiB are compressed on the loop, larger ones on a pool of goroutines while the
// loop serves others. A streamed response is compressed and flushed piece by piece, so that the
// client can use each piece at once.
package compress

// Package compress is a handler that compresses what another handler answers,
// with zstd or gzip, where the client takes that and it is worth while.
//
// A response is left as it is when it is short, of a type that does not compress
// (images, archives), encoded already, a part of something (206, Content-Range),
// or when it says Cache-Control: no-transform or carries a digest of its bytes. All
// others get Vary: Accept-Encoding, for every client, so that a cache keeps the
// variants apart; those that are compressed lose Content-Length and
// Accept-Ranges, and their ETag becomes a weak one, as the bytes are not those it
// was made for (RFC 9110 8.8.1).
//
// Up to 64 KiB are compressed on the loop; larger bodies in a pool of goroutines,
// during which the loop answers others. A streamed response is compressed piece by
// piece, and each piece is flushed so that the client can use it at once.
package compress

// Package http1 turns bytes into HTTP/1.0 and HTTP/1.1 requests and responses
// into bytes. It does no I/O, starts nothing and allocates nothing once its
// buffers have grown; the caller owns every buffer.
//
// # A request
//
// [Decoder] reads the head. It is given the bytes from the request's start as
// often as more have come, looks at each byte once, and answers with how many
// bytes the head took, with "not yet", or with an error at the first byte that
// makes the request malformed. What it fills in, a [codec.Request], points into
// the caller's buffer.
//
// [Body] then takes the bytes after the head and yields the body's data, counted
// by Content-Length or taken out of chunks, without copying. How the same bytes
// were split on the way makes no difference to either.
//
// # What is refused
//
// RFC 9112 lets a server repair a good deal. Where two servers repair differently,
// an attacker can make a proxy and the server behind it see different requests.
// So this package repairs nothing: each fault is one of the errors in codec, with
// the status to answer and the connection to be closed.
//
//   - Lines end in CRLF; neither CR nor LF stands alone. No folding, no space
//     before the colon, no control characters. A few empty lines before a request
//     are skipped, as old clients send them after a body (RFC 9112 2.2).
//   - The version is HTTP/1.0 or HTTP/1.1, else 505. An HTTP/2 preface and a TLS
//     handshake are recognised and named.
//   - The target is a path, an http URL, or "*" for OPTIONS. CONNECT gets 501. A
//     fragment, which no client may send, gets 400.
//   - There is exactly one Host in HTTP/1.1, at most one in HTTP/1.0. The authority of an URL in the
//     request line replaces it (RFC 9112 3.2.2).
//   - All that decides a body's length is in framing.go: one Content-Length of
//     digits only, or one Transfer-Encoding that is "chunked", in HTTP/1.1, never both.
//   - Chunk extensions and trailers must be well-formed and short, as must the zeros before a size; both are then
//     discarded. A trailer is never merged into the fields of the head.
//
// Which well-formed fields reach the app is not decided here but by
// [codec.Policy], for all protocols alike.
//
// # A response
//
// [AppendHead] writes the head and decides how the body's end is told: by length,
// by chunks ([AppendChunkHead], [ChunkEnd], [AppendLastChunk]) or by closing the connection, by
// what the client speaks. Call [codec.Validate] first where the fields come from
// an app. Over the uwsgi protocol a response looks like HTTP/1.1 that is
// ended by close; the same function writes it.
package http1

// Package http1 turns bytes into HTTP/1.0 and HTTP/1.1 requests and responses
// into bytes. It does no I/O, starts nothing and allocates nothing once its
// buffers have grown; the caller owns every buffer.
//
// # A request
//
// [Decoder] reads the head. Call it with the bytes from the request's start each time more have
// come. It looks at each byte once. It returns the size of the head, or "not yet", or an error
// at the first malformed byte. The [codec.Request] that it fills in points into the caller's
// buffer.
//
// [Body] then takes the bytes after the head and yields the body's data, counted by
// Content-Length or taken out of chunks, without copying. Any split of the same bytes gives the
// same result.
//
// # What is refused
//
// RFC 9112 lets a server repair many faults. When two servers repair differently, an attacker
// can make a proxy and the server behind it see different requests. So this package repairs
// nothing: each fault is one of the errors in codec, with the status of the answer, and the
// connection closes.
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
//   - framing.go alone decides a body's length: one Content-Length of digits only, or in
//     HTTP/1.1 one Transfer-Encoding that is "chunked", never both.
//   - Chunk extensions and trailers must be well-formed and short, as must the zeros before a size; both are then
//     discarded. A trailer is never merged into the fields of the head.
//
// [codec.Policy] decides which well-formed fields reach the app, for all protocols alike.
//
// # A response
//
// [AppendHead] writes the head and chooses how the body ends: by length, by chunks
// ([AppendChunkHead], [ChunkEnd], [AppendLastChunk]) or by closing the connection. The client's
// protocol decides. Call [codec.Validate] first when the fields come from an app. Over the
// uwsgi protocol a response looks like HTTP/1.1 ended by close; the same function writes it.
package http1

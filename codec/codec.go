// Package codec holds the types that all wire protocols of uwsgo share: the request that
// decoders fill in, the response that encoders write, the errors with the answer to a malformed
// request, and the one policy for header fields.
//
// Nothing here does I/O. The packages below it (http1, uwsgi, pymarshal) turn
// bytes into these types and back.
package codec

// Span is a piece of [Request.Buf], or of what handlers have added: bytes Off up to, not
// including, End. [Request.Bytes] reads it.
// Spans stay right when the bytes move to another buffer, which views would not.
type Span struct{ Off, End uint32 }

// Len returns the number of bytes in s.
func (s Span) Len() int { return int(s.End - s.Off) }

// Field is one header field, or one uwsgi variable, of a request.
type Field struct{ Name, Value Span }

// Proto is what the client speaks.
type Proto uint8

// The protocols of a request.
const (
	HTTP10 Proto = iota // HTTP/1.0: one response, ended by close unless keep-alive was asked for
	HTTP11              // HTTP/1.1
	UWSGI               // a uwsgi packet: HTTP-like response, ended by close
)

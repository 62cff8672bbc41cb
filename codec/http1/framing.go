package http1

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// framing collects what a head says about the length of its body. All rules
// against request smuggling by length are in this file (RFC 9112 6).
type framing struct {
	length    int64
	hasLength bool
	chunked   bool
}

// contentLength takes in a Content-Length. A second one is refused even if it is
// equal, and so is a list: RFC 9110 8.6 allows that.
func (f *framing) contentLength(value []byte) error {
	if f.hasLength {
		return codec.ErrContentLengthDuplicate
	}
	n, ok := codec.ParseLength(value)
	if !ok {
		return codec.ErrContentLength
	}
	f.length, f.hasLength = n, true
	return nil
}

// transferEncoding takes in a Transfer-Encoding. It must be the only one and be
// "chunked". Other codings are well-formed when chunked comes last, or, then
// without a length that could be known, alone; both get 501 as RFC 9112 6.1 asks.
// Anything else, such as an empty list element or a parameter, is refused with 400.
func (f *framing) transferEncoding(value []byte) error {
	other := false
	for more := true; more; {
		var coding []byte
		coding, value, more = bytes.Cut(value, comma)
		coding = bytes.Trim(coding, " \t")
		if len(coding) == 0 || f.chunked || !grammar.Is(grammar.Token, coding) {
			return codec.ErrTransferEncoding
		}
		if equalFold(coding, "chunked") {
			f.chunked = true
		} else {
			other = true
		}
	}
	if other {
		return codec.ErrTransferCoding
	}
	return nil
}

// verdict says what the body of the request is.
func (f *framing) verdict(r *codec.Request, limits codec.Limits) error {
	switch {
	case f.chunked && r.Proto == codec.HTTP10:
		// An HTTP/1.0 proxy on the way would not know of it, RFC 9112 6.1.
		return codec.ErrTransferEncoding10
	case f.chunked && f.hasLength:
		return codec.ErrLengthAndEncoding
	case f.chunked:
		r.Chunked, r.ContentLength = true, -1
	case limits.BodyTooLarge(f.length):
		return codec.ErrBodyTooLarge
	default:
		r.ContentLength = f.length
	}
	return nil
}

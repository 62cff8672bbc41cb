package codec

import (
	"bytes"
	"fmt"

	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// Header is one header field of a response. Name and Value are views that must
// stay unchanged until the response's head has been encoded.
type Header struct{ Name, Value []byte }

// Response is one response head. A handler fills it in and the encoder adds
// what the protocol needs: Date, framing, Connection.
type Response struct {
	Status int    // 100 to 999
	Reason []byte // the phrase after the status; empty means the usual one
	Header []Header
	// ContentLength is the body's length in bytes. It is -1 when unknown: the encoder then uses
	// chunks or close. A Content-Length in Header is never sent: [Response.TakeContentLength]
	// moves it here.
	ContentLength int64
}

// TakeContentLength makes an app's Content-Length header the ContentLength, where that is -1.
// It returns an error wrapping [ErrResponseLength] when the header is not a number, or
// contradicts another one or a known ContentLength: sending either would give the client a
// wrong body.
func (resp *Response) TakeContentLength() error {
	for _, h := range resp.Header {
		if len(h.Name) != len(nameContentLength) || !EqualName(h.Name, nameContentLength) {
			continue
		}
		n, ok := ParseLength(bytes.Trim(h.Value, " \t"))
		if !ok || resp.ContentLength >= 0 && resp.ContentLength != n {
			return fmt.Errorf("response with Content-Length %q and length %d: %w", h.Value, resp.ContentLength, ErrResponseLength)
		}
		resp.ContentLength = n
	}
	return nil
}

// elsewhere are the headers by which an app asks the front server to send a file in
// place of the body. The worker's head.py has the same list.
var elsewhere = [][]byte{[]byte("x-sendfile"), []byte("x-accel-redirect"), []byte("x-lighttpd-send-file"), []byte("x-litespeed-location")}

// BodyElsewhere reports whether the app asks the front server to send a file in place of
// the body. Content-Length is then the file's, and the body is usually empty: the
// front server uses neither.
func BodyElsewhere(resp *Response) bool {
	for _, h := range resp.Header {
		for _, name := range elsewhere {
			if len(h.Name) == len(name) && EqualName(h.Name, name) {
				return true
			}
		}
	}
	return false
}

// Validate checks a response of untrusted code. The status must be 100 to 999: RFC 9110 15 lets
// clients treat 600 and above as 5xx, and apps use them. Names must be tokens. Values and the
// reason must not hold CR, LF, NUL or another control character, so that nothing can be
// injected (RFC 9110 5.5). Errors wrap ErrResponse… and name the header.
func Validate(resp *Response) error {
	if resp.Status < 100 || resp.Status > 999 {
		return fmt.Errorf("status %d: %w", resp.Status, ErrResponseStatus)
	}
	if grammar.SkipValue(resp.Reason, 0) != len(resp.Reason) {
		return fmt.Errorf("reason %q: %w", resp.Reason, ErrResponseReason)
	}
	for _, h := range resp.Header {
		if len(h.Name) == 0 || !grammar.Is(grammar.Token, h.Name) {
			return fmt.Errorf("header name %q: %w", h.Name, ErrResponseName)
		}
		if grammar.SkipValue(h.Value, 0) != len(h.Value) {
			return fmt.Errorf("header %s: %q: %w", h.Name, h.Value, ErrResponseValue)
		}
	}
	return nil
}

package http1

import (
	"errors"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

func TestBodyLeavesTheNextRequest(t *testing.T) {
	tests := []struct {
		name     string
		r        codec.Request
		give     string
		wantData string
	}{
		{"none", codec.Request{}, "", ""},
		{"length", codec.Request{ContentLength: 3}, "abc", "abc"},
		{"chunked", codec.Request{Chunked: true, ContentLength: -1}, "3\r\nabc\r\n0\r\n\r\n", "abc"},
		{"chunked_with_trailer", codec.Request{Chunked: true, ContentLength: -1}, "3\r\nabc\r\n0\r\nA: b\r\n\r\n", "abc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const next = "GET / HTTP/1.1\r\n"
			var b Body
			b.Reset(&tt.r)
			rest, data := []byte(tt.give+next), ""
			for !b.Done() {
				n, piece, err := b.Next(rest)
				if err != nil || n == 0 {
					t.Fatalf("n %d, error %v, at %q", n, err, rest)
				}
				data += string(piece)
				rest = rest[n:]
			}
			if data != tt.wantData || string(rest) != next {
				t.Errorf("got %q and left %q", data, rest)
			}
			if n, piece, err := b.Next(rest); n != 0 || piece != nil || err != nil {
				t.Errorf("after the end: %d, %q, %v", n, piece, err)
			}
		})
	}
}

func TestBodyLimits(t *testing.T) {
	limits := codec.Limits{Body: 10, ChunkExt: 8, Trailer: 16, Fields: 2}
	tests := []struct {
		name    string
		give    string
		wantErr error
	}{
		{"body_at_limit", "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", nil},
		{"body_beyond_limit", "5\r\nhello\r\n6\r\n", codec.ErrBodyTooLarge},
		{"ext_at_limit", "1;a=45678\r\nx\r\n1;a=45678\r\nx\r\n0\r\n\r\n", nil},
		{"ext_beyond_limit", "1;a=456789\r\n", codec.ErrChunkExt},
		{"zeros_at_limit", "000000001\r\nx\r\n000000001\r\nx\r\n0\r\n\r\n", nil},
		{"zeros_beyond_limit", "0000000001\r\nx", codec.ErrChunkSize},
		{"blanks_at_limit", "1      ;a\r\nx\r\n0\r\n\r\n", nil},
		{"blanks_beyond_limit", "1          ;", codec.ErrChunkExt},
		{"trailer_at_limit", "0\r\nA: 456789012\r\n\r\n", nil},
		{"trailer_beyond_limit", "0\r\nA: 4567890123\r\n\r\n", codec.ErrTrailerTooLarge},
		{"trailer_fields_at_limit", "0\r\nA:b\r\nA:b\r\n\r\n", nil},
		{"trailer_fields_beyond_limit", "0\r\nA:\r\nA:\r\nA", codec.ErrTrailerTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for way, reads := range splits([]byte(tt.give), 1) {
				b := Body{Limits: limits}
				b.Reset(&codec.Request{Chunked: true, ContentLength: -1})
				_, err := bodyData(&b, reads)
				if !errors.Is(err, tt.wantErr) || b.Done() != (tt.wantErr == nil) {
					t.Errorf("%s: got %v, done %v, want %v", way, err, b.Done(), tt.wantErr)
				}
			}
		})
	}
}

// bodyData feeds b and joins what comes out.
func bodyData(b *Body, reads [][]byte) (data string, err error) {
	var out strings.Builder
	for _, p := range reads {
		for len(p) > 0 && !b.Done() {
			n, piece, err := b.Next(p)
			if err != nil {
				return out.String(), err
			}
			out.Write(piece)
			p = p[n:]
		}
	}
	return out.String(), nil
}

func TestBodyErrorStaysUntilReset(t *testing.T) {
	r := codec.Request{Chunked: true, ContentLength: -1}
	var b Body
	b.Reset(&r)
	_, _, _ = b.Next([]byte("x"))
	if _, _, err := b.Next([]byte("0\r\n\r\n")); err != codec.ErrChunkSize || b.Done() {
		t.Errorf("after an error: got %v, done %v, want it again", err, b.Done())
	}
	b.Reset(&r)
	if _, _, err := b.Next([]byte("0\r\n\r\n")); err != nil || !b.Done() {
		t.Errorf("after Reset: got %v, done %v", err, b.Done())
	}
}

func TestBodyAllocatesNothing(t *testing.T) {
	r := codec.Request{Chunked: true, ContentLength: -1}
	p := []byte("5;a=\"b\"\r\nhello\r\n0\r\nA: b\r\n\r\n")
	var b Body
	got := testing.AllocsPerRun(100, func() {
		b.Reset(&r)
		for rest := p; !b.Done(); {
			n, _, _ := b.Next(rest)
			rest = rest[n:]
		}
	})
	if got != 0 {
		t.Errorf("%v allocations a body", got)
	}
}

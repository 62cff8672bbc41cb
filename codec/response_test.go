package codec

import (
	"errors"
	"strings"
	"testing"
)

func headers(lines ...string) (h []Header) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h = append(h, Header{[]byte(name), []byte(value)})
	}
	return h
}

func TestTakeContentLength(t *testing.T) {
	tests := []struct {
		name    string
		header  []Header
		known   int64
		want    int64
		wantErr bool
	}{
		{"none", headers("A: b"), -1, -1, false},
		{"taken_over", headers("A: b", "content-LENGTH: 5"), -1, 5, false},
		{"same_as_known", headers("Content-Length: 5"), 5, 5, false},
		{"other_than_known", headers("Content-Length: 5"), 6, 6, true},
		{"duplicate_same", headers("Content-Length: 5", "Content-Length: 5"), -1, 5, false},
		{"duplicate_other", headers("Content-Length: 5", "Content-Length: 6"), -1, 5, true},
		{"malformed", headers("Content-Length: five"), -1, -1, true},
		{"negative", headers("Content-Length: -1"), -1, -1, true},
		{"list", headers("Content-Length: 5, 5"), -1, -1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := Response{Status: 200, Header: tt.header, ContentLength: tt.known}
			err := resp.TakeContentLength()
			if errors.Is(err, ErrResponseLength) != tt.wantErr || !tt.wantErr && err != nil {
				t.Errorf("error %v, want one: %v", err, tt.wantErr)
			}
			if resp.ContentLength != tt.want {
				t.Errorf("length %d, want %d", resp.ContentLength, tt.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name    string
		resp    Response
		wantErr error
	}{
		{"usual", Response{Status: 200, Reason: []byte("OK"), Header: headers("Content-Type: text/html", "A:  b\tc\xe9 ", "Empty: ")}, nil},
		{"status_lowest", Response{Status: 100}, nil},
		{"status_highest", Response{Status: 999}, nil},
		{"status_below", Response{Status: 99}, ErrResponseStatus},
		{"status_above", Response{Status: 1000}, ErrResponseStatus},
		{"reason_crlf", Response{Status: 200, Reason: []byte("OK\r\nA: b")}, ErrResponseReason},
		{"reason_lf_after_eight", Response{Status: 200, Reason: []byte("0123456789\n0123456789")}, ErrResponseReason},
		{"name_empty", Response{Status: 200, Header: headers(": b")}, ErrResponseName},
		{"name_space", Response{Status: 200, Header: headers("A : b")}, ErrResponseName},
		{"name_colon", Response{Status: 200, Header: []Header{{[]byte("A:"), []byte("b")}}}, ErrResponseName},
		{"name_crlf", Response{Status: 200, Header: headers("A\r\nB: c")}, ErrResponseName},
		{"name_latin1", Response{Status: 200, Header: headers("\xc4: b")}, ErrResponseName},
		{"value_cr", Response{Status: 200, Header: headers("A: b\rc")}, ErrResponseValue},
		{"value_lf", Response{Status: 200, Header: headers("A: b", "B: a long enough value\nSet-Cookie: x")}, ErrResponseValue},
		{"value_nul", Response{Status: 200, Header: headers("A: \x00")}, ErrResponseValue},
		{"value_bel", Response{Status: 200, Header: headers("A: \a")}, ErrResponseValue},
		{"value_del", Response{Status: 200, Header: headers("A: 0123456\x7f")}, ErrResponseValue},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := Validate(&tt.resp); !errors.Is(err, tt.wantErr) {
				t.Errorf("got %v, want %v", err, tt.wantErr)
			}
		})
	}
}

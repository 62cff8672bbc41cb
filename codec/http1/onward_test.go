package http1

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

func TestOnwardFromHTTP(t *testing.T) {
	tests := []struct {
		name, in string
		policy   codec.Policy
		o        Onward
		change   func(r *codec.Request) error
		want     string
	}{
		{
			name: "get", in: "GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nConnection: close\r\n\r\n",
			want: "GET /a?b HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n",
		},
		{name: "absolute_form", in: "GET http://other/a%20b?c HTTP/1.1\r\nHost: h\r\n\r\n", want: "GET /a%20b?c HTTP/1.1\r\nHost: other\r\n\r\n"},
		{name: "absolute_form_without_path", in: "GET http://other HTTP/1.1\r\nHost: h\r\n\r\n", want: "GET / HTTP/1.1\r\nHost: other\r\n\r\n"},
		{name: "asterisk", in: "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", want: "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
		{name: "no_host", in: "GET / HTTP/1.0\r\n\r\n", o: Onward{Default: []byte("up:1")}, want: "GET / HTTP/1.1\r\nHost: up:1\r\n\r\n"},
		{name: "other_host_and_target", in: "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", o: Onward{Host: []byte("other"), Target: []byte("/b")}, want: "GET /b HTTP/1.1\r\nHost: other\r\n\r\n"},
		{
			name: "body", in: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", o: Onward{Length: 3},
			want: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n",
		},
		{name: "empty_body", in: "POST / HTTP/1.1\r\nHost: h\r\n\r\n", want: "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
		{
			name: "chunks", in: "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", o: Onward{Length: -1, Expect: true},
			want: "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
		},
		{
			name: "upgrade", in: "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", policy: codec.Policy{Upgrade: true}, o: Onward{Upgrade: true},
			want: "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		},
		{
			name: "upgrade_not_passed", in: "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", policy: codec.Policy{Upgrade: true},
			want: "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		},
		{
			name: "dropped_and_added", in: "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
			o: Onward{
				Drop:   func(name []byte) bool { return string(name) == "X-A" },
				Header: []codec.Header{{Name: []byte("X-A"), Value: []byte("3")}},
			},
			want: "GET / HTTP/1.1\r\nHost: h\r\nX-B: 2\r\nX-A: 3\r\n\r\n",
		},
		{
			name: "rewritten", in: "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", change: func(r *codec.Request) error { return r.Rewrite([]byte("/b c%/\xff?"), []byte("d e")) },
			want: "GET /b%20c%25/%FF%3F?d%20e HTTP/1.1\r\nHost: h\r\n\r\n",
		},
		{name: "target_set", in: "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", change: func(r *codec.Request) error { return r.SetTarget([]byte("/b?c")) }, want: "GET /b?c HTTP/1.1\r\nHost: h\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decoder{Policy: tt.policy}
			var r codec.Request
			if n, err := d.Head([]byte(tt.in), &r); n == 0 {
				t.Fatal(err)
			}
			if tt.change != nil {
				if err := tt.change(&r); err != nil {
					t.Fatal(err)
				}
			}
			got, err := AppendRequest(nil, &r, &tt.o)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q (%v)\nwant %q", got, err, tt.want)
			}
		})
	}
}

func TestOnwardFromUwsgi(t *testing.T) {
	usual := []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "HTTP_HOST", Value: "h"}}
	tests := []struct {
		name string
		vars []uwsgi.Var
		want string // without the usual beginning
	}{
		{"as_sent", []uwsgi.Var{{Name: "REQUEST_URI", Value: "/a%20b?c"}, {Name: "HTTP_USER_AGENT", Value: "x"}}, "GET /a%20b?c HTTP/1.1\r\nHost: h\r\nUser-Agent: x\r\n\r\n"},
		{"blank_in_target", []uwsgi.Var{{Name: "REQUEST_URI", Value: "/a HTTP/1.1"}, {Name: "PATH_INFO", Value: "/a HTTP/1.1"}}, "GET /a%20HTTP/1.1 HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"bad_escape", []uwsgi.Var{{Name: "REQUEST_URI", Value: "/%zz"}, {Name: "PATH_INFO", Value: "/%zz"}, {Name: "QUERY_STRING", Value: "a b#"}}, "GET /%25zz?a%20b%23 HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"absolute", []uwsgi.Var{{Name: "REQUEST_URI", Value: "http://x/y"}, {Name: "PATH_INFO", Value: "y"}}, "GET /y HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"no_target", nil, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"name_is_no_token", []uwsgi.Var{{Name: "HTTP_X: y", Value: "1"}, {Name: "HTTP_A B", Value: "2"}}, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"about_the_connection", []uwsgi.Var{{Name: "HTTP_TRANSFER_ENCODING", Value: "chunked"}, {Name: "HTTP_CONTENT_LENGTH", Value: "5"}, {Name: "HTTP_CONNECTION", Value: "close"}}, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"empty_type", []uwsgi.Var{{Name: "CONTENT_TYPE", Value: ""}}, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"type", []uwsgi.Var{{Name: "CONTENT_TYPE", Value: "a/b"}}, "GET / HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\n\r\n"},
		{"host_is_none", []uwsgi.Var{{Name: "HTTP_HOST", Value: "a b"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packet, err := uwsgi.AppendPacket(nil, 0, 0, append(slices.Clip(usual), tt.vars...))
			if err != nil {
				t.Fatal(err)
			}
			var d uwsgi.Decoder
			var r codec.Request
			if n, err := d.Head(packet, &r); n == 0 {
				t.Fatal(err)
			}
			got, err := AppendRequest(nil, &r, &Onward{})
			if tt.want == "" {
				if !errors.Is(err, codec.ErrHost) && !errors.Is(err, codec.ErrFieldValue) {
					t.Errorf("got %q, %v", got, err)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q (%v)\nwant %q", got, err, tt.want)
			}
		})
	}
}

// FuzzOnward checks that a request goes on as one request: what is written is read as the same
// method, host and fields, without a body.
func FuzzOnward(f *testing.F) {
	f.Add("GET", "/a b", "/a b", "x y", "h", "X", "v", "a/b")
	f.Add("POST", "http://x/", "/", "", "h:1", "A_B", "v", "a\r\nb: c")
	f.Fuzz(func(t *testing.T, method, target, path, query, host, name, value, kind string) {
		packet, err := uwsgi.AppendPacket(nil, 0, 0, []uwsgi.Var{
			{Name: "REQUEST_METHOD", Value: method},
			{Name: "REQUEST_URI", Value: target},
			{Name: "PATH_INFO", Value: path},
			{Name: "QUERY_STRING", Value: query},
			{Name: "HTTP_HOST", Value: host},
			{Name: "HTTP_" + name, Value: value},
			{Name: "CONTENT_TYPE", Value: kind},
		})
		if err != nil || len(packet) > 8000 {
			return
		}
		var d uwsgi.Decoder
		var r codec.Request
		if n, err := d.Head(packet, &r); n == 0 || err != nil || r.ContentLength != 0 {
			return
		}
		head, err := AppendRequest(nil, &r, &Onward{Default: []byte("default")})
		if err != nil {
			return
		}
		var back Decoder
		var again codec.Request
		back.Policy.Connect = true
		n, err := back.Head(head, &again)
		if err != nil || n != len(head) {
			// What is no fault of borders a server may refuse.
			if errors.Is(err, codec.ErrTargetForm) || errors.Is(err, codec.ErrMethod) || errors.Is(err, codec.ErrHTTP2) || errors.Is(err, codec.ErrContentType) || errors.Is(err, codec.ErrTargetEscape) {
				return
			}
			t.Fatalf("%q: %d of %d, %v", head, n, len(head), err)
		}
		if !bytes.Equal(again.Bytes(again.Method), r.Bytes(r.Method)) || again.ContentLength != 0 {
			t.Fatalf("%q became %q", packet, head)
		}
	})
}

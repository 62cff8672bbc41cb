package uwsgi_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// told writes down what a request says, apart from the protocol that it came by.
func told(r *codec.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s path=%s query=%s host=%s length=%d https=%t", r.Bytes(r.Method), r.Bytes(r.Target), r.Path(), r.Bytes(r.Query), r.Bytes(r.Authority), r.ContentLength, r.HTTPS)
	for _, f := range r.Fields {
		fmt.Fprintf(&b, " [%s=%s]", r.Bytes(f.Name), r.Bytes(f.Value))
	}
	for _, v := range r.Vars {
		fmt.Fprintf(&b, " {%s=%s}", r.Bytes(v.Name), r.Bytes(v.Value))
	}
	return b.String()
}

func TestOnward(t *testing.T) {
	tests := []struct {
		name, in string
		o        uwsgi.Onward
		want     string
	}{
		{
			"get", "GET /a%20b?c HTTP/1.1\r\nHost: h\r\nX-Some: 1\r\nContent-Type: t/x\r\n\r\n",
			uwsgi.Onward{Target: []byte("/a%20b?c"), Vars: []uwsgi.Var{{Name: "REMOTE_ADDR", Value: "1.2.3.4"}}},
			"GET /a%20b?c path=/a b query=c host=h length=0 https=false [HOST=h] [X_SOME=1] [CONTENT_TYPE=t/x] {REMOTE_ADDR=1.2.3.4}",
		},
		{
			"joined", "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nCookie: a\r\nX-A: 2\r\nCookie: b\r\n\r\n",
			uwsgi.Onward{Target: []byte("/")},
			"GET / path=/ query= host=h length=0 https=false [HOST=h] [X_A=1, 2] [COOKIE=a; b]",
		},
		{
			"body_and_https", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
			uwsgi.Onward{Target: []byte("/"), Length: 5, HTTPS: true},
			"POST / path=/ query= host=h length=5 https=true [HOST=h] {HTTPS=on} {UWSGI_SCHEME=https}",
		},
		{
			"dropped", "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\r\n",
			uwsgi.Onward{Target: []byte("/"), Drop: func(name []byte) bool { return string(name) == "X-A" }},
			"GET / path=/ query= host=h length=0 https=false [HOST=h]",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d http1.Decoder
			var r, back codec.Request
			if n, err := d.Head([]byte(tt.in), &r); n == 0 {
				t.Fatal(err)
			}
			packet, err := uwsgi.AppendRequest(nil, &r, &tt.o)
			if err != nil {
				t.Fatal(err)
			}
			var u uwsgi.Decoder
			if n, err := u.Head(packet, &back); n != len(packet) || err != nil {
				t.Fatalf("%d of %d: %v", n, len(packet), err)
			}
			if got := told(&back); got != tt.want {
				t.Errorf(" got %s\nwant %s", got, tt.want)
			}
			// As a packet it goes on as the same packet.
			again, err := uwsgi.AppendRequest(nil, &back, &uwsgi.Onward{Target: back.Bytes(back.Target), Length: back.ContentLength, HTTPS: back.HTTPS})
			if err != nil || string(again) != string(packet) {
				t.Errorf("passed on again it is\n%q, %v\nnot\n%q", again, err, packet)
			}
		})
	}
}

func TestOnwardTooLarge(t *testing.T) {
	d := http1.Decoder{Limits: codec.Limits{Head: 1 << 20}}
	var r codec.Request
	if n, err := d.Head([]byte("GET / HTTP/1.1\r\nHost: h\r\nX-A: "+strings.Repeat("a", 66000)+"\r\n\r\n"), &r); n == 0 {
		t.Fatal(err)
	}
	if got, err := uwsgi.AppendRequest([]byte("x"), &r, &uwsgi.Onward{}); !errors.Is(err, codec.ErrHeadTooLarge) || string(got) != "x" {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

package uwsgi

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
)

// FuzzHead wants that any bytes are answered without panic, the same however they
// are split and whatever follows, and that what was decoded can be encoded and
// decoded again.
func FuzzHead(f *testing.F) {
	nginx, err := AppendPacket(nil, 0, 0, nginxVars)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(nginx, uint16(7))
	f.Add(packetOf(f, 30, "SCRIPT_NAME", "/app", "PATH_INFO", "/app/x", "CONTENT_LENGTH", "5"), uint16(4))
	f.Add(packetOf(f, 0, "UWSGI_FILE", "exec://id", "HTTP_PROXY", "x", "HTTP_HOST", "a", "HTTP_HOST", "b"), uint16(60))
	for _, seed := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00", "d\x00\x00\x00", "\x00\x03\x00\x00\x05\x00a", "\x00\x04\x00\x00\x00\x00\x00\x00"} {
		f.Add([]byte(seed), uint16(2))
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		var d Decoder
		var whole, split codec.Request
		n, err := d.Head(slices.Clip(b), &whole)
		if n < 0 || n > len(b) || n != 0 && err != nil {
			t.Fatalf("Head = %d, %v of %d bytes", n, err, len(b))
		}

		cut := min(int(at), len(b))
		n2, err2 := d.Head(b[:cut:cut], &split)
		if n2 == 0 && err2 == nil {
			n2, err2 = d.Head(bytes.Clone(b), &split)
		}
		if n2 != n || (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("split at %d: %d, %v; whole: %d, %v", cut, n2, err2, n, err)
		}
		if n == 0 || d.Ping {
			return
		}
		want := viewOf(&whole)
		if diff := cmp.Diff(want, viewOf(&split)); diff != "" {
			t.Fatalf("split at %d (-whole +split):\n%s", cut, diff)
		}

		again, err := AppendPacket(nil, 0, d.Modifier2, varsOf(&whole))
		if err != nil {
			if n < 60_000 { // the names that have been cut or left out make room
				t.Fatal(err)
			}
			return
		}
		var r codec.Request
		if n, err := d.Head(again, &r); n != len(again) || err != nil {
			if len(again) > codec.DefaultHead {
				return
			}
			t.Fatalf("encoded again: %d of %d, %v", n, len(again), err)
		}
		if diff := cmp.Diff(want, viewOf(&r)); diff != "" {
			t.Fatalf("encoded again (-want +got):\n%s", diff)
		}
	})
}

// varsOf returns the variables that r is made of.
func varsOf(r *codec.Request) []Var {
	s := func(span codec.Span) string { return string(r.Bytes(span)) }
	vars := []Var{
		{"REQUEST_METHOD", s(r.Method)},
		{"REQUEST_URI", s(r.Target)},
		{"PATH_INFO", string(r.Path())},
		{"QUERY_STRING", s(r.Query)},
		{"SERVER_PROTOCOL", s(r.Version)},
		{"SCRIPT_NAME", s(r.ScriptName)},
	}
	if r.ContentLength > 0 {
		digits := []byte{}
		for n := r.ContentLength; n > 0; n /= 10 {
			digits = append([]byte{byte('0' + n%10)}, digits...)
		}
		vars = append(vars, Var{"CONTENT_LENGTH", string(digits)})
	}
	for _, f := range r.Fields {
		name := "HTTP_" + s(f.Name)
		if name == "HTTP_CONTENT_TYPE" {
			name = "CONTENT_TYPE"
		}
		vars = append(vars, Var{name, s(f.Value)})
	}
	for _, f := range r.Vars {
		vars = append(vars, Var{s(f.Name), s(f.Value)})
	}
	return vars
}

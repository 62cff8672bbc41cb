package codec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wire is a request as a decoder leaves it.
func wire() *Request {
	buf := []byte("GET/a%20b?q=1HostexampleAccept*/*X-A1x_a2REMOTE_USERfront next request")
	r := &Request{Proto: HTTP11}
	at := uint32(0)
	next := func(n int) Span {
		s := Span{at, at + uint32(n)}
		at += uint32(n)
		return s
	}
	r.Method = next(3)
	r.Target = Span{at, at + 10}
	r.RawPath = next(6)
	next(1)
	r.Query = next(3)
	field := func(n, v int) Field {
		name := next(n)
		return Field{name, next(v)}
	}
	r.Fields = []Field{field(4, 7), field(6, 3), field(3, 1), field(3, 1)}
	r.Authority = r.Fields[0].Value
	r.Vars = []Field{field(11, 5)}
	r.Buf = buf[:at:at]
	return r
}

func lists(r *Request) string {
	var b strings.Builder
	for _, f := range r.Fields {
		fmt.Fprintf(&b, "%s: %s\n", r.Bytes(f.Name), r.Bytes(f.Value))
	}
	for _, v := range r.Vars {
		fmt.Fprintf(&b, "%s=%s\n", r.Bytes(v.Name), r.Bytes(v.Value))
	}
	return b.String()
}

func TestAdditions(t *testing.T) {
	const before = "Host: example\nAccept: */*\nX-A: 1\nx_a: 2\nREMOTE_USER=front\n"
	b := func(s string) []byte { return []byte(s) }
	for _, tt := range []struct {
		name string
		do   func(r *Request) error
		want string // "" is an error
	}{
		{"nothing", func(*Request) error { return nil }, before},
		{"variable", func(r *Request) error { return r.SetVar("X", "y") }, before + "X=y\n"},
		{"empty variable", func(r *Request) error { return r.SetVar("X", "") }, before + "X=\n"},
		{"variable of the front server", func(r *Request) error { return r.SetVar("REMOTE_USER", "jane") }, strings.Replace(before, "front", "jane", 1)},
		{"variable twice", func(r *Request) error { return errors.Join(r.SetVar("X", "y"), r.SetVar("X", "z")) }, before + "X=z\n"},
		{"variable taken out", func(r *Request) error { r.DelVar("REMOTE_USER"); return nil }, strings.Replace(before, "REMOTE_USER=front\n", "", 1)},
		{"variable without a name", func(r *Request) error { return r.SetVar("", "y") }, ""},
		{"variable that is the server's", func(r *Request) error { return r.SetVar("wsgi.input", "y") }, ""},
		{"variable that is a field", func(r *Request) error { return r.SetVar("HTTP_X", "y") }, ""},
		{"too much", func(r *Request) error { return r.SetVar("X", strings.Repeat("x", mostOwn)) }, ""},
		{"field added", func(r *Request) error { return r.AddField(b("X-A"), b("3")) }, strings.Replace(before, "x_a: 2\n", "x_a: 2\nX-A: 3\n", 1)},
		{"field set", func(r *Request) error { return r.SetField(b("X-A"), b("3")) }, strings.Replace(before, "X-A: 1\nx_a: 2\n", "X-A: 3\n", 1)},
		{"new field set", func(r *Request) error { return r.SetField(b("X-B"), b("")) }, strings.Replace(before, "x_a: 2\n", "x_a: 2\nX-B: \n", 1)},
		{"field taken out", func(r *Request) error { r.DelField(b("x-a")); return nil }, strings.Replace(before, "X-A: 1\nx_a: 2\n", "", 1)},
		{"field that is no token", func(r *Request) error { return r.SetField(b("X A"), b("3")) }, ""},
		{"field without a name", func(r *Request) error { return r.SetField(nil, b("3")) }, ""},
		{"field with a line end", func(r *Request) error { return r.SetField(b("X-A"), b("3\r\nY: z")) }, ""},
		{"field about the connection", func(r *Request) error { return r.SetField(b("Transfer-Encoding"), b("chunked")) }, ""},
		{"field about the body", func(r *Request) error { return r.SetField(b("Content-Length"), b("3")) }, ""},
		{"host", func(r *Request) error { return r.SetHost(b("other")) }, "Accept: */*\nX-A: 1\nx_a: 2\nHost: other\nREMOTE_USER=front\n"},
		{"host added", func(r *Request) error { return r.AddField(b("host"), b("other")) }, "Accept: */*\nX-A: 1\nx_a: 2\nhost: other\nREMOTE_USER=front\n"},
		{"path with a NUL", func(r *Request) error { return r.Rewrite(b("/\x00"), nil) }, ""},
		{"query with a line end", func(r *Request) error { return r.Rewrite(b("/"), b("a\nb")) }, ""},
		{"target with a space", func(r *Request) error { return r.SetTarget(b("/a b")) }, ""},
		{"no target", func(r *Request) error { return r.SetTarget(nil) }, ""},
		{"script name with a NUL", func(r *Request) error { return r.SetScriptName(b("/\x00")) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := wire()
			path := r.Bytes(r.RawPath)
			err := tt.do(r)
			switch {
			case tt.want == "":
				if !errors.Is(err, ErrAddition) || lists(r) != before {
					t.Errorf("%v, and the request is\n%s", err, lists(r))
				}
			case err != nil || lists(r) != tt.want:
				t.Errorf("%v, got\n%swant\n%s", err, lists(r), tt.want)
			}
			if strings.Contains(tt.name, "host") && string(r.Bytes(r.Authority)) != "other" {
				t.Errorf("the host that counts is %s", r.Bytes(r.Authority))
			}
			if string(path) != "/a%20b" || string(r.Bytes(r.Method)) != "GET" || string(r.Path()) != "/a b" {
				t.Errorf("the rest has changed: %q %q %q", path, r.Bytes(r.Method), r.Path())
			}
		})
	}
}

func TestRewrite(t *testing.T) {
	r := wire()
	for _, err := range []error{r.Rewrite([]byte("/new/%41"), []byte("a=b")), r.SetScriptName([]byte("/app")), r.SetTarget([]byte("/other?c"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.Retain(make([]byte, 0, 100)) // as when the loop's buffer is needed again
	if got := fmt.Sprintf("%s %s %s %s %v", r.Path(), r.Bytes(r.Query), r.Bytes(r.ScriptName), r.Bytes(r.Target), r.Rewritten); got != "/new/%41 a=b /app /other?c true" {
		t.Errorf("got %s", got)
	}
	r.Reset()
	if r.Rewritten || len(r.own) != 0 || cap(r.own) == 0 {
		t.Errorf("left over: %+v", r)
	}
}

func TestAdditionsAllocateNothing(t *testing.T) {
	r := wire()
	fields, vars := slices.Clip(r.Fields), r.Vars
	buf := r.Buf
	name, value, path := []byte("X-Forwarded-For"), []byte("192.0.2.1"), []byte("/x")
	if n := testing.AllocsPerRun(100, func() {
		r.Reset()
		r.Buf, r.Fields, r.Vars = buf, append(r.Fields, fields...), append(r.Vars, vars...)
		if r.SetVar("REMOTE_USER", "jane") != nil || r.SetField(name, value) != nil || r.Rewrite(path, nil) != nil {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

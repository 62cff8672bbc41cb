package engine

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// TestRefusalsAreNamed checks what the log learns of a refused request: peer, method,
// target, the field at fault and the limit.
func TestRefusalsAreNamed(t *testing.T) {
	packet := func(vars ...string) string {
		var list []uwsgi.Var
		for i := 0; i < len(vars); i += 2 {
			list = append(list, uwsgi.Var{Name: vars[i], Value: vars[i+1]})
		}
		b, err := uwsgi.AppendPacket(nil, 0, 0, list)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	limits := codec.Limits{Head: 2000, Target: 1000, Fields: 5, Body: 100, ChunkExt: 50}
	for _, tt := range []struct {
		name  string
		p     Protocol
		raw   string
		id    string
		line  string // method and target
		field string
		limit int64
	}{
		{"length", HTTP, "POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "content_length", "POST /a?b", "Content-Length", 0},
		{"value", HTTP, "GET /a HTTP/1.1\r\nHost: a\r\nX-One: \x01\r\n\r\n", "field_value", "GET /a", "X-One", 0},
		{"host", HTTP, "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", "host", "GET /a", "Host", 0},
		{"no_host", HTTP, "GET /a HTTP/1.1\r\nX-One: 1\r\n\r\n", "host_missing", "GET /a", "Host", 0},
		{"two_hosts", HTTP, "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host_duplicate", "GET /a", "Host", 0},
		{"both_lengths", HTTP, "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n", "te_and_cl", "GET /a", "Transfer-Encoding", 0},
		{"name_after_a_good_field", HTTP, "GET /a HTTP/1.1\r\nHost: a\r\nB d: c\r\n\r\n", "field_name", "GET /a", "", 0},
		{"target", HTTP, "GET /a#b HTTP/1.1\r\n\r\n", "target", "GET /a#b", "", 0},
		{"method", HTTP, "G@T /a HTTP/1.1\r\n\r\n", "method", " ", "", 0},
		{"target_too_long", HTTP, "GET /" + strings.Repeat("a", 1000) + " HTTP/1.1\r\n\r\n", "target_too_long", "GET /" + strings.Repeat("a", logged-1), "", 1000},
		{"head_too_large", HTTP, "GET /a HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat("c", 2000), "head_too_large", "GET /a", "Cookie", 2000},
		{"too_many_fields", HTTP, "GET /a HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", 5) + "\r\n", "too_many_fields", "GET /a", "", 5},
		{"body_too_large", HTTP, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", "body_too_large", "POST /a", "Content-Length", 100},
		{"chunks_too_large", HTTP, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", "body_too_large", "POST /a", "", 100},
		{"chunk", HTTP, "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "chunk_size", "POST /a", "", 0},
		{"ends_in_the_head", HTTP, "GET /a HTTP/1.1\r\nHost: a\r\nX-One", "incomplete", "GET /a", "", 0},
		{"ends_in_the_body", HTTP, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", "incomplete", "POST /a", "", 0},
		{"garbage", HTTP, "\x00\x01", "method", " ", "", 0},
		{"packet_value", UWSGI, packet("REQUEST_METHOD", "GET", "REQUEST_URI", "/a", "HTTP_X", "\x01"), "field_value", "GET /a", "HTTP_X", 0},
		{"packet_too_large", UWSGI, packet("REQUEST_METHOD", "GET", "X", strings.Repeat("x", 2000)), "block_size", " ", "", 2000},
		{"packet_body", UWSGI, packet("REQUEST_METHOD", "POST", "REQUEST_URI", "/a", "CONTENT_LENGTH", "101"), "body_too_large", "POST /a", "Content-Length", 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			refused := make(chan Refusal, 1)
			_, addr := start(t, echo, Options{Limits: limits, OnRefusal: func(r *Refusal) { refused <- *r }}, ListenOptions{Protocol: tt.p})
			c := dial(t, addr)
			if _, err := io.WriteString(c, tt.raw); err != nil {
				t.Fatal(err)
			}
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			r := <-refused
			if r.ID != tt.id || r.Method+" "+r.Target != tt.line || r.Field != tt.field || r.Limit != tt.limit || r.Peer != c.LocalAddr().String() {
				t.Errorf("%s %q %q, field %q, limit %d, peer %s", r.ID, r.Method, r.Target, r.Field, r.Limit, r.Peer)
			}
			if text := r.Text("an-option"); !strings.Contains(text, c.LocalAddr().String()) || !strings.Contains(text, "an-option") || strings.ContainsRune(text, '\n') {
				t.Error(text)
			}
		})
	}
}

// TestLateHeadIsNamed: of a head that does not come in time the log has what did come, and
// not what others sent meanwhile.
func TestLateHeadIsNamed(t *testing.T) {
	refused := make(chan Refusal, 1)
	_, addr := start(t, echo, Options{Loops: 1, HeadTimeout: 100 * time.Millisecond, OnRefusal: func(r *Refusal) { refused <- *r }}, ListenOptions{})
	c := dial(t, addr)
	write(t, c, "GET /late HTTP/1.1\r\nHost: a\r\n")
	for len(refused) == 0 {
		talk(t, addr, "POST /other-and-longer HTTP/1.1\r\nHost: secret\r\nConnection: close\r\n\r\n")
	}
	if r := <-refused; r.Method != "GET" || r.Target != "/late" || r.Patience != 100*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

// What a client sends cannot end a line of the log, look like another one, or act on a
// terminal: neither by default, nor for who logs refusals by itself.
func TestLogIsPrintable(t *testing.T) {
	const evil = "x\nDAMN ! \r\x1b[31m\x7f\xff\u009b\u202e\u2028"
	packet := func(vars ...uwsgi.Var) string {
		b, err := uwsgi.AppendPacket(nil, 0, 0, vars)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, tt := range []struct {
		name string
		p    Protocol
		raw  string
	}{
		{"method", UWSGI, packet(uwsgi.Var{Name: "REQUEST_METHOD", Value: evil})},
		{"target", UWSGI, packet(uwsgi.Var{Name: "REQUEST_METHOD", Value: "GET"}, uwsgi.Var{Name: "REQUEST_URI", Value: "/" + evil}, uwsgi.Var{Name: "PATH_INFO", Value: "/\x00"})},
		{"variable", UWSGI, packet(uwsgi.Var{Name: "REQUEST_METHOD", Value: "GET"}, uwsgi.Var{Name: "HTTP_" + evil, Value: "1"})},
		{"value", UWSGI, packet(uwsgi.Var{Name: "REQUEST_METHOD", Value: "GET"}, uwsgi.Var{Name: "HTTP_X", Value: evil})},
		{"protocol", UWSGI, packet(uwsgi.Var{Name: "REQUEST_METHOD", Value: "GET"}, uwsgi.Var{Name: "SERVER_PROTOCOL", Value: evil})},
		{"other protocol", UWSGI, "GET /" + evil + " HTTP/1.1\r\n\r\n"},
		{"HTTP method", HTTP, evil + " / HTTP/1.1\r\n\r\n"},
		{"HTTP target", HTTP, "GET /" + strings.ReplaceAll(evil, "\n", "") + " HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"HTTP version", HTTP, "GET /\x1b[31m " + evil + "\r\n\r\n"},
		{"field name", HTTP, "GET / HTTP/1.1\r\nHost: a\r\n" + strings.ReplaceAll(evil, "\n", "") + ": b\r\n\r\n"},
		{"field value", HTTP, "GET / HTTP/1.1\r\nHost: " + evil + "\r\n\r\n"},
		{"panic", HTTP, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := make(chan string, 10)
			handler := HandlerFunc(func(*Exchange) { panic(evil) })
			logf := func(format string, args ...any) { lines <- fmt.Sprintf(format, args...) }
			_, addr := start(t, handler, Options{Loops: 1, Logf: logf}, ListenOptions{Protocol: tt.p})
			c := dial(t, addr)
			if _, err := io.WriteString(c, tt.raw); err != nil {
				t.Fatal(err)
			}
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			for first := true; first || len(lines) > 0; first = false {
				line, stack, panicked := strings.Cut(<-lines, "\n")
				if panicked && !strings.HasPrefix(stack, "goroutine ") || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%q, then %.40q", line, stack)
				}
			}
		})
	}
}

// TestFaultIsOfThePacketAtHand: what was wrong with one client's packet does not show in
// what is logged of another's, which may have a secret at that place.
func TestFaultIsOfThePacketAtHand(t *testing.T) {
	packet := func(vars ...uwsgi.Var) string {
		b, err := uwsgi.AppendPacket(nil, 0, 0, vars)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	bad := packet(uwsgi.Var{Name: "REQUEST_METHOD", Value: "GET"}, uwsgi.Var{Name: "HTTP_X_LONG_NAME", Value: "\x01"})
	good := packet(uwsgi.Var{Name: "REQUEST_METHOD", Value: "GET"}, uwsgi.Var{Name: "HTTP_COOKIE", Value: strings.Repeat("secret", 100)})
	for _, name := range []string{"late", "incomplete"} {
		t.Run(name, func(t *testing.T) {
			refused := make(chan Refusal, 100)
			o := Options{Loops: 1, OnRefusal: func(r *Refusal) { refused <- *r }}
			if name == "late" {
				o.HeadTimeout = time.Second
			}
			srv, addr := start(t, echo, o, ListenOptions{Protocol: UWSGI})
			c := dial(t, addr)
			write(t, c, good[:len(good)-1])
			eventually(t, "the first packet is read", func() bool { return srv.Stats().BytesIn == uint64(len(good)-1) })
			other := dial(t, addr)
			write(t, other, bad)
			if _, err := io.Copy(io.Discard, other); err != nil {
				t.Fatal(err)
			}
			if r := <-refused; r.Field != "HTTP_X_LONG_NAME" {
				t.Fatalf("%+v", r)
			}
			if name == "incomplete" {
				_ = c.CloseWrite()
			}
			if r := <-refused; r.Field != "" {
				t.Errorf("%s: field %q", r.ID, r.Field)
			}
		})
	}
}

// TestRefusedBeginningIsNamed: where there is no room for the rest of a head the log has
// the target of that head, also where it came after another request's end.
func TestRefusedBeginningIsNamed(t *testing.T) {
	targets := make(chan string, 10)
	const all = 2 << 20
	longer := strings.Repeat("another-", 12) // it moves over itself to where the first was
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		x.loop.srv.hold(all)
		x.ReplyText(200, "here")
	}), Options{Loops: 1, MaxMemory: all / 2, TempDir: t.TempDir(), OnFinish: func(x *Exchange, o Outcome) {
		targets <- fmt.Sprint(o.Status, " ", string(x.Request().Bytes(x.Request().Target)))
	}}, ListenOptions{})
	c := dial(t, addr)
	const begin = "GET /first HTTP/1.1\r\nHos"
	write(t, c, begin)
	eventually(t, "the beginning is read", func() bool { return srv.Stats().BytesIn == uint64(len(begin)) })
	write(t, c, "t: a\r\n\r\nPOST /"+longer+" HTTP/1.1\r\nHos")
	for _, want := range []string{"200 /first", "503 /" + longer} {
		if got := <-targets; got != want {
			t.Errorf("%q is logged, not %q", got, want)
		}
	}
	srv.hold(-all)
}

package engine

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/listen"
)

// connect gives srv one end of a socketpair as if it had been accepted, and
// returns the other.
func connect(tb testing.TB, srv *Server, p Protocol) *net.UnixConn {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		tb.Fatal(err)
	}
	l := srv.loops[0]
	a := &acceptor{loop: l, listener: &Listener{ln: &listen.Listener{}, protocol: p}}
	if err := l.Post(func() {
		srv.conns.Add(1)
		l.opened(a, fds[0])
	}); err != nil {
		tb.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "client")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		tb.Fatal(err)
	}
	return c.(*net.UnixConn)
}

// moods answers in a way that the request's first letters choose.
func moods(wg *sync.WaitGroup) HandlerFunc {
	return func(x *Exchange) {
		ref := x.Ref()
		later := func(fn func(x *Exchange)) { wg.Go(func() { _ = ref.Post(fn) }) }
		switch path := string(x.Request().Path()); {
		case strings.HasPrefix(path, "/l"):
			later(func(x *Exchange) { x.ReplyText(200, "later") })
		case strings.HasPrefix(path, "/s"):
			pieces(x, -1, "a stream")
			later(func(x *Exchange) { x.Write(pattern(100_000)); x.End() })
		case strings.HasPrefix(path, "/n"):
			pieces(x, 4, "too many")
			x.End()
		case strings.HasPrefix(path, "/a"):
			x.Abort()
		case strings.HasPrefix(path, "/b"):
			pieces(x, -1, "cut")
			later(func(x *Exchange) { x.Abort() })
		case strings.HasPrefix(path, "/p"):
			panic("as planned")
		case strings.HasPrefix(path, "/w"):
			x.Reply(x.Response(), pattern(200_000))
		default:
			echo(x)
		}
	}
}

// Whatever bytes come, in whatever pieces: no panic but the handler's own, no
// hang, and in the end the connection is closed with nothing left over.
func FuzzConn(f *testing.F) {
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }
	for _, s := range []string{
		get("/"), get("/later") + get("/stream") + get("/") + get("/w"), get("/n") + get("/"), get("/a") + get("/p") + get("/b"),
		"POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + get("/"),
		"POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get("/s"),
		"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\r\n\r\n" + get("/"), "\x16\x03\x01", "GET", "\r\n", "",
		"HEAD /w HTTP/1.1\r\nHost: a\r\n\r\n" + get("/w") + get("/w"),
	} {
		f.Add([]byte(s), uint64(1), false)
	}
	f.Add([]byte(request(f, UWSGI, "POST", "/l", "body")), uint64(2), true)
	f.Add([]byte("\x64\x00\x00\x00"), uint64(3), true)

	var logs logLines
	var wg sync.WaitGroup
	f.Cleanup(wg.Wait)
	srv, err := New(Options{Loops: 1, Logf: func(format string, args ...any) {
		if strings.HasPrefix(format, "panic") && args[1] != "as planned" {
			logs.add(format, args...)
		}
	}, BodyMemory: 50})
	if err != nil {
		f.Fatal(err)
	}
	serve(f, srv, moods(&wg))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, packets bool) {
		p := HTTP
		if packets {
			p = UWSGI
		}
		c := connect(t, srv, p)
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		r := rand.New(rand.NewPCG(seed, 0))
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for left := data; len(left) > 0; {
				n := 1 + r.IntN(len(left))
				if _, err := c.Write(left[:n]); err != nil {
					return
				}
				left = left[n:]
			}
			_ = c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			t.Errorf("hangs after %d bytes of answers", len(got))
		}
		<-sent
		if !packets && len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.1 ")) {
			t.Errorf("answered %.100q", got)
		}
		eventually(t, "the connection is closed", func() bool { return srv.Stats().Conns == 0 })
		if st := srv.Stats(); st.InFlight != 0 || len(logs.lines) > 0 {
			t.Errorf("%d in flight, logged %q", st.InFlight, logs.lines)
		}
	})
}

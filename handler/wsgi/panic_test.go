package wsgi

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// faulty is a layer that panics in one of its methods.
type faulty struct {
	engine.Pass
	in string
}

func (f *faulty) panics(in string) {
	if f.in == in {
		panic("as asked in " + in)
	}
}

func (f *faulty) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	if resp.Status == 200 {
		f.panics("Reply")
	}
	f.panics("any Reply")
	f.Next().Reply(x, resp, body)
}

func (f *faulty) ReplyFile(x *engine.Exchange, resp *codec.Response, file *os.File, off, n int64) {
	if f.in == "ReplyFile" {
		_ = file.Close()
	}
	f.panics("ReplyFile")
	f.Next().ReplyFile(x, resp, file, off, n)
}

func (f *faulty) Start(x *engine.Exchange, resp *codec.Response) {
	f.panics("Start")
	f.Next().Start(x, resp)
	f.panics("Start after the head")
}

func (f *faulty) Write(x *engine.Exchange, p []byte) {
	f.panics("Write")
	f.Next().Write(x, p)
}

func (f *faulty) End(x *engine.Exchange) {
	f.panics("End")
	f.Next().End(x)
	f.panics("End after it")
}

// A panic on the way of an answer to its client gives that client 500, or a connection that
// breaks off; the worker and the answers behind it go on.
func TestAnswerPanics(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	apps := filepath.Join(t.TempDir(), "app.py")
	if err := os.WriteFile(apps, fmt.Appendf(nil, `
def application(environ, start_response):
    start_response("200 OK", [])
    path = environ["PATH_INFO"]
    if path == "/stream":
        return (b"x" * 10_000 for _ in range(20))
    if path == "/file":
        return environ["wsgi.file_wrapper"](open(%q, "rb"))
    return [b"hello"]
`, file), 0o600); err != nil {
		t.Fatal(err)
	}
	var in atomic.Pointer[string]
	var panics atomic.Int64
	r := start(t, setup{
		engine: engine.Options{Loops: 1, Logf: func(format string, args ...any) {
			if strings.HasPrefix(fmt.Sprintf(format, args...), "panic on event loop 0: as asked") {
				panics.Add(1)
			}
		}},
		worker: worker.Config{Apps: []worker.App{{File: apps}}},
		around: func(next engine.Handler) engine.Handler {
			return engine.HandlerFunc(func(x *engine.Exchange) {
				if r := x.Request(); len(r.Bytes(r.Query)) > 0 {
					x.Push(&faulty{in: *in.Load()})
				}
				next.Serve(x)
			})
		},
	})
	pid := r.pool.Snapshot().Workers[0].PID
	for _, c := range []struct {
		in, path string
		status   int
		whole    bool
	}{
		{in: "Reply", path: "/hello", status: 500, whole: true},
		{in: "any Reply", path: "/hello", status: 500, whole: true},
		{in: "ReplyFile", path: "/file", status: 500, whole: true},
		{in: "Start", path: "/stream", status: 500, whole: true},
		{in: "Start after the head", path: "/stream", status: 200},
		{in: "Write", path: "/stream", status: 200},
		{in: "End", path: "/stream", status: 200},
		{in: "End after it", path: "/stream", status: 200, whole: true},
	} {
		t.Run(strings.ReplaceAll(c.in, " ", "_"), func(t *testing.T) {
			in.Store(&c.in)
			before := panics.Load()
			conn := r.send("GET " + c.path + "?panic HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			var behind []io.Reader
			for range 5 {
				behind = append(behind, r.send("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
			}
			resp, body, err := read(conn, "GET")
			status := 0
			if resp != nil {
				status = resp.StatusCode
			}
			if status != c.status || (err == nil) != c.whole {
				t.Errorf("got %d, %d bytes, error %v; want %d, whole: %v", status, len(body), err, c.status, c.whole)
			}
			for _, other := range behind {
				resp, body, err := read(other, "GET")
				if err != nil || resp.StatusCode != http.StatusOK || len(body) != 200_000 {
					t.Fatalf("another one: %v, %d bytes", err, len(body))
				}
			}
			if panics.Load() == before {
				t.Error("the log says nothing of the panic")
			}
			if now := r.pool.Snapshot().Workers[0].PID; now != pid {
				t.Errorf("the worker was replaced: %d, then %d", pid, now)
			}
			r.wait("end of the exchanges", func() bool { return r.srv.Stats().InFlight == 0 })
		})
	}
}

// A panic before the request is with the pool leaves nothing there that would count as one.
func TestPanicBeforeTheQueue(t *testing.T) {
	r := start(t, setup{
		engine: engine.Options{Logf: func(string, ...any) {}},
		worker: worker.Config{Processes: 1, Threads: 1, Queue: 2},
		around: func(h engine.Handler) engine.Handler {
			return engine.HandlerFunc(func(x *engine.Exchange) {
				if req := x.Request(); string(req.Bytes(req.Query)) == "panic" {
					req.Vars = append(req.Vars, codec.Field{Name: codec.Span{Off: 1 << 28, End: 1 << 29}})
				}
				h.Serve(x)
			})
		},
	})
	for range 10 {
		if status, _ := r.get("/hello?panic"); status != http.StatusInternalServerError {
			t.Errorf("got %d, want 500", status)
		}
		if status, _ := r.get("/hello"); status != http.StatusOK {
			t.Errorf("the next: got %d", status)
		}
	}
}

// Why an answer cannot be sent is told in one line that can be printed, whatever is in it.
func TestBadAnswerIsPrintable(t *testing.T) {
	const source = `
import marshal, struct
def application(environ, start_response):
    text = "x\nDAMN ! \r\x1b[31m\x7f\xff\x9b"
    head = marshal.dumps({
        "/status": ("200" + text, []),
        "/number": (text, []),
        "/name": ("200 OK", [("X-" + text, "1")]),
        "/value": ("200 OK", [("X-One", text)]),
        "/length": ("200 OK", [("Content-Length", text)]),
    }[environ["PATH_INFO"]], 2)
    exchange = start_response.__self__
    # The shim would refuse it; so it goes past that.
    class Head:
        data, length, bodyless, elsewhere = head, 0, False, False
    exchange.head = Head
    return [b""]
`
	path := filepath.Join(t.TempDir(), "app.py")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10)
	r := start(t, setup{
		worker: worker.Config{Apps: []worker.App{{File: path}}},
		wsgi:   Options{Logf: func(format string, args ...any) { lines <- fmt.Sprintf(format, args...) }},
	})
	for _, target := range []string{"/status", "/number", "/name", "/value", "/length"} {
		if status, _ := r.get(target); status != 500 {
			t.Errorf("%s: got %d, want 500", target, status)
		}
		line := <-lines
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%s: %q", target, line)
		}
	}
}

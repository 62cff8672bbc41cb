package header

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/static"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves h with its headers changed, and returns a connection to it.
func start(t testing.TB, h engine.Handler, o Options) net.Conn {
	t.Helper()
	changed, err := New(h, o)
	if err != nil {
		t.Fatal(err)
	}
	server, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(changed) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	c, err := net.Dial("tcp", l.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask sends a request and reads its answer.
func ask(t testing.TB, c net.Conn, r *bufio.Reader, method, target string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(c, method+" "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// app answers in each way that a handler has.
func app(x *engine.Exchange) {
	resp := x.Response()
	resp.Header = append(resp.Header,
		codec.Header{Name: []byte("X-Powered-By"), Value: []byte("app")},
		codec.Header{Name: []byte("X-Frame-Options"), Value: []byte("ALLOWALL")},
		codec.Header{Name: []byte("Content-Type"), Value: []byte("text/plain")})
	switch string(x.Request().Path()) {
	case "/whole":
		x.Reply(resp, []byte("whole"))
	case "/missing":
		resp.Status = 404
		x.Reply(resp, []byte("missing"))
	case "/stream":
		x.Start(resp)
		x.Write([]byte("str"))
		x.Write([]byte("eam"))
		x.End()
	case "/later":
		ref := x.Ref()
		go func() {
			_ = ref.Post(func(x *engine.Exchange) {
				resp := x.Response()
				resp.Header = append(resp.Header, codec.Header{Name: []byte("x-powered-by"), Value: []byte("app")})
				x.Reply(resp, []byte("later"))
			})
		}()
	case "/nothing":
		resp.Status = 304
		x.Reply(resp, nil)
	case "/abort":
		x.Abort()
	case "/panic":
		panic("on purpose")
	default:
		x.ReplyText(200, "app")
	}
}

func TestEveryAnswer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.css"), []byte("a{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	files, err := static.New(engine.HandlerFunc(app), static.Options{Maps: []static.Map{{Prefix: "/files", Path: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, files, Options{
		Add:    []string{"X-Frame-Options: DENY", "Strict-Transport-Security:max-age=1", "Set-Cookie: a=1", "Set-Cookie: b=2", "X-Empty:"},
		Remove: []string{"x-POWERED-by", "X-FRAME-OPTIONS", "X-None"},
	})
	r := bufio.NewReader(c)
	for range 3 { // on one connection: nothing of one answer stays for the next
		for _, tt := range []struct {
			target, body string
			status       int
		}{
			{"/whole", "whole", 200},
			{"/missing", "missing", 404},
			{"/stream", "stream", 200},
			{"/later", "later", 200},
			{"/nothing", "", 304},
			{"/abort", "Internal Server Error", 500},
			{"/panic", "Internal Server Error", 500},
			{"/other", "app", 200},
			{"/files/a.css", "a{}", 200},
			{"/files/none.css", "app", 200},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				resp, body := ask(t, c, r, method, tt.target)
				want := tt.body
				if method == "HEAD" {
					want = ""
				}
				if resp.StatusCode != tt.status || body != want {
					t.Errorf("%s %s: %d %q", method, tt.target, resp.StatusCode, body)
				}
				h := resp.Header
				if got := strings.Join(h.Values("X-Frame-Options"), "|"); got != "DENY" {
					t.Errorf("%s %s: X-Frame-Options: %q", method, tt.target, got)
				}
				if got := strings.Join(h.Values("Set-Cookie"), "|"); got != "a=1|b=2" {
					t.Errorf("%s %s: Set-Cookie: %q", method, tt.target, got)
				}
				if h.Get("Strict-Transport-Security") != "max-age=1" || h.Values("X-Empty") == nil || h.Values("X-Powered-By") != nil {
					t.Errorf("%s %s: %v", method, tt.target, h)
				}
			}
		}
	}
}

func TestConnectionIsClosedOnRequest(t *testing.T) {
	c := start(t, engine.HandlerFunc(app), Options{Add: []string{"Connection: close"}})
	resp, _ := ask(t, c, bufio.NewReader(c), "GET", "/whole")
	if !resp.Close {
		t.Error("the answer does not say that the connection is closed")
	}
}

func TestWhatIsNoHeader(t *testing.T) {
	for _, line := range []string{"", "X-Frame-Options", ": DENY", "X Frame: DENY", "X-Frame : DENY", "X: a\r\nY: b", "X: \x00", "X: a\x1b", "Ü: x", "content-length: 5", "Transfer-Encoding: chunked"} {
		if _, err := New(nil, Options{Add: []string{line}}); err == nil {
			t.Errorf("add %q is taken", line)
		}
	}
	for _, name := range []string{"", "X-A: b", "X A", "Content-Length", "transfer-encoding"} {
		if _, err := New(nil, Options{Remove: []string{name}}); err == nil {
			t.Errorf("remove %q is taken", name)
		}
	}
}

func BenchmarkReply(b *testing.B) {
	plain := engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(200, "ok") })
	for name, o := range map[string]Options{"n=0": {}, "n=2": {Add: []string{"X-A: b", "X-C: d"}, Remove: []string{"X-E"}}} {
		b.Run(name, func(b *testing.B) {
			c := start(b, plain, o)
			request, answer := []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Read(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

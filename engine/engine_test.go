package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// echo answers with what it was asked.
var echo = HandlerFunc(func(x *Exchange) {
	r := x.Request()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s?%s %d:", r.Bytes(r.Method), r.Path(), r.Bytes(r.Query), x.Body().Size())
	_, _ = io.Copy(&b, x.Body().Reader())
	x.ReplyText(200, b.String())
})

// start serves h and returns the server and its address.
func start(t testing.TB, h Handler, o Options, lo ListenOptions) (*Server, string) {
	t.Helper()
	if o.Logf == nil {
		o.Logf = t.Logf
	}
	srv, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", lo)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv, h)
	return srv, ln.String()
}

// serve runs srv until the test ends. h is called when the body is there.
func serve(t testing.TB, srv *Server, h Handler) {
	t.Helper()
	serveHeads(t, srv, WholeBody(h))
}

// serveHeads is serve for a handler that is called from the head on.
func serveHeads(t testing.TB, srv *Server, h Handler) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- srv.Serve(h) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; !errors.Is(err, ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
		if n := srv.Stats().Conns; n != 0 {
			t.Errorf("%d connections left", n)
		}
		if n := srv.Stats().InFlight; n != 0 {
			t.Errorf("%d requests in flight at the end", n)
		}
	})
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// talk sends raw and returns all that comes back until the server closes.
func talk(t *testing.T, addr, raw string) string {
	t.Helper()
	c := dial(t, addr)
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read: %v (got %q)", err, b)
	}
	return string(b)
}

// bodies splits answers and returns their statuses and bodies.
func answers(t *testing.T, raw string, method string) (statuses []int, bodies []string) {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(raw))
	for {
		if _, err := r.Peek(1); err != nil {
			return statuses, bodies
		}
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("answer %d of %q: %v", len(statuses), raw, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("body %d of %q: %v", len(statuses), raw, err)
		}
		statuses = append(statuses, resp.StatusCode)
		bodies = append(bodies, string(b))
	}
}

func TestRequests(t *testing.T) {
	_, addr := start(t, echo, Options{}, ListenOptions{})
	const host = "Host: a\r\n"
	for _, tt := range []struct {
		name     string
		give     string
		statuses []int
		bodies   []string // those of 200
	}{
		{"get", "GET /x?y=1 HTTP/1.1\r\n" + host + "\r\n", []int{200}, []string{"GET /x?y=1 0:"}},
		{"http10", "GET /x HTTP/1.0\r\n\r\n", []int{200}, []string{"GET /x? 0:"}},
		{"length", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", []int{200}, []string{"POST /? 5:hello"}},
		{"chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n y!\r\n0\r\n\r\n", []int{200}, []string{"POST /? 8:hello y!"}},
		{"pipelined", strings.Repeat("GET /a HTTP/1.1\r\n"+host+"\r\nPOST /b HTTP/1.1\r\n"+host+"Content-Length: 2\r\n\r\nhi", 50), repeatInt(200, 100), nil},
		{"malformed", "GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", []int{400}, nil},
		{"good_then_malformed", "GET /1 HTTP/1.1\r\n" + host + "\r\nGET\r\n\r\n", []int{200, 400}, nil},
		{"cut_short", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhel", []int{400}, nil},
		{"head_cut_short", "POST / HTT", []int{400}, nil},
		{"line_after_body", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx\r\n", []int{200}, nil},
		{"close_asked", "GET / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\nGET /more HTTP/1.1\r\n\r\n", []int{200}, nil},
		{"version", "GET / HTTP/3.0\r\n\r\n", []int{505}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := func(raw string) {
				t.Helper()
				statuses, bodies := answers(t, raw, "GET")
				if fmt.Sprint(statuses) != fmt.Sprint(tt.statuses) {
					t.Fatalf("statuses %v, want %v; bodies %q", statuses, tt.statuses, bodies)
				}
				if tt.bodies != nil && fmt.Sprint(bodies) != fmt.Sprint(tt.bodies) {
					t.Fatalf("bodies %q, want %q", bodies, tt.bodies)
				}
			}
			check(talk(t, addr, tt.give))
			if len(tt.give) > 1000 {
				return
			}
			c := dial(t, addr)
			for i := range len(tt.give) {
				if _, err := io.WriteString(c, tt.give[i:i+1]); err != nil {
					break // refused already
				}
			}
			_ = c.CloseWrite()
			b, err := io.ReadAll(c)
			if err != nil && len(b) == 0 {
				t.Fatal(err)
			}
			check(string(b))
		})
	}
}

func repeatInt(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func TestLargeBodyGoesToAFileWithoutAName(t *testing.T) {
	dir := t.TempDir()
	body := strings.Repeat("0123456789abcdef", 20_000)
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		if x.Body().File() == nil {
			t.Error("the body is not in a file")
		}
		b, err := io.ReadAll(x.Body().Reader())
		if err != nil {
			t.Error(err)
		}
		x.Reply(x.Response(), b)
	}), Options{TempDir: dir}, ListenOptions{})
	got := talk(t, addr, fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	if _, bodies := answers(t, got, "PUT"); len(bodies) != 1 || bodies[0] != body {
		t.Fatalf("got %d bytes back", len(got))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if n := srv.Stats().Spooled; n != 1 {
		t.Errorf("counted %d spooled bodies", n)
	}
}

func TestUWSGIPacket(t *testing.T) {
	_, addr := start(t, echo, Options{}, ListenOptions{Protocol: UWSGI})
	p, err := uwsgi.AppendPacket(nil, 0, 0, []uwsgi.Var{
		{Name: "REQUEST_METHOD", Value: "POST"},
		{Name: "PATH_INFO", Value: "/u"},
		{Name: "QUERY_STRING", Value: "q"},
		{Name: "REQUEST_URI", Value: "/u?q"},
		{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
		{Name: "CONTENT_LENGTH", Value: "4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := talk(t, addr, string(p)+"body")
	if _, bodies := answers(t, got, "POST"); len(bodies) != 1 || bodies[0] != "POST /u?q 4:body" {
		t.Fatalf("got %q", got)
	}
	if got := talk(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.Contains(got, " 400 ") || !strings.Contains(got, "uwsgi protocol, not HTTP") {
		t.Errorf("HTTP on a uwsgi socket got %q", got)
	}
	ping := string(uwsgi.AppendPong(nil))
	if got := talk(t, addr, "\x64\x00\x00\x00"); got != ping {
		t.Errorf("ping got %q, want %q", got, ping)
	}
}

func TestShutdownFinishesWhatWasRead(t *testing.T) {
	asked := make(chan Ref, 1)
	srv, err := New(Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(HandlerFunc(func(x *Exchange) {
			if string(x.Request().Path()) == "/now" {
				x.ReplyText(200, "now")
				return
			}
			asked <- x.Ref()
		}))
	}()
	idle := dial(t, ln.String())
	if _, err := io.WriteString(idle, "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	idleReader := bufio.NewReader(idle)
	resp, err := http.ReadResponse(idleReader, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	c := dial(t, ln.String())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	ref := <-asked
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(context.Background()) }()
	if b, err := io.ReadAll(idleReader); err != nil || len(b) > 0 {
		t.Errorf("idle connection: %q, %v", b, err)
	}
	if err := ref.Post(func(x *Exchange) { x.ReplyText(200, "late") }); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), "late") || !strings.Contains(string(b), "Connection: close") {
		t.Errorf("got %q, %v", b, err)
	}
	if err := <-down; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-served; !errors.Is(err, ErrServerClosed) {
		t.Errorf("serve: %v", err)
	}
}

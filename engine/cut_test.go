package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cutRig serves answers that break off, each in its way.
type cutRig struct {
	srv   *Server
	addrs map[string]string // of a protocol and a kind of socket
	begun chan Ref          // an answer whose first part has been sent
}

func startCutRig(t *testing.T, o Options) *cutRig {
	t.Helper()
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	r := &cutRig{addrs: map[string]string{}, begun: make(chan Ref, 1)}
	var err error
	if r.srv, err = New(o); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Protocol{HTTP, UWSGI} {
		for _, addr := range []string{"127.0.0.1:0", filepath.Join(t.TempDir(), "s")} {
			ln, err := r.srv.Listen(addr, ListenOptions{Protocol: p})
			if err != nil {
				t.Fatal(err)
			}
			r.addrs[p.String()+map[bool]string{true: " unix", false: " tcp"}[ln.Unix()]] = ln.String()
		}
	}
	serve(t, r.srv, HandlerFunc(func(x *Exchange) {
		what := string(x.Request().Path())
		if what == "/whole" {
			x.ReplyText(200, "begun and ended")
			return
		}
		resp := x.Response()
		if what == "/short" {
			resp.ContentLength = 100
		}
		x.Start(resp)
		x.Write([]byte("begun"))
		switch what {
		case "/stream":
			x.Write([]byte(" and ended"))
			x.End()
		case "/abort":
			x.Abort()
		case "/short":
			x.End()
		case "/panic":
			panic("on purpose")
		case "/much":
			x.Write(make([]byte, 16<<20))
			x.End()
		default:
			r.begun <- x.Ref()
		}
	}))
	return r
}

// how an answer ends, once the client has seen its beginning; where is of use to those
// that are under way then.
func (r *cutRig) end(t *testing.T, what string) {
	t.Helper()
	switch what {
	case "/later", "/later_abort", "/watched", "/watched_abort":
	case "/close":
		<-r.begun
		if err := r.srv.Close(); err != nil {
			t.Error(err)
		}
		return
	default:
		return
	}
	ref := <-r.begun
	if strings.HasPrefix(what, "/watched") {
		_ = ref.Post(func(x *Exchange) { x.conn.watch() })
		done := make(chan struct{}) // the event of what is unread has been handled
		_ = ref.Post(func(x *Exchange) { _ = x.Loop().Post(func() { close(done) }) })
		<-done
	}
	_ = ref.Post(func(x *Exchange) {
		if strings.HasSuffix(what, "_abort") {
			x.Abort()
			return
		}
		x.Write([]byte(" and ended"))
		x.End()
	})
}

// TestCutAnswersShow checks that no client takes part of an answer for the whole, on any
// socket in any protocol: over uwsgi and HTTP/1.0 only the end of the connection tells.
func TestCutAnswersShow(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIP: only Linux resets unix sockets")
	}
	wholes := []string{"/whole", "/stream", "/later", "/watched"}
	cuts := []string{"/abort", "/short", "/panic", "/later_abort", "/watched_abort", "/close"}
	shared := startCutRig(t, Options{Loops: 1})
	for _, version := range []string{"uwsgi", "HTTP/1.0", "HTTP/1.1"} {
		for _, socket := range []string{"unix", "tcp"} {
			for _, shape := range []string{"no_body", "body", "body_in_pieces", "large_body", "body_of_one", "ends_its_side"} {
				for _, what := range append(wholes, cuts...) {
					t.Run(fmt.Sprintf("%s/%s/%s%s", strings.ReplaceAll(version, "/", ""), socket, shape, what), func(t *testing.T) {
						r := shared
						if what == "/close" {
							r = startCutRig(t, Options{Loops: 1})
						}
						protocol := "http"
						if version == "uwsgi" {
							protocol = "uwsgi"
						}
						got, err := r.ask(t, r.addrs[protocol+" "+socket], version, shape, what)
						whole := slices.Contains(wholes, what)
						switch {
						case whole && (err != nil || got != "begun and ended"):
							t.Errorf("%q, %v", got, err)
						case !whole && err == nil:
							t.Errorf("the cut answer %q looks whole", got)
						case !whole && version != "HTTP/1.1" && what != "/short" && !errors.Is(err, syscall.ECONNRESET):
							t.Errorf("%q ends with %v, not with a reset", got, err)
						}
					})
				}
			}
		}
	}
}

// ask sends a request in a shape and returns the body of the answer and the error at
// its end.
func (r *cutRig) ask(t *testing.T, addr, version, shape, what string) (string, error) {
	t.Helper()
	network := "tcp"
	if addr[0] == '/' {
		network = "unix"
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	body := map[string]string{"body": "hello", "body_in_pieces": "hello", "large_body": strings.Repeat("x", 200_000), "body_of_one": "x"}[shape]
	p := HTTP
	if version == "uwsgi" {
		p = UWSGI
	}
	raw := strings.Replace(request(t, p, "POST", what, body), "HTTP/1.1\r\n", version+"\r\n", 1)
	if version == "HTTP/1.1" {
		raw = strings.Replace(raw, "Host: a\r\n", "Host: a\r\nConnection: close\r\n", 1)
	}
	if shape == "body_in_pieces" {
		head := len(raw) - len(body)
		for _, end := range []int{1, head / 2, head, head + 1, head + 4} {
			write(t, c, raw[:end][max(0, previous(end, head)):])
			time.Sleep(200 * time.Microsecond) // lets the server read this part on its own
		}
		raw = raw[head+4:]
	}
	write(t, c, raw)
	if shape == "ends_its_side" {
		_ = c.(interface{ CloseWrite() error }).CloseWrite() // fails where the answer has been cut already
	}
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		if what == "/abort" || what == "/panic" || what == "/short" {
			return "", err // a reset may take all of it
		}
		t.Fatal(err)
	}
	first := make([]byte, len("begun"))
	if _, err := io.ReadFull(resp.Body, first); err != nil {
		return "", err
	}
	go r.end(t, what)
	rest, err := io.ReadAll(resp.Body)
	return string(first) + string(rest), err
}

// previous returns where the piece that ends at end begins.
func previous(end, head int) int {
	at := 0
	for _, e := range []int{1, head / 2, head, head + 1, head + 4} {
		if e >= end {
			break
		}
		at = e
	}
	return at
}

// TestWriteTimeoutShows: a client that reads nothing for too long is given up, and must see
// that when it reads on.
func TestWriteTimeoutShows(t *testing.T) {
	r := startCutRig(t, Options{Loops: 1, WriteTimeout: 50 * time.Millisecond})
	for name, addr := range r.addrs {
		if runtime.GOOS != "linux" && strings.HasSuffix(name, "unix") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			network := "tcp"
			if addr[0] == '/' {
				network = "unix"
			}
			c, err := net.Dial(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p := HTTP
			if strings.HasPrefix(name, "uwsgi") {
				p = UWSGI
			}
			timeouts := r.srv.Stats().Timeouts
			write(t, c, strings.Replace(request(t, p, "GET", "/much", ""), "HTTP/1.1\r\n", "HTTP/1.0\r\n", 1))
			eventually(t, "the timeout", func() bool { return r.srv.Stats().Timeouts > timeouts })
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			n, err := io.Copy(io.Discard, c)
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("after %d bytes: %v, not a reset", n, err)
			}
		})
	}
}

// TestHeldInputAndKeptConnections: a connection that is kept leaves nothing unread, or it
// could not be told from one with another request.
func TestHeldInputAndKeptConnections(t *testing.T) {
	r := startCutRig(t, Options{Loops: 1, IdleTimeout: 200 * time.Millisecond})
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		t.Run(version, func(t *testing.T) {
			c, err := net.Dial("unix", r.addrs["http unix"])
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			in := bufio.NewReader(c)
			one := "POST /whole " + version + "\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc"
			for _, raw := range []string{one, one, one + one, one + one[:30], one[30:]} {
				write(t, c, raw)
				for range strings.Count(raw, "abc") {
					resp, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					if b, err := io.ReadAll(resp.Body); string(b) != "begun and ended" || err != nil {
						t.Fatalf("%q, %v", b, err)
					}
				}
			}
			if _, err := in.ReadByte(); err != io.EOF { // the idle timeout
				t.Errorf("the idle connection ended with %v", err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.srv.Drain(ctx); err != nil {
		t.Error(err)
	}
}

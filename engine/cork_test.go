package engine

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// writeCounter counts the writes of connections.
type writeCounter struct {
	*socket
	writes *atomic.Int64
}

func (c *writeCounter) write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.socket.write(p)
}

// Pieces that are written while they are corked go out together, whole answers and the next
// request of the connection too, and in order.
func TestCork(t *testing.T) {
	var writes atomic.Int64
	srv, err := New(Options{Logf: t.Logf, carry: func(s *socket) transport { return &writeCounter{s, &writes} }})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var corks Corks
	serve(t, srv, HandlerFunc(func(x *Exchange) {
		path := string(x.Request().Path())
		answer := func(x *Exchange) {
			defer corks.Uncork()
			for range 2 { // twice is as good as once
				corks.Cork(x)
			}
			x.Start(x.Response())
			for _, p := range []string{"one ", "two ", "three"} {
				x.Write([]byte(p))
			}
			switch path {
			case "/abort":
				x.Abort()
			case "/large":
				x.Write(pattern(1 << 20))
				x.End()
			default:
				x.End()
			}
		}
		// As an answer of a worker comes: later, from another descriptor's event.
		ref := x.Ref()
		go func() { _ = ref.Post(answer) }()
	}))
	c, err := net.Dial("tcp", ln.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for _, path := range []string{"/", "/", "/large", "/", "/abort"} {
		before := writes.Load()
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if path == "/abort" {
			if err == nil {
				if b, err := io.ReadAll(resp.Body); err == nil {
					t.Errorf("%s: %q is whole", path, b)
				}
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasPrefix(string(b), "one two three") {
			t.Errorf("%s: %.20q, %v", path, b, err)
		}
		if n := writes.Load() - before; path == "/" && n != 1 {
			t.Errorf("%d writes for an answer in pieces", n)
		}
		if path == "/large" && len(b) != 13+1<<20 {
			t.Errorf("%d bytes", len(b))
		}
	}
}

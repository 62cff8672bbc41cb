package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

func TestMain(m *testing.M) {
	http.DefaultTransport.(*http.Transport).DisableKeepAlives = true
	goleak.VerifyTestMain(m)
}

// surely bounds what is sure to come.
const surely = 30 * time.Second

// journal keeps what is logged.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (l *journal) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *journal) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// await waits until something is true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(surely); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", surely, what)
		}
	}
}

// front is a server that passes requests on.
type front struct {
	addr string
	h    *Handler
	log  *journal
	srv  *engine.Server
}

// newFront starts one. wrap puts something in front of the proxy; nil for nothing.
func newFront(t *testing.T, cfg Config, wrap func(engine.Handler) engine.Handler, protocol engine.Protocol) *front {
	t.Helper()
	f := &front{log: &journal{}}
	cfg.Logf = f.log.printf
	var err error
	if f.h, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	f.srv, err = engine.New(engine.Options{Loops: 1, Logf: f.log.printf, Policy: codec.Policy{Upgrade: true}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := f.srv.Listen("127.0.0.1:0", engine.ListenOptions{Protocol: protocol})
	if err != nil {
		t.Fatal(err)
	}
	f.addr = ln.String()
	var h engine.Handler = f.h
	if wrap != nil {
		h = wrap(h)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = f.srv.Serve(h) }()
	t.Cleanup(func() {
		f.h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = f.srv.Shutdown(ctx)
		<-done
		if t.Failed() {
			t.Logf("log:\n%s", f.log)
		}
	})
	return f
}

func to(addresses ...string) Config {
	var cfg Config
	for _, a := range addresses {
		cfg.Servers = append(cfg.Servers, Server{Address: a})
	}
	return cfg
}

// raw is an upstream that speaks bytes. Each connection is handled by a function of its own.
func raw(t *testing.T, serve func(n int, c net.Conn, r *bufio.Reader)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return rawOn(t, ln, serve)
}

func rawOn(t *testing.T, ln net.Listener, serve func(n int, c net.Conn, r *bufio.Reader)) (addr string) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

// readHead reads a request's head as it came.
func readHead(r *bufio.Reader) string {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// says is an upstream that reads a head and sends always the same, again and again on the same
// connection.
func says(t *testing.T, answer string) string {
	return raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
}

// ask sends bytes on a connection of its own, and returns all that comes back until the end.
func ask(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(surely))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if os.IsTimeout(err) {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}

// open is a connection of a client.
type open struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *open {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(surely))
	return &open{c, bufio.NewReader(c)}
}

func (o *open) send(t *testing.T, s string) {
	t.Helper()
	if _, err := io.WriteString(o, s); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly what is expected.
func (o *open) expect(t *testing.T, want string) {
	t.Helper()
	b := make([]byte, len(want))
	n, err := io.ReadFull(o.r, b)
	if string(b[:n]) != want {
		t.Fatalf("got %q (%v)\nwant %q", b[:n], err, want)
	}
}

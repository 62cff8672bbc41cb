package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// draining starts a server whose handler holds what asks for /held.
func draining(t *testing.T, p Protocol) (srv *Server, addr string, held chan Ref) {
	held = make(chan Ref, 10)
	srv, addr = start(t, HandlerFunc(func(x *Exchange) {
		switch string(x.Request().Path()) {
		case "/held":
			held <- x.Ref()
		case "/big":
			x.Reply(x.Response(), pattern(8<<20))
		default:
			x.ReplyText(200, "now")
		}
	}), Options{}, ListenOptions{Protocol: p})
	return srv, addr, held
}

func drain(t *testing.T, srv *Server) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	go func() { defer cancel(); done <- srv.Drain(ctx) }()
	eventually(t, "draining", srv.draining.Load)
	onLoops(t, srv)
	return done
}

// Whatever a client is at when the server drains, what it has begun is finished.
func TestDrainAtEachMoment(t *testing.T) {
	get := request(t, HTTP, "GET", "/", "")
	for _, tt := range []struct {
		name  string
		give  string // before
		held  int    // requests that are then being answered
		after string // sent while draining
		want  int    // answers with 200 in all
	}{
		{"idle", get, 0, "", 1},
		{"idle_with_a_last_request", get, 0, get, 2},
		{"in_head", "GET / HT", 0, "TP/1.1\r\nHost: a\r\n\r\n", 1},
		{"in_body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo", 0, "dy", 1},
		{"in_second_head", get + "GET / HT", 0, "TP/1.1\r\nHost: a\r\n\r\n", 2},
		{"being_answered", request(t, HTTP, "GET", "/held", ""), 1, "", 1},
		{"output_waits", request(t, HTTP, "GET", "/big", ""), 0, "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, addr, held := draining(t, HTTP)
			c := dialSlow(t, addr)
			write(t, c, tt.give)
			eventually(t, "all has been read", func() bool { return srv.Stats().BytesIn == uint64(len(tt.give)) })
			onLoops(t, srv)
			done := drain(t, srv)
			write(t, c, tt.after)
			for range tt.held {
				if err := (<-held).Post(func(x *Exchange) { x.ReplyText(200, "held") }); err != nil {
					t.Fatal(err)
				}
			}
			b, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			statuses, bodies := answers(t, string(b), "GET")
			if fmt.Sprint(statuses) != fmt.Sprint(repeatInt(200, tt.want)) {
				t.Errorf("statuses %v, want %d of 200; bodies %.100q", statuses, tt.want, bodies)
			}
			if tt.after != "" || tt.held > 0 {
				if !strings.Contains(string(b), "Connection: close\r\n") {
					t.Errorf("the client was not told that the connection ends: %q", b)
				}
			}
			if err := <-done; err != nil {
				t.Errorf("drain: %v", err)
			}
			if _, err := net.DialTimeout("tcp", addr, time.Second); err == nil && srv.Stats().Accepted > 1 {
				t.Error("accepted a connection after draining")
			}
		})
	}
}

// Output that waits is not lost though the exchange is over and the connection
// was going to be kept.
func TestDrainKeepsOutputOfAnIdleConnection(t *testing.T) {
	n := kernelTakes(t) + pipelineMax/2
	srv, addr := start(t, HandlerFunc(func(x *Exchange) { x.Reply(x.Response(), pattern(n)) }), Options{}, ListenOptions{})
	c := dialSlow(t, addr)
	write(t, c, request(t, HTTP, "GET", "/", ""))
	eventually(t, "answered", func() bool { return srv.Stats().Requests == 1 })
	done := drain(t, srv)
	b, err := readSlowly(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, bodies := answers(t, string(b), "GET"); len(bodies) != 1 || bodies[0] != string(pattern(n)) {
		t.Errorf("got %d bytes", len(b))
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Those who wait in the backlog are still served, however many.
func TestDrainTakesInTheBacklog(t *testing.T) {
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		srv, err := New(Options{Logf: t.Logf})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := srv.Listen(filepath.Join(t.TempDir(), "s"), ListenOptions{Protocol: p})
		if err != nil {
			t.Fatal(err)
		}
		blocked, release := make(chan struct{}), make(chan struct{})
		serve(t, srv, HandlerFunc(func(x *Exchange) {
			if string(x.Request().Path()) == "/block" {
				close(blocked)
				<-release // so that nothing is accepted
			}
			x.ReplyText(200, "served")
		}))
		const clients = 306
		conns := make([]net.Conn, clients)
		connect := func(i int, path string) {
			c, err := net.Dial("unix", ln.String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			write(t, c, ask("GET", path, ""))
			conns[i] = c
		}
		connect(0, "/block")
		<-blocked
		for i := 1; i < clients; i++ {
			connect(i, "/")
		}
		done := make(chan error, 1)
		go func() { done <- srv.Drain(context.Background()) }()
		eventually(t, "draining", srv.draining.Load)
		close(release)
		for i, c := range conns {
			if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "served") {
				t.Fatalf("client %d got %q, %v", i, b, err)
			}
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestDrainGivesUp(t *testing.T) {
	srv, addr, held := draining(t, HTTP)
	write(t, dial(t, addr), request(t, HTTP, "GET", "/held", ""))
	<-held
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	for range 2 {
		if err := srv.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain: %v", err)
		}
	}
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	if n := srv.Stats().Conns; n != 0 {
		t.Errorf("%d connections left", n)
	}
}

func TestEndBeforeServe(t *testing.T) {
	for name, end := range map[string]func(*Server) error{
		"close":    (*Server).Close,
		"shutdown": func(s *Server) error { return s.Shutdown(context.Background()) },
		"both": func(s *Server) error {
			return errors.Join(s.Drain(context.Background()), s.Close(), s.Shutdown(context.Background()), s.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, err := New(Options{Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := srv.Listen("127.0.0.1:0", ListenOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := end(srv); err != nil {
				t.Error(err)
			}
			if err := srv.Serve(echo); !errors.Is(err, ErrServerClosed) {
				t.Errorf("serve after the end: %v", err)
			}
			if _, err := srv.Listen("127.0.0.1:0", ListenOptions{}); err == nil {
				t.Error("a closed server listens")
			}
		})
	}
}

// Close ends requests at hand, tells their watchers, and may come at any time and
// more than once.
func TestCloseAtOnce(t *testing.T) {
	var w watch
	asked := make(chan struct{}, 10)
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		x.Watch(&w)
		asked <- struct{}{}
	}), Options{Loops: 2}, ListenOptions{})
	var conns []*net.TCPConn
	for range 5 {
		c := dial(t, addr)
		write(t, c, request(t, HTTP, "GET", "/", ""))
		<-asked
		conns = append(conns, c)
	}
	ended := make(chan error, 3)
	for range 3 {
		go func() { ended <- srv.Close() }()
	}
	for range 3 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if n := w.gone.Load(); n != 5 {
		t.Errorf("%d watchers were told, want 5", n)
	}
	for _, c := range conns {
		if b, err := io.ReadAll(c); len(b) > 0 {
			t.Errorf("got %q, %v", b, err)
		}
	}
}

// A socket that is handed over goes on listening when the one that had it has ended, and
// its file stays.
func TestHandOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	handler := HandlerFunc(func(x *Exchange) { x.ReplyText(200, "served") })
	ask := func() {
		t.Helper()
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		write(t, c, "GET / HTTP/1.0\r\n\r\n")
		if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "served") {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	made := func() *Server {
		srv, err := New(Options{Logf: t.Logf, Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	first, second := made(), made()
	ln, err := first.Listen(path, ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, first, handler)
	ask()
	f, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	adopted, err := second.Adopt(fd, ListenOptions{Address: path})
	if err != nil {
		t.Fatal(err)
	}
	if adopted.String() != path || !adopted.OwnsFile() {
		t.Errorf("adopted %s, owns its file: %v", adopted, adopted.OwnsFile())
	}
	serve(t, second, handler)
	if err := first.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := ln.File(); err == nil {
		t.Error("a closed listener gives its socket away")
	}
	ask()
	if removed, err := adopted.Unlink(); !removed || err != nil {
		t.Errorf("unlink: %v, %v", removed, err)
	}
}

package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/compress"
)

// What people have reported of other proxies.
func TestReports(t *testing.T) {
	// A head alone, of server-sent events that have not begun: caddyserver/caddy#4247.
	t.Run("head_of_events", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
			_, _ = r.ReadByte()
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		c.expect(t, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n")
	})
	// The same behind compression, with an event: caddyserver/caddy#6293.
	t.Run("events_and_compression", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
			_, _ = r.ReadByte()
		})
		pool := engine.NewPool(1, 16, nil)
		t.Cleanup(pool.Close)
		f := newFront(t, to(up), func(h engine.Handler) engine.Handler { return compress.New(h, compress.Options{Pool: pool}) }, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
		for !strings.HasPrefix(mustLine(t, c), "HTTP/1.1 200") {
			t.Fatal("no answer")
		}
		for mustLine(t, c) != "\r\n" {
		}
		if mustLine(t, c) == "" {
			t.Error("no event")
		}
	})
	// Escapes stay as they are, in paths of WebSockets too: traefik/traefik#2196, #12395, #1896.
	for _, path := range []string{"/lool/https%3A%2F%2Fhost%3Faccess%3D1/ws", "/api/a%2fb", "/x?token=1%202&q=%3F", "//double//slash", "/%C3%A4?%"} {
		t.Run("escapes_"+strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			heads := make(chan string, 1)
			up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				heads <- readHead(r)
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
			})
			f := newFront(t, to(up), nil, engine.HTTP)
			c := dial(t, f.addr)
			c.send(t, "GET "+path+" HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			if head := <-heads; !strings.HasPrefix(head, "GET "+path+" HTTP/1.1\r\n") {
				t.Errorf("%q", head)
			}
			c.expect(t, "HTTP/1.1 101 ")
		})
	}
	// A chunked upload with Expect: unbit/uwsgi#333.
	t.Run("chunks_that_are_announced", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			var body strings.Builder
			for !strings.HasSuffix(body.String(), "0\r\n\r\n") {
				b, err := r.ReadByte()
				if err != nil {
					return
				}
				body.WriteByte(b)
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", body.Len(), body.String())
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		c := dial(t, f.addr)
		c.send(t, "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
		c.expect(t, "HTTP/1.1 100 Continue\r\n\r\n")
		c.send(t, "5\r\nhello\r\n0\r\n\r\n")
		c.expect(t, "HTTP/1.1 200 OK\r\n")
	})
	// Node tells for how long it keeps a connection: jetty/jetty.project#2306, kubernetes/ingress-nginx#11244.
	t.Run("a_server_that_says_when_it_closes", func(t *testing.T) {
		up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
			for {
				_ = c.SetReadDeadline(time.Now().Add(time.Second))
				if readHead(r) == "" {
					return
				}
				if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nhi"); err != nil {
					return
				}
			}
		})
		f := newFront(t, to(up), nil, engine.HTTP)
		for _, pause := range []time.Duration{0, 700 * time.Millisecond, 1050 * time.Millisecond} {
			time.Sleep(pause)
			if got := ask(t, f.addr, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"); !strings.HasSuffix(got, "hi") {
				t.Errorf("after %v: %q", pause, got)
			}
		}
	})
}

func mustLine(t *testing.T, c *open) string {
	t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// An upstream that speaks uwsgi: answers that end with the connection, in chunks of the app's own
// (unbit/uwsgi#798), and uploads of unknown length.
func TestUwsgiUpstream(t *testing.T) {
	var d uwsgi.Decoder
	up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		head, err := r.Peek(4)
		if err != nil {
			return
		}
		packet := make([]byte, 4+int(head[1])+int(head[2])<<8)
		if _, err := io.ReadFull(r, packet); err != nil {
			return
		}
		var req codec.Request
		if n, err := d.Head(packet, &req); n == 0 {
			t.Errorf("%q: %v", packet, err)
			return
		}
		body, _ := io.ReadAll(io.LimitReader(r, req.ContentLength))
		switch string(req.Path()) {
		case "/chunks":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
		case "/length":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nhi")
		case "/short":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 20\r\n\r\nhi")
		default:
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n%s %s %s %d", req.Bytes(req.Method), req.Bytes(req.Target), req.Var("REMOTE_ADDR"), len(body))
		}
	})
	f := newFront(t, to("uwsgi://"+up), nil, engine.HTTP)
	for _, tt := range []struct{ name, in, want string }{
		{"to_the_end", "GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /a?b 127.0.0.1 0"},
		{"chunks", "GET /chunks HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "Content-Length: 2\r\nConnection: close\r\n\r\nhi"},
		{"length", "GET /length HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "\r\n\r\nhi"},
		{"upload", "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", "POST /a 127.0.0.1 3"},
		{"upload_in_chunks", "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST /a 127.0.0.1 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ask(t, f.addr, tt.in)
			if !strings.Contains(got, tt.want) || !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := ask(t, f.addr, "GET /short HTTP/1.1\r\nHost: h\r\n\r\n"); !strings.Contains(got, "Content-Length: 20\r\n") || strings.Contains(got, "hihi") {
		t.Errorf("a short answer: %q", got)
	}
	if got := ask(t, f.addr, "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
		t.Errorf("a bad chunk: %q", got)
	}
}

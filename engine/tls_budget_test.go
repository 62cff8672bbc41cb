package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// memoryHeld is what connections and bodies hold, as the budget and the loops know of it.
func memoryHeld(t *testing.T, srv *Server) int64 {
	t.Helper()
	n := srv.memory.Load()
	for _, l := range srv.loops {
		got := make(chan int, 1)
		if err := l.Post(func() { got <- l.weight }); err != nil {
			t.Fatal(err)
		}
		n += int64(<-got)
	}
	return n
}

// What clients of TLS hold counts: the beginning of a handshake, and bodies over HTTP/2 that
// nobody has read yet.
func TestTLSCounts(t *testing.T) {
	holds := HandlerFunc(func(x *Exchange) { x.Watch(watcherFunc(func() {})) })
	t.Run("hello", func(t *testing.T) {
		srv, addr, _ := tlsServer(t, holds, Options{}, nil)
		const clients, size = 10, 10_000
		hello := append([]byte{recordHandshake, 3, 1, 0x3f, 0xff}, make([]byte, size)...)
		for range clients {
			write(t, dial(t, addr), string(hello))
		}
		eventually(t, "it counts", func() bool { return memoryHeld(t, srv) >= clients*(tlsWeight+size) })
	})
	for _, tt := range []struct {
		name    string
		length  int64
		want    int64
		streams int
	}{
		{"small_body", 1000, 1000, 1},
		{"large_body", 10 << 20, http2Stream, 1},
		{"unknown_length", -1, http2Stream, 1},
		{"many_bodies", 10 << 20, http2Window, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := New(Options{Logf: t.Logf, TempDir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			cert, pool := testCert(t)
			ln, err := srv.Listen("127.0.0.1:0", ListenOptions{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}}})
			if err != nil {
				t.Fatal(err)
			}
			serveHeads(t, srv, holds) // it asks for no body
			web := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true}
			defer web.CloseIdleConnections()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			for range tt.streams {
				r, w := io.Pipe()
				defer w.Close()
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+ln.String(), r)
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = tt.length
				go func() {
					if resp, err := web.RoundTrip(req); err == nil {
						_ = resp.Body.Close()
					}
					ended <- struct{}{}
				}()
				eventually(t, "it is served", func() bool { return srv.Stats().InFlight > 0 })
			}
			eventually(t, "they are served", func() bool { return srv.Stats().InFlight == int64(tt.streams) })
			eventually(t, "it counts", func() bool { return memoryHeld(t, srv) == srv.conns.Load()*tlsWeight+tt.want })
			cancel()
			for range tt.streams {
				<-ended
			}
			eventually(t, "it counts no more", func() bool { return memoryHeld(t, srv) == srv.conns.Load()*tlsWeight })
		})
	}
}

// slowHandshake is a connection that sends its second flight when gate is closed.
type slowHandshake struct {
	net.Conn
	writes int
	gate   chan struct{}
}

func (s *slowHandshake) Write(p []byte) (int, error) {
	if s.writes++; s.writes == 2 {
		<-s.gate
	}
	return s.Conn.Write(p)
}

// A client whose handshake ends when the server serves no more is told that it may ask
// elsewhere, by GOAWAY.
func TestTLSHandshakeEndsInDrain(t *testing.T) {
	srv, addr, client := tlsServer(t, echo, Options{}, func(c *tls.Config) { c.NextProtos = []string{"h2"} })
	client.NextProtos = []string{"h2"}
	slow := &slowHandshake{Conn: dial(t, addr), gate: make(chan struct{})}
	c := tls.Client(slow, client)
	eventually(t, "it is accepted", func() bool { return srv.Stats().Conns == 1 })
	go func() {
		_ = srv.http2.Close() // as Drain does
		close(slow.gate)
	}()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, http2Preface); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Contains(got, []byte("\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")) {
		t.Errorf("got %x, %v", got, err)
	}
}

// What a client begins with: its preface, SETTINGS, and a request.
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" +
	"\x00\x00\x04\x01\x05\x00\x00\x00\x01\x82\x87\x84\x01"

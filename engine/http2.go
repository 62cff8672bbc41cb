package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const protoHTTP2 = "h2"

// Bounds of an HTTP/2 connection. Its heads and bodies have the server's limits.
const (
	http2Streams = 128     // requests at a time, as in nginx
	http2Window  = 1 << 20 // bytes of bodies in flight, over all requests
	http2Stream  = 256 << 10
)

// http2 serves connections that have agreed on HTTP/2. net/http runs them on goroutines; their
// requests go through [Server.AsHTTP].
type http2 struct {
	server *http.Server
	came   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHTTP2(s *Server) *http2 {
	h := &http2{came: make(chan net.Conn), closed: make(chan struct{})}
	o := &s.opt
	h.server = &http.Server{
		Handler: s.AsHTTP(s.handler), Protocols: new(http.Protocols),
		ReadHeaderTimeout: o.HeadTimeout, IdleTimeout: max(o.IdleTimeout, time.Second), MaxHeaderBytes: o.Limits.Head,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: http2Streams, MaxReceiveBufferPerConnection: http2Window, MaxReceiveBufferPerStream: http2Stream,
			SendPingTimeout: o.HeadTimeout, WriteByteTimeout: o.WriteTimeout,
		},
		ErrorLog: log.New(http2Log{o}, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if w, ok := c.(*tls.Conn).NetConn().(*wire); ok {
				ctx = context.WithValue(ctx, listenerKey{}, w.ln)
				ctx = context.WithValue(ctx, http2Key{}, &http2Conn{})
			}
			return ctx
		},
	}
	h.server.Protocols.SetHTTP2(true)
	go func() { _ = h.server.Serve(h) }()
	return h
}

// http2Key is the context's key of the [http2Conn] of a request.
type http2Key struct{}

// http2Conn counts what net/http may keep of the bodies of one connection, until handlers read
// them: for each body its window, and together at most that of the connection. Any goroutine.
type http2Conn struct{ held atomic.Int64 }

// hold counts a body of that length, -1 for one that is not known, in the budget of s. What it
// returns ends that.
func (c *http2Conn) hold(s *Server, length int64) (over func()) {
	n := int64(http2Stream)
	if length >= 0 {
		n = min(n, length)
	}
	for {
		held := c.held.Load()
		n = min(n, http2Window-held)
		if c.held.CompareAndSwap(held, held+n) {
			break
		}
	}
	s.hold(n)
	return func() {
		c.held.Add(-n)
		s.hold(-n)
	}
}

// listenerKey is the context key of a request's listener.
type listenerKey struct{}

// take serves a connection.
func (h *http2) take(c *tls.Conn) {
	select {
	case h.came <- c:
	case <-h.closed:
		turnAway(c)
	}
}

// leaveNow is what a client is told whose connection is not served: SETTINGS, without any, and
// GOAWAY of stream 0, by which it knows that nothing it has sent was looked at (RFC 9113 6.8).
const leaveNow = "\x00\x00\x00\x04\x00\x00\x00\x00\x00" + "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00"

// turnAway is for a connection whose handshake has ended when no more are served. It reads on for
// a moment: to close with input unread could take the word from the client.
func turnAway(c *tls.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(lingerTime))
	if _, err := io.WriteString(c, leaveNow); err == nil && c.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c, lingerBytes)
	}
}

// Accept implements net.Listener.
func (h *http2) Accept() (net.Conn, error) {
	select {
	case c := <-h.came:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *http2) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *http2) Addr() net.Addr { return wireAddr("") }

// drain tells clients to send no more requests, and closes each connection after its last
// answer.
func (h *http2) drain(ctx context.Context) {
	if err := h.server.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		_ = h.Close()
	}
}

func (h *http2) end() {
	_ = h.Close()
	_ = h.server.Close()
}

// http2Log logs what net/http prints, except for everyday faults of clients.
type http2Log struct{ opt *Options }

func (l http2Log) Write(p []byte) (int, error) {
	if text := strings.TrimSpace(string(p)); !strings.Contains(text, "TLS handshake error") {
		l.opt.Logf("http2: %s", text)
	}
	return len(p), nil
}

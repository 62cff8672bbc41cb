package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// shake starts the handshake once the ClientHello is there.
func (c *conn) shake() {
	s, l := c.tls, c.loop
	if !s.wire.helloWhole() {
		if len(s.wire.in) > helloMax || len(s.wire.in) > 0 && l.noRoom() {
			c.close()
		}
		return
	}
	if s.wire.in[0] != recordHandshake {
		c.notTLS()
		return
	}
	s.phase = sealedHandshake
	gen := c.gen
	later := func(fn func()) func() {
		return func() {
			_ = l.Post(func() {
				if c.gen == gen && !c.dead {
					fn()
				}
			})
		}
	}
	s.wire.post = later(c.flush)
	l.shaking = append(l.shaking, handshake{c, gen})
	l.shedHandshake()
	go func() {
		var err error
		defer func() {
			if r := recover(); r != nil { // from a function in the embedder's tls.Config
				l.OnPanic(r, debug.Stack())
				err = errors.New("panic in the handshake")
			}
			later(func() { c.shaken(err) })()
		}()
		err = s.conn.HandshakeContext(context.Background())
	}()
}

// handshake is a connection in its handshake.
type handshake struct {
	conn *conn
	gen  uint32
}

func (h handshake) over() bool {
	return h.conn.gen != h.gen || h.conn.dead || h.conn.tls.phase != sealedHandshake
}

// shedHandshake ends the oldest handshake when there are too many. Clients that begin one and
// then stay silent must not keep others out.
func (l *loop) shedHandshake() {
	if len(l.shaking) <= handshakesMax {
		return
	}
	l.shaking = slices.DeleteFunc(l.shaking, handshake.over)
	if len(l.shaking) > handshakesMax {
		oldest := l.shaking[0].conn
		l.shaking = slices.Delete(l.shaking, 0, 1)
		l.count.timeouts.Add(1)
		oldest.close()
	}
}

// shaken goes on after the handshake.
func (c *conn) shaken(err error) {
	defer c.contain()
	s, l := c.tls, c.loop
	s.wire.post = nil
	if i := slices.Index(l.shaking, handshake{c, c.gen}); i >= 0 {
		l.shaking = slices.Delete(l.shaking, i, i+1)
	}
	if err != nil {
		l.count.handshakeErrs.Add(1)
		if l.srv.opt.OnHandshakeError != nil {
			l.srv.opt.OnHandshakeError(c.listener, string(c.peer.AppendAddr(nil)), err)
		}
		s.phase, c.read, c.closing = sealedFailed, readLinger, true
		c.unread = true // an end of file that was read shows again
		c.flush()       // the alert; it settles too
		return
	}
	s.phase, s.wire.open = sealedOpen, true
	if c.listener.protocol == HTTP && s.conn.ConnectionState().NegotiatedProtocol == protoHTTP2 {
		c.becomeHTTP2()
		return
	}
	c.unread = true
	s.awake(false)
	c.flush()
	if !c.dead {
		c.fill()
	}
	if !c.dead {
		c.weigh()
	}
}

// notTLS answers a client that does not speak TLS.
func (c *conn) notTLS() {
	in := c.tls.wire.in
	if uwsgi.Sniff(in) != uwsgi.KindHTTP {
		c.close()
		return
	}
	c.link, c.tls = &c.sock, nil
	c.refuse(errHTTPOnTLS)
}

// becomeHTTP2 hands the connection to net/http.
func (c *conn) becomeHTTP2() {
	s, srv := c.tls, c.loop.srv
	if c.watched {
		_ = c.loop.Remove(c.sock.fd)
		c.watched = false
	}
	f := os.NewFile(uintptr(c.sock.fd), "client")
	plain, err := net.FileConn(f)
	_ = f.Close()
	c.link = handedOver{}
	if err != nil {
		srv.opt.Logf("cannot hand over an HTTP/2 connection: %v", err)
		c.close()
		return
	}
	rest := s.wire.handOver(plain, srv.keepConn())
	patience := c.patience(srv.opt.WriteTimeout)
	c.close()
	go func() {
		if len(rest) > 0 {
			_ = plain.SetWriteDeadline(time.Now().Add(patience)) // net/http sets its own
			if _, err := plain.Write(rest); err != nil {
				_ = s.conn.Close()
				return
			}
			_ = plain.SetWriteDeadline(time.Time{})
		}
		srv.http2.take(s.conn)
	}()
}

// keepConn keeps counting a connection that has left its loop, until the returned function is
// called.
func (s *Server) keepConn() (over func()) {
	s.conns.Add(1)
	s.hold(tlsWeight)
	return func() {
		s.conns.Add(-1)
		s.hold(-tlsWeight)
		if s.full.Load() {
			s.roomAgain()
		}
		if s.draining.Load() {
			s.checkIdle()
		}
	}
}

// handedOver is the link of a connection that another owner has taken.
type handedOver struct{ transport }

func (handedOver) close() {}

// TLS returns the state of the client's TLS connection to this server; nil without one, for
// example behind a front server that encrypts. Each call makes a new one.
func (x *Exchange) TLS() *tls.ConnectionState {
	switch {
	case x.remote.tls != nil:
		return x.remote.tls
	case x.conn == nil || x.conn.tls == nil || x.conn.tls.phase != sealedOpen:
		return nil
	}
	state := x.conn.tls.conn.ConnectionState()
	return &state
}

var _ transport = (*sealed)(nil)

func (c *conn) flushSealed() bool {
	if c.tls == nil || c.blocked {
		return true
	}
	switch err := c.tls.wire.flush(); {
	case err == unix.EAGAIN:
		c.block()
	case err != nil:
		c.loop.count.writeErrs.Add(1)
		c.abandon()
		return false
	}
	return true
}

package engine

import (
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// How the client is told that an answer is cut off. Over uwsgi and HTTP/1.0 an answer of
// unknown length ends with the connection. One that breaks off would look whole, and a front
// server could cache it. So the connection must end with an error.
//
// On TCP that is a reset, by SO_LINGER. A unix socket has no such option. But the
// kernel resets the connection when a unix socket is closed that has input unread. So on
// unix sockets the end of each request that may be answered in that way is left unread:
// it is peeked at. It is taken when the answer is whole, before the connection is closed or
// goes on. That costs a usual request one read of some hundred bytes. Whatever ends the
// connection otherwise, the end of the whole process too, resets it.

// holds reports whether connections of ln leave the end of each request unread. Those
// that turn out to speak HTTP/1.1 stop doing so.
func (ln *Listener) holds() bool { return reactor.ResetsUnread && ln.Unix() && ln.tls == nil }

// receive reads into b, or peeks when the input may end a request. A read of n < room bytes has
// taken all that there was.
func (c *conn) receive(b []byte) (n, room int, err error) {
	if c.read == readBody && c.hold {
		if left := c.intake.framing.Left(); left > 1 {
			b = b[:min(int64(len(b)), left-1)] // all but the last byte
			n, err = c.link.read(b)
			return n, len(b), err
		}
		b = b[:2] // the last byte; the room for another shows that it is the last
	}
	if !c.hold || c.read >= readSkip {
		n, err = c.link.read(b)
		return n, len(b), err
	}
	n, err = c.link.peek(b)
	c.held = max(n, 0)
	return n, len(b), err
}

// takeHeld takes the bytes that were peeked at.
func (c *conn) takeHeld() {
	for c.held > 0 {
		n, err := c.link.read(c.loop.held[:min(c.held, len(c.loop.held))])
		switch {
		case err == unix.EINTR:
		case err != nil || n == 0:
			c.held = 0 // an error of the socket will show elsewhere
		default:
			c.held -= n
		}
	}
}

// lookBehind finds out whether input follows the held bytes.
func (c *conn) lookBehind() {
	n, err := c.link.peek(c.loop.Buffer())
	for err == unix.EINTR {
		n, err = c.link.peek(c.loop.Buffer())
	}
	switch {
	case err != nil:
		c.unread = false
		c.loop.count.readErrs.Add(1)
		c.abandon()
	case n > c.held: // it stays there until the request at hand is answered
	default:
		c.unread = false
		c.eof = c.eof || c.ending
	}
}

// cutOff has the client see, where the connection is closed now, that it did not get
// all of its answer.
func (c *conn) cutOff() {
	if !c.listener.Unix() || c.tls != nil {
		c.link.cut()
	}
}

// unfinished reports whether part of an answer has gone out and the rest has not.
func (c *conn) unfinished() bool {
	return c.x != nil && (c.x.phase == phaseStream || c.x.phase == phaseEnded && c.buffered() > 0)
}

// versionKnown stops holding where answers show their own end.
func (c *conn) versionKnown(r *codec.Request) {
	if r.Proto == codec.HTTP11 {
		c.hold = false
	}
}

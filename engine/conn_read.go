package engine

import (
	"errors"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

var continue100 = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// fill reads what the kernel has, up to a bound, and feeds it. Events are
// edge-triggered, so that c.unread stays set until a read has come up short, or,
// where the client has ended its side, until the end of file.
func (c *conn) fill() {
	for first := true; c.unread; first = false {
		switch {
		case c.dead || c.broken:
			return
		case c.read == readHeld && (c.kept() >= pipelineMax || c.kept() > 0 && c.loop.srv.memoryFull()):
			return // paused: settle resumes
		case c.read == readLinger && c.buffered() > 0:
			return // likewise, until the answer is out
		case c.moreIn:
			return // what has been read comes first
		case !first && c.yield():
			c.inputLater()
			return
		}
		if c.held > 0 {
			if c.read == readHeld {
				c.lookBehind()
				return
			}
			c.takeHeld()
		}
		buf := c.loop.Buffer()
		n, room, err := c.receive(buf)
		switch {
		case err == unix.EAGAIN:
			c.unread = false
			c.rest()
			return
		case err == unix.EINTR:
			continue
		case err != nil:
			c.unread = false
			c.loop.count.readErrs.Add(1)
			c.abandon()
			return
		case n == 0:
			c.unread = false
			c.ended()
			return
		}
		c.loop.count.bytesIn.Add(uint64(n))
		if n < room && !c.ending {
			c.unread = false
		}
		c.take(buf[:n])
		if c.held > 0 && !c.dead && c.read <= readBody {
			c.takeHeld() // the request goes on, or has been answered
		}
	}
}

// take handles bytes that have just been read. Where nothing waits before them
// they are parsed where they are, and only what is left is copied.
func (c *conn) take(b []byte) {
	switch {
	case c.read == readLinger:
		c.lingered += len(b)
		if c.lingered > lingerBytes {
			c.close()
		}
		return
	case c.in != nil:
		c.in.B = append(c.in.B, b...)
		if c.read != readHeld {
			c.feedKept()
		}
	default:
		if n := c.feed(b); !c.dead && n < len(b) && c.read != readLinger {
			c.in = bytebufferpool.Get()
			c.in.B = append(c.in.B, b[n:]...)
		}
	}
	if !c.dead && c.in != nil && c.read == readHead && !c.moreIn && !c.broken && c.loop.srv.noRoom() {
		c.keepHead()
		c.refuse(errBusy) // rather than keep the beginning of a head
	}
	if !c.dead {
		c.rest()
	}
}

// feedKept feeds what had been kept.
func (c *conn) feedKept() {
	in := c.in
	n := c.feed(in.B)
	if c.dead || c.in != in {
		return
	}
	if n == len(in.B) || c.read == readLinger {
		c.freeIn()
		return
	}
	in.B = in.B[:copy(in.B, in.B[n:])]
}

func (c *conn) kept() int {
	if c.in == nil {
		return 0
	}
	return len(c.in.B)
}

// feed parses b, calling handlers for the requests that it completes, and
// returns how many bytes it has used. It stops where a request is not yet
// answered, or not yet complete.
func (c *conn) feed(b []byte) (used int) {
	c.feeding = true
	for {
		n := c.parse(b[used:])
		used += n
		// Output may have been all that kept the next request waiting.
		c.uncork()
		if n == 0 || used == len(b) || c.dead || c.broken || c.moreIn {
			break
		}
	}
	c.feeding = false
	return used
}

// parse is one go of feed, as far as output goes. A client that sends many requests
// at once has its turns like others.
func (c *conn) parse(b []byte) (used int) {
	const lookEach = 4
	steps := 0
	for used < len(b) && !c.dead && !c.broken {
		n := 0
		// To ask for the time costs as much as a twentieth of a small request.
		if steps++; steps%lookEach == 0 && c.read == readHead && c.loop.Spent() > reactor.Share {
			c.inputLater()
			break
		}
		switch c.read {
		case readHead:
			n = c.feedHead(b[used:])
		case readBody:
			n = c.feedBody(b[used:])
		}
		if n == 0 {
			break
		}
		used += n
	}
	return used
}

// feedHead parses a request head. It returns 0 when b does not hold all of it.
func (c *conn) feedHead(b []byte) int {
	l := c.loop
	x := c.x
	if x == nil {
		x = l.exchange(c)
		c.x = x
	}
	var n int
	var err error
	if c.listener.protocol == UWSGI {
		n, err = l.packets.Head(b, &x.req)
		if err == nil && n > 0 && l.packets.Ping {
			c.pong()
			return n
		}
	} else {
		n, err = x.decoder.Head(b, &x.req)
	}
	if err != nil {
		c.refuseHead(err, b)
		return len(b)
	}
	if n == 0 {
		return 0
	}
	c.fresh = false
	c.versionKnown(&x.req)
	if l.srv.noRoom() {
		c.refuse(errBusy)
		return len(b)
	}
	x.started = l.Now()
	if x.req.ContentLength == 0 && !x.req.Chunked {
		c.corked = c.corked || n < len(b)
		c.dispatch(x)
		return n
	}
	// The body needs the buffer that the head is in.
	x.head = x.req.Retain(x.head)
	c.read = readBody
	if l.srv.opt.Limits.BodyTooLarge(x.req.ContentLength) {
		c.refuse(codec.ErrBodyTooLarge)
		return len(b)
	}
	x.framing.Reset(&x.req)
	c.arm(deadlineBody)
	if x.req.Expect100 && n == len(b) {
		c.send(continue100)
	}
	return n
}

func (c *conn) refuseHead(err error, b []byte) {
	var at codec.Span
	if c.listener.protocol == UWSGI {
		at = c.loop.packets.Fault // the loop's decoder: what is in it later is another connection's
		c.loop.srv.opt.Logf("%v", err)
		switch uwsgi.Sniff(b) {
		case uwsgi.KindHTTP:
			err = errHTTPOnUWSGI
		case uwsgi.KindTLS:
			err = errTLSOnUWSGI
		}
	}
	c.refuseAt(err, at)
}

func (c *conn) pong() {
	x := c.x
	c.x = nil
	c.loop.release(x)
	c.closing = true
	c.read = readLinger
	c.send(uwsgi.AppendPong(nil))
	if !c.dead && c.buffered() == 0 {
		c.eof = true // a ping has no more to say
		c.finishClosing()
	}
}

// feedBody decodes part of a body and stores it. It moves the data of all chunks in b
// together first, so that many small ones cost no more than a large one.
func (c *conn) feedBody(b []byte) int {
	x := c.x
	used, from, got := 0, 0, 0 // the data is got bytes of b, from there on
	for !x.framing.Done() {
		n, data, err := x.framing.Next(b[used:])
		if err != nil {
			c.refuse(err)
			return len(b)
		}
		if n == 0 {
			break
		}
		used += n
		if got == 0 {
			from, got = used-len(data), len(data)
		} else {
			got += copy(b[from+got:], data)
		}
	}
	if got > 0 {
		if err := x.body.add(b[from:from+got], c.loop.srv); err != nil {
			c.refuse(err)
			return len(b)
		}
	}
	if !x.framing.Done() {
		c.arm(deadlineBody)
		return used
	}
	if x.body.file != nil {
		if err := x.body.complete(); err != nil {
			c.refuse(err)
			return len(b)
		}
		c.loop.count.spooled.Add(1)
	}
	c.corked = c.corked || used < len(b)
	c.dispatch(x)
	return used
}

// dispatch gives a complete request to the handler.
func (c *conn) dispatch(x *Exchange) {
	l := c.loop
	c.arm(deadlineNone)
	c.read = readHeld
	gen := x.gen
	l.serve(x, l.srv.handler)
	if x.gen != gen {
		return
	}
	// It is still to be answered, or its answer to be taken by the client and logged.
	if len(x.head) == 0 {
		x.head = x.req.Retain(x.head)
	}
	c.weigh()
	if !c.watched && c.deadline == deadlineNone {
		c.arm(deadlineWatch)
	}
}

// ended handles the end of what the client sends. A request that is complete is
// answered all the same: the client may have closed only its own direction.
func (c *conn) ended() {
	c.eof = true
	if c.read == readLinger {
		c.close()
		return
	}
	c.rest()
}

func asCodecError(err error) (*codec.Error, bool) {
	var e *codec.Error
	ok := errors.As(err, &e)
	return e, ok
}

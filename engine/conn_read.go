package engine

import (
	"errors"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/proxy"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

var continue100 = []byte("HTTP/1.1 100 Continue\r\n\r\n")

// fill reads what the kernel has, up to a bound, and feeds it. Events are edge-triggered, so
// c.unread stays set until a read comes up short. After a half-close it stays set until the end
// of file.
func (c *conn) fill() {
	for first := true; c.unread; first = false {
		switch {
		case c.dead || c.broken:
			return
		case c.read == readHeld && c.intake != nil:
			return // want resumes, or settle after the answer
		case c.read == readHeld && (c.kept() >= pipelineMax || c.kept() > 0 && c.loop.srv.memoryFull()):
			return // paused: settle resumes
		case c.read == readLinger && c.buffered() > 0:
			return // likewise, until the answer is out
		case c.moreIn:
			return // parse the kept input first
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
		buf := c.readTo()
		n, room, err := c.receive(buf)
		if !c.flushSealed() {
			return // a read can make crypto/tls write: the answer to a key update
		}
		switch {
		case err == unix.EAGAIN:
			c.unread = false
			if c.intake != nil && c.x != nil { // what has been answered early has a body to come, too
				c.x.body.unshare()
			}
			if c.tls != nil && c.tls.phase == sealedHello {
				c.shake()
			}
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
			c.endInput()
			return
		}
		c.loop.count.bytesIn.Add(uint64(n))
		if n < room && !c.ending && c.tls == nil {
			c.unread = false
		}
		c.take(buf[:n])
		if c.held > 0 && !c.dead && c.read < readHeld {
			c.takeHeld() // the request goes on, or has been answered
		}
	}
}

// readTo returns the memory to read into: the loop's buffer, or the rest of a body in shared
// memory.
func (c *conn) readTo() []byte {
	if in := c.intake; c.read == readBody && in.whole != nil && c.in == nil && in.framing.Left() > 0 {
		b := &c.x.body
		if b.shared == nil {
			b.share(c.loop.srv)
		}
		// A held end is peeked at with room for one more byte, so it cannot go there.
		if to := b.room(); len(to) > 1 {
			return to[:min(len(to), sharedStep)]
		}
	}
	return c.loop.Buffer()
}

// sharedStep bounds one read into shared memory, to a tenth of a millisecond.
const sharedStep = 256 << 10

// take handles bytes that have just been read. When no input waits before them it parses them
// in place, and copies only the rest.
func (c *conn) take(b []byte) {
	switch {
	case c.read == readLinger:
		c.discard(len(b))
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
	if !c.dead && c.in != nil && c.read == readHead && !c.moreIn && !c.broken && c.loop.noRoom() {
		c.keepHead()
		c.refuse(errBusy) // it keeps no incomplete head
	}
	if !c.dead {
		c.rest()
	}
}

// feedKept parses the kept input.
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

// feed parses b, calls handlers for complete requests, and returns how many bytes it has used.
// It stops at a request that is incomplete or not yet answered.
func (c *conn) feed(b []byte) (used int) {
	c.feeding = true
	for {
		n := c.parse(b[used:])
		used += n
		// The next request may have waited for output only.
		c.uncork()
		if n == 0 || used == len(b) || c.dead || c.broken || c.moreIn {
			break
		}
	}
	c.feeding = false
	return used
}

// parse is feed until output must drain. A client that sends many requests at once takes turns
// like others.
func (c *conn) parse(b []byte) (used int) {
	const lookEach = 4
	steps := 0
	for used < len(b) && !c.dead && !c.broken {
		n := 0
		// Reading the clock costs a twentieth of a small request.
		if steps++; steps%lookEach == 0 && c.read == readHead && c.loop.Spent() > reactor.Share {
			c.inputLater()
			break
		}
		switch c.read {
		case readHead:
			n = c.feedHead(b[used:])
		case readBody:
			n = c.feedBody(b[used:])
		case readSkip:
			n = c.skipBody(b[used:])
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
		x.started = l.Now()
	}
	if !c.proxied {
		if n, done := c.feedProxy(b); !done || n > 0 {
			return n
		}
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
	if l.srv.memoryFull() && l.noRoom() {
		c.refuse(errBusy)
		return len(b)
	}
	x.started = l.Now()
	if x.req.ContentLength == 0 && !x.req.Chunked {
		c.corked = c.corked || n < len(b)
		c.dispatch(x)
		if c.intake != nil {
			c.regard() // the handler has taken over the connection
		}
		return n
	}
	// The body needs the buffer of the head.
	x.head = x.req.Retain(x.head)
	if l.srv.opt.Limits.BodyTooLarge(x.req.ContentLength) {
		c.refuseWhole(codec.ErrBodyTooLarge)
		return len(b)
	}
	in := l.intake()
	in.framing.Reset(&x.req)
	x.body.length = x.req.ContentLength
	in.expect = x.req.Expect100 && n == len(b) // otherwise the client does not wait
	c.intake, x.intake = in, in
	c.dispatch(x)
	c.regard()
	return n
}

// regard follows what the exchange's handler or reader wants of the body.
func (c *conn) regard() {
	in := c.intake
	if in == nil || c.dead || c.broken || c.read != readBody && c.read != readHeld {
		return
	}
	if !in.wanted() {
		c.read = readHeld
		if c.deadline == deadlineBody {
			c.arm(deadlineNone)
		}
		return
	}
	c.read = readBody
	if in.tunnel {
		return
	}
	if in.expect && (c.feeding || c.kept() == 0) && c.x.phase == phaseHandler {
		c.send(continue100)
	}
	in.expect = false
	if !c.dead && c.deadline != deadlineBody {
		c.arm(deadlineBody)
	}
}

// want implements carrier. A feed on the stack goes on with the body by itself.
func (c *conn) want(x *Exchange) {
	if c.feeding || c.dead || c.broken {
		return
	}
	if x.intake.wanted() {
		c.inputLater()
	} else {
		c.regard()
	}
}

// incoming implements carrier.
func (c *conn) incoming(*Exchange) bool {
	if c.unread || c.moreIn || c.kept() > 0 {
		return true
	}
	p := []unix.PollFd{{Fd: int32(c.sock.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0
}

// goesOn reports whether another request can follow the present one. The rest of its body is
// then read and dropped. When the answer began without a body that never came, the next bytes
// are most likely another request: they must not be taken for that body.
func (c *conn) goesOn() bool {
	in := c.intake
	switch {
	case in == nil:
		return true
	case in.overdue && !in.begun:
		return false
	}
	return in.asked() || !in.expect && in.framing.Left() <= skipMost
}

// skipBody drops part of a body that no handler wants.
func (c *conn) skipBody(b []byte) int {
	in := c.intake
	used := 0
	for !in.framing.Done() {
		n, data, err := in.framing.Next(b[used:])
		in.skipped += int64(len(data))
		if err != nil || in.skipped > skipMost {
			c.closing, c.read = true, readLinger
			c.settle()
			return len(b)
		}
		if n == 0 {
			c.arm(deadlineBody)
			return used
		}
		used += n
	}
	c.loop.freeIntake(in)
	c.intake, c.read = nil, readHead
	return used
}

// discard counts bytes of a connection that is about to close. A body has higher bounds: its
// sender may read the answer only after it has sent all of it.
func (c *conn) discard(n int) {
	c.lingered += n
	most := lingerBytes
	if c.patient {
		most = lingerBody
		if c.loop.Now()-c.since < int64(lingerBodyTime) && c.deadline == deadlineLinger && !c.loop.srv.draining.Load() {
			c.arm(deadlineLinger)
		}
	}
	if c.lingered > most {
		c.close()
	}
}

func (c *conn) refuseHead(err error, b []byte) {
	var at codec.Span
	said := err
	if c.listener.protocol == UWSGI {
		at = c.loop.packets.Fault // read it now: the decoder is the loop's, and other connections use it
		switch uwsgi.Sniff(b) {
		case uwsgi.KindHTTP:
			err = errHTTPOnUWSGI
		case uwsgi.KindTLS:
			err = errTLSOnUWSGI
		}
	}
	if _, n, bad := proxy.Parse(b); n > 0 && bad == nil {
		err, said = errProxyUnread, errProxyUnread
	}
	c.refuseAt(err, said, at)
}

func (c *conn) pong() {
	x := c.x
	c.x = nil
	c.loop.release(x)
	c.closing = true
	c.read = readLinger
	c.send(uwsgi.AppendPong(nil))
	if !c.dead && c.buffered() == 0 {
		c.eof = true // nothing follows a ping
		c.finishClosing()
	}
}

// feedBody decodes part of a body for its handler. It first moves the data of all chunks in b
// together, so that many small chunks cost no more than a large one.
func (c *conn) feedBody(b []byte) int {
	x, in, l := c.x, c.intake, c.loop
	gen := x.gen
	in.begun = true
	if in.tunnel {
		l.deliver(x, in.reader, b)
		c.regard()
		return len(b)
	}
	used, from, got := 0, 0, 0 // the data is got bytes of b, from index from
	for !in.framing.Done() {
		n, data, err := in.framing.Next(b[used:])
		if err != nil {
			c.bodyFails(err)
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
	done := in.framing.Done()
	switch {
	case got == 0:
	case in.reader != nil:
		l.deliver(x, in.reader, b[from:from+got])
	default:
		if err := x.body.collect(b[from:from+got], l.srv); err != nil {
			c.bodyFails(err)
			return len(b)
		}
	}
	if c.dead || c.intake != in || x.gen != gen {
		return used // the handler or reader has answered
	}
	if in.reader == nil && x.body.due(done) {
		in.storing, in.last = true, done
		l.store(x, c.stored)
		c.regard()
		return used
	}
	if !done {
		if c.deadline == deadlineBody {
			c.arm(deadlineBody)
		}
		c.regard()
		return used
	}
	c.corked = c.corked || used < len(b)
	c.bodyCame(x)
	return used
}

// stored goes on with a body once its last pieces are in the file.
func (c *conn) stored(x *Exchange, err error) {
	in := c.intake
	in.storing = false
	switch {
	case !in.asked(): // it has been answered; the answer is on its way
	case err != nil:
		c.bodyFails(err)
	case in.last:
		c.bodyCame(x)
	default:
		c.want(x)
	}
	if !c.dead {
		c.weigh()
	}
}

// bodyCame tells the handler or reader that the whole body has come.
func (c *conn) bodyCame(x *Exchange) {
	l, in, gen := c.loop, c.intake, x.gen
	if x.body.file != nil {
		x.body.trim()
		l.count.spooled.Add(1)
	}
	whole, reader := in.whole, in.reader
	c.bodyDone(x)
	l.complete(x, whole, reader)
	c.stays(x, gen)
}

// bodyDone is called at the end of the body.
func (c *conn) bodyDone(x *Exchange) {
	c.loop.freeIntake(c.intake)
	c.intake, x.intake = nil, nil
	c.read = readHeld
	c.arm(deadlineNone)
}

// bodyEnds handles an end of file within a body.
func (c *conn) bodyEnds() {
	in, x := c.intake, c.x
	if !in.tunnel {
		c.bodyFails(errIncomplete)
		return
	}
	gen, reader := x.gen, in.reader
	c.bodyDone(x)
	c.loop.complete(x, nil, reader)
	c.stays(x, gen)
}

// bodyFails handles a body that does not come whole. The start of a next request is unknown, so
// the connection closes after the answer.
func (c *conn) bodyFails(err error) {
	x, whole, reader := c.x, c.intake.whole, c.intake.reader
	c.refused(err, err, codec.Span{})
	gen := x.gen
	c.bodyDone(x)
	c.read = readLinger
	x.req.KeepAlive, x.sent.KeepAlive = false, false
	x.taken = true
	c.loop.failed(x, whole, reader, err)
	c.stays(x, gen)
}

// dispatch gives a request to the handler.
func (c *conn) dispatch(x *Exchange) {
	l := c.loop
	c.arm(deadlineNone)
	c.read = readHeld
	gen := x.gen
	l.serve(x, l.srv.handler)
	c.stays(x, gen)
}

// stays prepares a connection whose exchange waits for its answer.
func (c *conn) stays(x *Exchange, gen uint32) {
	if x.gen != gen {
		return
	}
	// The exchange waits for its answer, or the answer for its client and the log.
	if len(x.head) == 0 {
		x.head = x.req.Retain(x.head)
	}
	c.weigh()
	if !c.watched && c.deadline == deadlineNone {
		c.arm(deadlineWatch)
	}
}

// endInput handles a half-close: the client sends no more. A complete request is still
// answered, because the client may still read.
func (c *conn) endInput() {
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

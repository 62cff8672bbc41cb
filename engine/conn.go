package engine

import (
	"os"
	"runtime/debug"
	"time"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
	"github.com/uwsgo/uwsgo/engine/internal/listen"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// conn is one client connection. Every field and method belongs to the loop
// that accepted it. Reading and writing advance separately and meet in settle,
// which decides between the next request and closing.
//
// While it waits for a request a connection holds no buffer and no exchange.
type conn struct {
	loop     *loop
	listener *Listener
	sock     socket
	link     transport // &sock, or tls
	tls      *sealed   // nil without TLS
	place    int       // in loop.conns
	gen      uint32    // counts the connections that this struct has been
	peer     listen.Peer

	read   readState
	x      *Exchange                  // from a request's first byte to the end of its answer
	intake *intake                    // from a head until its body has come, or has been skipped
	in     *bytebufferpool.ByteBuffer // input that is not parsed yet
	out    *bytebufferpool.ByteBuffer // output that the socket has not taken; sent from outAt
	// outAt is how much of out has been sent.
	outAt int
	// file, if not nil, comes after out: fileLeft bytes from fileAt.
	file     *os.File
	fileAt   int64
	fileLeft int64
	warmTo   int64 // the file is in the page cache up to here
	warming  bool  // a goroutine reads it

	timer    reactor.Timer
	deadline deadline
	turn     reactor.Turn // goOn: work for the connection's next turn

	fresh    bool // no request has come yet
	proxied  bool // the PROXY header has been read, or none is expected
	watched  bool // registered with the poller
	unread   bool // the kernel may hold bytes that have not been read
	ending   bool // the poller has seen a half-close: read on until the end of file
	eof      bool // the end of file has been read
	onTurn   bool // goOn is on the stack
	moreIn   bool // the next turn reads
	moreOut  bool // the next turn writes
	feeding  bool // feed is on the stack
	corked   bool // output is collected until feed is done
	blocked  bool // the socket is full
	closing  bool // it closes once the output is out
	broken   bool // the socket has failed; output is discarded
	dead     bool // closed
	patient  bool // it discards a body before it closes, which may take longer
	lingered int  // bytes discarded while lingering
	since    int64

	hold    bool // leave the end of each request unread: see conn_hold.go
	held    int  // bytes that have been peeked at and not taken
	weight  int  // bytes counted in the budget: see weigh
	partial bool // it held an unfinished head when it was weighed
}

// readState is what a connection does with input.
type readState uint8

const (
	readHead   readState = iota // parse a request head; idle when none has begun
	readBody                    // decode the body for a handler
	readSkip                    // decode and drop the body: the request has been answered
	readHeld                    // keep input until the request is answered, or its body wanted
	readLinger                  // discard input: the connection is about to close
)

// deadline is the meaning of a connection's timer.
type deadline uint8

const (
	deadlineNone deadline = iota
	deadlineHead
	deadlineBody
	deadlineIdle
	deadlineWrite
	deadlineLinger
	deadlineWatch
)

// arm sets the deadline. While the socket is full it is the write timeout: a client that reads
// nothing must not gain time by sending. flush sets the next one when output has drained.
func (c *conn) arm(d deadline) {
	if c.dead || c.blocked && d != deadlineWrite {
		return
	}
	o := &c.loop.srv.opt
	c.deadline = d
	var after time.Duration
	switch d {
	case deadlineNone:
		c.loop.Disarm(&c.timer)
		return
	case deadlineHead:
		after = c.patience(o.HeadTimeout)
	case deadlineBody:
		after = c.patience(o.BodyTimeout)
	case deadlineWrite:
		after = c.patience(o.WriteTimeout)
	case deadlineIdle:
		after = o.IdleTimeout
		if c.loop.srv.draining.Load() {
			after = drainIdle
		}
	case deadlineLinger:
		after = lingerTime
	case deadlineWatch:
		after = watchAfter
	}
	c.loop.After(&c.timer, after)
}

func (c *conn) patience(d time.Duration) time.Duration {
	if c.listener.timeout > 0 {
		return c.listener.timeout
	}
	return d
}

// late is called when the deadline has passed.
func (c *conn) late() {
	defer c.contain()
	defer func() {
		if !c.dead {
			c.weigh()
		}
	}()
	d := c.deadline
	c.deadline = deadlineNone
	switch d {
	case deadlineHead:
		if !c.begun() {
			c.close() // it has sent no request, so it gets no answer
			return
		}
		c.loop.count.timeouts.Add(1)
		c.keepHead()
		c.refuse(errHeadTimeout)
	case deadlineBody:
		c.loop.count.timeouts.Add(1)
		if c.read == readSkip {
			c.close() // its request has been answered
			return
		}
		c.bodyFails(errBodyTimeout)
	case deadlineWrite:
		c.loop.count.timeouts.Add(1)
		if c.x != nil && c.x.outcome.Broken == "" {
			c.x.outcome.Broken = "the client read nothing for too long"
		}
		c.abandon()
	case deadlineWatch:
		c.watch()
	case deadlineIdle:
		c.closeIdle()
	case deadlineLinger:
		c.close()
	}
}

// closeIdle closes a connection that has been idle too long, unless a request has just come.
func (c *conn) closeIdle() {
	p := []unix.PollFd{{Fd: int32(c.sock.fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 0); err != nil || n == 0 {
		c.close()
		return
	}
	c.unread = true
	if c.tls != nil {
		c.tls.awake(false)
	}
	c.fill()
}

// watch registers the connection with the poller. A connection for one request, which is there
// at accept, needs it only when the answer takes long: then the poller tells when the client
// has gone.
func (c *conn) watch() {
	if c.watched || c.dead {
		return
	}
	c.watched = true
	if err := c.loop.Add(c.sock.fd, c, true); err != nil {
		c.loop.srv.opt.Logf("watch connection: %v", err)
		c.abandon()
	}
}

// Ready implements reactor.Source.
func (c *conn) Ready(ev reactor.Events) {
	defer c.contain()
	if ev&reactor.Writable != 0 && c.blocked {
		c.blocked = false
		c.flush()
	}
	if c.dead {
		return
	}
	if ev&reactor.Readable != 0 {
		c.unread = true
		c.ending = c.ending || ev&reactor.EndOfInput != 0
		if c.tls != nil {
			c.tls.awake(c.ending)
		}
		c.fill()
	}
	if ev&reactor.Hangup != 0 && !c.dead && hungUp(c.sock.fd) {
		c.abandon()
	}
	if !c.dead {
		c.weigh()
	}
}

// goOn is the connection's turn: it goes on with the work it put off.
func (c *conn) goOn() {
	if c.broken {
		c.bury()
		return
	}
	defer c.contain()
	c.onTurn = true
	if c.moreOut {
		c.moreOut = false
		c.flush()
	}
	if c.moreIn && !c.dead {
		c.moreIn = false
		c.resume()
	}
	c.onTurn = false
	if !c.dead {
		c.weigh()
	}
}

// yield reports whether c should give others their turn: after the first step of an event, or
// when its share is used up.
func (c *conn) yield() bool { return !c.onTurn || c.loop.Spent() > reactor.Share }

// inputLater and outputLater put work off until the connection's next turn.
func (c *conn) inputLater() {
	c.moreIn = true
	c.loop.Again(&c.turn)
}

func (c *conn) outputLater() {
	c.moreOut = true
	c.loop.Again(&c.turn)
}

// contain ends only the connection whose handling panicked.
func (c *conn) contain() {
	if r := recover(); r != nil {
		c.loop.OnPanic(r, debug.Stack())
		c.abandon()
	}
}

// hungUp asks the socket whether the peer has gone. The event may belong to an earlier
// connection with the same descriptor number.
func hungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p, 0)
	return err == nil && n == 1 && p[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}

// settle goes on to the next request, or closes. It is called when an exchange has been
// answered, and again when output has drained.
func (c *conn) settle() {
	if c.dead || c.broken {
		return
	}
	if x := c.x; x != nil && x.phase != phaseRequest {
		if x.phase != phaseEnded || c.file != nil || c.buffered() > pipelineMax {
			return // an answer must be nearly out before the next request begins
		}
		keep := x.sent.KeepAlive && c.read != readLinger // as the client was told, even when the server has begun to drain
		// The end of the connection ends such an answer, so it must not be a reset.
		byClose := x.sent.Kind == http1.FrameClose && c.listener.protocol == HTTP
		c.x = nil
		c.loop.release(x)
		if keep {
			c.read = readHead
			if c.intake != nil {
				c.read = readSkip
			}
			if !c.feeding { // else feed goes on with what it has
				c.resume()
				if !c.dead {
					c.weigh() // an answer by a post is weighed nowhere else
				}
			}
			return
		}
		c.closing = true
		if c.intake != nil || byClose {
			c.read = readLinger
		}
	}
	if c.closing && c.buffered() == 0 {
		c.finishClosing()
	}
}

// resume reads on after an answer.
func (c *conn) resume() {
	c.regard()
	if c.read < readHeld {
		if c.intake == nil {
			c.takeHeld() // else fill does, if there is more to come
		}
		if c.in != nil {
			c.feedKept()
		}
	}
	if !c.dead {
		c.fill()
	}
	c.rest()
}

// begun reports whether part of a request has come in.
func (c *conn) begun() bool {
	switch {
	case c.read == readBody:
		return true
	case c.listener.protocol == HTTP:
		return c.x != nil && !c.x.decoder.Idle() // empty lines do not begin a request
	default:
		return c.in != nil
	}
}

// rest prepares a connection to wait for input: it sets the deadline and registers with the
// poller.
func (c *conn) rest() {
	if c.dead || c.broken || c.closing || c.feeding || c.moreIn || c.read >= readHeld {
		return
	}
	draining := c.loop.srv.draining.Load()
	switch begun := c.begun(); {
	case c.eof && c.read == readBody:
		c.bodyEnds()
		return
	case c.eof && begun:
		c.keepHead()
		c.refuse(errIncomplete)
		return
	case c.eof:
		c.closing = true
		c.settle()
		return
	case c.intake != nil && c.intake.tunnel:
	case c.read != readHead:
		if c.deadline != deadlineBody {
			c.arm(deadlineBody)
		}
		if c.read == readBody {
			c.intake.waits(c.loop)
		}
	case begun, c.fresh && !draining:
		if c.deadline != deadlineHead {
			c.arm(deadlineHead)
		}
	case c.deadline != deadlineIdle || !c.fresh:
		c.arm(deadlineIdle)
	}
	c.watch()
}

// finishClosing closes a connection whose output is out. When the client may still be sending,
// it half-closes and reads on for a moment (RFC 9112 9.6). Closing at once would reset the
// connection and could destroy the answer before the client reads it.
func (c *conn) finishClosing() {
	c.freeIn()
	c.takeHeld() // the answer is whole
	pending := c.read == readLinger || c.unread
	if c.intake != nil {
		pending, c.patient = true, true
		c.loop.freeIntake(c.intake)
		c.intake = nil
	}
	if c.eof || !pending {
		c.close()
		return
	}
	if c.deadline == deadlineLinger {
		return
	}
	if c.link.closeWrite() != nil {
		c.close()
		return
	}
	c.read = readLinger
	c.since = c.loop.Now()
	c.arm(deadlineLinger)
	c.watch()
	if !c.dead {
		c.fill()
	}
}

const clientGone = "the client has gone"

// broke notes why the answer is not whole. The first reason counts.
func (c *conn) broke(why string) {
	if c.x != nil {
		c.x.broke(why)
	}
}

func (x *Exchange) broke(why string) {
	if x.outcome.Aborted = true; x.outcome.Broken == "" {
		x.outcome.Broken = why
	}
}

// lost subtracts n bytes that were counted as sent and are not.
func (c *conn) lost(n int) {
	if x := c.x; x != nil && x.phase >= phaseStream {
		left := x.outcome.BodyBytes - int64(n)
		x.outcome.BodyBytes = max(0, left)
		x.outcome.HeadBytes = max(0, x.outcome.HeadBytes+min(0, left))
	}
}

// notWhole marks an answer that has ended before all of it was out.
func (c *conn) notWhole() {
	if x := c.x; x != nil && x.phase == phaseEnded && !x.outcome.Aborted {
		c.broke(clientGone)
		c.loop.count.gone.Add(1)
	}
	c.lost(c.buffered())
}

// abandon gives up the connection: the client has gone, or takes no output. Its exchange ends
// too, but later: callers on the stack may still use it.
func (c *conn) abandon() {
	if c.dead || c.broken {
		return
	}
	if c.unfinished() {
		c.cutOff()
	}
	c.broken = true
	c.notWhole()
	c.dropOutput()
	c.loop.Again(&c.turn) // the turn buries it; after the loop has stopped, loop.end does
}

func (c *conn) bury() {
	c.notWhole() // the answer may have come after abandon
	x := c.x
	c.x = nil
	c.close()
	if x == nil {
		return
	}
	if x.phase == phaseHandler || x.phase == phaseStream {
		c.loop.gone(x)
		return
	}
	c.loop.release(x)
}

// close closes the descriptor and gives back the struct. The caller may read only c.dead
// afterwards.
func (c *conn) close() {
	if c.dead {
		return
	}
	c.dead = true
	if x := c.x; x != nil {
		c.x = nil
		c.loop.release(x)
	}
	if c.intake != nil {
		c.loop.freeIntake(c.intake)
		c.intake = nil
	}
	c.loop.Disarm(&c.timer)
	c.loop.Cancel(&c.turn)
	c.deadline = deadlineNone
	c.freeIn()
	c.dropOutput()
	c.weigh()
	if c.watched {
		c.loop.Forget(c.sock.fd)
	}
	c.link.close()
	c.loop.removed(c)
}

func (c *conn) freeIn() {
	if c.in != nil {
		putBuffer(c.in)
		c.in = nil
	}
}

func (c *conn) dropOutput() {
	if c.out != nil {
		putBuffer(c.out)
		c.out, c.outAt = nil, 0
	}
	c.closeFile()
}

func (c *conn) closeFile() {
	if c.file != nil {
		c.loop.srv.closeFile(c.file, c.fileAt+c.fileLeft)
		c.file, c.fileLeft, c.warmTo, c.warming = nil, 0, 0, false
	}
}

// putBuffer keeps a buffer for reuse, unless it is very large.
func putBuffer(b *bytebufferpool.ByteBuffer) {
	if cap(b.B) <= keepBuffer {
		bytebufferpool.Put(b)
	}
}

const keepBuffer = 128 << 10

// keepHead points the request at the kept copy of an incomplete head: the buffer it was parsed
// in may have been used again.
func (c *conn) keepHead() {
	if c.read != readHead || c.x == nil {
		return
	}
	c.x.req.Buf = nil
	if c.in != nil {
		c.x.req.Buf = c.in.B
	}
}

// refuse answers a faulty head and closes the connection.
func (c *conn) refuse(err error) { c.refuseAt(err, err, codec.Span{}) }

// refuseAt is refuse with the place of the faulty field's name in the head, and a text for the
// log in place of err.
func (c *conn) refuseAt(err, said error, at codec.Span) {
	l := c.loop
	x := c.x
	if x == nil {
		x = l.exchange(c)
		c.x = x
	}
	f := c.refused(err, said, at)
	// After an error the decoder's request is good for the log only.
	x.req.Reset()
	x.req.Proto = protoOf[c.listener.protocol]
	x.head = append(append(x.head[:0], f.Method...), f.Target...)
	x.req.Buf = x.head
	x.req.Method.End = uint32(len(f.Method))
	x.req.Target = codec.Span{Off: x.req.Method.End, End: uint32(len(x.head))}
	c.answerRefused(x, err)
}

// refuseWhole refuses a request whose head is complete and well-formed.
func (c *conn) refuseWhole(err error) {
	c.refused(err, err, codec.Span{})
	c.patient = true
	c.answerRefused(c.x, err)
}

func (c *conn) answerRefused(x *Exchange, err error) {
	c.read = readLinger
	x.phase = phaseHandler
	c.loop.count.inFlight.Add(1)
	x.started = c.loop.Now()
	x.req.KeepAlive = false
	if every := c.loop.srv.opt.Every; every != nil {
		every(x)
	}
	x.Refuse(err)
}

// refused counts a refusal and reports it, with the text said.
func (c *conn) refused(err, said error, at codec.Span) *Refusal {
	status, id := 400, "bad_request"
	if e, ok := asCodecError(err); ok {
		status, id = e.Status, e.ID
	}
	c.loop.count.refused.Add(1)
	f := c.refusal(status, id, said, &c.x.req, at)
	if status != 503 { // 503s are many, and maySay has logged their cause
		c.loop.srv.opt.OnRefusal(f)
	}
	return f
}

var (
	errHeadTimeout = &codec.Error{ID: "head_timeout", Status: 408, Message: "the request head did not arrive in time"}
	errBodyTimeout = &codec.Error{ID: "body_timeout", Status: 408, Message: "the request body did not arrive in time"}
	errIncomplete  = &codec.Error{ID: "incomplete", Status: 400, Message: "the client stopped sending in the middle of a request"}
	errHTTPOnUWSGI = &codec.Error{ID: "http_on_uwsgi_socket", Status: 400, Message: "this port speaks the uwsgi protocol, not HTTP: " +
		"put a web server in front (nginx: uwsgi_pass), or listen with http = instead of socket ="}
	errTLSOnUWSGI = &codec.Error{ID: "tls_on_uwsgi_socket", Status: 400, Message: "this port speaks the uwsgi protocol, not TLS"}
	errHTTPOnTLS  = &codec.Error{ID: "http_on_https_socket", Status: 400, Message: "this port speaks HTTPS, not HTTP: use an https:// address"}
	errBusy       = &codec.Error{ID: "busy", Status: 503, Message: "the server has no room for the request now"}
	errNoSpace    = &codec.Error{ID: "no_space", Status: 507, Message: "the request body could not be stored"}
)

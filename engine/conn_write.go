package engine

import (
	"os"
	"sync"

	"github.com/valyala/bytebufferpool"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// buffered returns how many bytes wait for the client, a file's included.
func (c *conn) buffered() int {
	n := int(c.fileLeft)
	if c.out != nil {
		n += len(c.out.B) - c.outAt
	}
	if c.tls != nil {
		n += c.tls.pending()
	}
	return n
}

// send sends p, or keeps what the socket does not take. p may be reused when it
// returns.
func (c *conn) send(p []byte) {
	if c.broken || c.dead {
		c.lost(len(p))
		return
	}
	if c.corked && len(p) >= passOn && !c.blocked && c.pairs() {
		if p = c.passOn(p); len(p) == 0 {
			return
		}
	}
	for c.out == nil && !c.corked && !c.blocked {
		n, ok := c.write(p, nil)
		if !ok {
			c.lost(len(p))
			return
		}
		if p = p[n:]; len(p) == 0 {
			return
		}
		if !c.blocked && c.loop.Spent() > reactor.Share {
			c.outputLater()
			break
		}
	}
	if c.out == nil {
		c.out = bytebufferpool.Get()
	}
	c.out.B = append(c.out.B, p...)
	c.weigh()
}

// passOn is the size from which output that is collected goes out at once, in bytes: from here on
// a copy costs more than a system call.
const passOn = 16 << 10

// pairs reports whether two pieces of output can go out by one system call.
func (c *conn) pairs() bool {
	_, plain := c.link.(*socket)
	return plain && c.file == nil
}

// passOn sends p behind what has been collected, and returns what is left of p.
func (c *conn) passOn(p []byte) []byte {
	var before []byte
	if c.out != nil {
		before = c.out.B[c.outAt:]
	}
	n, ok := c.write(before, p)
	if !ok {
		c.lost(len(p)) // what had been collected, abandon has taken back
		return nil
	}
	if n < len(before) {
		c.outAt += n
		return p
	}
	if c.out != nil {
		putBuffer(c.out)
		c.out, c.outAt = nil, 0
	}
	return p[n-len(before):]
}

// sendPair sends a head and a body, as send does.
func (c *conn) sendPair(head, body []byte) {
	if c.out != nil || c.corked || c.blocked || c.broken || c.dead || !c.pairs() {
		c.send(head)
		c.send(body)
		return
	}
	n, ok := c.write(head, body)
	switch {
	case !ok:
		c.lost(len(head) + len(body))
	case n < len(head):
		c.send(head[n:])
		c.send(body)
	case n < len(head)+len(body):
		c.send(body[n-len(head):])
	}
}

// write writes a step of p and then of q, by one system call, and takes note of a socket that is
// full. q is empty but where pairs says so. It reports false when the connection is broken.
func (c *conn) write(p, q []byte) (int, bool) {
	p = p[:min(len(p), writeStep)]
	q = q[:min(len(q), writeStep-len(p))]
	for {
		var n int
		var err error
		s, plain := c.link.(*socket)
		switch {
		case plain && len(q) > 0:
			n, err = reactor.WritePair(s.fd, p, q)
		case plain && c.file != nil:
			n, err = reactor.WriteMore(s.fd, p) // the head goes with the file
		default:
			n, err = c.link.write(p)
		}
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			c.block()
			return 0, true
		case err != nil:
			c.loop.count.writeErrs.Add(1)
			c.abandon()
			return 0, false
		}
		c.loop.count.bytesOut.Add(uint64(n))
		if n < len(p)+len(q) || c.tls != nil && c.tls.pending() > 0 {
			c.block()
		}
		return n, true
	}
}

// block waits for room in the socket. The write timeout begins again whenever the socket takes
// some bytes.
func (c *conn) block() {
	c.blocked = true
	c.arm(deadlineWrite)
	c.watch()
}

// uncork sends the collected output.
func (c *conn) uncork() {
	if c.corked {
		c.corked = false
		if !c.blocked && c.out != nil {
			c.flush()
		}
	}
}

// flush sends the waiting output, then resumes whatever waited for room.
func (c *conn) flush() {
	if c.dead || c.broken || c.corked {
		return
	}
	before := c.buffered()
	if !c.flushBuffer() || !c.flushFile() || !c.flushSealed() {
		return
	}
	after := c.buffered()
	if after == 0 {
		c.arm(deadlineNone)
	}
	x := c.x
	if x != nil && x.phase == phaseStream && before > DrainedBelow && after <= DrainedBelow && !x.tellDrained() {
		return
	}
	c.settle()
	if after == 0 {
		c.rest()
	}
}

// flushBuffer reports false when the connection is broken.
func (c *conn) flushBuffer() bool {
	if c.out == nil {
		return true
	}
	for first := true; ; first = false {
		if !first && c.yield() {
			c.outputLater()
			return true
		}
		n, ok := c.write(c.out.B[c.outAt:], nil)
		if !ok {
			return false
		}
		c.outAt += n
		if c.outAt == len(c.out.B) {
			putBuffer(c.out)
			c.out, c.outAt = nil, 0
			c.weigh()
			return true
		}
		if c.blocked {
			return true
		}
	}
}

// flushFile sends the file by sendfile(2), in steps, so that other connections
// have their turn in between. It reports false when the connection is broken.
func (c *conn) flushFile() bool {
	for first := true; c.file != nil && c.out == nil; first = false {
		if !first && c.yield() {
			c.outputLater()
			return true
		}
		step := min(c.fileLeft, writeStep)
		if !c.warm(step) {
			return true
		}
		n, err := c.link.sendFile(c.file, c.fileAt, step)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			c.block()
			return true
		case err != nil || n == 0:
			// The socket failed, or the file is shorter than announced: the client must not
			// take the part for the whole.
			c.loop.count.writeErrs.Add(1)
			if err == nil {
				c.broke("the file has become shorter")
			} else {
				c.broke(clientGone)
			}
			c.reset()
			return false
		}
		c.loop.count.bytesOut.Add(uint64(n))
		c.fileAt += n
		if c.fileLeft -= n; c.fileLeft == 0 {
			c.closeFile()
		}
	}
	return true
}

// warm reports whether the next n bytes of the file can be sent without waiting for a disk. If
// not, a goroutine reads them first, and the output goes on then.
func (c *conn) warm(n int64) bool {
	if c.warming {
		return false
	}
	if c.fileAt+n <= c.warmTo || isResident(c.file, c.fileAt, n) {
		return true
	}
	l, f, gen, at := c.loop, c.file, c.gen, c.fileAt
	err := l.srv.do(func() {
		p := fileSteps.Get().(*[writeStep]byte)
		_, _ = readAhead(f, p[:n], at) // sendfile reports any error
		fileSteps.Put(p)
		_ = l.Post(func() {
			if c.gen != gen || c.file != f {
				return
			}
			c.warming, c.warmTo = false, at+n
			c.outputLater()
		})
	})
	c.warming = err == nil
	return err != nil // when the queue is full the loop waits itself
}

// Tests put a slow disk in the place of these.
var (
	isResident = resident
	readAhead  = (*os.File).ReadAt
)

var fileSteps = sync.Pool{New: func() any { return new([writeStep]byte) }}

// reset closes the connection with an error, so that the client notices a cut even where the
// close marks the end.
func (c *conn) reset() {
	if c.dead || c.broken {
		return // the descriptor may be in use again
	}
	c.cutOff()
	c.abandon()
}

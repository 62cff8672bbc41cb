package engine

import (
	"os"
	"slices"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

// conn as a [carrier].

var crlf = []byte("\r\n")

// head encodes a response's head into the loop's scratch buffer and fills in the outcome.
func (c *conn) head(x *Exchange, resp *codec.Response) []byte {
	l := c.loop
	keep := x.req.KeepAlive && l.srv.opt.IdleTimeout > 0 && !l.srv.draining.Load() && c.goesOn()
	head, sent := http1.AppendHead(l.scratch[:0], &x.req, resp, l.httpDate(), keep)
	l.scratch = head
	x.sent = sent
	x.outcome.Status = resp.Status
	x.outcome.HeadBytes = int64(len(head))
	x.outcome.Headers = len(resp.Header)
	return head
}

func (c *conn) whole(x *Exchange, resp *codec.Response, body []byte) {
	l, head := c.loop, c.head(x, resp)
	if x.sent.Kind == http1.FrameNone {
		body = nil
	}
	x.outcome.BodyBytes = int64(len(body))
	x.outcome.File = x.FromFile && len(body) > 0
	x.phase = phaseEnded
	if len(body) < passOn || !c.pairs() {
		// One write for the head and a body of usual size.
		first := min(len(body), max(smallBody, cap(head)-len(head)))
		l.scratch = append(head, body[:first]...)
		head, body = l.scratch, body[first:]
	}
	if len(body) > 0 {
		c.sendPair(head, body)
	} else {
		c.send(head)
	}
	c.settle()
}

func (c *conn) fromFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64) {
	l, head := c.loop, c.head(x, resp)
	switch {
	case x.sent.Kind == http1.FrameNone || n == 0:
		_ = f.Close()
		x.phase = phaseEnded
		c.send(head)
	case n <= smallBody && c.inline(x, f, off, n):
		_ = f.Close()
	case n <= smallBody && shorter(f, off+n):
		l.srv.opt.Logf("%s has shrunk since it was opened: the client gets 500", f.Name())
		_ = f.Close()
		x.out.Abort(x)
		return
	case !l.srv.takeFile():
		_ = f.Close()
		x.out.Reply(x, x.busy(), []byte("Service Unavailable\n"))
		return
	default:
		x.phase, x.outcome.BodyBytes, x.outcome.File = phaseEnded, n, true
		c.file, c.fileAt, c.fileLeft = f, off, n
		c.send(head)
		if !c.blocked && !c.corked {
			c.flush()
		}
		return
	}
	c.settle()
}

// inline sends a small file together with the head, which is in l.scratch. It reports false
// when the file is not in the page cache.
func (c *conn) inline(x *Exchange, f *os.File, off, n int64) bool {
	l := c.loop
	at := len(l.scratch)
	head := slices.Grow(l.scratch, int(n))
	l.scratch = head
	if !readResident(f, head[at:at+int(n)], off) {
		return false
	}
	x.phase, x.outcome.BodyBytes, x.outcome.File = phaseEnded, n, true
	c.send(head[:at+int(n)])
	return true
}

func shorter(f *os.File, size int64) bool {
	info, err := f.Stat()
	return err != nil || info.Size() < size
}

func (c *conn) start(x *Exchange, resp *codec.Response) { c.send(c.head(x, resp)) }

func (c *conn) piece(x *Exchange, p []byte) {
	if x.sent.Kind != http1.FrameChunked {
		c.send(p)
		return
	}
	l := c.loop
	b := http1.AppendChunkHead(l.scratch[:0], len(p))
	if len(p) <= smallBody {
		b = append(append(b, p...), crlf...)
		l.scratch = b
		c.send(b)
		return
	}
	l.scratch = b
	c.sendPair(b, p)
	c.send(crlf)
}

func (c *conn) end(x *Exchange) {
	if x.sent.Kind == http1.FrameChunked {
		c.loop.scratch = http1.AppendLastChunk(c.loop.scratch[:0])
		c.send(c.loop.scratch)
	}
	x.phase = phaseEnded
	c.settle()
}

func (c *conn) cut(*Exchange) { c.reset() }

func (c *conn) drop(x *Exchange) bool {
	x.outcome.Status, x.outcome.Aborted, x.outcome.Broken = 500, true, "no answer, as a rule says"
	x.sent = http1.Framing{} // without keep-alive
	x.phase = phaseEnded
	c.settle()
	return true
}

func (c *conn) interim(x *Exchange, resp *codec.Response) {
	l := c.loop
	l.scratch, _ = http1.AppendHead(l.scratch[:0], &x.req, resp, nil, true)
	c.send(l.scratch)
}

// takeOver turns the connection into a tunnel: a body without an end in each direction.
func (c *conn) takeOver(x *Exchange, resp *codec.Response) error {
	l := c.loop
	head := http1.AppendSwitch(l.scratch[:0], &x.req, resp)
	l.scratch = head
	x.sent = http1.Framing{Kind: http1.FrameClose}
	x.outcome.Status, x.outcome.HeadBytes, x.outcome.Headers = resp.Status, int64(len(head)), len(resp.Header)
	x.phase = phaseStream
	in := l.intake()
	in.tunnel = true
	c.intake, x.intake = in, in
	if c.hold {
		c.hold = false // a tunnel's end cannot be mistaken
		c.takeHeld()
	}
	c.send(head)
	return nil
}

func (c *conn) halfClosed(*Exchange) bool { return c.eof || c.ending }

func (c *conn) ahead(*Exchange) int { return c.buffered() }

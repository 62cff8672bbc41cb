package engine

import (
	"net/http"
	"os"
	"slices"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

// clientOutput sends responses to the client: the last [Output] of every
// exchange that has a connection.
type clientOutput struct{ l *loop }

var crlf = []byte("\r\n")

// head encodes a response's head into the loop's scratch buffer and notes what
// has become of the exchange.
func (o clientOutput) head(x *Exchange, resp *codec.Response) []byte {
	l := o.l
	keep := x.req.KeepAlive && l.srv.opt.IdleTimeout > 0 && !l.srv.draining.Load()
	head, sent := http1.AppendHead(l.scratch[:0], &x.req, resp, l.httpDate(), keep)
	l.scratch = head
	x.sent = sent
	x.outcome.Status = resp.Status
	x.outcome.HeadBytes = int64(len(head))
	x.outcome.Headers = len(resp.Header)
	return head
}

// Reply implements [Output].
func (o clientOutput) Reply(x *Exchange, resp *codec.Response, body []byte) {
	if x.phase != phaseHandler {
		return
	}
	if resp.Status != http.StatusNotModified && (!x.req.Head || resp.ContentLength < 0) {
		// A front server that speaks uwsgi gets the length of the file that it is to send,
		// as uWSGI has it. An HTTP client may be no such server, and would wait for a body.
		n := int64(len(body))
		if x.req.Proto != codec.UWSGI || resp.ContentLength <= n || !codec.BodyElsewhere(resp) {
			resp.ContentLength = n
		}
	}
	c, head := x.conn, o.head(x, resp)
	if x.sent.Kind == http1.FrameNone {
		body = nil
	}
	x.outcome.BodyBytes = int64(len(body))
	x.phase = phaseEnded
	// One write for the head and a body of usual size.
	first := min(len(body), max(smallBody, cap(head)-len(head)))
	o.l.scratch = append(head, body[:first]...)
	c.send(o.l.scratch)
	if first < len(body) {
		c.send(body[first:])
	}
	c.settle()
}

// ReplyFile implements [Output].
func (o clientOutput) ReplyFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64) {
	if x.phase != phaseHandler {
		_ = f.Close()
		return
	}
	resp.ContentLength = n
	c, head := x.conn, o.head(x, resp)
	switch {
	case x.sent.Kind == http1.FrameNone || n == 0:
		_ = f.Close()
		x.phase = phaseEnded
		c.send(head)
	case n <= smallBody:
		at := len(head)
		head = slices.Grow(head, int(n))[:at+int(n)]
		got, err := f.ReadAt(head[at:], off)
		_ = f.Close()
		o.l.scratch = head
		if int64(got) < n { // it may have become shorter
			o.l.srv.opt.Logf("read %s: %v", f.Name(), err)
			o.Abort(x)
			return
		}
		x.phase, x.outcome.BodyBytes, x.outcome.File = phaseEnded, n, true
		c.send(head)
	case !o.l.srv.takeFile():
		_ = f.Close()
		o.Reply(x, x.busy(), []byte("Service Unavailable\n"))
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

// Start implements [Output].
func (o clientOutput) Start(x *Exchange, resp *codec.Response) {
	if x.phase != phaseHandler {
		return
	}
	x.phase = phaseStream
	if resp.ContentLength > 0 && !x.req.Head && resp.Status != http.StatusNotModified && codec.BodyElsewhere(resp) {
		if x.elsewhere = x.req.Proto == codec.UWSGI; !x.elsewhere {
			resp.ContentLength = -1 // as in Reply: the body will be shorter
		}
	}
	head := o.head(x, resp)
	x.left = x.sent.Length
	x.conn.send(head)
}

// Write implements [Output].
func (o clientOutput) Write(x *Exchange, p []byte) {
	if x.phase != phaseStream || len(p) == 0 {
		return
	}
	c := x.conn
	switch x.sent.Kind {
	case http1.FrameNone:
		return
	case http1.FrameLength:
		if int64(len(p)) > x.left {
			// The length has been announced; more would be taken for the next answer.
			p = p[:x.left]
			x.sent.KeepAlive = false
			x.broke("the body goes on after its Content-Length")
			if len(p) == 0 {
				return
			}
		}
		x.left -= int64(len(p))
		x.outcome.BodyBytes += int64(len(p)) // before: send takes back what it loses
		c.send(p)
	case http1.FrameChunked:
		x.outcome.BodyBytes += int64(len(p))
		b := http1.AppendChunkHead(o.l.scratch[:0], len(p))
		if len(p) <= smallBody {
			b = append(append(b, p...), crlf...)
			o.l.scratch = b
			c.send(b)
		} else {
			o.l.scratch = b
			c.send(b)
			c.send(p)
			c.send(crlf)
		}
	default:
		x.outcome.BodyBytes += int64(len(p))
		c.send(p)
	}
}

// End implements [Output].
func (o clientOutput) End(x *Exchange) {
	if x.phase != phaseStream {
		return
	}
	c := x.conn
	switch {
	case x.sent.Kind == http1.FrameLength && x.left > 0 && !x.elsewhere:
		x.broke("the body is shorter than its Content-Length")
		o.Abort(x)
		return
	case x.sent.Kind == http1.FrameChunked:
		o.l.scratch = http1.AppendLastChunk(o.l.scratch[:0])
		c.send(o.l.scratch)
	}
	x.phase = phaseEnded
	c.settle()
}

// Abort implements [Output].
func (o clientOutput) Abort(x *Exchange) {
	switch x.phase {
	case phaseHandler:
		x.outcome.Broken = "" // what the client gets is whole
		resp := x.Response()
		resp.Status = 500
		resp.Header = append(resp.Header, codec.Header{Name: nameContentType, Value: textPlain})
		o.Reply(x, resp, []byte("Internal Server Error"))
	case phaseStream:
		x.phase = phaseEnded
		x.broke("the app failed")
		x.conn.reset()
	}
}

// refusalText is what a client is told of its faulty request.
func refusalText(status int, err error) string {
	return http.StatusText(status) + ": " + err.Error() + "\n"
}

package engine

import (
	"net/http"
	"os"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
)

// answer is the last [Output] of every exchange. It holds the rules for responses of all
// carriers: which response has a body, and whether its length is right.
type answer struct{}

// fit reports whether resp can be an answer. A status below 200 cannot: an interim head leaves
// the client waiting, and 101 is for [Exchange.TakeOver].
func (answer) fit(x *Exchange, resp *codec.Response) bool {
	if resp.Status >= 200 {
		return true
	}
	x.loop.srv.opt.Logf("a handler answered with status %d, which is not a final status: the client gets 500", resp.Status)
	return false
}

// Reply implements [Output].
func (a answer) Reply(x *Exchange, resp *codec.Response, body []byte) {
	if x.phase != phaseHandler {
		return
	}
	if !a.fit(x, resp) {
		a.Abort(x)
		return
	}
	if resp.Status != http.StatusNotModified && (!x.req.Head || resp.ContentLength < 0) {
		// A front server that speaks uwsgi sends the file itself, so it gets the file's length,
		// as from uWSGI. An HTTP client would wait for a body of that length.
		n := int64(len(body))
		if x.req.Proto != codec.UWSGI || resp.ContentLength <= n || !codec.BodyElsewhere(resp) {
			resp.ContentLength = n
		}
	}
	x.via.whole(x, resp, body)
}

// ReplyFile implements [Output].
func (a answer) ReplyFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64) {
	switch {
	case x.phase != phaseHandler:
		_ = f.Close()
	case !a.fit(x, resp):
		_ = f.Close()
		a.Abort(x)
	default:
		resp.ContentLength = n
		x.via.fromFile(x, resp, f, off, n)
	}
}

// Start implements [Output].
func (a answer) Start(x *Exchange, resp *codec.Response) {
	if x.phase != phaseHandler {
		return
	}
	if !a.fit(x, resp) {
		a.Abort(x)
		return
	}
	x.phase = phaseStream
	if resp.ContentLength > 0 && !x.req.Head && resp.Status != http.StatusNotModified && codec.BodyElsewhere(resp) {
		if x.elsewhere = x.req.Proto == codec.UWSGI; !x.elsewhere {
			resp.ContentLength = -1 // as in Reply: the body is shorter
		}
	}
	x.via.start(x, resp)
	x.left = x.sent.Length
}

// Write implements [Output].
func (answer) Write(x *Exchange, p []byte) {
	if x.phase != phaseStream || len(p) == 0 || x.sent.Kind == http1.FrameNone {
		return
	}
	if x.sent.Kind == http1.FrameLength {
		if int64(len(p)) > x.left {
			// The client would take bytes beyond the announced length for the next answer.
			p = p[:x.left]
			x.sent.KeepAlive = false
			x.broke("the body goes on after its Content-Length")
			if len(p) == 0 {
				return
			}
		}
		x.left -= int64(len(p))
	}
	x.outcome.BodyBytes += int64(len(p)) // count first: the carrier subtracts what it loses
	x.via.piece(x, p)
}

// End implements [Output].
func (a answer) End(x *Exchange) {
	if x.phase != phaseStream {
		return
	}
	if x.sent.Kind == http1.FrameLength && x.left > 0 && !x.elsewhere {
		x.broke("the body is shorter than its Content-Length")
		a.Abort(x)
		return
	}
	x.via.end(x)
}

// Abort implements [Output].
func (a answer) Abort(x *Exchange) {
	switch x.phase {
	case phaseHandler:
		x.outcome.Broken = "" // the client gets a complete answer
		resp := x.Response()
		resp.Status = 500
		resp.Header = append(resp.Header, codec.Header{Name: nameContentType, Value: textPlain})
		a.Reply(x, resp, []byte("Internal Server Error"))
	case phaseStream:
		x.phase = phaseEnded
		x.broke("the app failed")
		x.via.cut(x)
	}
}

// refusalText is the body that tells a client why its request was refused.
func refusalText(status int, err error) string {
	return http.StatusText(status) + ": " + err.Error() + "\n"
}

package route

import (
	"bytes"
	"net/http"
	"os"
	"slices"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// layer runs the rules for responses: error-route and response-route before the head goes out,
// final-route after the end. It belongs to one exchange at a time.
type layer struct {
	engine.Pass
	h       *Handler
	add     []codec.Header // by rules
	remove  [][]byte       // by rules
	started bool           // the head has gone on
	own     *whole         // replaces the handler's answer; sent when the handler has finished
	resp    codec.Response // the changed head; Header is kept for reuse
}

// judge runs the rules for a response. It returns the head to send, or the answer that replaces
// the response.
func (l *layer) judge(x *engine.Exchange, resp *codec.Response) (*codec.Response, *whole) {
	h := l.resp.Header[:0]
	l.resp = *resp
	l.resp.Header = append(h, resp.Header...)
	if len(l.h.collects) > 0 {
		l.h.collect(x, &l.resp)
	}
	e := l.h.eval(x, failures)
	e.head = &l.resp
	var own *whole
	for _, kind := range []tableKind{failures, responses} {
		if !l.h.has(kind) {
			continue
		}
		e.enter(kind)
		e.status, e.answer = l.resp.Status, nil
		e.run()
		if e.answer == nil {
			continue
		}
		if own != nil && own.file != nil {
			_ = own.file.Close()
		}
		own = e.answer
		l.resp.ContentLength, l.resp.Header = -1, l.resp.Header[:0]
		own.fill(&l.resp)
	}
	l.add, l.remove = append(l.add, e.add...), append(l.remove, e.remove...)
	e.free()
	l.resp.Header = append(slices.DeleteFunc(l.resp.Header, l.removes), l.add...)
	return &l.resp, own
}

func (l *layer) removes(h codec.Header) bool {
	return slices.ContainsFunc(l.remove, func(name []byte) bool { return len(name) == len(h.Name) && bytes.EqualFold(name, h.Name) })
}

// send sends the replacement of the handler's answer.
func (l *layer) send(x *engine.Exchange, own *whole) {
	l.own, l.started = nil, true
	if own.file != nil {
		l.Next().ReplyFile(x, &l.resp, own.file, 0, own.size)
		return
	}
	l.Next().Reply(x, &l.resp, own.body)
}

// Reply implements [engine.Output].
func (l *layer) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	head, own := l.judge(x, resp)
	l.started = true
	if own != nil {
		l.send(x, own)
		return
	}
	l.Next().Reply(x, head, body)
}

// ReplyFile implements [engine.Output].
func (l *layer) ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64) {
	head, own := l.judge(x, resp)
	l.started = true
	if own != nil {
		_ = f.Close()
		l.send(x, own)
		return
	}
	l.Next().ReplyFile(x, head, f, off, n)
}

// Start implements [engine.Output]. The handler goes on although its answer is replaced: the
// exchange must not end before it has finished.
func (l *layer) Start(x *engine.Exchange, resp *codec.Response) {
	head, own := l.judge(x, resp)
	l.started = true
	if own != nil {
		l.own = own
		return
	}
	l.Next().Start(x, head)
}

// Write implements [engine.Output].
func (l *layer) Write(x *engine.Exchange, p []byte) {
	if l.own == nil {
		l.Next().Write(x, p)
	}
}

// End implements [engine.Output].
func (l *layer) End(x *engine.Exchange) {
	if l.own != nil {
		l.send(x, l.own)
		return
	}
	l.Next().End(x)
}

// Abort implements [engine.Output]. If the response has not begun it answers as the engine
// would, 500, and runs the rules.
func (l *layer) Abort(x *engine.Exchange) {
	switch {
	case l.own != nil:
		l.send(x, l.own)
	case l.started:
		l.Next().Abort(x)
	default:
		resp := x.Response()
		resp.Status = http.StatusInternalServerError
		resp.Header = append(resp.Header, plainText...)
		l.Reply(x, resp, []byte("Internal Server Error"))
	}
}

// Ended implements [engine.Layer].
func (l *layer) Ended(x *engine.Exchange, o *engine.Outcome) {
	if l.own != nil && l.own.file != nil {
		_ = l.own.file.Close() // the client has gone
	}
	if l.h.has(finals) {
		e := l.h.eval(x, finals)
		e.status, e.size, e.over = o.Status, o.BodyBytes, true
		e.run()
		e.free()
	}
	header := l.resp.Header
	clear(header[:cap(header)]) // views of others
	clear(l.add)
	clear(l.remove)
	*l = layer{h: l.h, add: l.add[:0], remove: l.remove[:0], resp: codec.Response{Header: header[:0]}}
	l.h.layers.Put(l)
}

// clearsHeaders compiles clearheaders:STATUS, which keeps only the body of an answer.
func clearsHeaders(c *compiler, args string) error {
	status, reason, err := parseStatus(args)
	c.rule.do = actionFunc(func(e *eval) (verdict, error) {
		e.head.Status, e.head.Reason, e.head.Header = status, []byte(reason), e.head.Header[:0]
		e.status = status
		return goOn, nil
	})
	return err
}

package wsgi

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// call is one request in the pool: the pool's [worker.Client] and the exchange's
// [engine.Watcher]. It belongs to its loop, and is used again.
type call struct {
	l       *loopState
	x       *engine.Exchange
	ref     engine.Ref // a handle for when x may have ended
	id      uint32
	app     int
	owed    int  // bytes that wait for the client and are not credited
	started bool // the head has come

	route   uint64
	tunnel  *worker.Tunnel   // once the app has taken the connection over
	left    bool             // the request is over for the port, which tells no more
	late    *worker.LateBody // for a request that has begun without its body
	bodyErr error            // why the body does not come
}

// Origin names the app that answered an exchange, and the core that ran it. Core is nil if no
// worker answered.
type Origin struct {
	Core *worker.Core
	App  int
}

var origin = engine.NewKey[Origin]()

// OriginOf returns the origin of x's answer, for [engine.Options].OnFinish and for layers.
func OriginOf(x *engine.Exchange) Origin { return *origin.Of(x) }

const spareCalls = 1024

func (l *loopState) call() *call {
	if n := len(l.spare); n > 0 {
		c := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return c
	}
	return &call{l: l}
}

func (l *loopState) free(c *call) {
	if c.late != nil {
		l.closeLate(c)
	}
	*c = call{l: l}
	if len(l.spare) < spareCalls {
		l.spare = append(l.spare, c)
	}
}

// response fills in the response head that a worker sent. The worker has checked the headers.
// If one is wrong anyway the client gets 500 and the log says so.
func (c *call) response(core *worker.Core, status []byte, headers *worker.Headers) (*codec.Response, error) {
	*origin.Of(c.x) = Origin{core, c.app}
	c.x.Waited = c.l.port.Waited()
	resp := c.x.Response()
	code, reason, _ := bytes.Cut(status, space)
	n, ok := codec.ParseLength(code)
	if !ok || len(code) != 3 || n < 200 && n != switching { // a lower status is not final
		return resp, fmt.Errorf("status %q: %w", status, codec.ErrResponseStatus)
	}
	resp.Status, resp.Reason = int(n), reason
	for headers.Len() > 0 {
		name, value, ok := headers.Next()
		if !ok {
			return resp, codec.ErrResponseValue
		}
		resp.Header = append(resp.Header, codec.Header{Name: name, Value: value})
	}
	if err := codec.Validate(resp); err != nil {
		return resp, err
	}
	return resp, resp.TakeContentLength()
}

// bad answers 500 when a worker's head cannot be sent.
func (c *call) bad(err error) {
	c.l.h.logf("app's response cannot be sent: %v", err)
	c.l.refuse(c.x, worker.ErrAppFailed)
}

// Reply implements worker.Client.
func (c *call) Reply(core *worker.Core, status []byte, headers *worker.Headers, body []byte) {
	resp, err := c.answer(core, status, headers)
	switch {
	case err != nil:
		c.bad(err)
	case c.unanswered(resp):
	default:
		c.x.Reply(resp, body)
	}
	c.l.free(c)
}

// Head implements worker.Client.
func (c *call) Head(core *worker.Core, status []byte, headers *worker.Headers) {
	resp, err := c.answer(core, status, headers)
	if err != nil {
		c.l.port.Cancel(c.id)
		c.bad(err)
		c.l.free(c)
		return
	}
	c.started = true
	c.l.corks.Cork(c.x)
	c.x.Start(resp)
}

// Data implements worker.Client. It credits bytes that the socket takes at once, and the rest
// as it drains. So a worker is ahead of a slow client by the window at most.
func (c *call) Data(p []byte) {
	c.l.corks.Cork(c.x)
	c.x.Write(p)
	c.owed += len(p)
	if c.x.Buffered() <= engine.DrainedBelow {
		c.credit()
	}
}

func (c *call) credit() {
	if n := c.owed; n > 0 {
		c.owed = 0
		c.l.port.Credit(c.id, n)
	}
}

// End implements worker.Client.
func (c *call) End() {
	if c.tunnel != nil {
		c.leave()
		return
	}
	c.l.corks.Cork(c.x)
	c.x.End()
	c.l.free(c)
}

// File implements worker.Client.
func (c *call) File(core *worker.Core, status []byte, headers *worker.Headers, f *os.File, offset, n int64) {
	resp, err := c.answer(core, status, headers)
	if err != nil {
		_ = f.Close()
		c.bad(err)
	} else {
		c.x.ReplyFile(resp, f, offset, n)
	}
	c.l.free(c)
}

// Fail implements worker.Client.
func (c *call) Fail(err error) {
	if err == worker.ErrPanicked {
		// Only the exchange knows how far the answer got before the panic. It may still call
		// c.Gone, so c is not used again.
		_ = c.ref.Post(func(x *engine.Exchange) { x.Abort() })
		if c.late != nil {
			c.l.closeLate(c)
		}
		return
	}
	if c.tunnel != nil { // the end of the app's socket tells
		c.leave()
		return
	}
	if c.started { // a layer may not have passed the head on
		c.x.AbortFor(reason(err))
	} else {
		c.x.Waited = c.l.port.Waited()
		if c.bodyErr != nil && errors.Is(err, worker.ErrAppFailed) {
			err = c.bodyErr
		}
		c.l.refuse(c.x, err)
	}
	c.l.free(c)
}

// reason returns why an answer broke off, for the log.
func reason(err error) string {
	switch {
	case errors.Is(err, worker.ErrWorkerDied):
		return "its worker died"
	case errors.Is(err, worker.ErrHarakiri):
		return "it took too long"
	}
	return "the app failed"
}

// HalfClosed implements worker.HalfCloser.
func (c *call) HalfClosed() bool { return c.x.HalfClosed() }

// Drained implements engine.Watcher.
func (c *call) Drained(*engine.Exchange) {
	if c.tunnel != nil {
		c.tunnel.Hold(false)
		return
	}
	c.credit()
}

// Gone implements engine.Watcher.
func (c *call) Gone(*engine.Exchange) {
	if c.tunnel != nil {
		c.tunnel.Close()
	}
	c.l.port.Cancel(c.id)
	c.l.free(c)
}

// Describe implements worker.Describer.
func (c *call) Describe() string {
	r := c.x.Request()
	ip := c.x.AppendRemoteAddr(nil)
	for _, v := range r.Vars { // over uwsgi the variable counts
		if string(r.Bytes(v.Name)) == "REMOTE_ADDR" {
			ip = r.Bytes(v.Value)
		}
	}
	return fmt.Sprintf("%s - %s %s", ip, r.Bytes(r.Method), r.Bytes(r.Target))
}

var space = []byte(" ")

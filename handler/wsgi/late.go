package wsgi

import (
	"errors"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// firstByte is how long the app waits for the first byte of a body. Front servers announce
// bodies that they never send (nginx's auth_request and mirror, uwsgi_pass_request_body off).
// When none has come by then the app begins without it, with a wsgi.input that waits.
const firstByte = 200 * time.Millisecond

// withoutBody begins requests whose bodies have not begun to come.
type withoutBody struct{ h *Handler }

// Serve implements engine.Handler.
func (w withoutBody) Serve(x *engine.Exchange) {
	l := &w.h.loops[x.Loop().Index()]
	if !l.beginLate(x) {
		l.waitLate(x)
	}
}

// beginLate lets the app begin. It reports false if that must wait.
func (l *loopState) beginLate(x *engine.Exchange) bool {
	body, err := worker.NewLateBody()
	if err != nil {
		return true // no descriptors: it waits for its body, as slow ones do
	}
	switch err := l.h.begin(x, body); {
	case errors.Is(err, worker.ErrBodyDue):
		body.Close()
		return false
	case err != nil:
		body.Close()
		l.refuse(x, err)
	}
	return true
}

// waitLate notes a request that may begin without its body once another has ended.
func (l *loopState) waitLate(x *engine.Exchange) {
	if len(l.late) >= l.lateKeep {
		live := l.late[:0]
		for _, ref := range l.late {
			if x := ref.Get(); x != nil && !x.BodyBegun() {
				live = append(live, ref)
			}
		}
		l.late, l.lateKeep = live, 2*len(live)+64
	}
	l.late = append(l.late, x.Ref())
}

// lateRoom is called by the port when such requests may begin.
func (l *loopState) lateRoom() {
	for len(l.late) > 0 {
		ref := l.late[0]
		x := ref.Get()
		if x != nil && !x.BodyBegun() && !l.tryLate(x, ref) {
			return
		}
		l.late = l.late[1:]
	}
}

// tryLate is beginLate with a recover of its own.
func (l *loopState) tryLate(x *engine.Exchange, ref engine.Ref) (begun bool) {
	defer func() {
		if r := recover(); r != nil {
			begun = true
			_ = ref.Post(func(*engine.Exchange) { panic(r) })
		}
	}()
	return l.beginLate(x)
}

// readsMost bounds the routes in reads.
const readsMost = 4096

// closeLate lets go of the body of a request that has ended. If its app has read it, the next
// request of that route waits for its body first: such an app gains nothing from an early
// start, and would hold a thread.
func (l *loopState) closeLate(c *call) {
	c.late.Close()
	if !c.late.Read() {
		return
	}
	if l.reads == nil || len(l.reads) >= readsMost {
		l.reads = make(map[uint64]struct{})
	}
	l.reads[c.route] = struct{}{}
}

// Serve implements engine.Handler: the whole body has come after all.
func (c *call) Serve(x *engine.Exchange) {
	ref := c.ref
	x.SpoolBody(func(x *engine.Exchange, err error) {
		switch {
		case c.ref != ref || c.late == nil: // it has been answered meanwhile
		case err != nil:
			c.BodyFailed(x, err)
		default:
			c.late.Came(x.Body().File())
		}
	})
}

// BodyFailed implements engine.BodyWaiter: the app's reads fail. If the app does not answer,
// the client gets the same answer as without an app.
func (c *call) BodyFailed(_ *engine.Exchange, err error) {
	c.bodyErr = err
	var e *codec.Error
	c.late.Failed(errors.As(err, &e) && e.Status == 408)
}

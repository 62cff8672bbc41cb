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

// withoutBody is called for requests of whose bodies nothing has come.
type withoutBody struct{ h *Handler }

// Serve implements engine.Handler.
func (w withoutBody) Serve(x *engine.Exchange) {
	l := &w.h.loops[x.Loop().Index()]
	if !l.beginLate(x) {
		l.waitLate(x)
	}
}

// beginLate has the app begin. It reports false where that has to wait.
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

// waitLate notes a request that may begin without its body when another one has ended.
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

// lateRoom is called by the port when some of those may begin.
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

// tryLate is beginLate, from where nobody else contains a panic.
func (l *loopState) tryLate(x *engine.Exchange, ref engine.Ref) (begun bool) {
	defer func() {
		if r := recover(); r != nil {
			begun = true
			_ = ref.Post(func(*engine.Exchange) { panic(r) })
		}
	}()
	return l.beginLate(x)
}

// readsMost bounds how many routes a loop notes that read.
const readsMost = 4096

// closeLate lets go of the body of a request that has ended. Where its app has read it, the
// next request of that route waits for its body first: an app that reads gains nothing from
// an early start, and would hold a thread meanwhile.
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

// Serve implements engine.Handler: all of the body has come after all.
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

// BodyFailed implements engine.BodyWaiter: the app's reading fails. Should it not answer to
// that, the client gets the answer that it gets where the app has not begun.
func (c *call) BodyFailed(_ *engine.Exchange, err error) {
	c.bodyErr = err
	var e *codec.Error
	c.late.Failed(errors.As(err, &e) && e.Status == 408)
}

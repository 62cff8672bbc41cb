package engine

import (
	"errors"
	"io"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// BodyReader takes a request's body as it comes. The loop calls all methods. A reader also
// watches the exchange ([Exchange.Watch]) to hear that the client has gone.
type BodyReader interface {
	// Data is the next piece. p is valid during the call.
	Data(x *Exchange, p []byte)
	// End says that the whole body has come; in a tunnel, that the client has half-closed.
	End(x *Exchange)
	// Failed says that the rest does not come: the client is too slow, has half-closed, or has
	// sent malformed or too much data. The reader answers, for example by [Exchange.Refuse], or
	// aborts.
	Failed(x *Exchange, err error)
}

// intake is a body on its way to the handler. An exchange has one until its body has come. It
// belongs to the loop.
type intake struct {
	framing http1.Body // where the body ends; of a connection
	whole   Handler    // called when the whole body is there
	reader  BodyReader // or this takes it as it comes
	held    bool       // nobody wants more for now
	storing bool       // a disk goroutine stores it: no more can be taken
	last    bool       // nothing comes behind that
	expect  bool       // the client waits for "100 Continue"
	tunnel  bool       // it has no end: the handler has taken over the connection
	skipped int64      // bytes that nobody asked for
	begun   bool       // its first byte has come
	overdue bool       // the handler has begun without it

	x       *Exchange
	without Handler       // called when no byte has come by
	by      int64         // this time, on the loop's clock
	timer   reactor.Timer // armed while the loop waits for that
}

// asked reports whether somebody has asked for the body.
func (in *intake) asked() bool { return in.whole != nil || in.reader != nil }

// wanted reports whether more of the body is welcome now.
func (in *intake) wanted() bool { return in.asked() && !in.held && !in.storing }

// spareIntakes bounds what a loop keeps for reuse.
const spareIntakes = 256

func newIntake() *intake {
	in := &intake{}
	in.timer.Fn = in.late
	return in
}

func (l *loop) intake() *intake {
	n := len(l.intakes)
	if n == 0 {
		in := newIntake()
		in.framing.Limits = l.srv.opt.Limits
		return in
	}
	in := l.intakes[n-1]
	l.intakes = l.intakes[:n-1]
	return in
}

func (l *loop) freeIntake(in *intake) {
	l.Disarm(&in.timer)
	*in = intake{framing: in.framing, timer: in.timer}
	if len(l.intakes) < spareIntakes {
		l.intakes = append(l.intakes, in)
	}
}

// BodyComplete reports whether all of the request's body is in [Exchange.Body], or there
// is none.
func (x *Exchange) BodyComplete() bool { return x.intake == nil && !x.taken }

// ContentLength returns the length of the request's body, -1 where that is not known yet.
func (x *Exchange) ContentLength() int64 {
	if x.intake == nil && !x.taken {
		return x.body.Size()
	}
	return x.req.ContentLength
}

// AwaitBody asks for the whole body. It reports false when [Exchange.Body] already has it.
// Otherwise the handler returns, and the loop calls h once the body is there; most handlers
// name themselves. When the body fails the engine answers.
func (x *Exchange) AwaitBody(h Handler) (wait bool) {
	in := x.intake
	if in == nil {
		return false
	}
	if in.reader != nil {
		panic("engine: AwaitBody after ReadBody")
	}
	in.whole, in.held = h, false
	x.via.want(x)
	return true
}

// AwaitBodyFor is AwaitBody for a handler that can begin without the body. The loop calls h
// when the body is there. It calls without when no byte has come within after of the head,
// because front servers announce bodies that they never send. In without,
// [Exchange.BodyComplete] reports false. The engine goes on waiting for the body until without
// answers.
func (x *Exchange) AwaitBodyFor(h, without Handler, after time.Duration) (wait bool) {
	if in := x.intake; in != nil && !in.begun && in.reader == nil {
		in.x, in.without, in.by = x, without, x.started+int64(after)
	}
	return x.AwaitBody(h)
}

// BodyWaiter is a handler for [Exchange.AwaitBody] that hears of a body that does not come
// whole. It answers, for example by [Exchange.Refuse], or aborts. For other handlers the engine
// answers.
type BodyWaiter interface {
	Handler
	BodyFailed(x *Exchange, err error)
}

// BodyBegun reports whether the first byte of the request's body has come, or there is no body.
func (x *Exchange) BodyBegun() bool { return x.intake == nil || x.intake.begun }

// waits is called by carriers while a handler waits for a body and nothing comes.
func (in *intake) waits(l *loop) {
	if in.without != nil && !in.begun && !in.timer.Armed() {
		l.Arm(&in.timer, in.by)
	}
}

// late is called when the time for the first byte is up.
func (in *intake) late() {
	x, without := in.x, in.without
	if without == nil || in.begun || in.whole == nil || x.phase == phaseEnded {
		return
	}
	l := x.loop
	if x.via.incoming(x) { // the loop is late itself
		l.After(&in.timer, reactor.Tick)
		return
	}
	in.without, in.overdue = nil, true
	l.complete(x, without, nil)
}

// WholeBody makes a handler that calls h once the whole body is there.
func WholeBody(h Handler) Handler { return &whole{h} }

type whole struct{ next Handler }

func (h *whole) Serve(x *Exchange) {
	if !x.AwaitBody(h.next) {
		h.next.Serve(x)
	}
}

// ReadBody gives the body to r as it comes. The loop stops reading it while it is held: see
// [Exchange.HoldBody]. When there is no body, or all of it has been awaited, r is called before
// ReadBody returns.
//
// A handler that streams its answer at the same time asks for the body first. A client that
// waits for "100 Continue" takes an answer to mean that its body is not wanted.
func (x *Exchange) ReadBody(r BodyReader) {
	in := x.intake
	if in == nil {
		x.replayBody(r)
		return
	}
	if in.whole != nil {
		panic("engine: ReadBody after AwaitBody")
	}
	x.taken = true
	in.reader, in.held = r, false
	x.via.want(x)
}

// HoldBody pauses or resumes a [BodyReader] that is behind. Up to 64 KiB may come after the
// pause.
func (x *Exchange) HoldBody(hold bool) {
	switch in := x.intake; {
	case in != nil && in.held != hold:
		in.held = hold
		x.via.want(x)
	case in == nil && x.replay != nil:
		x.replay.held = hold
		if !hold {
			x.replay.run(x)
		}
	}
}

// Refuse answers with the status that err asks for ([codec.Error]), or 400. Where the
// response has begun it is cut off.
func (x *Exchange) Refuse(err error) {
	if x.said != saidNothing {
		x.AbortFor(err.Error())
		return
	}
	status := 400
	if e, ok := asCodecError(err); ok {
		status = e.Status
	}
	if status == 503 {
		x.Reply(x.busy(), []byte(refusalText(status, err)))
		return
	}
	x.ReplyText(status, refusalText(status, err))
}

// replayPiece bounds the pieces that a stored body is replayed in, in bytes.
const replayPiece = 64 << 10

// replay gives a stored body to a reader piece by piece.
type replay struct {
	reader  BodyReader
	at      int64
	held    bool
	running bool
}

func (x *Exchange) replayBody(r BodyReader) {
	if x.body.Size() == 0 {
		r.End(x)
		return
	}
	x.replay = &replay{reader: r}
	x.replay.run(x)
}

// run replays until the reader pauses it or its share of the loop is used up.
func (y *replay) run(x *Exchange) {
	if y.running {
		return // it is below us on the stack
	}
	y.running = true
	gen, l := x.gen, x.loop
	for !y.held && x.gen == gen && x.replay == y {
		if l.Spent() > reactor.Share {
			ref := x.Ref()
			_ = ref.Post(func(x *Exchange) {
				y.running = false
				y.run(x)
			})
			return
		}
		p := x.body.Bytes()[min(y.at, int64(len(x.body.Bytes()))):]
		if f := x.body.File(); f != nil {
			p = make([]byte, min(replayPiece, x.body.Size()-y.at))
			if n, err := f.ReadAt(p, y.at); n < len(p) && !errors.Is(err, io.EOF) {
				x.replay = nil
				y.reader.Failed(x, errNoSpace)
				return
			}
		}
		if len(p) == 0 {
			x.replay = nil
			y.reader.End(x)
			return
		}
		p = p[:min(len(p), replayPiece)]
		y.at += int64(len(p))
		y.reader.Data(x, p)
	}
	y.running = false
}

// deliver gives the reader a piece of the body.
func (l *loop) deliver(x *Exchange, r BodyReader, p []byte) {
	defer l.recovered(x, x.gen)
	r.Data(x, p)
}

// complete tells the handler or reader that the body is there.
func (l *loop) complete(x *Exchange, whole Handler, r BodyReader) {
	defer l.recovered(x, x.gen)
	switch {
	case r != nil:
		r.End(x)
	case whole != nil:
		whole.Serve(x)
	}
}

// failed tells the reader or [BodyWaiter] that the body does not come, or answers itself.
func (l *loop) failed(x *Exchange, whole Handler, r BodyReader, err error) {
	defer l.recovered(x, x.gen)
	if r != nil {
		r.Failed(x, err)
		return
	}
	if w, ok := whole.(BodyWaiter); ok {
		w.BodyFailed(x, err)
		return
	}
	x.Refuse(err)
}

// takesOver reports whether an answer with that status turns the connection into a tunnel.
func takesOver(r *codec.Request, status int) bool {
	if r.Connect {
		return status >= 200 && status < 300
	}
	return status == 101 && r.Upgrade
}

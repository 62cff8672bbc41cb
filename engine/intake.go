package engine

import (
	"errors"
	"io"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/http1"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// BodyReader takes a request's body as it comes. All methods are called on the loop. Like
// everybody who keeps x itself, a reader also watches it ([Exchange.Watch]): of a client
// that has gone it hears there.
type BodyReader interface {
	// Data is the next piece. p is valid during the call.
	Data(x *Exchange, p []byte)
	// End says that all of the body has come. Of a tunnel it says that the client has
	// ended its side.
	End(x *Exchange)
	// Failed says that the rest does not come: the client was too slow, has ended its side,
	// or has sent what is malformed or too much. The reader answers, by [Exchange.Refuse]
	// for one, or aborts.
	Failed(x *Exchange, err error)
}

// intake is a body on its way to whoever asks for it. An exchange has one until its
// body has come. It belongs to the loop.
type intake struct {
	framing http1.Body // where the body ends; of a connection
	whole   Handler    // to be called when all of it is there
	reader  BodyReader // or what takes it as it comes
	held    bool       // nobody wants more for now
	storing bool       // nor can more be taken, as what has come is on its way to a file
	last    bool       // nothing comes behind that
	expect  bool       // the client waits for "100 Continue"
	tunnel  bool       // there is no end: the handler has taken the connection over
	skipped int64      // bytes that nobody asked for
	begun   bool       // something of it has come
	overdue bool       // the handler has begun without it

	x       *Exchange
	without Handler       // to be called should nothing of it have come by
	by      int64         // then, on the loop's clock
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

// AwaitBody asks for the whole body. It reports false when that is there already, in
// [Exchange.Body]. Else the handler returns, and h is called as a handler when it is: most handlers
// name themselves. Should the body not come, the engine answers.
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

// AwaitBodyFor is AwaitBody for a handler that can begin without the body: h is called when
// it is there, and without should not one byte of it have come so long after the head. Front
// servers announce bodies that they never send. In without, [Exchange.BodyComplete] reports
// false, and the body is still awaited, for as long as ever, unless without answers.
func (x *Exchange) AwaitBodyFor(h, without Handler, after time.Duration) (wait bool) {
	if in := x.intake; in != nil && !in.begun && in.reader == nil {
		in.x, in.without, in.by = x, without, x.started+int64(after)
	}
	return x.AwaitBody(h)
}

// BodyWaiter is a handler, given to [Exchange.AwaitBody], that hears of a body that does
// not come whole. It answers, by [Exchange.Refuse] for one, or aborts. Without it the
// engine answers.
type BodyWaiter interface {
	Handler
	BodyFailed(x *Exchange, err error)
}

// BodyBegun reports whether something of the request's body has come, or there is none.
func (x *Exchange) BodyBegun() bool { return x.intake == nil || x.intake.begun }

// waits is called by carriers while nothing of a body comes that somebody has asked for.
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

// ReadBody has r take the body as it comes. The loop reads no more of it while it is
// held: see [Exchange.HoldBody]. Where there is no body, or all of it has been awaited, r
// is called before ReadBody returns.
//
// A handler that streams its answer meanwhile asks for the body first: a client that waits for
// "100 Continue" takes an answer for the word that its body is not wanted.
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

// HoldBody stops the calls of a [BodyReader], as it is behind, or has them go on. Up to 64
// KiB may come after it has been held.
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

// replayPiece bounds the pieces in which a body that is there is given to a reader, in bytes.
const replayPiece = 64 << 10

// replay gives a body that is there to a reader that wants it as it comes.
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

// run goes on until the reader holds it, or it has had its share of the loop.
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

// complete tells whoever asked that the body is there.
func (l *loop) complete(x *Exchange, whole Handler, r BodyReader) {
	defer l.recovered(x, x.gen)
	switch {
	case r != nil:
		r.End(x)
	case whole != nil:
		whole.Serve(x)
	}
}

// failed answers for a body that does not come, or has whoever asked for it do so.
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

// takesOver reports whether an answer with that status makes a tunnel of the connection.
func takesOver(r *codec.Request, status int) bool {
	if r.Connect {
		return status >= 200 && status < 300
	}
	return status == 101 && r.Upgrade
}

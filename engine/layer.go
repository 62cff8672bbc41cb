package engine

import (
	"os"

	"github.com/uwsgo/uwsgo/codec"
)

// Output takes a response: the client, or a [Layer] on the way to it. The loop calls its
// methods in the order of the methods of [Exchange] with the same names. resp, its views and p
// are valid during the call only. ReplyFile takes ownership of f.
type Output interface {
	Reply(x *Exchange, resp *codec.Response, body []byte)
	ReplyFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64)
	Start(x *Exchange, resp *codec.Response)
	Write(x *Exchange, p []byte)
	End(x *Exchange)
	Abort(x *Exchange)
}

// Layer sits between the handler and the client for one exchange. It embeds [Pass] and
// overrides the methods it needs:
//
//   - those of [Output] see the response. A layer passes its own version on to [Pass.Next], at
//     once or later. It may answer otherwise: the next output never sees what the layer keeps.
//   - Drained and Gone are those of [Watcher].
//   - Ended is called once when the exchange has ended, for whatever reason. The layer lets go
//     of x. It may serve another exchange then.
//
// Layers do not know each other. A layer pushed later is nearer to the handler.
type Layer interface {
	Output
	Watcher
	Ended(x *Exchange, o *Outcome)
	bind(next Output)
}

// Pass is a [Layer] that changes nothing. Other layers embed it.
type Pass struct{ next Output }

// Next returns where the response goes from here.
func (p *Pass) Next() Output { return p.next }

func (p *Pass) bind(next Output) { p.next = next }

// Reply implements [Output].
func (p *Pass) Reply(x *Exchange, resp *codec.Response, body []byte) { p.next.Reply(x, resp, body) }

// ReplyFile implements [Output].
func (p *Pass) ReplyFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64) {
	p.next.ReplyFile(x, resp, f, off, n)
}

// Start implements [Output].
func (p *Pass) Start(x *Exchange, resp *codec.Response) { p.next.Start(x, resp) }

// Write implements [Output].
func (p *Pass) Write(x *Exchange, b []byte) { p.next.Write(x, b) }

// End implements [Output].
func (p *Pass) End(x *Exchange) { p.next.End(x) }

// Abort implements [Output].
func (p *Pass) Abort(x *Exchange) { p.next.Abort(x) }

// Drained implements [Watcher].
func (p *Pass) Drained(*Exchange) {}

// Gone implements [Watcher].
func (p *Pass) Gone(*Exchange) {}

// Ended implements [Layer].
func (p *Pass) Ended(*Exchange, *Outcome) {}

// Push puts l between the client and all handlers called from now on. The response must not
// have begun.
func (x *Exchange) Push(l Layer) {
	if x.said != saidNothing {
		panic("engine: Push after the response has begun")
	}
	l.bind(x.out)
	x.layers = append(x.layers, l)
	x.out = l
}

// tellDrained tells the layers and the watcher, the nearest to the client first. It reports
// false when one of them ended x.
func (x *Exchange) tellDrained() bool {
	gen := x.gen
	for i := 0; i < len(x.layers); i++ {
		if x.layers[i].Drained(x); x.gen != gen {
			return false
		}
	}
	if x.watcher != nil {
		x.watcher.Drained(x)
	}
	return x.gen == gen
}

// tellGone tells the watcher and the layers, the watcher first.
func (l *loop) tellGone(x *Exchange) {
	tell := func(w Watcher) {
		defer l.recovered(nil, 0)
		w.Gone(x)
	}
	if x.watcher != nil {
		tell(x.watcher)
	}
	for i := len(x.layers); i > 0; i-- {
		tell(x.layers[i-1])
	}
}

// tellEnded tells the layers that x has ended.
func (l *loop) tellEnded(x *Exchange) {
	for i := len(x.layers); i > 0; i-- {
		l.endLayer(x, x.layers[i-1])
		x.layers[i-1] = nil
	}
	x.layers = x.layers[:0]
}

func (l *loop) endLayer(x *Exchange, y Layer) {
	defer l.recovered(nil, 0)
	y.Ended(x, &x.outcome)
}

package engine

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// loop is what a server keeps for each of its event loops. It belongs to the loop's goroutine,
// except for count.
type loop struct {
	*reactor.Loop
	srv       *Server
	conns     []*conn                // the open ones
	spare     []*conn                // closed ones, for reuse
	exchanges []*Exchange            // likewise
	intakes   []*intake              // likewise
	guests    map[*Exchange]struct{} // the open exchanges of AsHTTP
	accepting []*acceptor
	packets   uwsgi.Decoder
	scratch   []byte // where responses are put together
	held      []byte // where input goes that has been read before
	date      []byte // the Date header's value, right until dateEnd
	dateEnd   int64

	weight int // bytes that connections hold, as far as budget does not know
	heads  shedding
	// shaking are the TLS handshakes under way, the oldest first, and some that are over.
	shaking []handshake
	count   counters
}

// Bounds of what a loop keeps for reuse.
const (
	spareConns     = 1024
	spareExchanges = 1024
	keepHead       = 4 << 10
	keepScratch    = 256 << 10
)

func newLoop(s *Server, index int) (*loop, error) {
	r, err := reactor.New(index)
	if err != nil {
		return nil, err
	}
	l := &loop{Loop: r, srv: s, scratch: make([]byte, 0, 2*smallBody), held: make([]byte, keepHead)}
	l.guests = map[*Exchange]struct{}{}
	l.packets.Limits, l.packets.Upgrade = s.opt.Limits, s.opt.Policy.Upgrade
	l.heads.turn.Fn = l.shed
	r.OnPanic = func(reason any, stack []byte) {
		l.count.panics.Add(1)
		s.opt.logStack(fmt.Sprintf("on event loop %d", index), reason, stack)
	}
	return l, nil
}

// httpDate returns the current value of the Date header, made once a second.
func (l *loop) httpDate() []byte {
	if now := l.Now(); now >= l.dateEnd {
		t := time.Now()
		l.dateEnd = now + int64(time.Second) - int64(t.Nanosecond())
		l.date = t.UTC().AppendFormat(l.date[:0], http.TimeFormat)
	}
	return l.date
}

// exchange takes a new exchange for c.
func (l *loop) exchange(c *conn) *Exchange {
	var x *Exchange
	if n := len(l.exchanges); n > 0 {
		x = l.exchanges[n-1]
		l.exchanges = l.exchanges[:n-1]
	} else {
		x = &Exchange{loop: l}
		x.decoder.Limits, x.decoder.Policy = l.srv.opt.Limits, l.srv.opt.Policy
	}
	x.conn, x.via, x.out = c, c, answer{}
	x.remote = remote{listener: c.listener, peer: c.peer, https: c.listener.https}
	x.req.Proto = protoOf[c.listener.protocol]
	return x
}

// release ends x and keeps it for reuse.
func (l *loop) release(x *Exchange) {
	if x.phase != phaseRequest {
		l.count.inFlight.Add(-1)
		if class := x.outcome.Status / 100; class > 0 && class < len(l.count.status) {
			l.count.status[class].Add(1)
		}
		x.outcome.Duration = time.Duration(l.Now() - x.started)
		if len(x.layers) > 0 {
			l.tellEnded(x)
		}
		if l.srv.opt.OnFinish != nil {
			l.finish(x)
		}
	}
	if x.valued != 0 {
		x.emptyValues()
	}
	ours := x.conn != nil // or AsHTTP made it for one request
	if !ours {
		delete(l.guests, x)
	}
	x.gen++
	x.phase = phaseEnded
	x.conn, x.via, x.out, x.watcher, x.Waited, x.Harakiri, x.Quiet, x.FromFile = nil, nil, nil, nil, 0, 0, false, false
	x.intake, x.taken, x.replay, x.said = nil, false, nil, saidNothing
	x.body.free()
	if !ours || len(l.exchanges) >= spareExchanges {
		return
	}
	x.phase = phaseRequest
	x.started, x.left, x.elsewhere = 0, 0, false
	x.outcome = Outcome{}
	x.req.Reset()
	x.decoder.Reset()
	if x.head = x.head[:0]; cap(x.head) > keepHead {
		x.head = nil
	}
	if cap(l.scratch) > keepScratch {
		l.scratch = make([]byte, 0, 2*smallBody)
	}
	l.exchanges = append(l.exchanges, x)
}

// gone ends an exchange whose client has gone.
func (l *loop) gone(x *Exchange) {
	l.count.gone.Add(1)
	x.broke(clientGone)
	x.phase, x.said = phaseEnded, saidAll // nothing that the watcher does is an answer any more
	l.tellGone(x)
	l.release(x)
}

func (l *loop) finish(x *Exchange) {
	defer l.recovered(nil, 0)
	l.srv.opt.OnFinish(x, x.outcome)
}

// serve calls the handler.
func (l *loop) serve(x *Exchange, h Handler) {
	l.count.requests.Add(1)
	l.count.inFlight.Add(1)
	x.phase = phaseHandler
	defer l.recovered(x, x.gen)
	if l.srv.opt.Every != nil {
		l.srv.opt.Every(x)
	}
	h.Serve(x)
}

// recovered contains a panic of a handler: its exchange ends, everything else
// goes on.
func (l *loop) recovered(x *Exchange, gen uint32) {
	if r := recover(); r != nil {
		l.OnPanic(r, debug.Stack())
		if x != nil && x.gen == gen {
			l.giveUp(x, gen)
		}
	}
}

// giveUp ends an exchange after a panic.
func (l *loop) giveUp(x *Exchange, gen uint32) {
	defer func() {
		if r := recover(); r != nil { // of a layer
			l.OnPanic(r, debug.Stack())
			if x.gen == gen {
				x.Abort()
			}
		}
	}()
	x.Abort()
}

// opened takes in a connection that has just been accepted.
func (l *loop) opened(a *acceptor, fd int) {
	var c *conn
	if n := len(l.spare); n > 0 {
		c = l.spare[n-1]
		l.spare = l.spare[:n-1]
		*c = conn{loop: l, gen: c.gen, timer: c.timer, turn: c.turn}
	} else {
		c = &conn{loop: l}
		c.timer.Fn, c.turn.Fn = c.late, c.goOn
	}
	c.sock.fd = fd
	c.link = &c.sock
	if l.srv.opt.carry != nil {
		c.link = l.srv.opt.carry(&c.sock)
	}
	if a.listener.tls != nil {
		c.tls = newSealed(&c.sock, a.listener)
		c.link = c.tls
	}
	c.listener, c.peer, c.fresh, c.hold = a.listener, a.peer, true, a.listener.holds()
	c.proxied = a.listener.proxy == nil
	c.place = len(l.conns)
	l.conns = append(l.conns, c)
	l.count.accepted.Add(1)
	l.count.conns.Add(1)
	c.Ready(reactor.Readable)
}

// removed forgets a connection that has been closed.
func (l *loop) removed(c *conn) {
	last := len(l.conns) - 1
	l.conns[c.place] = l.conns[last]
	l.conns[c.place].place = c.place
	l.conns[last] = nil
	l.conns = l.conns[:last]
	c.gen++
	if len(l.spare) < spareConns {
		l.spare = append(l.spare, c)
	}
	l.count.conns.Add(-1)
	l.srv.conns.Add(-1)
	if l.srv.full.Load() {
		l.srv.roomAgain()
	}
	if l.srv.draining.Load() {
		l.srv.checkIdle()
	}
}

package proxy

import (
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/outbound"
)

// server is an upstream as all loops see it.
type server struct {
	address address
	name    string // for logs
	host    []byte // for clients that name none
	addr    outbound.Addr
	weight  int
	// transport asks it, where that is net/http's business; else nil.
	transport *http.Transport

	open     atomic.Int64 // requests under way
	failures atomic.Int32 // one after the other
	ejected  atomic.Int32 // times one after the other that it was left out
	until    atomic.Int64 // then it may be tried again, on the loops' clock
	ill      atomic.Bool  // health checks say so
	joins    atomic.Int64 // since when it gets requests: 0 for ever, joinsNow until a loop has seen it
}

// When an upstream is left out.
const (
	mostFailures = 3 // requests one after the other that it took and did not answer
	ejectFirst   = time.Second
	ejectMost    = 30 * time.Second
)

// joinsNow is in server.joins until a loop, which has a clock, has seen the server.
const joinsNow = -1

// works records an answer.
func (s *server) works() {
	if s.failures.Load() != 0 || s.ejected.Load() != 0 {
		s.failures.Store(0)
		s.ejected.Store(0)
	}
}

// fails records a failure and returns how long the upstream is left out from now on; 0 means not at
// all. refused says that there was no connection.
func (s *server) fails(now int64, refused bool) time.Duration {
	if s.failures.Add(1) < mostFailures && !refused {
		return 0
	}
	until := s.until.Load()
	if until > now {
		return 0 // by another
	}
	d := min(ejectFirst<<min(s.ejected.Load(), 10), ejectMost)
	if !s.until.CompareAndSwap(until, now+int64(d)) {
		return 0
	}
	s.ejected.Add(1)
	s.failures.Store(0)
	return d
}

// slot is an upstream as one loop sees it.
type slot struct {
	*server
	port    *port
	gone    bool             // it is no member any more
	current int              // see port.roundRobin
	idle    []*outbound.Conn // the one used last comes last
}

// port is the state of one loop.
type port struct {
	h      *Handler
	loop   *engine.Loop
	dialer *outbound.Dialer
	of     *[]*server // what slots are made of
	slots  []*slot
	next   int
	tokens int // for retries, in hundredths
	spare  []*call
	out    []byte // where heads are put together
	text   []byte
	closed bool

	logs     int // failures of the present second
	logUntil int64
}

// The budget for retries: each request adds a fifth of one.
const (
	retryCost   = 100
	retryShare  = 20
	retryMost   = 100 * retryCost
	retryFirst  = 10 * retryCost
	mostAnswers = 3 // how often a request is sent at most
	spareCalls  = 1024
)

func newPort(h *Handler, l *engine.Loop) *port {
	p := &port{h: h, loop: l, dialer: outbound.On(l), tokens: retryFirst, closed: h.closed}
	return p
}

// sync makes slots for the present members. The slot of a removed member ends with its last request.
func (p *port) sync() {
	of := p.h.servers.Load()
	if p.of == of {
		return
	}
	before := p.slots
	p.of, p.slots = of, nil
	for _, s := range *of {
		i := slices.IndexFunc(before, func(old *slot) bool { return old != nil && old.server == s })
		if i >= 0 {
			p.slots = append(p.slots, before[i])
			before[i] = nil
		} else {
			p.slots = append(p.slots, &slot{server: s, port: p})
		}
	}
	for _, old := range before {
		if old != nil {
			old.gone = true
			old.closeIdle()
		}
	}
}

func (s *slot) closeIdle() {
	for _, c := range s.idle {
		c.Close()
	}
	s.idle = nil
}

// close closes the idle connections.
func (p *port) close() {
	p.closed = true
	for _, s := range p.slots {
		s.closeIdle()
	}
}

// pick chooses an upstream for c. It prefers one that has not been tried and is not left out. tried
// has a bit for each of the first 64. It returns nil if there is no upstream.
func (p *port) pick(c *call) *slot {
	now := p.loop.Now()
	usable := func(i int, s *slot) bool {
		return (i >= 64 || c.tried&(1<<i) == 0) && s.until.Load() <= now && !s.ill.Load()
	}
	if len(p.slots) == 0 {
		return nil
	}
	chosen := p.choose(c, usable)
	if chosen < 0 { // all are left out: better one of them than none
		chosen = p.choose(c, func(i int, _ *slot) bool { return i >= 64 || c.tried&(1<<i) == 0 })
	}
	if chosen < 0 {
		chosen = p.choose(c, func(int, *slot) bool { return true })
	}
	if chosen < 64 {
		c.tried |= 1 << chosen
	}
	return p.slots[chosen]
}

// choose returns the index of a slot, -1 if none is usable.
func (p *port) choose(c *call, usable func(i int, s *slot) bool) int {
	if len(p.slots) == 1 {
		if usable(0, p.slots[0]) {
			return 0
		}
		return -1
	}
	switch p.h.cfg.Balance {
	case LeastOpen:
		return p.leastOpen(usable)
	case RandomOfTwo:
		return p.randomOfTwo(usable)
	case Hash:
		return p.hashed(c, usable)
	case RoundRobin:
	}
	return p.roundRobin(usable)
}

// roundRobin is smooth: with weights 2 and 1 the first upstream gets the 1st and 3rd request, and
// avoids two in a row.
func (p *port) roundRobin(usable func(i int, s *slot) bool) int {
	best, total := -1, 0
	for i, s := range p.slots {
		if !usable(i, s) {
			continue
		}
		share := p.share(s)
		s.current += share
		total += share
		if best < 0 || s.current > p.slots[best].current {
			best = i
		}
	}
	if best >= 0 {
		p.slots[best].current -= total
	}
	return best
}

// busier reports whether a has more requests for its weight than b.
func (p *port) busier(a, b *slot) bool {
	return (a.open.Load()+1)*int64(p.share(b)) > (b.open.Load()+1)*int64(p.share(a))
}

// share is the weight of s, in hundredths: less than its own while it starts slowly.
func (p *port) share(s *slot) int {
	whole := s.weight * 100
	slow := p.h.cfg.SlowStart
	joins := s.joins.Load()
	if slow == 0 || joins == 0 {
		return whole
	}
	now := p.loop.Now()
	if joins == joinsNow {
		s.joins.CompareAndSwap(joinsNow, now)
		joins = now
	}
	if past := time.Duration(now - joins); past < slow {
		return max(1, int(int64(whole)*int64(past)/int64(slow)))
	}
	s.joins.CompareAndSwap(joins, 0)
	return whole
}

func (p *port) leastOpen(usable func(i int, s *slot) bool) int {
	p.next++
	best := -1
	for n := range p.slots {
		i := (p.next + n) % len(p.slots) // equals take turns
		if usable(i, p.slots[i]) && (best < 0 || p.busier(p.slots[best], p.slots[i])) {
			best = i
		}
	}
	return best
}

func (p *port) randomOfTwo(usable func(i int, s *slot) bool) int {
	pick := func(but int) int {
		seen, chosen := 0, -1
		for i, s := range p.slots {
			if i != but && usable(i, s) {
				share := p.share(s)
				if seen += share; rand.IntN(seen) < share {
					chosen = i
				}
			}
		}
		return chosen
	}
	a := pick(-1)
	if a < 0 {
		return -1
	}
	if b := pick(a); b >= 0 && p.busier(p.slots[a], p.slots[b]) {
		return b
	}
	return a
}

// hashed is rendezvous hashing: a key moves only if its upstream is removed, or to a new one.
func (p *port) hashed(c *call, usable func(i int, s *slot) bool) int {
	p.text = p.h.key.of(p.text[:0], c.x)
	key := fnv(offset64, p.text)
	best, most := -1, math.Inf(-1)
	for i, s := range p.slots {
		if !usable(i, s) {
			continue
		}
		u := (float64(mix(fnv(key, []byte(s.name)))>>11) + 0.5) / (1 << 53)
		if score := -float64(p.share(s)) / math.Log(u); score > most {
			best, most = i, score
		}
	}
	return best
}

// take returns an idle connection, nil where there is none. The server has not ended it, and nothing has
// come on it: that would be taken for the answer to this request.
func (s *slot) take() *outbound.Conn {
	for n := len(s.idle); n > 0; n = len(s.idle) {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		if c.Fresh() {
			return c
		}
		c.Close()
	}
	return nil
}

// keep stores an idle connection, for at most that many seconds unless it is 0.
func (s *slot) keep(c *outbound.Conn, seconds int) {
	idle := s.port.h.cfg.IdleTimeout
	if seconds > 0 {
		// The server counts from when it has sent the answer.
		idle = min(idle, time.Duration(seconds)*time.Second-time.Second/2)
	}
	if len(s.idle) >= s.port.h.cfg.Idle || s.port.closed || s.gone || idle <= 0 {
		c.Close()
		return
	}
	c.Use(s)
	c.After(idle)
	s.idle = append(s.idle, c)
}

func (s *slot) drop(c *outbound.Conn) {
	for i, other := range s.idle {
		if other == c {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			return
		}
	}
}

// A slot is the user of its idle connections.

// Connected implements [outbound.User].
func (s *slot) Connected(*outbound.Conn) {}

// Received implements [outbound.User]. What comes without a request is no answer.
func (s *slot) Received(c *outbound.Conn, _ []byte) {
	s.drop(c)
	c.Close()
}

// Sent implements [outbound.User].
func (s *slot) Sent(*outbound.Conn) {}

// Late implements [outbound.User].
func (s *slot) Late(c *outbound.Conn) {
	s.drop(c)
	c.Close()
}

// Closed implements [outbound.User].
func (s *slot) Closed(c *outbound.Conn, _ error) { s.drop(c) }

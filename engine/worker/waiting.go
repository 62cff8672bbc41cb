package worker

import (
	"math"
	"time"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// halfClosedAfter is how long a request waits before a half-closed client loses it. Such a
// client has closed its connection, or sends no more and still reads: only a write would
// tell. Of those that waited so long most have gone. One that still reads gets a 503.
const halfClosedAfter = int64(time.Second)

// full reports whether no more requests may wait. It asks other loops only when this one has
// more than its part of the threads.
func (p *Port) full() bool {
	n := p.active.Load()
	if n < p.unchecked {
		return false
	}
	for _, other := range p.plane.ports {
		if other != p {
			n += other.active.Load()
		}
	}
	return n >= p.most
}

// drop gives up a request in the backlog. pump removes its entry later.
func (p *Port) drop(s *slot) {
	p.uncount(s, false)
	s.client, s.body, s.state = nil, nil, slotDropped
	p.inactive()
}

// uncount takes a request out of the counts of lanes and flow.
func (p *Port) uncount(s *slot, answered bool) {
	if s.lane != laneNone {
		p.flow[s.lane].uncount(p.loop.Now(), answered)
	}
	sent := s.state >= slotSent
	p.lanes.uncount(s.route, sent)
	s.route = nil
	p.unholdOthers()
}

// apart takes the requests of a retired process out of the counts of lanes: its threads are no
// longer theirs to share out.
func (p *Port) apart(cores []*Core) {
	for _, c := range cores {
		if _, s, _ := p.claimed(c.index); s != nil && s.route != nil {
			p.lanes.uncount(s.route, true)
			s.route = nil
			p.unholdOthers()
		}
	}
	p.pump()
}

// inactive counts one active request less.
func (p *Port) inactive() {
	if p.active.Add(-1) == 0 && p.pool.stopping.Load() {
		p.pool.idle()
	}
}

// pump sends waiting requests while there is room.
func (p *Port) pump() {
	now := p.loop.Now()
	for {
		b := p.line(now)
		if b == nil {
			return
		}
		id, request, _ := b.front()
		s := &p.slots[id&slotMask]
		switch {
		case s.state == slotDropped:
			p.release(id)
			b.pop()
		case p.timeout > 0 && now-s.begunAt > p.timeout:
			b.pop()
			p.late.Add(1)
			p.fail(id, ErrQueueTimeout)
		case now-s.begunAt > halfClosedAfter && p.hasHalfClosed(s.client):
			b.pop()
			p.unrun.Add(1)
			p.fail(id, ErrHalfClosed)
		case s.lane == laneFast && p.lanes.holds(s.route, now):
			p.toSlow(s, now)
			p.backlog[laneSlow].push(id, request)
			b.pop()
			p.pool.lanes.held.Add(1)
		default:
			switch err := p.transmit(id, request); err {
			case nil:
				s.kept = append(p.buffer(), request...)
				b.pop()
			case errNoRoom:
				return
			default:
				b.pop()
				p.fail(id, err)
			}
		}
	}
}

func (p *Port) hasHalfClosed(c Client) bool {
	defer p.contain(nil, 0)
	d, ok := c.(HalfCloser)
	return ok && d.HalfClosed()
}

// line returns the backlog with the next request: the older of the two that need not be held.
// It returns nil when there is none.
func (p *Port) line(now int64) *backlog {
	fast, slow := &p.backlog[laneFast], &p.backlog[laneSlow]
	if !slow.empty() {
		if now >= p.lanes.look {
			p.look(now)
		}
		id, _, _ := slow.front()
		s := &p.slots[id&slotMask]
		switch {
		case s.state == slotDropped:
			return slow
		case p.lanes.holds(s.route, now):
			p.hold()
		case fast.empty():
			return slow
		default:
			first, _, _ := fast.front()
			if s.begunAt < p.slots[first&slotMask].begunAt {
				return slow
			}
		}
	}
	if fast.empty() {
		return nil
	}
	return fast
}

// toSlow moves a request to the slow lane.
func (p *Port) toSlow(s *slot, now int64) {
	if s.lane != laneSlow {
		p.flow[s.lane].uncount(now, false)
		p.flow[laneSlow].begin(now)
		s.lane = laneSlow
	}
}

// hold arranges another look at held requests: when a slow one ends, on any loop, and when no
// fast one has come for a while.
func (p *Port) hold() {
	if !p.holding.Load() {
		p.holding.Store(true)
	}
	if !p.unhold.Armed() {
		p.loop.After(&p.unhold, laneWait)
	}
}

// unholdOthers lets other loops send a slow request when fewer of this loop's are under way.
func (p *Port) unholdOthers() {
	if !p.lanes.freed {
		return
	}
	p.lanes.freed = false
	for _, other := range p.plane.ports {
		if other != p && other.holding.CompareAndSwap(true, false) {
			_ = other.loop.Post(other.pump)
		}
	}
}

// proved tells the other loops that a route is slow, so that they need not lose threads to find
// out.
func (p *Port) proved(r *route) {
	key, usual := r.key, r.usual
	for _, other := range p.plane.ports {
		if other != p {
			_ = other.loop.Post(func() { other.lanes.told(key, usual, other.loop.Now()) })
		}
	}
}

// look reads from the claims which requests of this loop run, and since when.
func (p *Port) look(now int64) {
	counts := now >= p.lanes.look
	if counts {
		p.lanes.look = now + laneLook
	}
	p.looks++
	clock := shared.Monotonic()
	for i := range len(p.plane.cores) {
		if _, s, since := p.claimed(i); s != nil {
			s.seen = p.looks
			p.passed = max(p.passed, s.order)
			if counts {
				s.sights++
			}
			if counts && p.lanes.runs(s.route, clock-since, s.sights) {
				p.proved(s.route)
			}
		} else if _, s := p.begun(i); s != nil {
			s.seen = p.looks
		}
	}
}

// expire gives up requests that have waited too long. One look is not enough for a request that
// was sent: a worker may claim it just then. So expire sets its cancel byte first, and tells
// its client when it is still unclaimed a tick later.
func (p *Port) expire() {
	now := p.loop.Now()
	p.look(now)
	p.drain() // an unclaimed request may have been answered
	next := int64(math.MaxInt64)
	for i := 0; i < len(p.slots); i++ { // it may grow on the way
		s := &p.slots[i]
		with := s.state == slotSent && s.stream == nil && s.seen != p.looks
		if s.client == nil || !with && s.state != slotWaiting {
			continue
		}
		switch due := s.begunAt + p.timeout; {
		case due > now:
			next = min(next, due)
		case with && !s.late:
			s.late = true
			p.cancel[i] = cancelLate
			next = now
		default:
			p.late.Add(1)
			p.waited = time.Duration(now - s.askedAt)
			c := s.client
			if with { // a thread drops it at once
				p.flow[s.lane].uncount(now, false)
				s.client, s.body, s.lane = nil, nil, laneNone
			} else {
				p.drop(s)
			}
			p.tellFail(c, ErrQueueTimeout)
		}
	}
	if next < math.MaxInt64 {
		p.loop.Arm(&p.expiry, max(next, now+int64(reactor.Tick)))
	}
}

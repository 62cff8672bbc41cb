package worker

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// A thread takes a request off the queue, and a moment later it claims it. A worker
// that is killed in between takes that request along unseen; so does, for as long as it
// lasts, one that is stopped there, or waits for another thread that keeps the
// interpreter's lock. Such a request has not begun, and another thread is to have it:
//
//  1. It is known to have left the queue, and no thread has claimed it.
//  2. The loop sets its cancel byte. From then on no thread begins it: a thread claims
//     first and reads the byte then.
//  3. A tick later, so that what was written before is to be seen by then, the loop looks
//     at the claims, and then reads what the streams hold. A thread that claimed the request
//     before it could see the byte still claims it, or has answered: a claim is cleared
//     after the answer. If neither is so, the request has not begun and never will.
//  4. The loop sends it again, in another slot and so with another id. Its former slot
//     stays as it is, byte and all, until a thread has passed over the request, or every
//     thread that may have it is gone or has gone on to another.
//
// That begins at once when a process has died, else when a request has been found so in
// two looks or more, more each time it is moved: on a busy machine a thread may wait for long.
const (
	lookEach = 100 * time.Millisecond // between looks while requests are under way
	looksTwo = 2                      // how many must have found a request taken and unclaimed
	mostWait = 6                      // how often that number is doubled
	// hurry is for how long after a death looks follow each other at once. By then what
	// is left of the queue tells what has left it.
	hurry = int64(250 * time.Millisecond)
	// mostDeaths is how many deaths a request may have been lost in: one more and it is
	// taken for their cause.
	mostDeaths = 5
)

// errNoRoom: the request has to wait in the backlog.
var errNoRoom = errors.New("no room")

// idAt is where a marshalled request has its id, after the head of a tuple and the type.
var idAt = len(pymarshal.AppendTupleHead(nil, 6)) + 1

// keepAtMost is the largest buffer of a request that is kept to be used again, in bytes.
const keepAtMost = 64 << 10

// buffer returns one for a request. There are no more than requests under way.
func (p *Port) buffer() []byte {
	n := len(p.spare)
	if n == 0 {
		return make([]byte, 0, 2<<10)
	}
	b := p.spare[n-1]
	p.spare = p.spare[:n-1]
	return b
}

// forget gives back the buffer of a request that will not be sent again.
func (p *Port) forget(s *slot) {
	if s.kept != nil && cap(s.kept) <= keepAtMost {
		p.spare = append(p.spare, s.kept[:0])
	}
	s.kept = nil
}

// died notes that a process has died, and looks for what it took along.
func (p *Port) died() {
	p.deathAt = reactor.Clock()
	p.examine()
}

// watch has requests looked at that are under way.
func (p *Port) watch() {
	if !p.doubt.Armed() {
		p.loop.After(&p.doubt, lookEach)
	}
}

// examine looks for requests that have been taken and not claimed.
func (p *Port) examine() {
	if p.closed || p.inflight == 0 {
		return
	}
	p.reclaim()
	p.look(p.loop.Now())
	p.drain()
	last := p.order // what is sent from here on has not been looked at
	empty := p.plane.queue < 0 || !proc.Queued(p.plane.queue)
	taken := int64(0)
	for _, other := range p.plane.ports {
		taken = max(taken, other.taken.Load())
	}
	now := reactor.Clock()
	soon := now-p.deathAt < hurry
	for i := 0; i < len(p.slots); i++ { // there may be more on the way
		s := &p.slots[i]
		switch {
		case s.state != slotSent || s.told || s.order > last || p.deaf > 0:
			continue
		case s.seen == p.looks: // it has begun, or is passed over
			s.unclaimed, s.foundAt = 0, 0
			continue
		case s.barredAt != 0:
			if now-s.barredAt < int64(reactor.Tick) || !p.move(i) {
				soon = true
			}
			continue
		case s.foundAt == 0:
			s.foundAt = now
		}
		// The queue keeps its order, whichever loop sent. The times of another loop tell
		// only of what it sent after this one has looked.
		if !empty && s.order >= p.passed && s.foundAt >= taken {
			continue
		}
		s.unclaimed++
		if s.sentAt <= p.deathAt || s.unclaimed >= looksTwo<<min(s.moves, mostWait) {
			s.barredAt = now
			if p.cancel[i] == 0 {
				p.cancel[i] = cancelLate
			}
			soon = true
		}
	}
	if soon {
		p.loop.After(&p.doubt, reactor.Tick)
	} else {
		p.watch()
	}
	p.pump()
}

// drain reads all that the streams hold now, however long that takes: what is decided
// next depends on it. A stream holds no more than its socket's buffer and what its thread
// adds meanwhile, of which a window is the bound.
func (p *Port) drain() {
	for _, st := range slices.Clone(p.streams) {
		st.read(true)
	}
}

// move sends a request again that will never begin where it is. It returns false while
// there is no slot for that.
func (p *Port) move(i int) bool {
	dead := p.slots[i].sentAt <= p.deathAt
	if s := &p.slots[i]; s.client == nil || dead && s.deaths >= mostDeaths {
		p.lose(i)
		return true
	}
	j, ok := p.take()
	if !ok {
		return false
	}
	s, n := &p.slots[i], &p.slots[j]
	first := s.first
	if first == 0 {
		first = p.id(i)
	}
	*n = slot{
		client: s.client, body: s.body, route: s.route, begunAt: s.begunAt, askedAt: s.askedAt, lane: s.lane,
		kept: s.kept, first: first, moves: s.moves + 1, deaths: s.deaths, state: slotWaiting, reuse: n.reuse,
		lateBody: s.lateBody,
	}
	s.lateBody = false
	if s.shared != nil {
		n.shared = s.shared.Hold()
	}
	if dead {
		n.deaths++
	}
	p.deadlines.copy(j, i)
	p.inflight--
	p.dequeued(s)
	p.lanes.returned(s.route)
	p.abandon(s)
	id := p.id(j)
	p.slots[first&slotMask].moved = id
	binary.LittleEndian.PutUint32(n.kept[idAt:], id)
	p.requeue(id)
	return true
}

// requeue has a request sent again, before all that wait in the backlog. Where there is no
// room for it, it waits there behind them.
func (p *Port) requeue(id uint32) {
	s := &p.slots[id&slotMask]
	switch err := p.transmit(id, s.kept); err {
	case nil:
	case errNoRoom:
		p.backlog[s.lane].push(id, s.kept)
		p.forget(s)
		if p.timeout > 0 && !p.expiry.Armed() { // expire may have seen it claimed
			p.loop.Arm(&p.expiry, s.begunAt+p.timeout)
		}
	default:
		p.fail(id, err)
	}
}

// shortFor is how long a request is tried again whose body no worker can take.
const shortFor = int64(10 * time.Second)

// short is for a request that has not begun, as its thread could not take the descriptor
// of its body. Another worker is to have it, and that one goes.
func (p *Port) short(c *Core, id uint32) {
	s := &p.slots[id&slotMask]
	p.plane.sup.Short(c.process)
	p.takeBack(s)
	if p.loop.Now()-s.begunAt > shortFor {
		p.fail(id, ErrNoDescriptors)
		return
	}
	// Not at once: the thread that could not take it would get it again.
	p.shorts = append(p.shorts, id)
	if !p.retry.Armed() {
		p.loop.After(&p.retry, retryAfter)
	}
}

// tryAgain sends what waits, those too that no thread could take a moment ago.
func (p *Port) tryAgain() {
	shorts := p.shorts
	p.shorts = nil
	for _, id := range shorts {
		s := &p.slots[id&slotMask]
		p.backlog[s.lane].push(id, s.kept)
		p.forget(s)
	}
	p.pump()
}

// lose gives up a request that a dead process had.
func (p *Port) lose(i int) {
	s := &p.slots[i]
	c, first := s.client, s.first
	p.cancel[i] = cancelGone
	p.inflight--
	p.dequeued(s)
	p.uncount(s, false)
	p.forget(s)
	p.abandon(s)
	p.unname(first)
	p.inactive()
	p.waited = 0
	if c != nil {
		p.tellFail(c, ErrWorkerDied)
	}
}

// abandon marks a slot whose request a thread may still pass over.
func (p *Port) abandon(s *slot) {
	if s.lateBody {
		p.uncountLate()
	}
	*s = slot{reuse: s.reuse, state: slotLost, sentAt: s.barredAt, moved: s.moved, shared: s.shared}
	p.lost++
}

// recycle frees the slot of a lost request of which no process can begin it any more.
func (p *Port) recycle(i int) {
	s := &p.slots[i]
	p.lost--
	if s.state = slotMoved; s.moved == 0 {
		p.vacate(i)
	}
}

// unname frees the slot by whose id its client knew a request that has ended.
func (p *Port) unname(first uint32) {
	if first == 0 {
		return
	}
	i := int(first & slotMask)
	s := &p.slots[i]
	if s.moved = 0; s.state == slotMoved {
		p.vacate(i)
	}
}

// vacate frees a slot of which neither worker nor client knows.
func (p *Port) vacate(i int) {
	if s := p.slots[i].shared; s != nil {
		s.Release()
	}
	if p.slots[i].lateBody {
		p.uncountLate()
	}
	p.slots[i] = slot{reuse: p.slots[i].reuse}
	if p.cancel[i] != 0 { // workers read it, so it is not written without need
		p.cancel[i] = 0
	}
	p.free = append(p.free, uint16(i))
}

// reclaim frees the slots of lost requests that no thread has any more: its process was
// forked later, or it has ended a request that was sent later, before which it would have
// told of the lost one.
func (p *Port) reclaim() {
	if p.lost == 0 || p.deaf > 0 {
		return
	}
	oldest := int64(math.MaxInt64)
	for _, st := range p.streams {
		oldest = min(oldest, max(st.cores[0].process.BornAt.Load(), st.latest))
	}
	for i := range p.slots {
		if s := &p.slots[i]; s.state == slotLost && s.sentAt < oldest {
			p.recycle(i)
		}
	}
}

// doom has requests in doubt fail, should they turn out to be lost: what a thread had to
// say has been lost, so that they may have begun.
func (p *Port) doom() {
	for i := range p.slots {
		if s := &p.slots[i]; s.state == slotSent && !s.told {
			s.deaths = mostDeaths
		}
	}
}

// leak has the bodies that are with workers stay where they are for ever: a process that
// may live on reads one of them perhaps.
func (p *Port) leak() {
	for i := range p.slots {
		if s := &p.slots[i]; s.shared != nil && s.state >= slotSent {
			s.shared.Leak()
		}
	}
}

// current returns the id under which a request goes on that its client knows by id.
func (p *Port) current(id uint32) uint32 {
	if i := int(id & slotMask); id>>loopShift == uint32(p.index) && i < len(p.slots) {
		if s := &p.slots[i]; s.moved != 0 && s.reuse == uint8(id>>reuseShift) {
			return s.moved
		}
	}
	return id
}

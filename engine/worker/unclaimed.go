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

// A thread takes a request from the queue and claims it a moment later. A worker that is killed
// in between takes the request along unseen. So does a thread that is stopped there, or waits
// for the interpreter's lock. Such a request has not begun, and moves to another thread:
//
//  1. The loop finds that it has left the queue and no thread has claimed it.
//  2. The loop sets its cancel byte. No thread begins it after that: a thread claims first,
//     then reads the byte.
//  3. A tick later, when earlier writes are visible, the loop looks at the claims and then
//     reads the streams. A thread that claimed the request before it saw the byte still claims
//     it, or has answered, because it clears the claim after the answer. Otherwise the request
//     has not begun and never will.
//  4. The loop sends it again, in another slot and so with another id. The former slot and its
//     byte stay until a thread has dropped the request, or every thread that may have it has
//     exited or has a later request.
//
// This begins at once when a process has died. Otherwise two looks or more must find the
// request so, and more after each move: on a busy machine a thread may wait for long.
const (
	lookEach = 100 * time.Millisecond // between looks while requests are under way
	looksTwo = 2                      // how many must find a request taken and unclaimed
	mostWait = 6                      // how often that number is doubled
	// hurry is how long looks follow each other at once after a death. By then the rest of the
	// queue tells what has left it.
	hurry = int64(250 * time.Millisecond)
	// mostDeaths is how many deaths a request may survive. One more, and it is taken for
	// their cause.
	mostDeaths = 5
)

// errNoRoom: the request must wait in the backlog.
var errNoRoom = errors.New("no room")

// idAt is where a marshalled request has its id, after the head of a tuple and the type.
var idAt = len(pymarshal.AppendTupleHead(nil, 6)) + 1

// keepAtMost is the largest buffer of a request that is kept to be used again, in bytes.
const keepAtMost = 64 << 10

// buffer returns a buffer for a request. There are at most as many as requests under way.
func (p *Port) buffer() []byte {
	n := len(p.spare)
	if n == 0 {
		return make([]byte, 0, 2<<10)
	}
	b := p.spare[n-1]
	p.spare = p.spare[:n-1]
	return b
}

// forget gives back the buffer of a request that is not sent again.
func (p *Port) forget(s *slot) {
	if s.kept != nil && cap(s.kept) <= keepAtMost {
		p.spare = append(p.spare, s.kept[:0])
	}
	s.kept = nil
}

// died notes that a process has died, and looks for requests that it took along.
func (p *Port) died() {
	p.deathAt = reactor.Clock()
	p.examine()
}

// watch starts the looks at requests under way.
func (p *Port) watch() {
	if !p.doubt.Armed() {
		p.loop.After(&p.doubt, lookEach)
	}
}

// examine looks for requests that were taken and not claimed.
func (p *Port) examine() {
	if p.closed || p.inflight == 0 {
		return
	}
	p.reclaim()
	p.look(p.loop.Now())
	p.drain()
	last := p.order // later requests have not been looked at
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
		case s.seen == p.looks: // it has begun, or a thread drops it
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
		// The queue keeps its order over all loops. Another loop's times count only for
		// requests that it sent after this loop looked.
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

// drain reads all streams to the end, however long that takes: the next decision depends on it.
// A stream holds at most its socket's buffer plus what its thread adds meanwhile, which the
// window bounds.
func (p *Port) drain() {
	for _, st := range slices.Clone(p.streams) {
		st.read(true)
	}
}

// move sends a request again that never begins in its thread. It returns false while there is
// no slot for it.
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

// requeue sends a request again, before the backlog. When there is no room it waits at the end
// of the backlog.
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

// shortFor is how long a request is tried again when no worker can take its body.
const shortFor = int64(10 * time.Second)

// short handles a request that has not begun because its thread could not take the descriptor
// of its body. Another worker gets the request, and the thread's process is replaced.
func (p *Port) short(c *Core, id uint32) {
	s := &p.slots[id&slotMask]
	p.plane.sup.Short(c.process)
	p.takeBack(s)
	if p.loop.Now()-s.begunAt > shortFor {
		p.fail(id, ErrNoDescriptors)
		return
	}
	// Not at once: the same thread would get it again.
	p.shorts = append(p.shorts, id)
	if !p.retry.Armed() {
		p.loop.After(&p.retry, retryAfter)
	}
}

// tryAgain sends waiting requests, also those that no thread could take a moment ago.
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

// abandon marks a slot whose request a thread may still have.
func (p *Port) abandon(s *slot) {
	if s.lateBody {
		p.uncountLate()
	}
	*s = slot{reuse: s.reuse, state: slotLost, sentAt: s.barredAt, moved: s.moved, shared: s.shared}
	p.lost++
}

// recycle frees the slot of a lost request that no process can begin any more.
func (p *Port) recycle(i int) {
	s := &p.slots[i]
	p.lost--
	if s.state = slotMoved; s.moved == 0 {
		p.vacate(i)
	}
}

// unname frees the slot whose id a client knew its moved request by, once the request has
// ended.
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

// vacate frees a slot that neither a worker nor a client refers to.
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

// reclaim frees the slots of lost requests that no thread has any more: each process was forked
// later, or each thread has ended a later request, before which it would have reported the lost
// one.
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

// doom makes doubtful requests fail if they turn out to be lost: a thread's frames have been
// lost, so they may have begun.
func (p *Port) doom() {
	for i := range p.slots {
		if s := &p.slots[i]; s.state == slotSent && !s.told {
			s.deaths = mostDeaths
		}
	}
}

// leak keeps the bodies of sent requests out of use for ever: a process that may live on might
// still read one.
func (p *Port) leak() {
	for i := range p.slots {
		if s := &p.slots[i]; s.shared != nil && s.state >= slotSent {
			s.shared.Leak()
		}
	}
}

// current returns the present id of a request that its client knows by id.
func (p *Port) current(id uint32) uint32 {
	if i := int(id & slotMask); id>>loopShift == uint32(p.index) && i < len(p.slots) {
		if s := &p.slots[i]; s.moved != 0 && s.reuse == uint8(id>>reuseShift) {
			return s.moved
		}
	}
	return id
}

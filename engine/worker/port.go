package worker

import (
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/internal/segment"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// Body is the body of a request.
type Body struct {
	Bytes []byte // in memory; at most [MaxInlineBody] is best
	// File, if not nil, holds the body and nothing else; Bytes is not used. It stays the
	// caller's, and must stay open until the request ends or is cancelled. Its position moves.
	File *os.File
	// Late says that File belongs to a [LateBody].
	Late bool
	// Shared, if not nil, holds the body in its first Size bytes; Bytes and File are not used.
	// The Port holds it until no worker reads it any more.
	Shared *segment.Segment
	Size   int64
}

// Job describes a request to a [Port], besides its environ and body.
type Job struct {
	App int // its place in [Config].Apps
	// Route is a hash that is equal for similar requests, for example those with the same
	// method and path. Lanes tell slow routes from fast ones by it. A request with 0 is never
	// held back.
	Route uint64
	// Waited is how long the request had waited before it came to this server.
	Waited time.Duration
	// Harakiri is how long the request may run. 0 means [Config].Harakiri, negative means for
	// ever. It counts only when [Config].HarakiriLeast is set.
	Harakiri time.Duration
	// BodyDue says that the body is a [LateBody]. Such requests together hold at most a quarter
	// of the threads, at least one; others get [ErrBodyDue]. Their run time says nothing of
	// their route, so Route is ignored.
	BodyDue bool
}

// Port is a loop's access to the pool. All methods belong to the loop's goroutine.
type Port struct {
	// Set before the first request, and then immutable: see Notify.
	onRead []func()
	onRoom []func()

	// Immutable.
	loop      *reactor.Loop
	pool      *Pool
	plane     *plane
	index     int
	threads   int   // cores that serve, over all loops
	limit     int   // requests sent and not answered
	most      int64 // requests begun and not ended, over all loops
	unchecked int64 // this many of this loop always fit
	timeout   int64 // nanoseconds that a request may wait; 0 for ever
	clock     int64 // how far CLOCK_MONOTONIC is ahead of the loops' clock
	deadlines deadlines

	// Owned by the loop.
	slots    []slot
	free     []uint16   // slots to use again, the last one first
	cancel   []byte     // shared memory: one byte for each slot
	backlog  [2]backlog // by lane
	flow     [2]flow    // likewise
	lanes    lanes
	waited   time.Duration
	inflight int
	streams  []*stream
	next     int // stream mode: where to look for an idle thread
	yield    bool
	closed   bool
	buf      []byte   // for the next request
	rbuf     []byte   // streams read into it
	joined   []byte   // stream mode: a request with the pair that announces it
	shorts   []uint32 // requests whose body no thread could take; they wait for retry
	headers  Headers
	pace     pace
	retry    reactor.Timer
	doubt    reactor.Timer
	expiry   reactor.Timer
	unhold   reactor.Timer
	looks    uint32   // counts looks at the claims
	spare    [][]byte // buffers of requests that have ended
	order    uint64   // requests sent so far
	passed   uint64   // the order of the last one known to have left the queue
	deathAt  int64    // when the last process died
	lost     int      // slots that are lost
	tunnels  map[*Tunnel]bool
	deaf     int   // streams that are read no more
	saidAt   int64 // when a descriptor that did not pass was last logged

	// Readable by any goroutine.
	active  atomic.Int64 // requests begun and not ended
	taken   atomic.Int64 // when the last request that has left the queue was sent
	refused atomic.Uint64
	late    atomic.Uint64 // requests that waited too long
	shed    atomic.Uint64 // requests that would wait too long
	unrun   atomic.Uint64 // requests whose client went while they waited
	starved atomic.Bool   // stream mode: it waits for an idle thread
	holding atomic.Bool   // a slow request waits for another one's end
}

// The lanes in which requests wait.
const (
	laneFast = iota
	laneSlow
	laneNone // it waits in none
)

// slotState is where a request is.
type slotState uint8

const (
	slotFree      slotState = iota
	slotBegun               // between Begin and Send
	slotWaiting             // in the backlog
	slotDropped             // in the backlog, but never sent
	slotMoved               // of a moved request: its client knows the old id
	slotSent                // in the kernel's queue or with a worker
	slotStreaming           // the head of its answer has come
	slotLost                // a worker may still have its request, which never begins: not free yet
)

type slot struct {
	client  Client // nil once cancelled
	body    *os.File
	shared  *segment.Segment // holds the body; a worker may read it while the slot is in use
	stream  *stream          // where its answer comes from, once known
	route   *route           // nil: not judged
	begunAt int64            // on the loop's clock, as all times here
	askedAt int64            // begunAt minus the time it had waited before
	sentAt  int64            // of one that is lost: when it had left the queue
	order   uint64           // counts what the loop has sent
	kept    []byte           // the request's bytes, while it may be sent again
	// For a request that was taken and not claimed, see unclaimed.go.
	foundAt   int64  // when it was first seen unclaimed; 0 for never
	barredAt  int64  // when its cancel byte was set to stop it; 0 for never
	first     uint32 // the id that its client knows, if it was moved
	moved     uint32 // of a slot whose request was moved: its new id, until it ends
	unclaimed uint8  // looks that found it so
	moves     uint8
	deaths    uint8 // moves because of a death
	// Of an answer that has begun.
	answer uint32 // its number among those that the thread streams to this loop
	room   int    // bytes of its body that may still come: the window plus sent credit
	credit int    // credit to send
	open   bool   // the thread speaks of it: more frames of it follow
	headed bool   // its head has come

	seen     uint32 // the last of Port.looks that found it claimed
	sights   uint32 // how many of them, laneLook apart, found it claimed
	state    slotState
	app      uint8 // as it is counted, see shared.AppPlace
	reuse    uint8
	lane     uint8
	late     bool // it was unclaimed when its time was up, see Port.expire
	lateBody bool // lateCount counts it
	told     bool // a frame of it has come, so it has begun
}

// readSize is how many bytes a loop reads from a worker at once.
const readSize = 256 << 10

// queueAhead is how many requests, beyond one per thread, a loop sends to the kernel's queue. A
// worker finds the next one there without a wake-up. A request there can be cancelled, but its
// order cannot change, so there are few: more than 24 made no measured difference.
const queueAhead = 24

// backlogBytes bounds the requests that wait in a Port.
const backlogBytes = 64 << 20

// retryAfter is when a loop tries again after other loops have filled the queue.
const retryAfter = reactor.Tick

func newPort(p *Pool, l *plane, index int) *Port {
	c := &p.config
	port := &Port{
		loop: reactor.Of(c.Loops[index]), pool: p, plane: l, index: index,
		timeout:   int64(c.QueueTimeout),
		deadlines: newDeadlines(c),
		cancel:    l.shared.Cancelled(index),
		rbuf:      make([]byte, readSize),
	}
	port.clock = shared.Monotonic() // in this order, so that no time is later than the worker's
	port.clock -= reactor.Clock()
	port.lanes.shared = &p.lanes
	port.size(c.Initial()*c.Cores(), reactor.Clock())
	port.retry.Fn = port.tryAgain
	port.doubt.Fn = port.examine
	port.expiry.Fn = port.expire
	port.unhold.Fn = port.pump
	return port
}

// Notify adds functions for the loop to call. Call it before the first request.
//
// read is called when Clients have handled all frames of one read from a worker, so that they
// can send what they collected. lateRoom is called when there is room again for a request with
// [Job].BodyDue.
func (p *Port) Notify(read, lateRoom func()) {
	p.onRead, p.onRoom = append(p.onRead, read), append(p.onRoom, lateRoom)
}

func (p *Port) lateRoom() {
	for _, f := range p.onRoom {
		f()
	}
}

// size sets how many cores serve.
func (p *Port) size(threads int, now int64) {
	c, loops := &p.pool.config, len(p.pool.config.Loops)
	p.threads, p.limit = threads, threads+queueAhead
	p.most = int64(threads + max(c.Queue, 0))
	p.unchecked = int64(threads / loops)
	if !c.NoLanes {
		p.lanes.share = laneShare(threads)
		p.lanes.first = laneFirst(threads)
	}
	if waits := &p.pool.late.waits[p.index]; waits.Load() && waits.CompareAndSwap(true, false) {
		_ = p.loop.Post(p.lateRoom) // there may be more room now
	}
	p.flow[laneFast].resize(max(1, threads/loops), now)
	p.flow[laneSlow].resize(max(1, int(p.lanes.share)/loops), now)
}

// Begin returns a buffer with the beginning of a request. The caller appends the marshalled
// environ: a tuple with the values of [Variables], each a str, and a dict with all others. Then
// it calls Send or Cancel. It must not keep the buffer. Begin returns [ErrQueueFull],
// [ErrQueueTimeout], [ErrBodyDue] or [ErrStopped].
func (p *Port) Begin(c Client, j Job) (dst []byte, id uint32, err error) {
	if p.pool.stopping.Load() {
		return nil, 0, ErrStopped
	}
	now := p.loop.Now()
	if p.lanes.share > 0 && now >= p.lanes.look {
		p.look(now)
	}
	if j.BodyDue {
		j.Route = 0
	}
	r := p.lanes.find(j.Route, now)
	lane := uint8(laneFast)
	if r != nil && r.slow {
		lane = laneSlow
	}
	if p.full() {
		p.refused.Add(1)
		return nil, 0, ErrQueueFull
	}
	if p.timeout > 0 && p.flow[lane].expect(now) > p.timeout/4*3 {
		p.shed.Add(1)
		return nil, 0, ErrQueueTimeout
	}
	if j.BodyDue && !p.mayBeLate() {
		return nil, 0, ErrBodyDue
	}
	i, ok := p.take()
	if !ok {
		if j.BodyDue {
			p.uncountLate()
		}
		p.refused.Add(1)
		return nil, 0, ErrQueueFull
	}
	s := &p.slots[i]
	s.client, s.state, s.lateBody = c, slotBegun, j.BodyDue
	s.route, s.lane, s.app = r, lane, shared.AppPlace(j.App)
	s.begunAt, s.askedAt = now, now-int64(j.Waited)
	p.deadlines.set(i, j.Harakiri)
	p.lanes.begin(r, now)
	p.flow[lane].begin(now)
	p.active.Add(1)
	id = p.id(i)
	dst = pymarshal.AppendTupleHead(p.buf[:0], 6)
	dst = pymarshal.AppendInt(dst, int64(id))
	dst = pymarshal.AppendInt(dst, int64(j.App))
	return pymarshal.AppendFloat(dst, float64(s.askedAt+p.clock)/1e9), id, nil
}

// take returns a free slot, with the next use number.
func (p *Port) take() (i int, ok bool) {
	if n := len(p.free); n > 0 {
		i = int(p.free[n-1])
		p.free = p.free[:n-1]
	} else {
		if i = len(p.slots); i >= slotMask {
			return 0, false
		}
		p.slots = append(p.slots, slot{})
	}
	s := &p.slots[i]
	s.reuse = s.reuse%255 + 1 // an id is never 0
	return i, true
}

// Waited returns how long a request waited until a thread took it, the time of [Job].Waited
// included. It is valid within Reply, Head, File and Fail of the request's [Client].
func (p *Port) Waited() time.Duration { return p.waited }

// Send sends the request to the next free worker thread. It never blocks. It returns
// [ErrTooLarge] or [ErrQueueFull]; the request has ended then.
func (p *Port) Send(id uint32, dst []byte, body Body) error {
	s := p.slot(id)
	if s == nil || s.state != slotBegun {
		return ErrStopped // cancelled meanwhile
	}
	switch {
	case body.Shared != nil:
		dst = pymarshal.AppendTupleHead(dst, 2)
		dst = pymarshal.AppendInt(dst, int64(body.Shared.Offset()))
		dst = pymarshal.AppendInt(dst, body.Size)
	case body.File != nil:
		dst = pymarshal.AppendBool(dst, !body.Late)
	case len(body.Bytes) > 0:
		dst = pymarshal.AppendBytes(dst, body.Bytes)
	default:
		dst = pymarshal.AppendNone(dst)
	}
	p.buf = dst[:0]
	if len(dst) > MaxRequest {
		p.release(id)
		return ErrTooLarge
	}
	s.body = body.File
	if body.Shared != nil {
		s.shared = body.Shared.Hold()
	}
	if p.timeout > 0 && !p.expiry.Armed() {
		p.loop.Arm(&p.expiry, s.begunAt+p.timeout)
	}
	held := p.lanes.holds(s.route, s.begunAt)
	if !held && p.backlog[s.lane].empty() {
		switch err := p.transmit(id, dst); err {
		case nil:
			s.kept, p.buf = dst, p.buffer() // keep the buffer instead of a copy
			return nil
		case errNoRoom:
		default:
			p.release(id)
			return err
		}
	}
	if p.backlog[laneFast].size()+p.backlog[laneSlow].size()+len(dst) > backlogBytes {
		p.release(id)
		p.refused.Add(1)
		return ErrQueueFull
	}
	s.state = slotWaiting
	if held {
		p.toSlow(s, s.begunAt)
		p.pool.lanes.held.Add(1)
		p.hold()
	}
	p.backlog[s.lane].push(id, dst)
	return nil
}

// Cancel ends a request that nobody waits for any more. If it has not begun it never runs;
// otherwise its output is dropped. Its Client hears nothing more. A stale id does nothing.
func (p *Port) Cancel(id uint32) {
	id = p.current(id)
	s := p.slot(id)
	if s == nil || s.client == nil {
		return
	}
	s.client, s.body = nil, nil
	switch s.state {
	case slotBegun:
		p.release(id)
	case slotWaiting:
		p.unrun.Add(1)
		p.drop(s)
	case slotSent:
		p.cancel[id&slotMask] = cancelGone
	case slotStreaming:
		p.cancel[id&slotMask] = cancelGone
		if s.answer != 0 { // else it is a tunnel: its end tells
			s.stream.tell(s.answer, gone)
		}
	default:
	}
}

// Credit lets a streamed answer send n more bytes, as many as have left for the client. A stale
// id does nothing.
func (p *Port) Credit(id uint32, n int) {
	id = p.current(id)
	s := p.slot(id)
	if s == nil || s.state != slotStreaming || s.client == nil || s.answer == 0 {
		return
	}
	if s.credit += n; s.credit >= creditStep {
		s.stream.tell(s.answer, uint32(s.credit))
		s.room += s.credit
		s.credit = 0
	}
}

// slot returns the slot of a request that has not ended, else nil.
func (p *Port) slot(id uint32) *slot {
	i := int(id & slotMask)
	if id>>loopShift != uint32(p.index) || i >= len(p.slots) {
		return nil
	}
	s := &p.slots[i]
	if s.state == slotFree || s.state == slotMoved || s.state == slotLost || s.reuse != uint8(id>>reuseShift) {
		return nil
	}
	return s
}

// claimed returns the request that a worker thread has claimed, and since when, on the workers'
// clock. thread counts over all workers. s is nil for another loop's request, or one that has
// ended. A claim outlives its answer for a moment, so its id may be in use again: the time
// tells.
func (p *Port) claimed(thread int) (id uint32, s *slot, since int64) {
	claim, since := p.plane.shared.Claim(thread)
	if claim == 0 || claim >= finishing {
		return 0, nil, since
	}
	id = uint32(claim)
	if s = p.slot(id); s == nil || s.state < slotSent || since < s.sentAt+p.clock {
		return 0, nil, since
	}
	return id, s, since
}

// claimedElsewhere reports whether a thread other than st's has claimed a request.
func (p *Port) claimedElsewhere(id uint32, st *stream) bool {
	for i := range len(p.plane.cores) {
		if claimed, s, _ := p.claimed(i); s != nil && claimed == id && !st.has(i) {
			return true
		}
	}
	return false
}

// begun returns the request of this loop that a worker thread has called the app for last, nil
// where that has ended. Its claim may be cleared already. Its answer is then on its way, or
// lost because the app has replaced the thread's stream.
func (p *Port) begun(thread int) (id uint32, s *slot) {
	_, since := p.plane.shared.Claim(thread)
	id = p.plane.shared.Called(thread)
	if s = p.slot(id); s == nil || id == 0 || s.state != slotSent || s.told || since < s.sentAt+p.clock {
		return 0, nil
	}
	return id, s
}

// release frees the slot of a request that has ended, and returns who waits for it.
func (p *Port) release(id uint32) Client {
	i := int(id & slotMask)
	s := &p.slots[i]
	c, first := s.client, s.first
	if s.state >= slotSent {
		p.inflight--
		p.dequeued(s)
	}
	dropped := s.state == slotDropped
	if !dropped {
		p.uncount(s, s.state >= slotSent && !s.late)
	}
	p.forget(s)
	p.vacate(i)
	p.unname(first)
	if !dropped {
		p.inactive()
	}
	return c
}

// dequeued notes that a request has left the queue.
func (p *Port) dequeued(s *slot) {
	p.passed = max(p.passed, s.order)
	if s.sentAt > p.taken.Load() {
		p.taken.Store(s.sentAt)
	}
}

// fail ends a request without an answer.
func (p *Port) fail(id uint32, err error) {
	p.waited = 0
	if s := &p.slots[id&slotMask]; s.state == slotWaiting {
		p.waited = time.Duration(p.loop.Now() - s.askedAt)
	}
	if c := p.release(id); c != nil {
		p.tellFail(c, err)
	}
}

// transmit passes a request to the workers, or returns [errNoRoom], or [ErrTooLarge]
// where the system takes no message of its size.
func (p *Port) transmit(id uint32, dst []byte) error {
	s := &p.slots[id&slotMask]
	switch {
	case p.inflight >= p.limit, p.closed:
		return errNoRoom
	case p.plane.queue >= 0:
		if _, err := reactor.Write(p.plane.queue, dst); err != nil {
			if err == unix.EMSGSIZE {
				return ErrTooLarge
			}
			if !p.retry.Armed() && p.inflight == 0 {
				p.loop.After(&p.retry, retryAfter) // no answer of ours will tell
			}
			return errNoRoom
		}
	default:
		if s.stream = p.give(dst); s.stream == nil {
			return errNoRoom
		}
	}
	s.state = slotSent
	p.lanes.sent(s.route)
	p.inflight++
	p.order++
	s.order, s.sentAt = p.order, p.loop.Now()
	p.watch()
	return nil
}

// give sends a request to a thread that has none, and returns its stream; nil where there is no
// such thread. A thread whose process has just died stays taken until the process has a
// successor.
func (p *Port) give(dst []byte) *stream {
	for {
		st := p.idleThread()
		if st == nil || st.request(dst) {
			return st
		}
	}
}

// idleThread takes a thread without a request and returns its stream.
func (p *Port) idleThread() *stream {
	for range 2 {
		for range p.streams {
			st := p.streams[p.next%len(p.streams)]
			p.next++
			for _, c := range st.cores {
				if c.busy.CompareAndSwap(false, true) {
					p.starved.Store(false)
					return st
				}
			}
		}
		// Say so before looking once more, so that no thread becomes idle unseen.
		p.starved.Store(true)
	}
	return nil
}

// idle makes a thread available again, in stream mode. Loops that wait take turns.
func (p *Port) idle(st *stream) {
	for _, c := range st.cores {
		if c.busy.CompareAndSwap(true, false) { // whichever: they count what the thread has
			if c.retiring.Load() {
				st.quit(c)
			}
			break
		}
	}
	others := false
	for _, other := range p.plane.ports {
		if other != p && other.starved.CompareAndSwap(true, false) {
			_ = other.loop.Post(other.pump)
			others = true
		}
	}
	if p.yield = others && !p.yield; p.yield {
		p.starved.Store(true)
		_ = p.loop.Post(p.pump)
		return
	}
	p.pump()
}

// takeBack makes a request that was sent, and that no thread has, wait again.
func (p *Port) takeBack(s *slot) {
	p.inflight--
	p.dequeued(s)
	p.lanes.returned(s.route)
	s.state, s.stream, s.told, s.sights = slotWaiting, nil, false, 0
	s.open, s.headed = false, false
	s.foundAt, s.barredAt, s.unclaimed = 0, 0, 0
}

// again sends a request that has not begun: its thread gave it back or has died. It does not
// when nobody waits for it, or its time is up.
func (p *Port) again(id uint32) {
	s := &p.slots[id&slotMask]
	p.takeBack(s)
	switch {
	case s.client == nil:
		p.release(id)
	case s.late:
		p.late.Add(1)
		p.fail(id, ErrQueueTimeout)
	default:
		p.cancel[id&slotMask] = 0
		p.requeue(id)
	}
}

// attach begins to listen to the threads of a new worker process.
func (p *Port) attach(streams []*stream) {
	for _, st := range streams {
		st.turn.Fn = func() { st.read(false) }
		st.closing.Fn = st.orphaned
		if err := p.loop.Add(st.fd, st, true); err != nil {
			st.close()
			st.deaf = true
			p.deaf++
			p.pool.log("cannot watch worker " + st.cores[0].name + ": " + err.Error())
			p.plane.sup.Fault(st.cores[0].process)
			continue
		}
		p.streams = append(p.streams, st)
	}
	p.pump()
}

// detach ends what the threads of a dead process had, after their last words. What none
// of them has claimed goes to others, unless sure is false: then the process may live.
func (p *Port) detach(streams []*stream, sure bool) {
	p.loop.Gather(0) // the requests it was measured by may never end
	for _, st := range streams {
		st.read(true)
		if at := indexOf(p.streams, st); at >= 0 {
			p.streams = append(p.streams[:at], p.streams[at+1:]...)
		}
		st.close()
	}
	for _, st := range streams {
		if sure {
			st.answers.Renew()
		} else {
			st.answers.Leave()
		}
	}
	if !sure {
		p.leak() // before a slot is freed
	}
	for _, st := range streams {
		if st.deaf {
			p.deaf--
			sure = false
		}
		for _, c := range st.cores {
			p.bereave(c, sure)
		}
	}
	if !sure {
		p.doom()
	}
	for i := 0; i < len(p.slots); i++ {
		s := &p.slots[i]
		switch {
		case s.state < slotSent || s.state == slotLost || s.stream == nil || !s.stream.closed:
		case s.told || s.deaths >= mostDeaths:
			p.fail(p.id(i), ErrWorkerDied)
		default: // in stream mode: it is known who had it
			s.deaths++
			p.again(p.id(i))
		}
	}
	p.reclaim()
	p.died()
	p.pump()
}

// bereave ends what a core of a dead process had.
func (p *Port) bereave(c *Core, sure bool) {
	if id, s, _ := p.claimed(c.index); s != nil {
		if s.state == slotSent && sure && s.deaths < mostDeaths && p.plane.shared.Called(c.index) != id {
			s.deaths++
			p.again(id)
		} else {
			p.fail(id, ErrWorkerDied)
		}
	}
	if id, s := p.begun(c.index); s != nil {
		p.fail(id, ErrWorkerDied) // it must not be run again
	}
}

// shut fails the remaining requests when the pool has stopped.
func (p *Port) shut() {
	p.closed = true
	p.loop.Disarm(&p.retry)
	p.loop.Disarm(&p.doubt)
	p.loop.Disarm(&p.expiry)
	p.loop.Disarm(&p.unhold)
	for t := range p.tunnels {
		t.gone()
	}
	for i := range p.slots {
		if s := &p.slots[i]; s.state != slotFree && s.state != slotMoved && s.state != slotLost {
			p.fail(p.id(i), ErrWorkerDied)
		}
	}
}

// id returns the id of the request in slot i.
func (p *Port) id(i int) uint32 {
	return uint32(p.index)<<loopShift | uint32(p.slots[i].reuse)<<reuseShift | uint32(i)
}

func indexOf(list []*stream, st *stream) int {
	for i, s := range list {
		if s == st {
			return i
		}
	}
	return -1
}

package worker

import (
	"os"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// Body is the body of a request.
type Body struct {
	Bytes []byte // in memory; best at most [MaxInlineBody]
	// File, where not nil, holds the body and nothing else, and Bytes is not used. It
	// stays the caller's and must stay open until the request has ended or is
	// cancelled. Its position is moved.
	File *os.File
}

// Job is what a [Port] is told of a request besides its environ and body.
type Job struct {
	App int // its place in [Config].Apps
	// Route is the same for requests that are alike, such as those with the same
	// method and path: a hash, by which slow ones are told from fast ones. 0 is for a
	// request that is never held back.
	Route uint64
	// Waited is how long the request had waited already when it came to this server.
	Waited time.Duration
	// Harakiri is how long the request may run, in place of [Config].Harakiri: 0 for that,
	// negative for ever. It counts where [Config].HarakiriLeast is set.
	Harakiri time.Duration
}

// Port is a loop's access to the pool. All methods belong to the loop's goroutine.
type Port struct {
	// Immutable.
	loop      *reactor.Loop
	pool      *Pool
	sup       *supervisor
	index     int
	limit     int   // requests sent and not answered
	most      int64 // requests begun and not ended, over all loops
	unchecked int64 // so many of this loop are always within it
	timeout   int64 // nanoseconds that a request may wait; 0: for ever
	clock     int64 // what CLOCK_MONOTONIC is ahead of the loops' clock
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
	buf      []byte // for the request that is being put together
	rbuf     []byte // for what streams read
	headers  Headers
	pace     pace
	retry    reactor.Timer
	doubt    reactor.Timer
	expiry   reactor.Timer
	unhold   reactor.Timer
	looks    uint32 // counts looks at the claims

	// Readable by any goroutine.
	active  atomic.Int64 // requests begun and not ended
	taken   atomic.Int64 // when the last request was sent of those that have left the queue
	refused atomic.Uint64
	late    atomic.Uint64 // requests that waited for too long
	shed    atomic.Uint64 // requests that would have
	unrun   atomic.Uint64 // requests that waited and whose client went
	starved atomic.Bool   // stream mode: waits for a thread to become idle
	holding atomic.Bool   // a slow request waits for another one's end
}

// The lanes in which requests wait.
const (
	laneFast = iota
	laneSlow
	laneNone // it waits no more
)

// slotState is where a request is.
type slotState uint8

const (
	slotFree      slotState = iota
	slotBegun               // between Begin and Send
	slotWaiting             // in the backlog
	slotDropped             // in the backlog, but not to be sent any more
	slotSent                // in the kernel's queue or with a worker
	slotStreaming           // its head has come
	slotLost                // given up although a worker might still have it: not to be used again
)

type slot struct {
	client  Client // nil once cancelled
	body    *os.File
	stream  *stream // where its answer comes from, once known
	route   *route  // nil: not judged
	begunAt int64   // on the loop's clock, as all times here
	askedAt int64   // the same, but for what it had waited before
	sentAt  int64
	doubtAt int64  // since when it is in doubt, see Port.resolve
	credit  int    // to be told
	seen    uint32 // the last of Port.looks that found it claimed
	sights  uint32 // how many of them did, of those that are laneLook apart
	state   slotState
	reuse   uint8
	doubts  uint8 // see Port.resolve; 0: not in doubt
	lane    uint8
	late    bool // it was not claimed when its time was up, see Port.expire
}

// queueAhead is how many requests, beyond one for each thread, a loop lets wait in
// the kernel's queue, where a worker finds the next one without being woken. What
// is there can still be cancelled, but waits in no order that we choose; so they
// are few: more than 24 were not seen to make a difference.
const queueAhead = 24

// backlogBytes bounds the requests that wait in a Port.
const backlogBytes = 64 << 20

// retryAfter is when a full queue, which other loops filled, is tried again.
const retryAfter = reactor.Tick

func newPort(p *Pool, g *supervisor, index int) *Port {
	c := &p.config
	port := &Port{
		loop: c.Loops[index], pool: p, sup: g, index: index,
		timeout:   int64(c.QueueTimeout),
		deadlines: newDeadlines(c),
		cancel:    g.shared.cancelled(index),
		rbuf:      make([]byte, 64<<10),
	}
	port.clock = monotonic() // in this order, so that no time is later than the worker's
	port.clock -= reactor.Clock()
	port.lanes.shared = &p.lanes
	port.size(c.initial()*c.Threads, reactor.Clock())
	port.retry.Fn = port.pump
	port.doubt.Fn = port.resolve
	port.expiry.Fn = port.expire
	port.unhold.Fn = port.pump
	return port
}

// size notes how many threads there are to serve.
func (p *Port) size(threads int, now int64) {
	c, loops := &p.pool.config, len(p.pool.config.Loops)
	p.limit = threads + queueAhead
	p.most = int64(threads + max(c.Queue, 0))
	p.unchecked = int64(threads / loops)
	if !c.NoLanes {
		p.lanes.share = laneShare(threads)
		p.lanes.fresh = max(1, int(p.lanes.share)/loops)
	}
	p.flow[laneFast].resize(max(1, threads/loops), now)
	p.flow[laneSlow].resize(max(1, int(p.lanes.share)/loops), now)
}

// Begin gives out a buffer that holds the beginning of a request. The caller appends
// the environ to it, marshalled:
// a tuple with the values of [Variables], each a str, and a dict with all others.
// Then it calls Send, or Cancel. Neither the buffer nor dst may be kept. It returns
// [ErrQueueFull], [ErrQueueTimeout] or [ErrStopped].
func (p *Port) Begin(c Client, j Job) (dst []byte, id uint32, err error) {
	if p.pool.stopping.Load() {
		return nil, 0, ErrStopped
	}
	now := p.loop.Now()
	if p.lanes.share > 0 && now >= p.lanes.look {
		p.look(now)
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
	var i int
	if n := len(p.free); n > 0 {
		i = int(p.free[n-1])
		p.free = p.free[:n-1]
	} else {
		if i = len(p.slots); i >= slotMask {
			p.refused.Add(1)
			return nil, 0, ErrQueueFull
		}
		p.slots = append(p.slots, slot{})
	}
	s := &p.slots[i]
	s.client, s.state = c, slotBegun
	s.reuse = s.reuse%255 + 1 // an id is never 0
	s.route, s.lane = r, lane
	s.begunAt, s.askedAt = now, now-int64(j.Waited)
	p.deadlines.set(i, j.Harakiri)
	p.lanes.begin(r, now)
	p.flow[lane].begin(now)
	p.active.Add(1)
	id = uint32(p.index)<<loopShift | uint32(s.reuse)<<reuseShift | uint32(i)
	dst = pymarshal.AppendTupleHead(p.buf[:0], 6)
	dst = pymarshal.AppendInt(dst, int64(id))
	dst = pymarshal.AppendInt(dst, int64(j.App))
	return pymarshal.AppendFloat(dst, float64(s.askedAt+p.clock)/1e9), id, nil
}

// Waited returns how long the request whose answer a [Client] is being told of had
// waited until a thread took it, counted from when the front server had it, as far
// as [Job].Waited told. It holds during Reply, Head, File and Fail.
func (p *Port) Waited() time.Duration { return p.waited }

// Send hands the request to whichever worker thread is free next, and never
// blocks. It returns [ErrTooLarge] or [ErrQueueFull]; then the request has ended.
func (p *Port) Send(id uint32, dst []byte, body Body) error {
	s := p.slot(id)
	if s == nil || s.state != slotBegun {
		return ErrStopped // cancelled meanwhile
	}
	switch {
	case body.File != nil:
		dst = pymarshal.AppendBool(dst, true)
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
	if p.timeout > 0 && !p.expiry.Armed() {
		p.loop.Arm(&p.expiry, s.begunAt+p.timeout)
	}
	held := p.lanes.holds(s.route, s.begunAt)
	if !held && p.backlog[s.lane].empty() && p.transmit(id, dst) {
		return nil
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

// Cancel ends a request that nobody waits for any more. It is not run if it has
// not been yet, else its output is thrown away. Its Client hears no more of it. A
// stale id does nothing.
func (p *Port) Cancel(id uint32) {
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
		s.stream.tell(s.stream.answer, gone)
	default:
	}
}

// Credit lets a streamed answer send n more bytes: those that have left for the
// client. A stale id does nothing.
func (p *Port) Credit(id uint32, n int) {
	s := p.slot(id)
	if s == nil || s.state != slotStreaming || s.client == nil {
		return
	}
	if s.credit += n; s.credit >= creditStep {
		s.stream.tell(s.stream.answer, uint32(s.credit))
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
	if s.state == slotFree || s.state == slotLost || s.reuse != uint8(id>>reuseShift) {
		return nil
	}
	return s
}

// claimed returns the request that a worker thread, counted over all workers, has
// claimed, and since when it runs on the workers' clock; nil where it is none of this
// loop's, or one that has ended. A claim stays for a moment after its answer, so the
// id may be in use again; the time tells that.
func (p *Port) claimed(thread int) (id uint32, s *slot, since int64) {
	claim, since := p.sup.shared.claim(thread)
	if claim == 0 || claim >= finishing {
		return 0, nil, since
	}
	id = uint32(claim)
	if s = p.slot(id); s == nil || s.state < slotSent || since < s.sentAt+p.clock {
		return 0, nil, since
	}
	return id, s, since
}

// release frees the slot of a request that has ended, and returns who waits for it.
func (p *Port) release(id uint32) Client {
	i := id & slotMask
	s := &p.slots[i]
	c := s.client
	if s.state >= slotSent {
		p.inflight--
		p.left(s)
	}
	dropped := s.state == slotDropped
	if !dropped {
		p.leave(s, s.state >= slotSent && !s.late)
	}
	*s = slot{reuse: s.reuse}
	if p.cancel[i] != 0 { // workers read it, so it is not written without need
		p.cancel[i] = 0
	}
	p.free = append(p.free, uint16(i))
	if !dropped {
		p.over()
	}
	return c
}

// left notes that a request has left the queue.
func (p *Port) left(s *slot) {
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
		c.Fail(err)
	}
}

// transmit passes a request to the workers, if there is room.
func (p *Port) transmit(id uint32, dst []byte) bool {
	s := &p.slots[id&slotMask]
	switch {
	case p.inflight >= p.limit, p.closed:
		return false
	case p.sup.queue >= 0:
		if _, err := reactor.Write(p.sup.queue, dst); err != nil {
			if !p.retry.Armed() && p.inflight == 0 {
				p.loop.After(&p.retry, retryAfter) // no answer of ours will tell
			}
			return false
		}
	default:
		if s.stream = p.give(dst); s.stream == nil {
			return false
		}
	}
	s.state = slotSent
	p.lanes.sent(s.route)
	p.inflight++
	s.sentAt = p.loop.Now()
	return true
}

// give sends a request to a thread that has none, and returns its stream; nil where
// there is no such thread. One whose process has just died stays taken until that
// has a successor, and another gets the request.
func (p *Port) give(dst []byte) *stream {
	for {
		st := p.idleThread()
		if st == nil || st.request(dst) {
			return st
		}
	}
}

// idleThread returns a stream whose thread has no request, and takes it.
func (p *Port) idleThread() *stream {
	for range 2 {
		for range p.streams {
			st := p.streams[p.next%len(p.streams)]
			p.next++
			if st.core.busy.CompareAndSwap(false, true) {
				p.starved.Store(false)
				return st
			}
		}
		// Say so before looking once more, so that no thread becomes idle unseen.
		p.starved.Store(true)
	}
	return nil
}

// idle makes a thread available again, in stream mode. Loops that wait for one
// take turns.
func (p *Port) idle(st *stream) {
	st.core.busy.Store(false)
	if st.core.leaving.Load() {
		st.quit()
	}
	others := false
	for _, other := range p.sup.ports {
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

// again sends a request that a thread has given back, as it finishes; unless nobody
// waits for it any more, or its time was up.
func (p *Port) again(id uint32, request []byte) {
	s := &p.slots[id&slotMask]
	p.inflight--
	p.left(s)
	p.lanes.returned(s.route)
	s.state, s.stream, s.doubts, s.sights = slotWaiting, nil, 0, 0
	switch {
	case s.client == nil:
		p.release(id)
	case s.late:
		p.late.Add(1)
		p.fail(id, ErrQueueTimeout)
	case !p.transmit(id, request):
		p.backlog[s.lane].push(id, request)
		if p.timeout > 0 && !p.expiry.Armed() { // expire may have seen it claimed
			p.loop.Arm(&p.expiry, s.begunAt+p.timeout)
		}
	}
}

// attach begins to listen to the threads of a new worker process.
func (p *Port) attach(streams []*stream) {
	for _, st := range streams {
		st.turn.Fn = func() { st.read(false) }
		if err := p.loop.Add(st.fd, st, true); err != nil {
			st.close()
			p.pool.log("cannot watch worker " + st.core.name + ": " + err.Error())
			p.sup.fault(st.core)
			continue
		}
		p.streams = append(p.streams, st)
	}
	// The workers of a dead zygote live a moment longer than the news of its death,
	// and may have taken requests since.
	p.suspect()
	p.pump()
}

// detach ends what the threads of a dead process had, after their last words.
func (p *Port) detach(streams []*stream) {
	p.loop.Gather(0) // what it went by may never end
	for _, st := range streams {
		st.read(true)
		if at := indexOf(p.streams, st); at >= 0 {
			p.streams = append(p.streams[:at], p.streams[at+1:]...)
		}
		st.close()
		if id, s, _ := p.claimed(st.core.index); s != nil {
			p.fail(id, ErrWorkerDied)
		}
	}
	for i := range p.slots {
		s := &p.slots[i]
		if s.state >= slotSent && s.state != slotLost && s.stream != nil && s.stream.closed {
			p.fail(p.id(i), ErrWorkerDied)
		}
	}
	p.suspect()
	p.pump()
}

// suspect puts every request in doubt of which no worker has spoken: see resolve. One
// that is in doubt already stays as far as it is, and its next look comes when it was
// to come: deaths and starts that follow each other must not put it off for ever.
func (p *Port) suspect() {
	for i := range p.slots {
		s := &p.slots[i]
		if s.state < slotSent || s.state == slotLost || s.stream != nil {
			continue
		}
		if s.doubts == 0 {
			s.doubts, s.doubtAt = 1, reactor.Clock()
		}
		if !p.doubt.Armed() {
			p.loop.After(&p.doubt, doubtAfter)
		}
	}
}

// shut fails what is left when the pool has stopped.
func (p *Port) shut() {
	p.closed = true
	p.loop.Disarm(&p.retry)
	p.loop.Disarm(&p.doubt)
	p.loop.Disarm(&p.expiry)
	p.loop.Disarm(&p.unhold)
	for i := range p.slots {
		if s := &p.slots[i]; s.state != slotFree && s.state != slotLost {
			p.fail(p.id(i), ErrWorkerDied)
		}
	}
}

// id returns the id of the request in slot i.
func (p *Port) id(i int) uint32 {
	return uint32(p.index)<<loopShift | uint32(p.slots[i].reuse)<<reuseShift | uint32(i)
}

// A worker that is killed after it took a request off the queue, and before it
// claimed it or told of its answer, takes that request with it unseen. So after a
// death every request without a claim is in doubt; doubtAfter apart it is looked at
// again, and after doubtLimit looks at which it was in no queue and no claim it is
// given up. The queue keeps its order, whichever loop sent: what was in it when the
// doubt began has left it once a request has that was sent later. So other loops that
// never let the queue become empty do not hide that one is lost.
// Its slot is not used again unless a worker mentions it: the byte that cancels it
// keeps a thread from running it that was merely stopped, if it exists.
const (
	doubtAfter = 250 * time.Millisecond
	doubtLimit = 5
)

func (p *Port) resolve() {
	claimed := make(map[uint32]bool)
	for i := range len(p.sup.places) * p.pool.config.Threads {
		if id, _ := p.sup.shared.claim(i); id != 0 && id < finishing {
			claimed[uint32(id)] = true
		}
	}
	waiting := p.sup.queue >= 0 && queued(p.sup.queue)
	var taken int64
	for _, port := range p.sup.ports {
		taken = max(taken, port.taken.Load())
	}
	doubtful := false
	for i := range p.slots {
		s := &p.slots[i]
		if s.doubts == 0 {
			continue
		}
		switch {
		case claimed[p.id(i)]:
			s.doubts = 0
			continue
		case waiting && s.doubtAt >= taken: // may still be in the queue
		case s.doubts >= doubtLimit:
			c := s.client
			p.cancel[i] = cancelGone
			p.inflight--
			p.leave(s, false)
			p.active.Add(-1)
			*s = slot{reuse: s.reuse, state: slotLost}
			if c != nil {
				c.Fail(ErrWorkerDied)
			}
			continue
		default:
			s.doubts++
		}
		doubtful = true
	}
	if doubtful {
		p.loop.After(&p.doubt, doubtAfter)
	}
	p.pump()
}

func indexOf(list []*stream, st *stream) int {
	for i, s := range list {
		if s == st {
			return i
		}
	}
	return -1
}

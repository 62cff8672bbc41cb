package worker

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// lanes keeps routes that have proved slow from taking every worker thread. A
// route is what the caller says is alike, see [Job].Route. It is slow when its
// requests take many times what a request usually takes; then it and all others
// that are slow may have so many requests under way and no more, as long as there
// are fast requests too. The rest of the threads is for those. A route of which no
// request has ended yet may have so many as well, so that a burst of requests to
// something that hangs does not take all threads before that can be known. All such
// routes and the slow ones share that number; the first request of a new route may go
// beyond it, but in a pool of some size never takes the last thread.
//
// It is a policy: it takes the time, asks nobody, allocates nothing, and forgets the
// route of a set that was used the longest time ago. It belongs to a Port, but for
// shared.
type lanes struct {
	shared *laneCounts
	share  int64 // requests of slow and new routes that may be under way; 0: lanes are off
	first  int64 // the same for the first one of a new route
	freed  bool  // fewer are: other loops may hold some that can go now
	look   int64 // when claims are to be looked at again
	// usual is what a request takes: the mean of the logarithm over some hundred
	// requests, so that a few that take for ever change little.
	usual   int64
	samples int64
	routes  [laneSets][laneWays]route
}

// laneCounts is what the Ports of all loops know together. Any goroutine.
type laneCounts struct {
	slow     atomic.Int64  // requests of slow and new routes that are under way
	lastFast atomic.Int64  // about when a request of another route came, on the loops' clock; 0: never
	held     atomic.Uint64 // requests that had to wait for another slow one's end
	routes   atomic.Int64  // that are slow
}

// route is what is known of one route.
type route struct {
	key     uint64
	used    int64 // when a request of it came last
	usual   int64 // what its requests take, as lanes.usual
	samples int64
	begun   int // requests begun and not ended
	running int // those that have been sent to the workers
	slow    bool
}

// suspect reports whether a route has not proved fast: it is slow, or no request of it has
// ended yet.
func (r *route) suspect() bool { return r.slow || r.samples == 0 }

// Of 256 routes each has its place in one of 64 sets of four.
const (
	laneSets = 64
	laneWays = 4
)

const (
	// slowTimes is the logarithm of how many times the usual run time is slow.
	slowTimes = 2 * lgOne
	// slowProof is how many requests must have ended before what they took counts: the
	// first one of many apps imports half a library.
	slowProof = 2
	// hungLooks is through how many looks a request must have run to say something before
	// it ends. Looks are counted rather than time, as there are none while the whole
	// machine stands still.
	hungLooks = 8
	// runLeast keeps answers that were read together with others, of which nobody knows
	// how long they took, from making everything else look slow.
	runLeast = int64(100 * time.Microsecond)
	// laneQuiet is how long after the last fast request its threads stay reserved.
	laneQuiet = int64(3 * time.Second)
	// laneLook is the time between looks at what runs.
	laneLook = int64(5 * time.Millisecond)
	// laneWait is the time after which held requests are looked at again, if nothing
	// has ended meanwhile.
	laneWait = 100 * time.Millisecond

	usualSamples = 256
	routeSamples = 8
)

// slowLeast is the logarithm of 10 ms, below which no route is slow: a thread that is
// held for less delays nobody that could tell.
var slowLeast = lg(int64(10 * time.Millisecond))

// laneShare returns how many of so many threads slow routes may hold: three
// quarters, so that an app whose fast requests need little loses little.
func laneShare(threads int) int64 {
	if threads < 2 {
		return 0
	}
	return int64(max(1, threads*3/4))
}

// laneFirst returns how many of so many threads requests of slow and new routes may hold
// with the first one of a new route. All in a small pool: a site whose paths hardly repeat
// would lose half of it.
func laneFirst(threads int) int64 {
	if threads < 4 {
		return int64(threads)
	}
	return int64(threads - 1)
}

// find returns the route with that key, new if need be, and nil where it is not
// judged: lanes are off, or every place that it could have is in use.
func (l *lanes) find(key uint64, now int64) *route {
	if l.share == 0 || key == 0 {
		return nil
	}
	set := &l.routes[key%laneSets]
	var oldest *route
	for i := range set {
		r := &set[i]
		if r.key == key {
			r.used = now
			return r
		}
		if r.begun == 0 && (oldest == nil || r.used < oldest.used) {
			oldest = r
		}
	}
	if oldest != nil {
		if oldest.slow {
			l.shared.routes.Add(-1)
		}
		*oldest = route{key: key, used: now}
	}
	return oldest
}

// begin notes a request of r, which may be nil as in all methods.
func (l *lanes) begin(r *route, now int64) {
	if r == nil {
		return
	}
	r.begun++
	// Written only now and then, as all loops read it.
	if last := l.shared.lastFast.Load(); !r.suspect() && (last == 0 || now-last > laneQuiet/16) {
		l.shared.lastFast.Store(max(now, 1))
	}
}

// holds reports whether a request of r has to wait although there may be a thread.
func (l *lanes) holds(r *route, now int64) bool {
	switch {
	case r == nil, l.share == 0:
		return false
	case !r.suspect():
		return false
	}
	n := l.shared.slow.Load()
	if n < l.share {
		return false
	}
	if !r.slow {
		return r.running > 0 || n >= l.first
	}
	last := l.shared.lastFast.Load()
	return last != 0 && now-last < laneQuiet
}

// sent notes that a request of r is under way.
func (l *lanes) sent(r *route) {
	if r == nil {
		return
	}
	r.running++
	if r.suspect() {
		l.shared.slow.Add(1)
	}
}

// returned notes that a request which was sent waits again.
func (l *lanes) returned(r *route) {
	if r == nil {
		return
	}
	r.running--
	if r.suspect() {
		l.add(-1)
	}
}

// uncount takes a request out of the count. sent says whether it was under way.
func (l *lanes) uncount(r *route, sent bool) {
	if r == nil {
		return
	}
	r.begun--
	if sent {
		l.returned(r)
	}
}

// ran learns from a request that a thread ran for took nanoseconds. It reports
// whether that has proved the route slow.
func (l *lanes) ran(r *route, took int64) (proved bool) {
	if r == nil {
		return false
	}
	took = lg(max(took, runLeast))
	l.samples = min(l.samples+1, usualSamples)
	l.usual += (took - l.usual) / l.samples
	return l.learn(r, took, slowProof)
}

// runs learns from a request that has run for age nanoseconds, through so many looks
// in a row, and goes on. Each time that its age has doubled counts like one that has
// ended. It reports whether that has proved the route slow.
func (l *lanes) runs(r *route, age int64, looks uint32) (proved bool) {
	if r == nil || looks < hungLooks || looks&(looks-1) != 0 {
		return false
	}
	return l.learn(r, lg(age), 1)
}

// learn takes in the logarithm of a run time. proof is how many there must be.
func (l *lanes) learn(r *route, took, proof int64) (proved bool) {
	if r.samples == 0 && !r.slow {
		l.add(-r.running) // it is new no more; mark counts what is slow
	}
	r.samples = min(r.samples+1, routeSamples)
	r.usual += (took - r.usual) / r.samples
	times := r.usual - l.usual
	switch {
	case !r.slow && r.samples >= proof && r.usual >= slowLeast && times >= slowTimes:
		l.mark(r, true)
		return true
	case r.slow && (r.usual < slowLeast-lgOne || times < slowTimes/2):
		l.mark(r, false)
	}
	return false
}

// told learns from another loop that a route is slow.
func (l *lanes) told(key uint64, usual, now int64) {
	if r := l.find(key, now); r != nil && !r.slow {
		if r.samples == 0 {
			l.add(-r.running)
		}
		r.usual, r.samples = max(r.usual, usual), routeSamples
		l.mark(r, true)
	}
}

func (l *lanes) mark(r *route, slow bool) {
	r.slow = slow
	if slow {
		l.shared.routes.Add(1)
		l.add(r.running)
	} else {
		l.shared.routes.Add(-1)
		l.add(-r.running)
	}
}

// add counts n more requests of slow and new routes that are under way.
func (l *lanes) add(n int) {
	l.shared.slow.Add(int64(n))
	l.freed = l.freed || n < 0
}

// lgOne is 1 in the numbers that lg returns.
const lgOne = 1 << 16

// lg is about the binary logarithm of n, linear between powers of two; of more than
// some hours it makes those.
func lg(n int64) int64 {
	if n <= 1 {
		return 0
	}
	n = min(n, 1<<46)
	e := bits.Len64(uint64(n)) - 1
	return int64(e)*lgOne + (n<<16>>e - lgOne)
}

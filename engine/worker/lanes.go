package worker

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// lanes keeps slow routes from taking every worker thread. A route is a set of requests that
// the caller calls alike, see [Job].Route. It is slow when its requests take many times the
// usual time. All slow routes together may have a bounded number of requests under way while
// fast requests come; the other threads are for those. New routes, without an ended request,
// share that bound, so that a burst of requests to a hanging route does not take all threads
// before it proves slow. The first request of a new route may exceed the bound, but in a larger
// pool it never takes the last thread.
//
// It is a policy: it gets the time as an argument, allocates nothing, and forgets the least
// recently used route of a set. It belongs to a Port, except for shared.
type lanes struct {
	shared *laneCounts
	share  int64 // requests of slow and new routes that may be under way; 0: lanes are off
	first  int64 // the same for the first one of a new route
	freed  bool  // fewer are under way: other loops may hold some that can go now
	look   int64 // when to look at claims again
	// usual is the usual run time: the mean of its logarithm over some hundred requests, so
	// that a few endless ones change little.
	usual   int64
	samples int64
	routes  [laneSets][laneWays]route
}

// laneCounts is shared by the Ports of all loops. Any goroutine.
type laneCounts struct {
	slow     atomic.Int64  // requests of slow and new routes that are under way
	lastFast atomic.Int64  // about when a request of another route came, on the loops' clock; 0: never
	held     atomic.Uint64 // requests held until another slow one ended
	routes   atomic.Int64  // slow routes
}

// route is the state of one route.
type route struct {
	key     uint64
	used    int64 // when a request of it came last
	usual   int64 // their run time, as lanes.usual
	samples int64
	begun   int // requests begun and not ended
	running int // those that have been sent to the workers
	slow    bool
}

// suspect reports whether a route is slow, or new.
func (r *route) suspect() bool { return r.slow || r.samples == 0 }

// There are 256 places for routes: 64 sets of four.
const (
	laneSets = 64
	laneWays = 4
)

const (
	// slowTimes is the logarithm of how many times the usual run time is slow.
	slowTimes = 2 * lgOne
	// slowProof is how many requests must end before their run time counts: the first request
	// of many apps imports half a library.
	slowProof = 2
	// hungLooks is through how many looks a request must run to count before its end. It counts
	// looks, not time, because there are none while the whole machine stands still.
	hungLooks = 8
	// runLeast is a floor for run times. Answers that are read together with others seem to
	// take no time, and would make all others look slow.
	runLeast = int64(100 * time.Microsecond)
	// laneQuiet is how long after the last fast request its threads stay reserved.
	laneQuiet = int64(3 * time.Second)
	// laneLook is the time between looks at running requests.
	laneLook = int64(5 * time.Millisecond)
	// laneWait is the time after which held requests are looked at again when none has ended.
	laneWait = 100 * time.Millisecond

	usualSamples = 256
	routeSamples = 8
)

// slowLeast is the logarithm of 10 ms. No route is slow below it: nobody notices such a delay.
var slowLeast = lg(int64(10 * time.Millisecond))

// laneShare returns how many of the threads slow routes may hold: three quarters, so that slow
// requests lose little while fast ones need few threads.
func laneShare(threads int) int64 {
	if threads < 2 {
		return 0
	}
	return int64(max(1, threads*3/4))
}

// laneFirst returns how many of the threads slow and new routes may hold together with the
// first request of a new route. A small pool gives all of them: a site whose paths rarely
// repeat would lose half of it otherwise.
func laneFirst(threads int) int64 {
	if threads < 4 {
		return int64(threads)
	}
	return int64(threads - 1)
}

// find returns the route with that key, or makes it. It returns nil when lanes are off, or
// every place of its set is in use.
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
	// Written rarely, because all loops read it.
	if last := l.shared.lastFast.Load(); !r.suspect() && (last == 0 || now-last > laneQuiet/16) {
		l.shared.lastFast.Store(max(now, 1))
	}
}

// holds reports whether a request of r must wait even if a thread is idle.
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

// sent counts a request of r as under way.
func (l *lanes) sent(r *route) {
	if r == nil {
		return
	}
	r.running++
	if r.suspect() {
		l.shared.slow.Add(1)
	}
}

// returned notes that a sent request waits again.
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

// runs learns from a request that has run for age nanoseconds, through that many looks in a
// row, and goes on. Each doubling of the looks counts like an ended request. It reports whether
// that has proved the route slow.
func (l *lanes) runs(r *route, age int64, looks uint32) (proved bool) {
	if r == nil || looks < hungLooks || looks&(looks-1) != 0 {
		return false
	}
	return l.learn(r, lg(age), 1)
}

// learn takes in the logarithm of a run time. proof is how many it needs.
func (l *lanes) learn(r *route, took, proof int64) (proved bool) {
	if r.samples == 0 && !r.slow {
		l.add(-r.running) // it is no longer new; mark counts slow routes
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

// add counts n more requests of slow and new routes as under way.
func (l *lanes) add(n int) {
	l.shared.slow.Add(int64(n))
	l.freed = l.freed || n < 0
}

// lgOne is 1 in the numbers that lg returns.
const lgOne = 1 << 16

// lg approximates the binary logarithm of n, linear between powers of two. It caps n at some
// hours.
func lg(n int64) int64 {
	if n <= 1 {
		return 0
	}
	n = min(n, 1<<46)
	e := bits.Len64(uint64(n)) - 1
	return int64(e)*lgOne + (n<<16>>e - lgOne)
}

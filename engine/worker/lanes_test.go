package worker

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// newLanes makes the lanes of one loop with so many threads.
func newLanes(threads int) *lanes {
	share := laneShare(threads)
	return &lanes{shared: new(laneCounts), share: share, first: laneFirst(threads)}
}

// run has requests of a route run one after the other.
func (l *lanes) run(key uint64, times int, took int64) *route {
	var r *route
	for range times {
		r = l.find(key, 0)
		l.begin(r, 0)
		l.sent(r)
		l.ran(r, took)
		l.uncount(r, true)
	}
	return r
}

func TestRoutesThatAreSlow(t *testing.T) {
	const fast, slow = 1, 2
	tests := []struct {
		name  string
		learn func(l *lanes)
		want  bool // the route is slow
	}{
		{"nothing_known", func(*lanes) {}, false},
		{"usual_times_and_a_slow_one", func(l *lanes) { l.run(fast, 100, ms); l.run(slow, 5, 50*ms) }, true},
		{"one_request_proves_nothing", func(l *lanes) { l.run(fast, 100, ms); l.run(slow, 1, 50*ms) }, false},
		{"slow_but_never_long", func(l *lanes) { l.run(fast, 100, ms/100); l.run(slow, 5, 9*ms) }, false},
		{"all_are_as_slow", func(l *lanes) { l.run(fast, 100, 40*ms); l.run(slow, 5, 50*ms) }, false},
		{"half_of_all_requests", func(l *lanes) {
			for range 100 {
				l.run(fast, 1, ms)
				l.run(slow, 1, 50*ms)
			}
		}, true},
		{"nearly_all_requests", func(l *lanes) {
			for range 200 {
				l.run(slow, 9, 50*ms)
				l.run(fast, 1, ms)
			}
		}, false},
		{"became_fast", func(l *lanes) { l.run(fast, 100, ms); l.run(slow, 5, 50*ms); l.run(slow, 40, ms) }, false},
		{"a_slow_start", func(l *lanes) { l.run(slow, 1, 900*ms); l.run(fast, 100, ms); l.run(slow, 60, ms) }, false},
		{"hangs", func(l *lanes) {
			l.run(fast, 100, ms)
			l.runs(l.find(slow, 0), 100*ms, hungLooks)
		}, true},
		{"hangs_for_a_few_looks", func(l *lanes) {
			l.run(fast, 100, ms)
			l.runs(l.find(slow, 0), 100*ms, hungLooks-1)
		}, false},
		{"everything_takes_as_long", func(l *lanes) {
			l.run(fast, 100, 50*ms)
			l.runs(l.find(slow, 0), 100*ms, hungLooks)
		}, false},
		{"was_fast_and_hangs", func(l *lanes) {
			l.run(fast, 100, ms)
			l.run(slow, 100, ms)
			for range 3 { // requests, in a quarter of a second
				for looks := uint32(1); looks <= 50; looks++ {
					l.runs(l.find(slow, 0), int64(looks)*5*ms, looks)
				}
			}
		}, true},
		{"one_of_many_hangs", func(l *lanes) {
			l.run(slow, 100, ms)
			for looks := uint32(1); looks <= 1000; looks++ {
				l.runs(l.find(slow, 0), int64(looks)*5*ms, looks)
				l.run(slow, 1, ms)
			}
		}, false},
		{"a_pause_of_the_whole_machine", func(l *lanes) {
			l.run(slow, 100, ms)
			for range 8 { // in as many threads
				l.runs(l.find(slow, 0), 3000*ms, 2)
			}
			l.run(slow, 2, 3000*ms)
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLanes(8)
			tt.learn(l)
			if got := l.find(slow, 0).slow; got != tt.want {
				t.Errorf("slow is %v, want %v (usual %d, slow route %+v)", got, tt.want, l.usual, *l.find(slow, 0))
			}
		})
	}
}

func TestSlowRoutesHoldTheirShare(t *testing.T) {
	const fast, slow, other = 1, 2, 3
	l := newLanes(4)
	for _, r := range []uint64{slow, other} {
		l.run(fast, 100, ms)
		l.run(r, 3, 100*ms)
	}
	now := int64(1)
	l.begin(l.find(fast, now), now)
	first, second := l.find(slow, now), l.find(other, now)
	for n := range laneShare(4) {
		if l.holds(first, now) {
			t.Fatalf("held with %d under way", n)
		}
		l.sent(first)
	}
	if !l.holds(first, now) || !l.holds(second, now) {
		t.Error("the share is used up, but they are not held")
	}
	if l.holds(l.find(fast, now), now) || l.holds(nil, now) {
		t.Error("a fast one is held")
	}
	if later := now + laneQuiet; l.holds(first, later) {
		t.Error("held although no fast one has come for long")
	}
	l.uncount(first, true)
	if l.holds(second, now) {
		t.Error("held although one has ended")
	}
	// What it has under way counts as soon as a route proves slow, and no longer than
	// that.
	l.sent(second)
	l.mark(first, false)
	if got := l.shared.slow.Load(); got != 1 {
		t.Errorf("%d slow ones under way, want 1", got)
	}
	l.mark(first, true)
	if got := l.shared.slow.Load(); got != 3 {
		t.Errorf("%d slow ones under way, want 3", got)
	}
}

func TestRoutesThatAreNew(t *testing.T) {
	l := newLanes(8)
	send := func(key uint64) *route {
		r := l.find(key, 0)
		l.begin(r, 0)
		l.sent(r)
		return r
	}
	r, other := send(1), send(2)
	for n := 2; n < int(laneShare(8)); n++ {
		if l.holds(r, 0) || l.holds(other, 0) {
			t.Fatalf("held with %d under way", n)
		}
		send(uint64(1 + n%2))
	}
	if !l.holds(r, 0) || !l.holds(other, 0) {
		t.Error("none has ended, but together they may take all threads")
	}
	if l.holds(l.find(3, 0), 0) {
		t.Error("the first one of a third new route is held")
	}
	send(3)
	if !l.holds(l.find(4, 0), 0) {
		t.Error("new routes may take the last thread")
	}
	if known := l.run(5, 3, ms); l.holds(known, 0) {
		t.Error("a route that has proved fast is held")
	}
	l.begin(l.find(5, 1), 1)
	l.runs(r, 1000*ms, hungLooks)
	if !r.slow || !l.holds(r, 1) {
		t.Error("it hangs, but is not held")
	}
	if l.holds(r, laneQuiet+1) {
		t.Error("held although there are no fast ones")
	}
	if got, want := l.shared.slow.Load(), int64(7); got != want {
		t.Errorf("%d under way, want %d", got, want)
	}
	l.freed = false
	if l.run(2, 1, ms); l.shared.slow.Load() != 4 || !l.freed {
		t.Errorf("%d under way once a new one has proved fast, want 4", l.shared.slow.Load())
	}
	if l.told(6, lg(100*ms), 0); !l.find(6, 0).slow {
		t.Error("another loop has told that it is slow, but it is not")
	}
}

func TestFirstOfNewRoutesInSmallPools(t *testing.T) {
	for threads, want := range map[int]int64{2: 2, 3: 3, 4: 3, 8: 7, 100: 99} {
		if got := laneFirst(threads); got != want {
			t.Errorf("%d threads: %d, want %d", threads, got, want)
		}
	}
}

func TestLaneShare(t *testing.T) {
	for threads, want := range map[int]int64{1: 0, 2: 1, 3: 2, 4: 3, 8: 6, 100: 75} {
		if got := laneShare(threads); got != want {
			t.Errorf("%d threads: %d, want %d", threads, got, want)
		}
	}
}

func TestRoutesAreForgotten(t *testing.T) {
	l := newLanes(8)
	l.run(1, 100, ms)
	l.run(2, 3, 100*ms)
	busy := l.find(2+laneSets, 1)
	l.begin(busy, 1)
	for i := range uint64(laneWays + 1) {
		if l.find(2+(i+2)*laneSets, int64(i)+2) == nil {
			t.Fatal("no place although three are not in use")
		}
	}
	if l.shared.routes.Load() != 0 {
		t.Error("the slow route was not forgotten")
	}
	if l.find(2+laneSets, 9) != busy || busy.begun != 1 {
		t.Error("a route was forgotten that has a request")
	}
	for i := range uint64(laneWays - 1) {
		l.begin(l.find(2+(i+20)*laneSets, 20), 20)
	}
	if r := l.find(2+99*laneSets, 30); r != nil {
		t.Errorf("every place is in use, but got %+v", r)
	}
	if l.find(0, 0) != nil || newLanes(1).find(5, 0) != nil {
		t.Error("a request is judged that should not be")
	}
}

// model is a pool whose threads are busy as long as requests say. It takes the place
// of Port and workers around the policy.
type model struct {
	*lanes
	threads int
	waiting [2][]*modelled
	running []*modelled
	fast    []int64 // how long the fast ones took in all
	slow    int     // how many slow ones ended
}

type modelled struct {
	key           uint64
	came, took    int64
	began, ending int64
	looks         uint32
	route         *route
}

func (m *model) start(now int64) {
	for len(m.running) < m.threads {
		var x *modelled
		at := -1
		for i, line := range m.waiting {
			if len(line) > 0 && !m.holds(line[0].route, now) && (x == nil || line[0].came < x.came) {
				x, at = line[0], i
			}
		}
		if x == nil {
			if line := m.waiting[laneFast]; len(line) > 0 {
				m.waiting[laneSlow] = append(m.waiting[laneSlow], line[0])
				m.waiting[laneFast] = line[1:]
				continue
			}
			return
		}
		m.waiting[at] = m.waiting[at][1:]
		m.sent(x.route)
		x.began, x.ending = now, now+x.took
		m.running = append(m.running, x)
	}
}

// serve runs requests until all have ended; next returns the next one to come.
func (m *model) serve(next func() *modelled) {
	coming := next()
	for coming != nil || len(m.running) > 0 {
		first := slices.MinFunc(append(m.running, &modelled{ending: 1 << 62}), func(a, b *modelled) int { return int(a.ending - b.ending) })
		if coming != nil && coming.came <= first.ending {
			x, now := coming, coming.came
			if now >= m.look {
				m.look = now + laneLook
				for _, r := range m.running {
					r.looks++
					m.runs(r.route, now-r.began, r.looks)
				}
			}
			x.route = m.find(x.key, now)
			m.begin(x.route, now)
			at := laneFast
			if x.route != nil && x.route.slow {
				at = laneSlow
			}
			m.waiting[at] = append(m.waiting[at], x)
			m.start(now)
			coming = next()
			continue
		}
		now := first.ending
		m.running = slices.DeleteFunc(m.running, func(x *modelled) bool { return x == first })
		m.ran(first.route, first.took)
		m.uncount(first.route, true)
		if first.key == 1 {
			m.fast = append(m.fast, now-first.came)
		} else {
			m.slow++
		}
		m.start(now)
	}
}

// TestLanesInAModel compares what fast requests take with lanes and without, and
// what slow ones lose by it.
func TestLanesInAModel(t *testing.T) {
	type kind struct {
		key  uint64
		part float64
		took int64
	}
	tests := []struct {
		name    string
		threads int
		gap     int64 // mean time between requests
		kinds   []kind
		most    int64 // 99 % of the fast requests must take less
		without int64 // and without lanes more
	}{
		{"mix", 8, 500 * 1000, []kind{{1, 0.91, ms / 5}, {2, 0.08, 50 * ms}, {3, 0.01, 30 * ms}}, 10 * ms, 20 * ms},
		{"one_endpoint_hangs", 8, ms, []kind{{1, 0.99, ms}, {2, 0.01, 2000 * ms}}, 50 * ms, 1000 * ms},
		{"two_threads", 2, 5 * ms, []kind{{1, 0.9, ms}, {2, 0.1, 200 * ms}}, 50 * ms, 200 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p99 := map[bool]int64{}
			for _, on := range []bool{true, false} {
				m := &model{lanes: newLanes(tt.threads), threads: tt.threads}
				if !on {
					m.share = 0
				}
				random := rand.New(rand.NewPCG(1, 2))
				now, left := int64(0), 20_000
				m.serve(func() *modelled {
					if left--; left < 0 {
						return nil
					}
					now += int64(random.ExpFloat64() * float64(tt.gap))
					x := random.Float64()
					for _, k := range tt.kinds {
						if x -= k.part; x < 0 {
							return &modelled{key: k.key, came: now, took: k.took}
						}
					}
					return &modelled{key: tt.kinds[0].key, came: now, took: tt.kinds[0].took}
				})
				if m.slow+len(m.fast) != 20_000 {
					t.Errorf("lanes %v: %d of 20000 requests ended", on, m.slow+len(m.fast))
				}
				if n := m.shared.slow.Load(); n != 0 {
					t.Errorf("lanes %v: %d slow requests left", on, n)
				}
				slices.Sort(m.fast)
				p99[on] = m.fast[len(m.fast)*99/100]
			}
			t.Logf("99 %% of the fast requests took less than %v with lanes, %v without", time.Duration(p99[true]), time.Duration(p99[false]))
			if p99[true] > tt.most || p99[false] < tt.without {
				t.Errorf("want less than %v with lanes, more than %v without", time.Duration(tt.most), time.Duration(tt.without))
			}
		})
	}
}

func TestLogarithm(t *testing.T) {
	for _, tt := range []struct{ n, want int64 }{
		{-5, 0}, {0, 0}, {1, 0}, {2, lgOne}, {3, lgOne * 3 / 2}, {4, 2 * lgOne}, {1 << 40, 40 * lgOne}, {1<<63 - 1, 46 * lgOne},
	} {
		if got := lg(tt.n); got != tt.want {
			t.Errorf("lg(%d) = %d, want %d", tt.n, got, tt.want)
		}
	}
}

func BenchmarkLanes(b *testing.B) {
	l := newLanes(8)
	b.ReportAllocs()
	now := int64(0)
	for b.Loop() {
		now += 10_000
		r := l.find(uint64(now)%17+1, now)
		l.begin(r, now)
		if !l.holds(r, now) {
			l.sent(r)
		}
		l.ran(r, 100_000)
		l.uncount(r, true)
	}
}

package worker

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// sendAll begins requests in one go, so that none of them finds that others have
// waited.
func (r *rig) sendAll(calls []*call) {
	r.t.Helper()
	for _, c := range calls {
		c.prepare(r)
	}
	r.on(calls[0].loop, func(p *Port) {
		for _, c := range calls {
			c.begin(p)
		}
	})
}

// several makes so many calls.
func several(n int, one *call) (calls []*call) {
	for range n {
		calls = append(calls, &call{path: one.path, route: one.route, loop: one.loop, vars: one.vars})
	}
	return calls
}

// idle looks that nothing is counted as waiting or under way any more.
func (r *rig) idle() {
	r.t.Helper()
	for l := range r.loops {
		r.on(l, func(p *Port) {
			if p.inflight != 0 || p.active.Load() != 0 || p.flow[laneFast].active != 0 || p.flow[laneSlow].active != 0 {
				r.t.Errorf("loop %d: %d in flight, %d active, flow %+v; want none", l, p.inflight, p.active.Load(), p.flow)
			}
		})
	}
	if n := r.pool.lanes.slow.Load(); n != 0 {
		r.t.Errorf("%d requests of slow routes under way, want none", n)
	}
}

// Requests that have waited for too long are answered and never run, whether they
// wait in the loop or in the kernel's queue.
func TestQueueTimeout(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, StreamMode: stream, QueueTimeout: time.Second}, 1)
		blocked, release := blocker(r)
		waiting := several(queueAhead+10, &call{path: "/die"})
		r.sendAll(waiting)
		for _, c := range waiting {
			if c.wait(); !errors.Is(c.err, ErrQueueTimeout) || c.waited < time.Second {
				t.Fatalf("got %v after %v, want %v", c.err, c.waited, ErrQueueTimeout)
			}
		}
		if s := r.pool.Snapshot(); s.Late != queueAhead+10 || s.Unrun != 0 {
			t.Errorf("%d late, %d unrun; want %d and none", s.Late, s.Unrun, queueAhead+10)
		}
		release()
		blocked.wait().body200("waited") // it ran, so its time is not up
		r.get("/hello").body200("hello")
		if strings.Contains(strings.Join(r.logged(), "\n"), "died") {
			t.Error("a request was run after its time")
		}
		r.idle()
	})
}

// Who would have to wait for too long is told at once.
func TestShed(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, QueueTimeout: time.Hour}, 1)
	_, release := blocker(r)
	kept := several(10, &call{path: "/hello"})
	r.sendAll(kept)
	r.on(0, func(p *Port) { // ten answers, each of which takes an hour
		p.flow[laneFast].each = int64(time.Hour)
	})
	if c := r.get("/hello"); !errors.Is(c.err, ErrQueueTimeout) {
		t.Errorf("got %v, want %v", c.err, ErrQueueTimeout)
	}
	if n := r.pool.Snapshot().Shed; n != 1 {
		t.Errorf("%d shed, want 1", n)
	}
	release()
	for _, c := range kept {
		c.wait().body200("hello")
	}
	r.get("/hello").body200("hello")
	r.idle()
}

// A client that has ended its side is given up only if its request has waited for
// long.
func TestClientLeaves(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	left := &call{path: "/hello", left: true}
	r.send(left).wait().body200("hello")
	_, release := blocker(r)
	ahead := several(queueAhead, &call{path: "/hello"})
	r.sendAll(ahead)
	left, stays := &call{path: "/die", left: true}, &call{path: "/hello"}
	r.sendAll([]*call{left, stays})
	for until := time.Now().Add(time.Duration(halfClosedAfter)); time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	late := r.send(&call{path: "/hello", left: true}) // it has not waited for long
	release()
	if left.wait(); !errors.Is(left.err, ErrHalfClosed) {
		t.Errorf("the client that left: got %v, want %v", left.err, ErrHalfClosed)
	}
	stays.wait().body200("hello")
	for _, c := range ahead { // they were with the workers already
		c.wait().body200("hello")
	}
	if late.wait(); late.err != nil && !errors.Is(late.err, ErrHalfClosed) { // a busy machine may take a second
		t.Error(late.err)
	}
	if s := r.pool.Snapshot(); s.Unrun == 0 {
		t.Error("it was not counted")
	}
	r.idle()
}

// Clients that go make room in the queue at once.
func TestGoneMakeRoom(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Queue: queueAhead + 5}, 1)
	_, release := blocker(r)
	waiting := several(queueAhead+5, &call{path: "/hello"})
	r.sendAll(waiting)
	if c := r.get("/hello"); !errors.Is(c.err, ErrQueueFull) {
		t.Fatalf("got %v, want %v", c.err, ErrQueueFull)
	}
	r.on(0, func(p *Port) { p.Cancel(waiting[queueAhead+4].id) })
	last := r.send(&call{path: "/hello"})
	release()
	last.wait().body200("hello")
	if s := r.pool.Snapshot(); s.Unrun != 1 || s.Refused != 1 {
		t.Errorf("%d unrun, %d refused; want one of each", s.Unrun, s.Refused)
	}
	r.idle()
}

func TestQueueIsOneForAllLoops(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Queue: 10}, 2)
	_, release := blocker(r)
	full, all := 0, []*call{}
	for loop := range 2 {
		calls := several(10, &call{path: "/hello", loop: loop})
		r.sendAll(calls)
		all = append(all, calls...)
	}
	release()
	for _, c := range all {
		if c.wait(); errors.Is(c.err, ErrQueueFull) {
			full++
		} else {
			c.body200("hello")
		}
	}
	if full != 10 {
		t.Errorf("%d of 20 found the queue full, want 10", full)
	}
	r.idle()
}

// A route that hangs gets three of four threads and not the fourth, from whatever
// loop its requests come.
func TestOneRouteHangs(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		for _, loops := range []int{1, 2} {
			r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Threads: 2, StreamMode: stream}, loops)
			const fast, hangs = 1, 2
			ask := func(loop int) {
				r.send(&call{path: "/hello", route: fast, loop: loop}).wait().body200("hello")
			}
			for range 20 {
				for loop := range loops {
					ask(loop)
				}
			}
			first, release := blockerOn(r, 0, hangs)
			r.wait("the route to be slow", func() bool {
				ask(0)
				return r.pool.Snapshot().Slow == int64(loops) // each knows
			})
			more := several(3, &call{path: first.path, vars: first.vars, route: hangs})
			more = append(more, several(3, &call{path: first.path, vars: first.vars, route: hangs, loop: loops - 1})...)
			r.sendAll(more[:3])
			r.sendAll(more[3:])
			for range 50 {
				for loop := range loops {
					ask(loop)
				}
			}
			if loops == 1 {
				if s := r.pool.Snapshot(); s.Held != 4 {
					t.Errorf("%d held, want 4 of 7", s.Held)
				}
			}
			release()
			first.wait().body200("waited")
			for _, c := range more {
				c.wait().body200("waited")
			}
			r.idle()
		}
	})
}

// Clients that read slowly on several new routes leave threads for others, new or not.
func TestSlowReadersOnNewRoutes(t *testing.T) {
	source := paths + `
def big(environ, start_response):
    start_response("200 OK", [])
    return (b"x" * 65536 for _ in range(64))
hello_and_others = application
def application(environ, start_response):
    return (big if environ["PATH_INFO"] == "/big" else hello_and_others)(environ, start_response)
`
	modes(t, func(t *testing.T, stream bool) {
		for _, routes := range []int{1, 2, 3} {
			for _, loops := range []int{1, 2} {
				r := start(t, Config{Apps: []App{app(t, source)}, Processes: 2, Threads: 4, StreamMode: stream}, loops)
				const known = 100
				for range 5 {
					r.send(&call{path: "/hello", route: known}).wait().body200("hello")
				}
				var readers []*call
				for n := range 12 {
					readers = append(readers, r.send(&call{path: "/big", route: uint64(1 + n%routes), loop: n % loops, hold: true}))
				}
				for range 10 {
					r.send(&call{path: "/hello", route: known}).wait().body200("hello")
				}
				r.send(&call{path: "/hello", route: 50}).wait().body200("hello")
				for _, c := range readers {
					r.on(c.loop, func(p *Port) { p.Cancel(c.id) })
				}
				r.wait("the threads to be free", func() bool { return r.pool.Snapshot().Waiting == 0 })
			}
		}
	})
}

// Slow ones take every thread while nobody else comes.
func TestSlowRoutesAlone(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2}, 1)
	const fast, hangs = 1, 2
	for range 5 {
		r.send(&call{path: "/hello", route: fast}).wait().body200("hello")
	}
	first, release := blockerOn(r, 0, hangs)
	r.wait("the route to be slow", func() bool {
		r.send(&call{path: "/hello", route: fast}).wait().body200("hello")
		return r.pool.Snapshot().Slow == 1
	})
	second, releaseSecond := blockerOn(r, 0, hangs) // which waits until it runs
	release()
	releaseSecond()
	first.wait().body200("waited")
	second.wait().body200("waited")
	r.idle()
}

// What hangs in a process that is being replaced keeps no other slow request waiting:
// its threads are not among those that there are now.
func TestSlowRoutesOfFormerProcess(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2, StreamMode: stream}, 2)
		const fast, hangs = 1, 2
		ask := func() {
			for loop := range r.loops {
				r.send(&call{path: "/hello", route: fast, loop: loop}).wait().body200("hello")
			}
		}
		for range 20 {
			ask()
		}
		first, release := blockerOn(r, 0, hangs)
		r.wait("the route to be slow", func() bool { ask(); return r.pool.Snapshot().Slow == 2 })
		held := r.send(&call{path: "/hello", route: hangs, loop: 1})
		for range 5 {
			ask()
		}
		if held.over() {
			t.Error("two of two threads were given to a route that is slow")
		}
		if err := r.pool.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.wait("the request that was held", func() bool {
			ask() // as long as fast ones come, their threads are kept for them
			return held.over()
		})
		held.body200("hello")
		release()
		first.wait().body200("waited")
		r.idle()
	})
}

func TestWaited(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, `
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%f" % environ["uwsgo.queue_time"]]
`)}, StreamMode: stream}, 1)
		now := r.send(&call{}).wait()
		before := r.send(&call{before: time.Hour}).wait()
		for _, c := range []*call{now, before} {
			told, err := time.ParseDuration(c.got.String() + "s")
			if err != nil || told < c.before || told > c.before+patience || c.waited < c.before || c.waited > c.before+patience {
				t.Errorf("the app was told %q, the client %v; want %v and a bit", c.got.String(), c.waited, c.before)
			}
		}
	})
}

// A request that a worker has given back waits no longer than any other, also when it
// was taken while the others were looked at.
func TestQueueTimeoutOfReturned(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, QueueTimeout: 50 * time.Millisecond}, 1)
	c := &call{path: "/hello"}
	c.prepare(r)
	r.on(0, func(p *Port) {
		limit := p.limit
		p.limit = 0 // no worker gets it
		c.begin(p)
		b := &p.backlog[laneFast]
		_, view, _ := b.front()
		s := &p.slots[c.id&slotMask]
		s.kept = append([]byte(nil), view...)
		b.pop()
		s.state = slotSent // as if one had
		p.inflight++
		p.loop.Disarm(&p.expiry)
		p.again(c.id)
		t.Cleanup(func() { r.on(0, func(p *Port) { p.limit = limit; p.pump() }) })
	})
	if c.wait(); !errors.Is(c.err, ErrQueueTimeout) {
		t.Errorf("got %v, want %v", c.err, ErrQueueTimeout)
	}
}

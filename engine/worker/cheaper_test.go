package worker

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cycles makes demands, one a second, and returns what an algorithm says to each.
func cycles(a algorithm, demands ...demand) (said []int) {
	now := time.Unix(1000, 0)
	for _, d := range demands {
		now = now.Add(time.Second)
		d.now = now
		said = append(said, a.decide(d))
	}
	return said
}

func times(n int, d demand) (list []demand) {
	for range n {
		list = append(list, d)
	}
	return list
}

func TestAlgorithms(t *testing.T) {
	all := func(parts ...[]demand) (list []demand) {
		for _, p := range parts {
			list = append(list, p...)
		}
		return list
	}
	full := demand{running: 2, cheap: 2, busy: 2}
	half := demand{running: 2, cheap: 2, busy: 1}
	idle := demand{running: 3, cheap: 1}
	waits := func(n int) demand { return demand{running: 2, cheap: 2, busy: 2, waiting: n} }
	for _, tt := range []struct {
		name    string
		a       algorithm
		demands []demand
		want    string
	}{
		{"spare_starts_after_overload", &spare{least: 1, step: 1, cycles: 3}, times(4, full), "[0 0 1 0]"},
		{"spare_starts_a_step", &spare{least: 1, step: 5, cycles: 1}, times(1, full), "[2]"},
		{"spare_has_no_more", &spare{least: 1, step: 1, cycles: 1}, times(1, demand{running: 4, busy: 4}), "[0]"},
		{"spare_keeps_one", &spare{least: 1, step: 1, cycles: 1}, times(3, half), "[0 0 0]"},
		{"spare_forgets_slowly", &spare{least: 1, step: 1, cycles: 3}, all(times(2, full), times(1, half), times(2, full)), "[0 0 0 0 1]"},
		{"spare_ends_one_each_time", &spare{least: 1, step: 1, cycles: 2}, times(4, idle), "[0 -1 0 -1]"},
		{"spare_has_the_least", &spare{least: 3, step: 1, cycles: 1}, times(2, idle), "[0 0]"},
		{"backlog_starts", backlogged{least: 1, step: 1, limit: 3}, times(2, waits(4)), "[1 1]"},
		{"backlog_starts_a_step", backlogged{least: 1, step: 9, limit: 3}, times(1, waits(4)), "[2]"},
		{"backlog_is_content", backlogged{least: 1, step: 1, limit: 3}, times(1, waits(3)), "[0]"},
		{"backlog_ends_one", backlogged{least: 1, step: 1, limit: 3}, times(1, waits(2)), "[-1]"},
		{"backlog_has_the_least", backlogged{least: 2, step: 1, limit: 3}, times(1, waits(0)), "[0]"},
		{"manual", manual{}, times(2, waits(99)), "[0 0]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fmt.Sprint(cycles(tt.a, tt.demands...)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// hours runs the algorithm busyness; each step is so many seconds with that part of the
// time of the running workers' threads busy.
type hours struct {
	*busyness
	demand
	log []string
}

func newHours(c Cheaper, running, cheap int) *hours {
	h := &hours{demand: demand{now: time.Unix(1000, 0), running: running, cheap: cheap}}
	c, err := c.withDefaults(running + cheap)
	if err != nil {
		panic(err)
	}
	h.busyness = newBusyness(&c, 2, h.now, func(line string) { h.log = append(h.log, line) })
	return h
}

func (h *hours) pass(seconds int, busy float64) (said []int) {
	for range seconds {
		h.now = h.now.Add(time.Second)
		h.demand.work += time.Duration(busy * 2 * float64(h.running) * float64(time.Second))
		n := h.decide(h.demand)
		if h.running, h.cheap = h.running+n, h.cheap-n; n != 0 {
			said = append(said, n)
		}
	}
	return said
}

func TestBusyness(t *testing.T) {
	three := Cheaper{Min: 1, Step: 2, Overload: 3}
	t.Run("starts_when_busy", func(t *testing.T) {
		if got := fmt.Sprint(newHours(three, 1, 3).pass(6, 0.9)); got != "[2 1]" {
			t.Errorf("got %s, want a step and the rest", got)
		}
	})
	t.Run("says_that_there_are_no_more", func(t *testing.T) {
		h := newHours(Cheaper{Min: 1, Overload: 1}, 2, 0)
		h.pass(1, 0.6)
		if got := strings.Join(h.log, "\n"); got != "[busyness] 1s average busyness is at 60% but we already started maximum number of workers (2)" {
			t.Errorf("log: %s", got)
		}
	})
	t.Run("ends_one_after_long", func(t *testing.T) {
		h := newHours(three, 3, 1)
		if got := h.pass(29, 0); len(got) != 0 {
			t.Errorf("after 29 s: %d, want none", got)
		}
		if got := fmt.Sprint(h.pass(61, 0)); got != "[-1 -1]" {
			t.Errorf("after 90 s: %s, want two, 30 s apart", got)
		}
		if got := h.pass(100, 0); len(got) != 0 {
			t.Errorf("the last one was ended: %d", got)
		}
	})
	t.Run("between_nothing_happens", func(t *testing.T) {
		if got := newHours(three, 3, 1).pass(300, 0.4); len(got) != 0 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("penalty_and_its_end", func(t *testing.T) {
		h := newHours(Cheaper{Min: 1, Step: 1, Overload: 1}, 2, 1)
		h.pass(10, 0)
		h.pass(1, 0.9)
		if h.multiplier != 12 {
			t.Errorf("multiplier is %d, want 12: a worker was started right after one was ended", h.multiplier)
		}
		h.pass(100, 0)
		h.pass(1, 0.9)
		if h.multiplier != 11 {
			t.Errorf("multiplier is %d, want 11", h.multiplier)
		}
	})
	t.Run("many_wait", func(t *testing.T) {
		h := newHours(three, 2, 2)
		h.waiting = 34
		if got := fmt.Sprint(h.pass(1, 0)); got != "[1]" {
			t.Errorf("got %s, want an emergency worker at once", got)
		}
		h.waiting = 0
		if got := fmt.Sprint(h.pass(11, 0)); got != "[-1]" {
			t.Errorf("got %s, want it to end after three units", got)
		}
	})
	t.Run("some_wait_for_long", func(t *testing.T) {
		h := newHours(Cheaper{Min: 1, Overload: 1000}, 1, 1)
		h.waiting = 1
		if got := fmt.Sprint(h.pass(60, 0), h.pass(1, 0)); got != "[] [1]" {
			t.Errorf("got %s, want one after a minute", got)
		}
	})
	t.Run("work_of_the_dead", func(t *testing.T) {
		h := newHours(three, 1, 1)
		h.demand.work = time.Hour
		h.pass(3, 0.4)
		h.demand.work = 0
		if got := h.pass(3, 0); len(got) != 0 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("verbose", func(t *testing.T) {
		h := newHours(Cheaper{Min: 1, Overload: 1, Busyness: Busyness{Verbose: true}}, 2, 1)
		h.pass(1, 0)
		want := "[busyness] 1s average busyness of 2 worker(s) is at 0%\n[busyness] need to wait 9 more second(s) to cheap worker"
		if got := strings.Join(h.log, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// running returns how many workers have a process that serves, and how many are cheap.
func (r *rig) running() (serve, cheap int) {
	for _, w := range r.pool.Snapshot().Workers {
		if w.Cheap {
			cheap++
		}
		if w.State == Idle || w.State == Busy {
			serve++
		}
	}
	return serve, cheap
}

func (r *rig) waitRunning(n int) {
	r.t.Helper()
	r.wait(fmt.Sprintf("%d workers to run", n), func() bool {
		serve, cheap := r.running()
		return serve == n && cheap == r.pool.config.Processes-n
	})
}

const quick = 20 * time.Millisecond

func TestCheaperFollowsTheLoad(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{
			Apps: []App{app(t, paths)}, Processes: 3, Threads: 2, StreamMode: stream,
			Cheaper: Cheaper{Min: 1, Initial: 2, Overload: 1, cycle: quick},
		}, 2)
		r.waitRunning(1) // two at the start, and nothing to do
		first, release := blocker(r)
		second, releaseSecond := blockerOn(r, 1, 0)
		r.waitRunning(2) // one is full
		third, releaseThird := blocker(r)
		r.waitRunning(3)
		release()
		releaseSecond()
		releaseThird()
		for _, c := range []*call{first, second, third} {
			c.wait().body200("waited")
		}
		r.waitRunning(1)
		r.waitLog("cheaped.")
		r.get("/hello").body200("hello")
		r.idle()
	})
}

// No request is lost however often the number changes.
func TestCheaperUnderLoad(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{
			Apps: []App{app(t, paths)}, Processes: 4, Threads: 2, StreamMode: stream,
			Cheaper: Cheaper{Min: 1, Algorithm: CheaperManual},
		}, 2)
		over := make(chan struct{})
		var asking sync.WaitGroup
		for loop := range 2 {
			asking.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
					}
					calls := several(8, &call{path: "/hello", loop: loop})
					r.sendAll(calls)
					for _, c := range calls {
						if c.wait(); c.err != nil || c.got.String() != "hello" {
							t.Errorf("got %q, %v", c.got.String(), c.err)
							return
						}
					}
				}
			})
		}
		for range 5 {
			r.pool.Scale(3)
			r.waitRunning(4)
			r.pool.Scale(-9)
			r.waitRunning(1)
		}
		close(over)
		asking.Wait()
		r.idle()
	})
}

func TestCheaperKeepsTheNumber(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			r := start(t, Config{
				Apps: []App{app(t, paths)}, Processes: 3, LazyApps: lazy,
				Cheaper: Cheaper{Min: 1, Initial: 2, Algorithm: CheaperManual},
			}, 1)
			r.waitRunning(2)
			if err := r.pool.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.waitRunning(2)
			if err := r.pool.ChainReload(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.waitRunning(2)
			pid := r.pid(1, 0)
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			r.pid(1, pid)
			r.waitRunning(2)
			if err := syscall.Kill(r.pool.Snapshot().Zygote, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			r.waitLog("the zygote")
			r.waitRunning(2)
			r.get("/hello").body200("hello")
		})
	}
}

// A worker that still imports goes before one that serves, which is perhaps the only one.
func TestCheaperKeepsWhoServes(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	r := start(t, Config{
		Apps: []App{app(t, fmt.Sprintf(`
import os, time
try:
    os.close(os.open(%q, os.O_CREAT | os.O_EXCL))
except FileExistsError:
    time.sleep(1000)
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
`, gate))}, Processes: 2, LazyApps: true, Cheaper: Cheaper{Min: 1, Algorithm: CheaperManual},
	}, 1)
	pid := r.pid(1, 0)
	r.pool.Scale(1)
	r.wait("the second to start", func() bool {
		return slices.ContainsFunc(r.pool.Snapshot().Processes, func(p ProcessStats) bool { return p.Worker == 2 && p.State == Starting })
	})
	r.pool.Scale(-1)
	r.waitRunning(1)
	r.pool.Scale(-1) // the last one stays
	r.get("/").body200("hello")
	if now := r.pid(1, 0); now != pid {
		t.Errorf("process %d serves, want %d", now, pid)
	}
}

// A worker that cannot load the app serves nobody while others can, also where it need not.
func TestCheaperOfBrokenCode(t *testing.T) {
	a := app(t, hello)
	r := start(t, Config{Apps: []App{a}, Processes: 2, LazyApps: true, Cheaper: Cheaper{Min: 1, Algorithm: CheaperManual}}, 1)
	r.pid(1, 0)
	rewrite(t, a, "raise Exception('half of it is there')\n")
	r.pool.Scale(1)
	r.waitLog("half of it is there")
	for range 20 {
		r.get("/").body200("Hello, world\n")
	}
	rewrite(t, a, hello)
	r.waitRunning(2)
}

// The last worker stays although it does not serve just now.
func TestCheaperKeepsTheLast(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Cheaper: Cheaper{Min: 1, Algorithm: CheaperManual}}, 1)
	zygote := r.pool.Snapshot().Zygote
	if err := syscall.Kill(zygote, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.waitLog("the zygote")
	r.pool.Scale(-9)
	r.waitRunning(1)
	r.get("/hello").body200("hello")
}

// At the minimum a worker is replaced as anywhere.
func TestCheaperReplacesTheLast(t *testing.T) {
	r := start(t, Config{
		Apps: []App{app(t, paths)}, Processes: 3, Harakiri: 100 * time.Millisecond,
		Cheaper: Cheaper{Min: 1, Algorithm: CheaperManual},
	}, 1)
	pid := r.pid(1, 0)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	pid = r.pid(1, pid)
	blocked, release := blocker(r)
	defer release()
	if blocked.wait(); !errors.Is(blocked.err, ErrHarakiri) {
		t.Errorf("got %v, want %v", blocked.err, ErrHarakiri)
	}
	r.pid(1, pid)
	r.get("/hello").body200("hello")
	r.waitRunning(1)
}

func TestCheaperIsTooMany(t *testing.T) {
	_, err := Start(t.Context(), Config{Loops: make([]*Loop, 1), Processes: 2, Cheaper: Cheaper{Min: 2}})
	if err == nil || !strings.Contains(err.Error(), "2 processes cannot run 2 at least and more at times") {
		t.Errorf("got %v", err)
	}
}

// One thread is not divided among lanes, and what was held until then goes on.
func TestCheaperDownToOneThread(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Cheaper: Cheaper{Min: 1, Initial: 2, Algorithm: CheaperManual}}, 1)
	const fast, hangs = 1, 2
	ask := func() { r.send(&call{path: "/hello", route: fast}).wait().body200("hello") }
	for range 20 {
		ask()
	}
	first, release := blockerOn(r, 0, hangs)
	r.wait("the route to be slow", func() bool { ask(); return r.pool.Snapshot().Slow == 1 })
	held := r.send(&call{path: "/hello", route: hangs})
	ask()
	r.pool.Scale(-1)
	r.waitRunning(1)
	release()
	r.wait("the request that was held", func() bool {
		ask()
		return held.over()
	})
	first.wait().body200("waited")
	r.idle()
}

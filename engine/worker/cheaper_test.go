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
			Cheaper: Cheaper{Min: 1, Initial: 2, Overload: 1, Cycle: quick},
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
	if err == nil || !strings.Contains(err.Error(), "2 processes cannot keep 2 of them running and start more") {
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

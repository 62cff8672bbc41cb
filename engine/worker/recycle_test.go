package worker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

// load asks for path again and again until the function it returns is called; every
// answer has to be 200.
func (r *rig) load(path string, clients int) (stop func()) {
	var over atomic.Bool
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() {
			for !over.Load() {
				c := r.send(&call{loop: i % len(r.loops), path: path}).wait()
				if c.err != nil || c.status != "200 OK" {
					r.t.Errorf("%s: got %q, error %v", path, c.status, c.err)
					return
				}
			}
		})
	}
	return func() { over.Store(true); running.Wait() }
}

func TestRecycling(t *testing.T) {
	const leaky = `
kept = []
def application(environ, start_response):
    kept.append(b"x" * 10_000)
    start_response("200 OK", [])
    return [b"ok"]
`
	for _, c := range []struct {
		name   string
		limits Limits
		reason string
		linux  bool
	}{
		{name: "max_requests", limits: Limits{MaxRequests: 20}, reason: "is done (max requests reached"},
		{name: "max_lifetime", limits: Limits{MaxLifetime: 10 * time.Millisecond}, reason: "is done (lifetime reached"},
		{name: "rss", limits: Limits{RSS: 20 << 20}, reason: "is done (rss reached", linux: true},
		{name: "as", limits: Limits{AS: 1 << 20}, reason: "is done (address space reached", linux: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.linux && !proc.HasQueue {
				t.Skip("memory is known on Linux only")
			}
			r := start(t, Config{Apps: []App{app(t, leaky)}, Processes: 2, Threads: 2, Limits: c.limits}, 1)
			stop := r.load("/", 4)
			defer stop()
			r.wait("both workers to be replaced", func() bool {
				s := r.pool.Snapshot()
				for _, w := range s.Workers {
					if w.PID == 0 {
						t.Errorf("worker %d has no process: %+v", w.ID, s.Processes)
						return true
					}
				}
				// A snapshot is read one process after the other: one may have become ready before
				// the next is looked at. Two that both still start a moment later do so together.
				if first := starting(s); len(first) > 1 {
					again := starting(r.pool.Snapshot())
					first = slices.DeleteFunc(first, func(p ProcessStats) bool {
						return !slices.ContainsFunc(again, func(q ProcessStats) bool { return q.Worker == p.Worker && q.Since.Equal(p.Since) })
					})
					if len(first) > 1 {
						t.Errorf("%d processes start at a time: %+v", len(first), s.Processes)
						return true
					}
				}
				return s.Workers[0].Respawns > 2 && s.Workers[1].Respawns > 2
			})
			r.waitLog(c.reason)
			if log := strings.Join(r.logged(), "\n"); strings.Contains(log, "DAMN") {
				t.Errorf("log: %s", log)
			}
		})
	}
}

// starting gives the processes that start.
func starting(s Snapshot) (list []ProcessStats) {
	for _, p := range s.Processes {
		if p.State == Starting {
			list = append(list, p)
		}
	}
	return list
}

// A successor that does not start leaves the worker that is to be replaced.
func TestRecyclingOfBrokenCode(t *testing.T) {
	a := app(t, version(1))
	r := start(t, Config{Apps: []App{a}, LazyApps: true, Limits: Limits{MaxRequests: 5}}, 1)
	pid := r.pid(1, 0)
	rewrite(t, a, "1 / 0")
	stop := r.load("/hello", 1)
	r.waitLog("cannot load app")
	stop()
	if now := r.pid(1, 0); now != pid {
		t.Errorf("process %d serves, want %d, the old one", now, pid)
	}
	rewrite(t, a, version(2))
	r.pid(1, pid)
	r.get("/hello").body200("hello 2")
}

func TestEvilReload(t *testing.T) {
	if !proc.HasQueue {
		t.Skip("memory is known on Linux only")
	}
	r := start(t, Config{Apps: []App{app(t, `
kept = []
def application(environ, start_response):
    kept.append(b"x" * 100_000_000)
    start_response("200 OK", [])
    return [b"ok"]
`)}, Limits: Limits{EvilRSS: 80 << 20, MinLifetime: time.Hour}}, 1)
	pid := r.pid(1, 0)
	if c := r.get("/"); c.err != nil && !errors.Is(c.err, ErrWorkerDied) {
		t.Error(c.err)
	}
	r.waitLog("*** EVIL RELOAD ON WORKER 1 RSS: ")
	r.waitLog(fmt.Sprintf("(pid: %d) died, killed by signal 9", pid))
	r.pid(1, pid)
}

func TestLimitAS(t *testing.T) {
	if !proc.HasQueue {
		t.Skip("only Linux is known to hold to it")
	}
	r := start(t, Config{Apps: []App{app(t, `
def application(environ, start_response):
    start_response("200 OK", [])
    try:
        return [b"got it" if bytearray(4 << 30) else b""]
    except MemoryError:
        return [b"refused"]
`)}, LimitAS: 2 << 30}, 1)
	r.get("/").body200("refused")
}

func TestLimitASTooSmall(t *testing.T) {
	if !proc.HasQueue {
		t.Skip("only Linux is known to hold to it")
	}
	for _, processes := range []int{1, 2, 16} {
		c := Config{Apps: []App{app(t, paths)}, LimitAS: 1 << 20, Processes: processes}
		newRig(t, &c, 1)
		pool, err := Start(t.Context(), c)
		if err == nil {
			_ = pool.Stop(t.Context())
			t.Fatalf("%d processes: it says that it serves", processes)
		}
		if !strings.Contains(err.Error(), "limit-as is 1048576 bytes") {
			t.Errorf("%d processes: %v", processes, err)
		}
	}
}

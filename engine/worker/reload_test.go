package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// version is an app that tells its version, and waits when asked to.
func version(n int) string {
	return strings.ReplaceAll(paths, "return [b\"hello\"]", fmt.Sprintf("return [b\"hello %d\"]", n))
}

func rewrite(t *testing.T, a App, source string) {
	t.Helper()
	if err := os.WriteFile(a.File, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	// Python takes a cached file for the present one by its size and second.
	if err := os.RemoveAll(a.File[:strings.LastIndex(a.File, "/")] + "/__pycache__"); err != nil {
		t.Fatal(err)
	}
}

// alone waits until each worker has one process, and none of those given.
func (r *rig) alone(before []ProcessStats) {
	r.t.Helper()
	r.wait("the old processes to go", func() bool {
		now := r.pool.Snapshot().Processes
		for _, p := range now {
			for _, b := range before {
				if p.PID == b.PID || p.State == Draining || p.State == Starting {
					return false
				}
			}
		}
		return len(now) == len(r.pool.Snapshot().Workers)
	})
}

func TestReload(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		for _, lazy := range []bool{false, true} {
			t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
				a := app(t, version(1))
				r := start(t, Config{Apps: []App{a}, Processes: 2, Threads: 2, StreamMode: stream, LazyApps: lazy}, 2)
				r.get("/hello").body200("hello 1")
				var stop atomic.Bool
				var sent atomic.Int64
				var running sync.WaitGroup
				for i := range 8 {
					running.Go(func() {
						for !stop.Load() {
							c := r.send(&call{loop: i % 2, path: []string{"/hello", "/stream"}[i/2%2]}).wait()
							sent.Add(1)
							if c.err != nil || c.status != "200 OK" {
								t.Errorf("%s: got %q, error %v", c.path, c.status, c.err)
								return
							}
						}
					})
				}
				for n := 2; n <= 3; n++ {
					at := sent.Load()
					r.wait("requests under way", func() bool { return sent.Load() > at+20 })
					before := r.pool.Snapshot()
					rewrite(t, a, version(n))
					if err := r.pool.Reload(t.Context()); err != nil {
						t.Fatal(err)
					}
					for l := range 2 {
						r.send(&call{loop: l, path: "/hello"}).wait().body200(fmt.Sprintf("hello %d", n))
					}
					r.alone(before.Processes)
					after := r.pool.Snapshot()
					if after.Zygote == before.Zygote || after.Workers[0].Requests < before.Workers[0].Requests || after.Workers[0].Respawns != before.Workers[0].Respawns+1 {
						t.Errorf("before %+v\nafter %+v", before, after)
					}
					waitFor(t, "the old zygote to go", func() bool { return gonePid(before.Zygote) })
				}
				stop.Store(true)
				running.Wait()
			})
		}
	})
}

// What is idle goes too, although no request wakes it.
func TestReloadIdle(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Threads: 4, StreamMode: stream}, 1)
		before := r.pool.Snapshot()
		if err := r.pool.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.alone(before.Processes)
		r.waitLog("...gracefully killing workers...")
		for _, w := range before.Workers {
			r.waitLog(fmt.Sprintf("Gracefully killing worker %d (pid: %d)...", w.ID, w.PID))
			r.waitLog(fmt.Sprintf("worker %d buried after ", w.ID))
		}
		if log := strings.Join(r.logged(), "\n"); strings.Contains(log, "DAMN") {
			t.Errorf("log: %s", log)
		}
	})
}

// A worker of the next generation that is killed before that has taken over is
// replaced like any other.
func TestReloadWhileWorkersDie(t *testing.T) {
	a := app(t, version(1))
	r := start(t, Config{Apps: []App{a}, Processes: 4}, 1)
	old := r.pool.Snapshot()
	killed := false
	rewrite(t, a, version(2))
	done := make(chan error, 1)
	go func() { done <- r.pool.Reload(context.Background()) }()
	for !killed {
		for _, p := range r.pool.Snapshot().Processes {
			if p.PID != 0 && p.PID != old.Workers[p.Worker-1].PID {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
				killed = true
			}
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.alone(old.Processes)
	for range 8 {
		r.get("/hello").body200("hello 2")
	}
}

// Reloads leave neither descriptors nor processes behind.
func TestReloadLeavesNothing(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Threads: 2, Harakiri: time.Minute}, 2)
	r.get("/hello")
	count := func() (files, children int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc")
		}
		return len(entries), len(childrenOf(os.Getpid()))
	}
	files, children := count()
	for range 5 {
		if err := r.pool.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.wait("as many descriptors and children as before", func() bool {
		f, c := count()
		return f <= files && c <= children
	})
}

func TestReloadFails(t *testing.T) {
	for _, c := range []struct {
		name, source string
		lazy, noNeed bool
	}{
		{name: "syntax", source: "def application(:"},
		{name: "lazy", source: "1 / 0", lazy: true},
		{name: "app_not_needed", source: "1 / 0", noNeed: true},
		{name: "lazy_app_not_needed", source: "1 / 0", lazy: true, noNeed: true},
		{name: "exits", source: "import os\nos._exit(3)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := app(t, version(1))
			config := Config{Apps: []App{a}, Processes: 2, LazyApps: c.lazy}
			r := newRig(t, &config, 1)
			config.NeedApp = !c.noNeed
			var err error
			if r.pool, err = Start(t.Context(), config); err != nil {
				t.Fatal(err)
			}
			before := r.pool.Snapshot()
			rewrite(t, a, c.source)
			if err := r.pool.Reload(t.Context()); err == nil {
				t.Error("a broken app was loaded")
			}
			if c.name != "exits" && !strings.Contains(r.output(), "Error") {
				t.Errorf("no traceback: %s", r.output())
			}
			r.waitLog("reload failed")
			for range 4 {
				r.get("/hello").body200("hello 1")
			}
			after := r.pool.Snapshot()
			for i, w := range after.Workers {
				if w.PID != before.Workers[i].PID {
					t.Errorf("worker %d was replaced", w.ID)
				}
			}
			rewrite(t, a, version(2))
			if err := r.pool.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			r.get("/hello").body200("hello 2")
			r.alone(before.Processes)
		})
	}
}

func TestReloadFinishesRequests(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		a := app(t, version(1))
		r := start(t, Config{Apps: []App{a}, Threads: 2, StreamMode: stream}, 1)
		blocked, release := blocker(r)
		old := r.pid(1, 0)
		rewrite(t, a, version(2))
		if err := r.pool.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			r.get("/hello").body200("hello 2")
		}
		draining := false
		for _, p := range r.pool.Snapshot().Processes {
			draining = draining || p.PID == old && p.State == Draining
		}
		if !draining {
			t.Errorf("the old process does not drain: %+v", r.pool.Snapshot().Processes)
		}
		release()
		blocked.wait().body200("waited")
		r.alone([]ProcessStats{{PID: old}})
	})
}

func TestReloadMercy(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Mercy: 50 * time.Millisecond}, 1)
	blocked, release := blocker(r)
	defer release()
	if err := r.pool.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if blocked.wait(); !errors.Is(blocked.err, ErrWorkerDied) {
		t.Errorf("got %v, want %v", blocked.err, ErrWorkerDied)
	}
	r.waitLog("did not finish within the mercy time")
	r.get("/hello").body200("hello")
}

// More reloads than a worker has places: those that drain are waited for.
func TestReloadAgainAndAgain(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2, Mercy: 300 * time.Millisecond}, 1)
	for range places + 1 {
		_, release := blocker(r)
		defer release()
		if err := r.pool.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.get("/hello").body200("hello")
	}
	errs := make(chan error, 5)
	for range cap(errs) {
		go func() { errs <- r.pool.Reload(context.Background()) }()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	r.get("/hello").body200("hello")
}

// Code that never loads holds back the reload to what mends it; the log says a way out.
func TestReloadHangs(t *testing.T) {
	a := app(t, version(1))
	r := start(t, Config{Apps: []App{a}}, 1)
	here := a.File + ".here"
	rewrite(t, a, fmt.Sprintf("import time\nopen(%q, 'w').close()\nwhile True:\n    time.sleep(60)\n", here))
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- r.pool.Reload(t.Context()) }()
	r.wait("the code that hangs", func() bool { _, err := os.Stat(here); return err == nil })
	rewrite(t, a, version(2))
	go func() { second <- r.pool.Reload(t.Context()) }()
	r.get("/hello").body200("hello 1")
	if err := syscall.Kill(r.pool.Loading(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err == nil {
		t.Error("the reload that was killed succeeded")
	}
	if err := <-second; err != nil {
		t.Errorf("the reload after it: %v", err)
	}
	if pid := r.pool.Loading(); pid != 0 {
		t.Errorf("process %d is said to load the app", pid)
	}
	r.get("/hello").body200("hello 2")
}

// Whichever zygote dies, requests are answered afterwards.
func TestZygoteDiesInReload(t *testing.T) {
	const slow = "import os, time\nopen(os.environ['TEST_BEGAN'], 'w').close()\ntime.sleep(0.3)\n" + hello
	for _, which := range []string{"present", "next"} {
		t.Run(which, func(t *testing.T) {
			began := t.TempDir() + "/began"
			a := app(t, slow)
			r := start(t, Config{Apps: []App{a}, Processes: 2, Env: append(os.Environ(), "TEST_BEGAN="+began)}, 1)
			before := r.pool.Snapshot()
			if err := os.Remove(began); err != nil {
				t.Fatal(err)
			}
			result := make(chan error)
			go func() { result <- r.pool.Reload(context.Background()) }()
			waitFor(t, "the import", func() bool { _, err := os.Stat(began); return err == nil })
			victim := before.Zygote
			if which == "next" {
				victim = nextZygote(r.pool)
			}
			if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if err := <-result; (err != nil) != (which == "next") {
				t.Errorf("Reload: %v", err)
			}
			r.get("/").body200("Hello, world\n")
		})
	}
}

// nextZygote finds the child of this process that is about to take over.
func nextZygote(p *Pool) int {
	present := p.Snapshot().Zygote
	for pid := range childrenOf(os.Getpid()) {
		if pid != present {
			return pid
		}
	}
	return 0
}

func TestStopInReload(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			a := app(t, hello)
			r := start(t, Config{Apps: []App{a}, Processes: 2, LazyApps: lazy}, 1)
			began := t.TempDir() + "/began"
			rewrite(t, a, fmt.Sprintf("import time\nopen(%q, 'w').close()\ntime.sleep(600)\n", began))
			result := make(chan error)
			go func() { result <- r.pool.Reload(context.Background()) }()
			waitFor(t, "the import", func() bool { _, err := os.Stat(began); return err == nil })
			if err := r.pool.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-result; !errors.Is(err, ErrStopped) {
				t.Errorf("Reload: got %v, want %v", err, ErrStopped)
			}
		})
	}
}

func TestChainReload(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		a := app(t, version(1))
		r := start(t, Config{Apps: []App{a}, Processes: 3, LazyApps: true, StreamMode: stream}, 1)
		before := r.pool.Snapshot()
		rewrite(t, a, version(2))
		if err := r.pool.ChainReload(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.waitLog("chain reloading complete")
		r.get("/hello").body200("hello 2")
		r.alone(before.Processes)
		if after := r.pool.Snapshot(); after.Zygote != before.Zygote {
			t.Error("the zygote was replaced")
		}
		rewrite(t, a, "1 / 0")
		if err := r.pool.ChainReload(t.Context()); err == nil {
			t.Error("no error although the app cannot be loaded")
		}
		r.waitLog("chain reload failed")
		for range 3 {
			r.get("/hello").body200("hello 2")
		}
	})
}

// A process that is to go may have taken a request before the supervisor has heard that
// it was forked. The test holds that news back.
func TestReloadWhileForking(t *testing.T) {
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	source := paths + fmt.Sprintf(`
forks = []
def slow_to_tell():
    forks.append(1)
    while len(forks) == 2 and not os.path.exists(%q):
        time.sleep(0.005)
os.register_at_fork(after_in_parent=slow_to_tell)
`, told)
	r := start(t, Config{Apps: []App{app(t, source)}}, 1)
	if err := syscall.Kill(r.pid(1, 0), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.waitLog("DAMN")
	blocked, release := blocker(r)
	if err := r.pool.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.waitLog("Gracefully killing worker 1 (pid: ")
	if err := os.WriteFile(told, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.wait("the news of both new processes, or the end of one", func() bool {
		select {
		case <-blocked.done:
			return true
		default:
			return strings.Count(strings.Join(r.logged(), "\n"), "Respawned uWSGI worker 1") == 2
		}
	})
	r.get("/hello").body200("hello")
	release()
	blocked.wait().body200("waited")
	r.waitLog("worker 1 buried after")
}

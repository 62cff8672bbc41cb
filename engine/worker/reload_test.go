package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
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

// Threads that wait are woken so that each hears that it is to finish, however many others
// wait at the same queue and are quicker to take what wakes them.
func TestReloadOfManyThatWait(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 4, Threads: 4}, 1)
	for range 10 {
		old := r.pool.Snapshot()
		if err := r.pool.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := time.Now()
		r.alone(old.Processes)
		if took := time.Since(told); took > 10*time.Second {
			t.Errorf("the former workers went after %v", took)
		}
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

// More reloads than a worker has shared.Places: those that drain are waited for.
func TestReloadAgainAndAgain(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2, Mercy: 300 * time.Millisecond}, 1)
	for range shared.Places + 1 {
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

// Code that never loads holds nothing back: the next reload takes its place, after a while
// in which a slow one would have loaded.
func TestReloadHangs(t *testing.T) {
	const hang = "import time\nopen(%q, 'w').close()\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException:\n        pass\n"
	for _, c := range []struct {
		name, source string
		lazy, tells  bool // tells: by GiveWay, and asks when the first is over
	}{
		{name: "import", source: hang},
		{name: "import_and_tells", source: hang, tells: true},
		{name: "lazy", source: hang, lazy: true},
		{name: "lazy_and_tells", source: hang, lazy: true, tells: true},
		{name: "in_the_fork", source: version(2) + "\ndef hang():\n    open(%q, 'w').close()\n    time.sleep(1000)\nos.register_at_fork(after_in_child=hang)\n"},
		{name: "signals_blocked", source: "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n" + hang},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := app(t, version(1))
			r := start(t, Config{Apps: []App{a}, LazyApps: c.lazy}, 1)
			here := a.File + ".here"
			rewrite(t, a, fmt.Sprintf(c.source, here))
			first := make(chan error, 1)
			go func() { first <- r.pool.Reload(t.Context()) }()
			r.wait("the code that hangs", func() bool { _, err := os.Stat(here); return err == nil })
			loading := r.pool.Loading()
			rewrite(t, a, version(2))
			r.get("/hello").body200("hello 1")
			second := make(chan error, 1)
			if c.tells {
				r.pool.GiveWay()
			} else {
				go func() { second <- r.pool.Reload(t.Context()) }()
			}
			if err := <-first; err == nil || !strings.Contains(err.Error(), "another one has been asked for") {
				t.Errorf("the reload that hangs: %v", err)
			}
			if c.tells {
				second <- r.pool.Reload(t.Context())
			}
			if err := <-second; err != nil {
				t.Errorf("the reload after it: %v", err)
			}
			r.waitLog("this one is given up")
			r.wait("the end of what hung", func() bool { return gonePid(loading) })
			if pid := r.pool.Loading(); pid != 0 {
				t.Errorf("process %d is said to load the app", pid)
			}
			r.get("/hello").body200("hello 2")
		})
	}
}

// A reload that only takes longer than the next one is asked for is not given up.
func TestSlowReloads(t *testing.T) {
	t.Parallel()
	slow := "import time\ntime.sleep(0.7)\n"
	a := app(t, slow+version(1))
	r := start(t, Config{Apps: []App{a}}, 1)
	rewrite(t, a, slow+version(2))
	var asked sync.WaitGroup
	for range 5 {
		asked.Go(func() {
			if err := r.pool.Reload(context.Background()); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(150 * time.Millisecond)
	}
	asked.Wait()
	if log := strings.Join(r.logged(), "\n"); strings.Contains(log, "given up") || strings.Count(log, "gracefully killing workers") > 2 {
		t.Errorf("log: %s", log)
	}
	r.get("/hello").body200("hello 2")
}

// What the app has started at an import that fails, or is given up, ends with it.
func TestFailedImportLeavesNothing(t *testing.T) {
	const starts = `
import os, subprocess, sys, time
def note(pid):
    with open(%q, "a") as f:
        f.write("%%d\n" %% pid)
note(subprocess.Popen(["sleep", "1000"]).pid)
note(subprocess.Popen(["sh", "-c", "sleep 1000; true"]).pid)
pid = os.fork()
if pid == 0:
    note(os.getpid())
    note(subprocess.Popen(["sleep", "1000"]).pid)
    time.sleep(1000)
    os._exit(0)
while open(%[1]q).read().count("\n") < 4:
    time.sleep(0.005)
`
	for _, c := range []struct {
		name, end string
		stop      bool
	}{
		{name: "raises", end: "raise ValueError('as asked')\n"},
		{name: "exits", end: "sys.exit(3)\n"},
		{name: "no_app", end: ""},
		{name: "hangs", end: "time.sleep(1000)\n", stop: true},
	} {
		for _, lazy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/lazy=%v", c.name, lazy), func(t *testing.T) {
				t.Parallel()
				notes := t.TempDir() + "/notes"
				source := fmt.Sprintf(starts, notes) + c.end
				left := func() (pids []int) {
					b, _ := os.ReadFile(notes)
					for field := range strings.FieldsSeq(string(b)) {
						if pid, err := strconv.Atoi(field); err == nil && !gonePid(pid) {
							pids = append(pids, pid)
						}
					}
					return pids
				}
				noted := func() bool {
					b, _ := os.ReadFile(notes)
					return strings.Count(string(b), "\n") == 4
				}
				t.Cleanup(func() {
					for _, pid := range left() {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				})
				t.Run("start", func(t *testing.T) {
					config := Config{Apps: []App{app(t, source)}, LazyApps: lazy}
					newRig(t, &config, 1)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if c.stop {
						go func() {
							for !noted() && ctx.Err() == nil {
								time.Sleep(5 * time.Millisecond)
							}
							cancel()
						}()
					}
					if _, err := Start(ctx, config); err == nil || !noted() {
						t.Fatalf("Start: %v", err)
					}
					waitFor(t, "what was started to end", func() bool { return len(left()) == 0 })
				})
				t.Run("reload", func(t *testing.T) {
					_ = os.Remove(notes)
					a := app(t, version(1))
					r := start(t, Config{Apps: []App{a}, LazyApps: lazy}, 1)
					rewrite(t, a, source)
					if c.stop {
						go func() {
							for !noted() && t.Context().Err() == nil {
								time.Sleep(5 * time.Millisecond)
							}
							r.pool.GiveWay()
						}()
					}
					if err := r.pool.Reload(t.Context()); err == nil || !noted() {
						t.Fatalf("Reload: %v", err)
					}
					r.wait("what was started to end", func() bool { return len(left()) == 0 })
					r.get("/hello").body200("hello 1")
				})
			})
		}
	}
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

// A chain reload whose place something else takes has the outcome of that.
func TestChainReloadCutShort(t *testing.T) {
	const held = "import os, time\nopen(os.environ['TEST_GATE'] + '.began', 'w').close()\nwhile not os.path.exists(os.environ['TEST_GATE']):\n    time.sleep(0.005)\n"
	for _, c := range []struct {
		name string
		next string // the code by then
		do   func(r *rig) error
		want string // the outcome; empty for success
		body string
	}{
		{"reload", version(3), func(r *rig) error { return r.pool.Reload(r.t.Context()) }, "", "hello 3"},
		{"reload_that_fails", "1 / 0", func(r *rig) error { _ = r.pool.Reload(r.t.Context()); return nil }, "ZeroDivisionError", "hello 1"},
		{"zygote_dies", version(3), func(r *rig) error { return syscall.Kill(r.pool.Snapshot().Zygote, syscall.SIGKILL) }, "", "hello 3"},
		{"successor_dies", version(3), func(r *rig) error {
			for _, p := range r.pool.Snapshot().Processes {
				if p.State == Starting {
					return syscall.Kill(p.PID, syscall.SIGKILL)
				}
			}
			return errors.New("none starts")
		}, "did not start", "hello 1"},
		{"stop", version(3), func(r *rig) error { return r.pool.Stop(r.t.Context()) }, ErrStopped.Error(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			gate := t.TempDir() + "/gate"
			a := app(t, version(1))
			r := start(t, Config{Apps: []App{a}, Processes: 3, LazyApps: true, Env: append(os.Environ(), "TEST_GATE="+gate)}, 1)
			rewrite(t, a, held+version(2))
			result := make(chan error, 1)
			go func() { result <- r.pool.ChainReload(context.Background()) }()
			r.wait("the first successor", func() bool { _, err := os.Stat(gate + ".began"); return err == nil })
			rewrite(t, a, c.next)
			if err := c.do(r); err != nil {
				t.Error(err)
			}
			if err := <-result; (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("ChainReload: %v, want %q", err, c.want)
			}
			if c.body != "" {
				for range 6 {
					r.get("/hello").body200(c.body)
				}
			}
			if strings.Contains(strings.Join(r.logged(), "\n"), "chain reloading complete") {
				t.Error("the log says that it is complete")
			}
		})
	}
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

package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// A zygote that is stopped, or hangs, forks nothing and tells of no death. It is replaced,
// and what its workers have is answered.
func TestZygoteObeysNoMore(t *testing.T) {
	t.Parallel()
	const hangs = paths + `
def before():
    while os.path.exists(os.environ["TEST_HANG"]):
        time.sleep(600)
os.register_at_fork(before=before)
`
	for _, c := range []struct {
		name, source string
		sig          syscall.Signal
		lazy         bool
		log          string
	}{
		{name: "stopped", source: paths, sig: syscall.SIGSTOP, log: "is stopped (SIGSTOP)"},
		{name: "stopped_lazy", source: paths, sig: syscall.SIGSTOP, lazy: true, log: "is stopped (SIGSTOP)"},
		{name: "hangs", source: hangs, log: "has not answered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hang := t.TempDir() + "/hang"
			r := start(t, Config{Apps: []App{app(t, c.source)}, Processes: 2, LazyApps: c.lazy, Env: append(os.Environ(), "TEST_HANG="+hang)}, 1)
			blocked, release := blocker(r)
			blockedBy := blocked.worker(r)
			before := r.pool.Snapshot()
			if c.sig == 0 {
				if err := touch(hang); err != nil {
					t.Fatal(err)
				}
				// The next generation is not to hang.
				time.AfterFunc(time.Second, func() { _ = os.Remove(hang) })
			} else if err := syscall.Kill(before.Zygote, c.sig); err != nil {
				t.Fatal(err)
			}
			_ = syscall.Kill(before.Workers[2-blockedBy].PID, syscall.SIGKILL)
			r.waitLog(c.log)
			r.pid(3-blockedBy, before.Workers[2-blockedBy].PID)
			r.get("/hello").body200("hello")
			if blocked.over() {
				t.Error("the request of the other worker was ended")
			}
			release()
			blocked.wait().body200("waited")
			waitFor(t, "the end of the zygote", func() bool { return gonePid(before.Zygote) })
			r.get("/hello").body200("hello")
		})
	}
}

// worker gives the number of the worker that has a request.
func (c *call) worker(r *rig) (number int) {
	r.t.Helper()
	r.wait("a worker to have the request", func() bool {
		for _, core := range r.pool.plane.cores {
			if id, _ := r.pool.plane.shared.Claim(core.index); id != 0 && id == uint64(c.id) {
				number = core.WorkerID()
			}
		}
		return number != 0
	})
	return number
}

// While the zygote is stopped the pool can stop, and a request that is late is ended.
func TestStoppedZygote(t *testing.T) {
	t.Parallel()
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
		if err := syscall.Kill(r.pool.Snapshot().Zygote, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := r.pool.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("harakiri", func(t *testing.T) {
		t.Parallel()
		r := start(t, Config{Apps: []App{app(t, paths)}, Harakiri: 100 * time.Millisecond}, 1)
		before := r.pool.Snapshot()
		if err := syscall.Kill(before.Zygote, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		blocked, _ := blocker(r)
		if blocked.wait(); !errors.Is(blocked.err, ErrHarakiri) {
			t.Errorf("got %v, want %v", blocked.err, ErrHarakiri)
		}
		waitFor(t, "the end of the worker", func() bool { return gonePid(before.Workers[0].PID) })
		r.get("/hello").body200("hello")
	})
	t.Run("while_it_loads", func(t *testing.T) {
		t.Parallel()
		a := app(t, version(1))
		r := start(t, Config{Apps: []App{a}}, 1)
		rewrite(t, a, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n")
		if err := r.pool.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "stopped") {
			t.Errorf("Reload: %v, want to hear that it was stopped", err)
		}
		r.get("/hello").body200("hello 1")
	})
	t.Run("code_is_broken", func(t *testing.T) { // so that it cannot be replaced
		t.Parallel()
		a := app(t, version(1))
		r := start(t, Config{Apps: []App{a}, Processes: 2}, 1)
		before := r.pool.Snapshot()
		rewrite(t, a, "1 / 0")
		if err := syscall.Kill(before.Zygote, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(before.Workers[0].PID, syscall.SIGKILL)
		r.waitLog("responds again")
		r.pid(1, before.Workers[0].PID)
		r.get("/hello").body200("hello 1")
	})
}

// A worker that is stopped with a request is killed by harakiri, whatever its other
// threads would do.
func TestStoppedWorkerIsLate(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2, Harakiri: 200 * time.Millisecond}, 1)
	blocked, _ := blocker(r)
	pid := r.pid(1, 0)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if blocked.wait(); !errors.Is(blocked.err, ErrHarakiri) {
		t.Errorf("got %v, want %v", blocked.err, ErrHarakiri)
	}
	waitFor(t, "the end of the worker", func() bool { return gonePid(pid) })
	r.get("/hello").body200("hello")
}

// A worker takes requests only when its hooks, and those of the app, are over.
func TestHookHangs(t *testing.T) {
	t.Parallel()
	const hang = "import os, time\ndef hang():\n    time.sleep(600)\nos.register_at_fork(after_in_child=hang)\n"
	for _, c := range []struct {
		name, source, hook, log string
	}{
		{name: "app", source: hang + version(2), log: "has been in the fork for"},
		{name: "hook", source: version(2), hook: "test -e %s || sleep 600", log: "has been running hook-post-fork: test -e"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			gate := t.TempDir()
			a := app(t, version(1))
			config := Config{Apps: []App{a}, Mercy: 12 * time.Second}
			if c.hook != "" {
				config.PostFork = []Step{{Command: fmt.Sprintf(c.hook, gate)}}
			}
			r := start(t, config, 1)
			rewrite(t, a, c.source)
			if err := syscall.Rmdir(gate); err != nil {
				t.Fatal(err)
			}
			err := r.pool.Reload(t.Context())
			if err == nil || !strings.Contains(err.Error(), "worker-reload-mercy") {
				t.Errorf("Reload: %v, want it to be given up", err)
			}
			r.waitLog(c.log)
			r.get("/hello").body200("hello 1")
		})
	}
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		c := Config{Apps: []App{app(t, hang+version(1))}}
		r := newRig(t, &c, 1)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := Start(ctx, c)
			ended <- err
		}()
		r.waitLog("worker 1 (pid: ")
		r.waitLog("has been in the fork for")
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Start: %v, want %v", err, context.Canceled)
		}
	})
}

// That the supervisor waits for something is no pause: requests run meanwhile.
func TestBlockedSupervisorIsNoPause(t *testing.T) {
	t.Parallel()
	long := 3*time.Second + 500*time.Millisecond
	var blocks atomic.Bool
	r := start(t, Config{
		Apps: []App{app(t, paths)}, Harakiri: 500 * time.Millisecond,
		Log: func(line string) {
			if strings.Contains(line, "responds again") || strings.Contains(line, "Respawned") {
				return
			}
			if blocks.CompareAndSwap(true, false) {
				time.Sleep(long)
			}
		},
	}, 1)
	r.get("/hello").body200("hello")
	blocks.Store(true)
	began := time.Now()
	go func() { _ = r.pool.ChainReload(t.Context()) }() // which logs, on the supervisor
	blocked, _ := blocker(r)
	if blocked.wait(); !errors.Is(blocked.err, ErrHarakiri) {
		t.Errorf("got %v, want %v", blocked.err, ErrHarakiri)
	}
	if took := time.Since(began); took < long {
		t.Errorf("the supervisor did not wait: harakiri came after %v", took)
	}
}

// A worker that cannot be spoken with is killed, although its id is not known yet.
func TestFaultBeforeTheFork(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	zygote, pid := r.pool.Snapshot().Zygote, r.pid(1, 0)
	if err := syscall.Kill(zygote, syscall.SIGSTOP); err != nil { // so that its report comes late
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	if err := syscall.Kill(zygote, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var p *shared.Process
	r.wait("the successor's place", func() bool {
		for _, one := range r.pool.sup.Processes {
			if one.Is(shared.Starting) {
				p = one
				return true
			}
		}
		return r.pool.Snapshot().Workers[0].Respawns > 1
	})
	if p == nil {
		t.Skip("SKIP: it was faster")
	}
	r.pool.sup.Fault(p)
	r.wait("its end", func() bool { return strings.Count(strings.Join(r.logged(), "\n"), "DAMN ! worker 1") == 2 })
	r.get("/hello").body200("hello")
}

// Where the system has no room for all workers those serve that there are, and the others
// are tried again.
func TestSomeForksFail(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: only root can become a user who has no process")
	}
	t.Parallel()
	source := paths + fmt.Sprintf("\nimport resource\nos.setgid(54321)\nos.setuid(%d)\nresource.setrlimit(resource.RLIMIT_NPROC, (3, 3))\n", 54321+os.Getpid())
	r := start(t, Config{Apps: []App{app(t, source)}, Processes: 4}, 1)
	serving := func() (n int) {
		for _, w := range r.pool.Snapshot().Workers {
			if w.PID != 0 {
				n++
			}
		}
		return n
	}
	if n := serving(); n != 2 {
		t.Errorf("%d workers serve, want 2 beside the zygote", n)
	}
	r.get("/hello").body200("hello")
	r.waitLog("i have to sleep a bit")
	_ = syscall.Kill(r.pool.Snapshot().Workers[0].PID, syscall.SIGKILL)
	r.wait("another in the place of one that died", func() bool { return serving() == 2 })
	r.get("/hello").body200("hello")
}

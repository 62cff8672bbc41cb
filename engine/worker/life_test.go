package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
)

func TestWorkerDies(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		for _, path := range []string{"/die", "/exit", "/head-then-die"} {
			t.Run(strings.TrimPrefix(path, "/"), func(t *testing.T) {
				r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, StreamMode: stream}, 1)
				blocked, release := blocker(r)
				c := r.get(path)
				if !errors.Is(c.err, ErrWorkerDied) {
					t.Errorf("got %v, want %v", c.err, ErrWorkerDied)
				}
				if path == "/head-then-die" && c.got.String() != "first" {
					t.Errorf("got %q of what was sent before, want %q", c.got.String(), "first")
				}
				r.get("/hello").body200("hello")
				release()
				blocked.wait().body200("waited") // everyone else is unaffected
				r.waitLog("died")
				r.waitLog("Respawned uWSGI worker")
			})
		}
	})
}

func TestIdleWorkerIsKilled(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	pid := r.pid(1, 0)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.waitLog(fmt.Sprintf("DAMN ! worker 1 (pid: %d) died, killed by signal 9 :( trying respawn ...", pid))
	r.waitLog(fmt.Sprintf("Respawned uWSGI worker 1 (new pid: %d)", r.pid(1, pid)))
	r.get("/hello").body200("hello")
}

// Until the news of a worker's death has come, requests must not be given to it.
// Another worker, or the successor, gets them. The test holds the news back.
func TestRequestForTheDead(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, StreamMode: stream}, 1)
		s := r.pool.Snapshot()
		if err := syscall.Kill(s.Zygote, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for i, w := range s.Workers {
			if err := syscall.Kill(w.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the worker to be gone", func() bool { return gonePid(w.PID) })
			if i == 0 {
				for range 4 {
					r.get("/hello").body200("hello")
				}
			}
		}
		waiting := r.send(&call{path: "/hello"})
		if err := syscall.Kill(s.Zygote, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		waiting.wait().body200("hello")
	})
}

// A worker that is killed after it took a request and before it said so must not
// leave the client waiting. The test takes the request itself.
func TestRequestIsLost(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2}, 1)
	_, release := blocker(r)
	_, release2 := blocker(r)
	lost := r.send(&call{path: "/hello"})
	kept := r.send(&call{path: "/hello"})
	r.lose()
	for n := 1; n <= 2; n++ {
		_ = syscall.Kill(r.pid(n, 0), syscall.SIGKILL)
	}
	lost.wait().body200("hello")
	kept.wait().body200("hello")
	release()
	release2()
	r.on(0, func(p *Port) {
		if p.inflight != 0 || p.active.Load() != 0 {
			t.Errorf("%d requests in flight, %d active; want none", p.inflight, p.active.Load())
		}
	})
}

// Workers may die one after another, or be reloaded, without a pause in which a lost
// request could be found. The test has the loop hear of a death all the time.
func TestRequestIsLostWhileWorkersDie(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	_, release := blocker(r)
	lost := r.send(&call{path: "/hello"})
	r.lose()
	release()
	r.wait("the lost request to be answered", func() bool {
		r.on(0, (*Port).died)
		select {
		case <-lost.done:
			return true
		default:
			return false
		}
	})
	lost.body200("hello")
	r.get("/hello").body200("hello")
}

// Nor may the requests of other loops, as they never let the queue become empty.
func TestRequestIsLostWhileOthersWait(t *testing.T) {
	source := strings.ReplaceAll(paths, `return [b"hello"]`, "time.sleep(0.01)\n        return [b\"hello\"]")
	r := start(t, Config{Apps: []App{app(t, source)}}, 2)
	_, release := blocker(r)
	lost := r.send(&call{path: "/hello"})
	r.lose()
	var others sync.WaitGroup
	for range 20 {
		others.Go(func() {
			for {
				if c := r.send(&call{loop: 1, path: "/hello"}).wait(); c.err != nil {
					t.Errorf("a request of the other loop: %v", c.err)
					return
				}
				select {
				case <-lost.done:
					return
				case <-t.Context().Done():
					return
				default:
				}
			}
		})
	}
	release()
	r.on(0, (*Port).died)
	lost.wait()
	others.Wait()
	lost.body200("hello")
}

// lose takes a request from the queue, as a worker does that dies at once.
func (r *rig) lose() {
	r.t.Helper()
	buf := make([]byte, MaxRequest)
	if n, _, err := unix.Recvfrom(r.pool.sup.Receiver(), buf, unix.MSG_DONTWAIT); n == 0 || err != nil {
		r.t.Fatalf("nothing to take from the queue: %v", err)
	}
}

func TestZygoteDies(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, StreamMode: stream}, 1)
		blocked, _ := blocker(r)
		before := r.pool.Snapshot()
		if err := syscall.Kill(before.Zygote, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if blocked.wait(); !errors.Is(blocked.err, ErrWorkerDied) {
			t.Errorf("got %v, want %v", blocked.err, ErrWorkerDied)
		}
		// Until they are gone they may take a request with them, which then gets the same.
		for _, w := range before.Workers {
			waitFor(t, "the old worker to be gone", func() bool { return gonePid(w.PID) })
		}
		r.send(&call{path: "/hello"}).wait().body200("hello")
		for i, w := range before.Workers {
			r.pid(i+1, w.PID)
			if n := r.pool.Snapshot().Workers[i].Respawns; n != 2 {
				t.Errorf("worker %d: %d processes so far, want 2", i+1, n)
			}
		}
	})
}

// When a zygote dies the ids of its workers may be those of other processes by the time
// that the supervisor hears of it. The test gives a worker's to one.
func TestZygoteDiesAndPidIsReused(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIP: there is no handle of a process but its id")
	}
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill() })
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	worker, zygote := r.pid(1, 0), r.pool.Snapshot().Zygote
	r.pool.sup.Workers[0].Present.Load().PID.Store(int64(other.Process.Pid))
	if err := syscall.Kill(zygote, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.wait("a successor", func() bool { pid := r.pid(1, worker); return pid != other.Process.Pid })
	waitFor(t, "the old worker to be gone", func() bool { return gonePid(worker) })
	_ = other.Process.Signal(syscall.SIGTERM)
	if err := other.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("the other process: %v, want it to be ended by this test", err)
	}
}

// systemd sends its signal to every process of a service, but only the server
// knows when the last answer has gone out.
func TestSignalsAreForTheServer(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2}, 1)
	blocked, release := blocker(r)
	s := r.pool.Snapshot()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP} {
		for _, pid := range []int{s.Zygote, s.Workers[0].PID, s.Workers[1].PID} {
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.get("/hello").body200("hello")
	release()
	blocked.wait().body200("waited")
	for i, w := range s.Workers {
		if now := r.pool.Snapshot().Workers[i]; now.PID != w.PID || now.Respawns != 1 {
			t.Errorf("worker %d: process %d, number %d; want %d, the first", i+1, now.PID, now.Respawns, w.PID)
		}
	}
}

// A successor of the zygote that cannot load an app that is needed is replaced too.
func TestAppIsGoneFromSuccessor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.py")
	code := "def application(e, sr):\n    sr('200 OK', [])\n    return [b'hello']\n"
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(code)
	r := start(t, Config{Apps: []App{{File: file}}, NeedApp: true}, 1)
	write("import nothing_of_that_name\n")
	if err := syscall.Kill(r.pool.Snapshot().Zygote, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.waitLog("cannot load app")
	write(code)
	r.get("/").body200("hello")
}

// A worker that cannot be forked is tried again after a pause, not at once.
func TestForkFails(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, `
from _uwsgo.own import os # the workers' own, which an app has no business with
fork, tries = os.fork, []
def once_then_twice_not():
    tries.append(None)
    if len(tries) in (2, 3):
        raise OSError(11, "no more processes")
    return fork()
os.fork = once_then_twice_not
def application(e, sr):
    sr("200 OK", [])
    return [b"hello"]
`)}}, 1)
	began := time.Now()
	if err := syscall.Kill(r.pid(1, 0), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.waitLog("Respawned uWSGI worker 1")
	if took := time.Since(began); took < 2*policy.RespawnDelay {
		t.Errorf("a third try came after %v, want a pause of %v before each", took, policy.RespawnDelay)
	}
	r.get("/").body200("hello")
}

func TestRespawnIsThrottled(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	for range 2 {
		r.get("/die")
	}
	r.waitLog("worker respawning too fast !!! i have to sleep a bit (2 seconds)...")
	r.get("/hello").body200("hello")
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	for name, source := range map[string]string{
		"syntax": "def application(:", "imports": "import nosuchmodule", "other": "def shop(environ, start_response): pass",
		"raises": "1 / 0", "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n1 / 0",
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".py"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		app    App
		lazy   bool
		reason string
	}{
		{name: "no_file", app: App{File: "none.py"}, reason: "file not found: none.py"},
		{name: "syntax", app: App{File: "syntax.py"}, reason: "syntax error in syntax.py, line 1"},
		{name: "no_module", app: App{Module: "nosuchmodule"}, reason: "import error: No module named 'nosuchmodule'"},
		{name: "import_inside", app: App{Module: "imports"}, reason: "import error: No module named 'nosuchmodule'"},
		{name: "no_callable", app: App{Module: "other"}, reason: "no callable application in other; did you mean shop?"},
		{name: "raises", app: App{Module: "raises:x"}, reason: "ZeroDivisionError"},
		{name: "lazy", app: App{Module: "raises"}, lazy: true, reason: "ZeroDivisionError"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{Apps: []App{c.app}, Dir: dir, LazyApps: c.lazy, Processes: 2}
			r := newRig(t, &config, 1)
			_, err := Start(t.Context(), config)
			var load *LoadError
			if !errors.As(err, &load) || !strings.Contains(load.Reason, c.reason) || load.App != c.app {
				t.Errorf("got %v, want a LoadError with %q", err, c.reason)
			}
			if traceback := strings.Contains(r.output(), "Error"); traceback != !strings.HasPrefix(c.name, "no_") && c.name != "no_module" {
				t.Errorf("stderr: %q", r.output())
			}
			config.NeedApp = false
			if r.pool, err = Start(t.Context(), config); err != nil {
				t.Fatalf("without need-app: %v", err)
			}
			if got := r.get("/"); got.status != "500 Internal Server Error" || got.got.String() != "Internal Server Error" {
				t.Errorf("an app that failed to load answers %q %q", got.status, got.got.String())
			}
			r.waitLog("*** no app loaded. going in full dynamic mode ***")
		})
	}
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "lib", "helper.py"), []byte("name = 'helper'"), 0o600); err != nil {
		t.Fatal(err)
	}
	source := `
import os, sys, helper
print("on stdout")
def application(environ, start_response):
    start_response("200 OK", [])
    main = [n for n in vars(sys.modules["__main__"]) if not n.startswith("__")]
    return [repr([helper.name, os.environ["TEST_X"], os.getcwd() == os.environ["TEST_DIR"], sys.argv, sys.path[:2], main, __name__,
        environ["wsgi.multithread"], environ["wsgi.multiprocess"], environ["uwsgi.core"], os.read(0, 1)]).encode()]
`
	if err := os.WriteFile(filepath.Join(dir, "my.py"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, Config{
		Apps: []App{{File: "my.py"}}, Dir: dir, Env: append(os.Environ(), "TEST_X=y", "TEST_DIR="+dir), PythonPath: []string{"lib"},
		Argv: []string{"a", "b c"}, Threads: 2,
	}, 1)
	c := r.get("/")
	got := strings.Replace(c.got.String(), "True, False, 1", "True, False, 0", 1)
	if want := `['helper', 'y', True, ['uwsgi', 'a', 'b c'], ['lib', '.'], [], 'uwsgi_file_my', True, False, 0, b'']`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if r.output() != "on stdout\n" {
		t.Errorf("stdout of the app: %q", r.output())
	}
}

// Each worker process runs the commands, and none serves in which one has failed.
func TestPostFork(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "forked")
			r := start(t, Config{
				Apps: []App{app(t, hello)}, Processes: 2, LazyApps: lazy,
				PostFork: []Step{{Command: "echo $PPID >> " + file}, {Command: "echo and >> " + file}},
			}, 1)
			want := map[string]bool{fmt.Sprint(r.pid(1, 0)): true, fmt.Sprint(r.pid(2, 0)): true, "and": true}
			r.wait("what both workers run", func() bool {
				text, err := os.ReadFile(file)
				if err != nil {
					return false
				}
				lines := strings.Fields(string(text))
				for _, line := range lines {
					if !want[line] {
						t.Fatalf("the file has %q, want %v", text, want)
					}
				}
				return len(lines) == 4
			})
			r.get("/").body200("Hello, world\n")
		})
	}
	t.Run("fails", func(t *testing.T) {
		gate := filepath.Join(t.TempDir(), "gate")
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r := start(t, Config{Apps: []App{app(t, hello)}, PostFork: []Step{{Command: "test -e " + gate}}}, 1)
		if err := os.Remove(gate); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(r.pid(1, 0), syscall.SIGKILL)
		r.wait("the reason", func() bool { return strings.Contains(r.output(), "hook-post-fork: test -e "+gate+": it failed (1)") })
		c := r.send(&call{path: "/"})
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c.wait().body200("Hello, world\n")
	})
}

func TestLazyApps(t *testing.T) {
	const source = "import os\nloaded = os.getpid()\ndef application(e, s):\n    s('200 OK', [])\n    return [b'own' if loaded == os.getpid() else b'shared']\n"
	threads := "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n" + source
	for _, c := range []struct {
		name, source, want string
		lazy               bool
	}{
		{name: "shared", source: source, want: "shared"},
		{name: "lazy", source: source, lazy: true, want: "own"},
		{name: "threads_at_import", source: threads, want: "own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, Config{Apps: []App{app(t, c.source)}, Processes: 2, LazyApps: c.lazy}, 1)
			r.get("/").body200(c.want)
			pid := r.pid(1, 0)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			r.pid(1, pid)
			r.get("/").body200(c.want)
			if c.name == "threads_at_import" {
				r.waitLog("the app started threads while it was imported")
			}
		})
	}
}

func TestStopAnswersWhatHasBegun(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		source := paths + "\nimport atexit, sys\natexit.register(lambda: sys.stderr.write('at exit\\n'))\n"
		r := start(t, Config{Apps: []App{app(t, source)}, Processes: 2, Threads: 2, StreamMode: stream}, 1)
		blocked, release := blocker(r)
		var calls []*call
		for range 50 {
			calls = append(calls, r.send(&call{path: "/hello"}))
		}
		stopped := make(chan error)
		go func() { stopped <- r.pool.Stop(context.Background()) }()
		r.wait("new requests to be refused", func() bool { return errors.Is(r.get("/hello").err, ErrStopped) })
		for _, c := range calls {
			c.wait().body200("hello")
		}
		select {
		case err := <-stopped:
			t.Errorf("Stop did not wait for a running request: %v", err)
		default:
		}
		release()
		blocked.wait().body200("waited")
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if got := strings.Count(r.output(), "at exit"); got != 2 {
			t.Errorf("exit handlers ran in %d workers, want 2", got)
		}
	})
}

func TestStopKillsWhatStays(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, StreamMode: stream}, 1)
		blocked, _ := blocker(r)
		waiting := r.send(&call{path: "/hello"})
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := r.pool.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: got %v, want %v", err, context.DeadlineExceeded)
		}
		for _, c := range []*call{blocked, waiting} {
			if c.wait(); !errors.Is(c.err, ErrWorkerDied) {
				t.Errorf("got %v, want %v", c.err, ErrWorkerDied)
			}
		}
	})
}

func TestStopAtAnyMoment(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2}, 1)
	_ = syscall.Kill(r.pool.Snapshot().Zygote, syscall.SIGKILL)
	if err := r.pool.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStartIsCancelled(t *testing.T) {
	began := filepath.Join(t.TempDir(), "began")
	source := fmt.Sprintf("import time\nopen(%q, 'w').close()\ntime.sleep(600)\n", began)
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			_ = os.Remove(began)
			config := Config{Apps: []App{app(t, source)}, LazyApps: lazy}
			newRig(t, &config, 1)
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error)
			go func() {
				_, err := Start(ctx, config)
				failed <- err
			}()
			waitFor(t, "the import", func() bool { _, err := os.Stat(began); return err == nil })
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
		})
	}
}

// A zygote reports so many forks that its socket is full before it has all commands.
func TestManyWorkers(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 400}, 1)
	r.get("/hello").body200("hello")
}

// Whatever stands where a Python should be, the error names it and says what to do.
func TestNoPython(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tt := range []struct{ name, python, want string }{
		{"gone", filepath.Join(dir, "none"), "it is missing"},
		{"ends_at_once", "/bin/false", "exit status 1"},
		{"ends_well", "/bin/true", "exit status 0"},
		{"another_program", "/bin/cat", "not Python 3.9 or later"},
		{"a_shell", "/bin/sh", "not Python 3.9 or later"},
		{"no_program", script("text", "not a program"), "it is not a program"},
		{"interpreter_gone", script("script", "#!/nowhere/python\n"), "it is missing"},
		{"complains", script("shim", "#!/bin/sh\necho version 3.9 is not installed >&2\nexit 127\n"), "exit status 127"},
		{"reads_nothing_and_ends", script("late", "#!/bin/sh\nsleep 0.2\nexit 3\n"), "exit status 3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config := Config{Python: tt.python, PythonFrom: FromEnvironment}
			newRig(t, &config, 1)
			_, err := Start(t.Context(), config)
			if want := (*PythonError)(nil); !errors.As(err, &want) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.python+" (from VIRTUAL_ENV)") {
				t.Errorf("got %v; want a PythonError with %q", err, tt.want)
			}
		})
	}
}

// A Python that is too old is told by its version, before anything else is tried with it.
func TestOldPython(t *testing.T) {
	found := false
	for _, name := range []string{"python2.7", "python2", "python3.6", "python3.7", "python3.8"} {
		path, err := exec.LookPath(name)
		if err != nil || exec.Command(path, "-c", "pass").Run() != nil {
			continue
		}
		found = true
		t.Run(name, func(t *testing.T) {
			config := Config{Python: path, PythonFrom: FromPath, Apps: []App{app(t, "application = 1")}}
			r := newRig(t, &config, 1)
			_, err := Start(t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), path+" (from PATH): it is Python "+strings.TrimPrefix(name, "python")) || !strings.Contains(err.Error(), "3.9 or later") {
				t.Errorf("got %v", err)
			}
			if out := r.output(); out != "" {
				t.Errorf("it wrote %q", out)
			}
		})
	}
	if !found {
		t.Log("there is no old Python here to try")
	}
}

func TestOwnVirtualenv(t *testing.T) {
	root := t.TempDir()
	file := func(name string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(to, name string) string {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, name := range []string{"a/pyvenv.cfg", "b/pyvenv.cfg", "flat/pyvenv.cfg", "conda/conda-meta/history"} {
		file(name)
	}
	global := file("usr/bin/uwsgo")
	inside := file("a/bin/uwsgo")
	link("a", "current")
	for _, tt := range []struct{ name, program, want string }{
		{"in_bin", inside, "a"},
		{"beside", file("flat/uwsgo"), "flat"},
		{"conda", file("conda/bin/uwsgo"), "conda"},
		{"none", global, ""},
		{"deeper", file("a/lib/x/uwsgo"), ""},
		{"link_in_a_virtualenv_to_a_global_one", link(global, "b/bin/uwsgi"), "b"},
		{"link_to_one_in_a_virtualenv", link(inside, "usr/bin/uwsgi"), "a"},
		{"link_to_a_link", link("uwsgi", "usr/bin/again"), "a"},
		{"relative_link", link("../../a/bin/uwsgo", "usr/bin/relative"), "a"},
		{"the_links_own_first", link(inside, "b/bin/other"), "b"},
		{"through_a_linked_directory", filepath.Join(root, "current/bin/uwsgo"), "current"},
		{"linked_bin_directory", filepath.Join(link("a/bin", "linked"), "uwsgo"), "a"},
		{"loop", link("loop", "usr/bin/loop"), ""},
		{"gone", filepath.Join(root, "usr/bin/none"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := tt.want
			if want != "" {
				want = filepath.Join(root, want)
			}
			if got := OwnVirtualenv(tt.program); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestFindPython(t *testing.T) {
	venv := t.TempDir()
	if _, err := FindPython(venv); err == nil || !strings.Contains(err.Error(), "not a virtualenv") || strings.Contains(err.Error(), "--clear") {
		t.Errorf("a folder that is no virtualenv, and must not be emptied: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(venv, "pyvenv.cfg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindPython(venv); err == nil || !strings.Contains(err.Error(), "python3 -m venv --clear "+venv) {
		t.Errorf("a virtualenv without python: got %v", err)
	}
	if _, err := FindPython(filepath.Join(venv, "none")); err == nil || !strings.Contains(err.Error(), "no such virtualenv") {
		t.Errorf("no virtualenv: got %v", err)
	}
	if os.Geteuid() != 0 { // nothing is forbidden to root
		closed := t.TempDir()
		if err := os.Chmod(closed, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := FindPython(filepath.Join(closed, "venv")); err == nil || !strings.Contains(err.Error(), "may not reach it") {
			t.Errorf("a virtualenv that this user may not look at: got %v", err)
		}
	}
	python := filepath.Join(venv, "bin", "python3")
	if err := os.MkdirAll(filepath.Dir(python), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(python, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := FindPython(venv); got != python || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, python)
	}
}

func TestSnapshot(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2}, 1)
	for range 5 {
		r.get("/hello").core.AddTx(100)
	}
	r.get("/raise")
	_, release := blocker(r)
	s := r.pool.Snapshot()
	r.wait("one busy core", func() bool { // the app may still close what it has answered
		s = r.pool.Snapshot()
		return s.Workers[0].Cores[0].InRequest != s.Workers[0].Cores[1].InRequest
	})
	w := s.Workers[0]
	if w.ID != 1 || w.PID == 0 || !w.Busy() || w.Requests != 6 || w.Delta != 6 || w.Exceptions != 1 || w.Respawns != 1 || w.Tx != 500 || w.LastSpawn.IsZero() {
		t.Errorf("worker: %+v", w)
	}
	if proc.HasQueue && (w.RSS < 1<<20 || w.VSZ < w.RSS) {
		t.Errorf("rss %d, vsz %d", w.RSS, w.VSZ)
	}
	if len(w.Cores) != 2 || w.Cores[0].Requests+w.Cores[1].Requests != 6 {
		t.Errorf("cores: %+v", w.Cores)
	}
	if s.Python == "" || s.Path == "" || s.Zygote == 0 || len(s.Apps) != 1 || s.Apps[0].Reason != "" {
		t.Errorf("snapshot: %+v", s)
	}
	release()
	r.wait("an idle worker", func() bool { return !r.pool.Snapshot().Workers[0].Busy() })
}

// TestLoad sends from two loops while workers are killed; every request must end,
// and with its own answer.
func TestLoad(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Threads: 2, StreamMode: stream}, 2)
		const clients, requests = 20, 60
		var died atomic.Int64
		ended := make(chan struct{})
		for i := range clients {
			go func() {
				defer func() { ended <- struct{}{} }()
				for n := range requests {
					want := fmt.Sprintf("%d-%d", i, n)
					path := []string{"/echo", "/latin1", "/stream"}[n%3]
					c := r.send(&call{loop: i % 2, path: path, vars: map[string]string{"HTTP_X": want}, body: Body{Bytes: []byte(want)}}).wait()
					switch {
					case errors.Is(c.err, ErrWorkerDied):
						died.Add(1)
					case path == "/stream":
						c.body200(strings.Repeat("x", 10_000))
					default:
						c.body200(want)
					}
				}
			}()
		}
		for kills := range 3 {
			pid := r.pid(kills%2+1, 0)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			r.pid(kills%2+1, pid)
		}
		for range clients {
			<-ended
		}
		if n := died.Load(); n > 3*(2*2+2*2) {
			t.Errorf("%d requests failed by 3 deaths of processes with 2 threads", n)
		}
		for l := range r.loops {
			r.on(l, func(p *Port) {
				if p.inflight != 0 || p.active.Load() != 0 {
					t.Errorf("loop %d: %d requests in flight, %d active; want none", l, p.inflight, p.active.Load())
				}
			})
		}
	})
}

// TestServerIsKilled kills a server, a copy of this program, and looks that nothing
// of it stays.
func TestServerIsKilled(t *testing.T) {
	if name := os.Getenv("WORKER_TEST_SERVER"); name != "" {
		serveForever(t, name)
		return
	}
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprintf("busy=%v", busy), func(t *testing.T) {
			a := app(t, paths)
			cmd := exec.Command(os.Args[0], "-test.run=^TestServerIsKilled$", "-test.v")
			cmd.Env = append(os.Environ(), "WORKER_TEST_SERVER="+a.File, "WORKER_TEST_BUSY="+strconv.FormatBool(busy))
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var pids []int
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if words, found := strings.CutPrefix(lines.Text(), "pids"); found {
					for w := range strings.FieldsSeq(words) {
						pid, _ := strconv.Atoi(w)
						pids = append(pids, pid)
					}
					break
				}
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if len(pids) != 3 {
				t.Fatalf("the server did not start: pids %v", pids)
			}
			for _, pid := range pids {
				waitFor(t, "process "+strconv.Itoa(pid)+" to go", func() bool { return gonePid(pid) })
			}
		})
	}
}

// gonePid reports whether a process is gone; a zombie waits for an init that not
// every container has.
func gonePid(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) != nil
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(state, "Z")
}

func serveForever(t *testing.T, file string) {
	l, err := reactor.New(0)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = l.Run() }()
	pool, err := Start(context.Background(), Config{Apps: []App{{File: file}}, Processes: 2, Loops: []*Loop{l.Handle()}})
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("WORKER_TEST_BUSY") == "true" {
		r := &rig{t: t, pool: pool, loops: []*reactor.Loop{l}, out: os.Stderr}
		blocker(r)
	}
	s := pool.Snapshot()
	fmt.Println("pids", s.Zygote, s.Workers[0].PID, s.Workers[1].PID)
	select {}
}

// childrenOf returns the children of a process, with their names.
func childrenOf(parent int) map[int]string {
	found := map[int]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path)
		before, after, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(after); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			id, name, _ := strings.Cut(before, " (")
			pid, _ := strconv.Atoi(id)
			found[pid] = name
		}
	}
	return found
}

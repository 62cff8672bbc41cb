package worker

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What an app has had run in between since its import (handlers, timers, hooks), and raises
// wherever it can, does nothing to the zygote, and holds in the workers.
func TestHooksOfTheImport(t *testing.T) {
	t.Parallel()
	const begin = paths + `
import gc, sys, threading

class Stop(BaseException):
    pass

def ours(frame):
    return frame.f_globals.get("__package__") == "_uwsgo"

def raises(*_):
    raise Stop("now")

def told(environ, start_response, value):
    start_response("200 OK", [])
    return [repr(value).encode()]
`
	for _, c := range []struct {
		name, source string
		sig          syscall.Signal // to the zygote
		old          string         // what Python it needs
		holds        string         // what /holds answers
	}{
		{name: "handler_raises", sig: syscall.SIGUSR1, source: "signal.signal(signal.SIGUSR1, raises)\nholds = lambda: signal.getsignal(signal.SIGUSR1) is raises and not signal.pthread_sigmask(signal.SIG_BLOCK, ())", holds: "True"},
		{name: "handler_exits", sig: syscall.SIGTERM, source: "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nholds = lambda: signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())", holds: "False"},
		{name: "handler_of_interrupt", sig: syscall.SIGINT, source: "signal.signal(signal.SIGINT, signal.default_int_handler)\nholds = lambda: signal.getsignal(signal.SIGINT) is signal.default_int_handler", holds: "True"},
		{name: "no_handler", sig: syscall.SIGALRM, source: "holds = lambda: 1", holds: "1"},
		{name: "realtime", sig: 40, source: "signal.signal(40, raises)\nholds = lambda: signal.getsignal(40) is raises", holds: "True"},
		{name: "mask", sig: syscall.SIGUSR2, source: "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGCHLD])\nholds = lambda: sorted(int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, ()))", holds: "[12, 17]"},
		{name: "alarm", source: "signal.signal(signal.SIGALRM, raises)\nsignal.alarm(1)\nholds = lambda: signal.getitimer(signal.ITIMER_REAL)", holds: "(0.0, 0.0)"},
		{name: "alarm_without_handler", source: "signal.alarm(1)\nholds = lambda: 1", holds: "1"},
		{name: "timer", source: "signal.signal(signal.SIGALRM, raises)\nsignal.setitimer(signal.ITIMER_REAL, 0.3, 0.001)\nholds = lambda: 1", holds: "1"},
		{name: "timer_of_the_processor", source: "signal.signal(signal.SIGPROF, raises)\nsignal.setitimer(signal.ITIMER_PROF, 0.3, 0.001)\nholds = lambda: 1", holds: "1"},
		{name: "child_handler", source: "signal.signal(signal.SIGCHLD, raises)\nholds = lambda: signal.getsignal(signal.SIGCHLD) is raises", holds: "True"},
		{name: "profile", source: "hook = lambda frame, *_: ours(frame) and frame.f_code.co_name in ('fork', 'send', 'receive', 'reap', 'prepare', 'load_all') and raises()\nsys.setprofile(hook)\nholds = lambda: sys.getprofile() is hook", holds: "True"},
		{name: "trace", source: "def hook(frame, *_):\n    if ours(frame) and frame.f_code.co_name in ('fork', 'send', 'receive', 'reap', 'prepare'):\n        raises()\n    return None\nsys.settrace(hook)\nholds = lambda: sys.gettrace() is hook", holds: "True"},
		{name: "profile_of_threads", source: "threading.setprofile(lambda frame, *_: ours(frame) and raises())\nholds = lambda: 1", holds: "1"},
		{name: "monitoring", old: "monitoring", source: "m = sys.monitoring\nm.use_tool_id(3, 'test')\ndef hook(code, *_):\n    if code.co_filename.startswith('<uwsgo>') and code.co_name in ('fork', 'send', 'receive', 'reap', 'prepare'):\n        raises()\nm.register_callback(3, m.events.PY_START, hook)\nm.set_events(3, m.events.PY_START)\nholds = lambda: m.get_events(3) == m.events.PY_START", holds: "True"},
		{name: "collector", source: "gc.callbacks.append(raises)\nholds = lambda: gc.callbacks == [raises]", holds: "True"},
		{name: "fork_hooks", source: "os.register_at_fork(before=raises, after_in_parent=raises, after_in_child=raises)\nholds = lambda: 1", holds: "1"},
		{name: "gc_functions", source: "gc.collect = gc.freeze = raises\nholds = lambda: 1", holds: "1"},
		{name: "no_stderr", source: "sys.stderr = sys.stdout = None\nholds = lambda: 1", holds: "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			source := begin + c.source + `
serves = application
def application(environ, start_response):
    if environ["PATH_INFO"] == "/holds":
        return told(environ, start_response, holds())
    return serves(environ, start_response)
`
			if c.old != "" && !hasModule(t, "sys."+c.old) {
				t.Skipf("SKIP: this Python has no sys.%s", c.old)
			}
			if c.name == "collector" && pypy(t) {
				t.Skip("SKIP: PyPy has no gc.callbacks")
			}
			r := start(t, Config{Apps: []App{app(t, source)}, Processes: 2, Threads: 2}, 1)
			before := r.pool.Snapshot()
			if c.sig != 0 {
				if err := syscall.Kill(before.Zygote, c.sig); err != nil {
					t.Fatal(err)
				}
			}
			if strings.Contains(c.name, "alarm") || strings.Contains(c.name, "timer") {
				time.Sleep(1200 * time.Millisecond) // that of the app has run out by then
			}
			// The zygote still forks, reaps and answers.
			for i, w := range before.Workers {
				_ = syscall.Kill(w.PID, syscall.SIGKILL)
				r.pid(i+1, w.PID)
			}
			for range 4 {
				r.get("/hello").body200("hello")
			}
			if c.name == "profile" || c.name == "trace" || c.name == "mask" || c.name == "handler_raises" {
				// They are of one thread, the first.
				r.wait("the first thread's answer", func() bool { return r.get("/holds").got.String() == c.holds })
			} else {
				r.get("/holds").body200(c.holds)
			}
			if now := r.pool.Snapshot(); now.Zygote != before.Zygote {
				t.Error("the zygote was replaced")
			}
			if err := r.pool.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			r.get("/hello").body200("hello")
		})
	}
}

// hasModule reports whether the Python of tests knows a name.
func hasModule(t *testing.T, name string) bool {
	t.Helper()
	return runPython(t, "import sys\ntry:\n    "+name+"\n    print('yes')\nexcept AttributeError:\n    pass") == "yes"
}

// What an app has run in between may call write(), or whatever else it has: an answer stays
// whole, or fails for its own client alone, and the worker goes on.
func TestWriteInBetween(t *testing.T) {
	t.Parallel()
	const source = `
import gc, os, signal, sys, threading

begun = {}

def application(environ, start_response):
    path, how = environ["PATH_INFO"], environ.get("HTTP_X", "")
    write = start_response("200 OK", [])
    if path == "/hello":
        return [b"hello"]
    left = [int(environ["HTTP_N"])]
    def again(*args):
        if how in ("profile", "trace") and args[0].f_globals.get("__package__") != "_uwsgo":
            return again
        left[0] -= 1
        if left[0] == 0:
            sys.setprofile(None)
            sys.settrace(None)
            try:
                if "start" in path:
                    start_response("200 OK", [("X-Again", "1")], (ValueError, ValueError("x"), None))
                else:
                    write(b"again")
            except Exception:
                pass
        return again
    body = {"/one": [b"x"], "/list": [b"x", b"y"], "/start": [b"x"], "/large": [b"x" * 200000], "/empty": [], "/blocks": (b"x" for _ in range(3)), "/write": []}[path]
    if how == "profile":
        sys.setprofile(again)
    elif how == "trace":
        sys.settrace(again)
    if path == "/write":
        write(b"x")
    return body
`
	r := start(t, Config{Apps: []App{app(t, source)}}, 1)
	pid := r.pid(1, 0)
	want := map[string]string{
		"/one": "x", "/list": "xy", "/start": "x", "/large": strings.Repeat("x", 200_000), "/empty": "", "/blocks": "xxx", "/write": "x",
	}
	for _, how := range []string{"profile", "trace"} {
		for path, body := range want {
			t.Run(how+path, func(t *testing.T) {
				for n := 1; n <= 40; n++ {
					c := r.send(&call{path: path, vars: map[string]string{"HTTP_X": how, "HTTP_N": fmt.Sprint(n)}}).wait()
					switch {
					case errors.Is(c.err, ErrAppFailed), errors.Is(c.err, ErrAborted):
					case c.err != nil:
						t.Errorf("at %d: %v", n, c.err)
					case strings.ReplaceAll(c.got.String(), "again", "") != body:
						t.Errorf("at %d: got %.80q, want %.80q, with a block more at most", n, c.got.String(), body)
					}
					r.get("/hello").body200("hello")
				}
			})
		}
	}
	if now := r.pid(1, 0); now != pid {
		t.Errorf("the worker was replaced: %d, then %d", pid, now)
	}
}

// A worker is ready when all of its threads are: where one cannot be started, a start and a
// reload fail, and say which limit is in the way.
func TestNoThreads(t *testing.T) {
	t.Parallel()
	const few = `
import _thread
from _uwsgo import own
begin, begun = own.thread.start_new_thread, []
def start(*args):
    begun.append(1)
    if len(begun) > 2:
        raise RuntimeError("can't start new thread")
    return begin(*args)
own.thread.start_new_thread = start
`
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			t.Parallel()
			const want = "starting thread 4 of 5: can't start new thread (RLIMIT_NPROC is "
			config := Config{Apps: []App{app(t, version(1)+few)}, Threads: 5, LazyApps: lazy}
			r := newRig(t, &config, 1)
			pool, err := Start(t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Start: %v, want %q", err, want)
			}
			r.pool = pool
			a := app(t, version(1))
			r = start(t, Config{Apps: []App{a}, Threads: 5, LazyApps: lazy}, 1)
			pid := r.pid(1, 0)
			rewrite(t, a, version(2)+few)
			if err := r.pool.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Reload: %v, want %q", err, want)
			}
			for range 8 {
				r.get("/hello").body200("hello 1")
			}
			if now := r.pid(1, 0); now != pid {
				t.Errorf("the worker was replaced: %d, then %d", pid, now)
			}
		})
	}
	t.Run("limit", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("SKIP: only root can become a user who has no process")
		}
		t.Parallel()
		source := paths + fmt.Sprintf("\nimport resource\nos.setgid(54322)\nos.setuid(%d)\nresource.setrlimit(resource.RLIMIT_NPROC, (4, 4))\n", 1_054_322+os.Getpid())
		config := Config{Apps: []App{app(t, source)}, Threads: 5}
		newRig(t, &config, 1)
		_, err := Start(t.Context(), config)
		if err == nil || !strings.Contains(err.Error(), "starting thread 4 of 5") || !strings.Contains(err.Error(), "RLIMIT_NPROC is 4") {
			t.Errorf("Start: %v", err)
		}
	})
}

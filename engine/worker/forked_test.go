package worker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// forks is an app whose requests fork; the child comes back to the worker's code.
const forks = `
import os, sys

class Closes:
    def __iter__(self):
        return iter([b"0"])
    def close(self):
        child = os.fork()
        if child:
            os.waitpid(child, 0)

def blocks(before):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        yield b"0"
    elif before:
        yield b"child"

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ("/yields", "/ends", "/closes"):
        start_response("200 OK", [])
        return Closes() if path == "/closes" else blocks(path == "/yields")
    if path != "/pid":
        child = os.fork()
        if child == 0:
            if path == "/exits":
                sys.exit(7)
            if path == "/raises":
                raise ValueError("in the child")
        else:
            start_response("200 OK", [])
            status = os.waitpid(child, 0)[1]
            return [b"%d" % os.waitstatus_to_exitcode(status)]
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`

// cforks is an app in which C code forks, of which Python's own hooks do not hear. What
// the child does is noted in a file.
const cforks = `
import ctypes, gc, os, signal, sys, threading, time

libc = ctypes.CDLL(None)
here = getattr(ctypes, "PyDLL", ctypes.CDLL)(None) # PyPy has only the one
NOTES = os.environ["TEST_NOTES"]

def note(what):
    with open(NOTES, "a") as f:
        f.write("%d %s\n" % (os.getpid(), what))

children = []

def fork(how=here):
    child = how.fork()
    if child:
        children.append(child)
    else:
        note("child")
    return child

class Closes:
    def __init__(self, size=1):
        self.size = size
    def __iter__(self):
        return iter([b"x"] * self.size)
    def close(self):
        fork()

class Dies:
    def __del__(self):
        fork()

def blocks(before):
    yield b"x"
    fork()
    if before:
        yield b"x"

def daemon():
    """As a program does that goes into the background, and then forgets to end."""
    if fork() == 0:
        os.setsid()
        if here.fork():
            os._exit(0)
        note("grandchild")

def handler(*_):
    fork()

def application(environ, start_response):
    path = environ["PATH_INFO"]
    write = start_response("200 OK", [])
    if path == "/pid":
        # Those of before have ended by now, or go on and answer.
        return [str(os.getpid()).encode()]
    if path == "/reaped":
        left = []
        for child in children:
            done, status = os.waitpid(child, os.WNOHANG)
            if not done:
                left.append(child)
        children[:] = left
        return [b"%d" % len(left)]
    if path == "/returns":
        fork()
    elif path == "/without-the-lock":
        fork(libc)
    elif path == "/raises":
        if fork() == 0:
            raise ValueError("in the child")
    elif path == "/exits":
        if fork() == 0:
            sys.exit(7)
    elif path == "/daemon":
        daemon()
    elif path == "/yields":
        return blocks(True)
    elif path == "/ends":
        return blocks(False)
    elif path == "/closes":
        return Closes()
    elif path == "/closes-large":
        return Closes(20000)
    elif path == "/writes":
        write(b"x")
        fork()
        write(b"x")
    elif path == "/collected":
        environ["it"] = Dies()
        return [b"x"]
    elif path == "/handler":
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
    elif path == "/lives":
        if fork() == 0:
            time.sleep(1000)
    return [b"x"]
`

// What C code forks is a worker no more than what Python forks: it answers nothing, takes
// nothing, and is ended when it comes back.
func TestAppForksInC(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"returns", "x"},
		{"without-the-lock", "x"},
		{"raises", "x"},
		{"exits", "x"},
		{"daemon", "x"},
		{"yields", "xx"},
		{"ends", "x"},
		{"closes", "x"},
		{"closes-large", strings.Repeat("x", 20000)},
		{"writes", "xxx"},
		{"collected", "x"},
		{"handler", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			modes(t, func(t *testing.T, stream bool) {
				if c.name == "collected" && pypy(t) {
					t.Skip("SKIP: PyPy collects when it likes")
				}
				if stream && c.name == "handler" {
					t.Skip("SKIP: both wait on one stream then, and Python hears of no fork; a queue has datagrams")
				}
				notes := t.TempDir() + "/notes"
				r := start(t, Config{
					Apps: []App{app(t, cforks)}, Processes: 2, StreamMode: stream, Env: append(os.Environ(), "TEST_NOTES="+notes),
				}, 1)
				first, second := r.pid(1, 0), r.pid(2, 0)
				// Each answer is asked for while the child may be there, too.
				for range 3 {
					r.get("/" + c.name).body200(c.want)
					for range 4 {
						if got := r.get("/pid"); got.err != nil || got.got.String() != fmt.Sprint(first) && got.got.String() != fmt.Sprint(second) {
							t.Errorf("process %q answered, error %v; want %d or %d", got.got.String(), got.err, first, second)
						}
					}
				}
				var children []int
				need := 3
				if c.name == "handler" {
					need = 1 // each request sets the same timer anew
				}
				r.wait("all children", func() bool {
					children = nil
					b, _ := os.ReadFile(notes)
					for line := range strings.Lines(string(b)) {
						var pid int
						if _, err := fmt.Sscan(line, &pid); err == nil {
							children = append(children, pid)
						}
					}
					r.get("/pid") // a signal is dealt with, and what is left collected, in the end
					return len(children) >= need
				})
				for _, pid := range children {
					waitFor(t, fmt.Sprintf("the end of child %d", pid), func() bool { r.get("/reaped"); return gonePid(pid) })
				}
				if r.pid(1, 0) != first || r.pid(2, 0) != second {
					t.Errorf("workers were replaced: %d and %d, then %d and %d", first, second, r.pid(1, 0), r.pid(2, 0))
				}
			})
		})
	}
}

// A child that lives on, and has all that its worker had, keeps nothing from going on when
// that dies, nor from ending.
func TestChildOutlivesWorker(t *testing.T) {
	for _, source := range []struct{ name, code string }{
		{"c", cforks},
		{"python", strings.ReplaceAll(cforks, "how.fork()", "os.fork()")},
	} {
		t.Run(source.name, func(t *testing.T) {
			modes(t, func(t *testing.T, stream bool) {
				notes := t.TempDir() + "/notes"
				r := start(t, Config{
					Apps: []App{app(t, source.code)}, StreamMode: stream, Env: append(os.Environ(), "TEST_NOTES="+notes),
				}, 1)
				worker := r.pid(1, 0)
				r.get("/lives").body200("x")
				var child int
				r.wait("the child", func() bool {
					b, _ := os.ReadFile(notes)
					n, _ := fmt.Sscan(string(b), &child)
					return n == 1
				})
				defer func() { _ = syscall.Kill(child, syscall.SIGKILL) }()
				if source.name == "python" {
					files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", child))
					for _, file := range files {
						if to, _ := os.Readlink(file); strings.HasPrefix(to, "socket:") {
							t.Errorf("the child has %s", to)
						}
					}
				}
				_ = syscall.Kill(worker, syscall.SIGKILL)
				r.get("/pid").body200(fmt.Sprint(r.pid(1, worker)))
				if gonePid(child) {
					t.Error("the child has ended, too")
				}
				if err := r.pool.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// What an app forks and does not end must not answer, nor take requests.
func TestAppForks(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, forks)}, StreamMode: stream}, 1)
		for _, c := range []struct{ name, code string }{{"returns", "0"}, {"exits", "7"}, {"raises", "1"}, {"yields", "0"}, {"ends", "0"}, {"closes", "0"}} {
			t.Run(c.name, func(t *testing.T) {
				r.get("/" + c.name).body200(c.code)
				for range 3 {
					r.get("/pid").body200(fmt.Sprint(r.pid(1, 0)))
				}
			})
		}
		if n := strings.Count(r.output(), "forked by the app, came back"); n != 6 {
			t.Errorf("%d children are named in the log, want 6", n)
		}
	})
}

// A child of the import is no second zygote, which would take every other command.
func TestImportForks(t *testing.T) {
	for _, c := range []struct{ name, code string }{
		{"returns", "import os\nos.fork()\n"},
		{"exits", "import os, sys\nif os.fork() == 0:\n    sys.exit(0)\n"},
		{"raises", "import os\nif os.fork() == 0:\n    raise ValueError('in the child')\n"},
	} {
		for _, lazy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/lazy=%v", c.name, lazy), func(t *testing.T) {
				r := start(t, Config{Apps: []App{app(t, c.code+paths)}, Processes: 2, LazyApps: lazy, NeedApp: true}, 1)
				r.get("/hello").body200("hello")
				if err := r.pool.Reload(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.get("/hello").body200("hello")
			})
		}
	}
}

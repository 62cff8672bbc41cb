package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// hostileApp does what a file says, in the process and thread of a request, and answers in
// every way that a worker knows.
const hostileApp = `
import os, sys, threading, time
run, compiled, read = exec, compile, open
here = os.path.abspath(os.path.dirname(__file__))
file = os.path.join(here, "app.py")

def application(environ, start_response):
    path, token = environ["PATH_INFO"], environ["QUERY_STRING"]
    answer = None
    if path == "/act":
        scope = {"environ": environ, "start_response": start_response, "answer": None}
        with read(here + "/act_" + token + ".py") as f:
            source = f.read()
        run(compiled(source, token, "exec"), scope)
        answer = scope["answer"]
    token = token.encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if answer is not None:
        return answer
    if path == "/large":
        return [token * 30000]
    if path == "/blocks":
        return (token * 1000 for _ in (1, 2, 3))
    if path == "/file":
        return environ["wsgi.file_wrapper"](read(file, "rb"))
    if path == "/upload":
        body = environ["wsgi.input"].read()
        return [token, b"%d" % body.count(b"u")]
    return [token]
`

// act is what an app does to its own process.
type act struct {
	name, does string
	want       []int // statuses that its own request may get; 0 for a connection that is cut
	dies       bool  // so its process ends, and what it had gets a 502
	fails      bool  // so the app's own code fails from then on, with 500
	needs      string
}

// hostileActs are each done by a worker that has just been started.
var hostileActs = []act{
	{name: "close_all_but_the_standard", does: "os.closerange(3, 1000)", want: []int{502}, dies: true},
	{name: "close_all", does: "os.closerange(0, 1000)", want: []int{502}, dies: true},
	{name: "close_all_of_proc", does: "for fd in os.listdir('/proc/self/fd'):\n    try: os.close(int(fd))\n    except OSError: pass", want: []int{502}, dies: true},
	{name: "close_the_standard", does: "os.closerange(0, 3)"},
	{name: "close_all_objects", does: "import gc, socket, _socket\nfor o in gc.get_objects():\n    if isinstance(o, _socket.socket): o.close()", want: []int{200, 502}, dies: true},
	{name: "detach_all_objects", does: "import gc, _socket\nfor o in gc.get_objects():\n    if isinstance(o, _socket.socket): o.detach()", want: []int{200, 502}, dies: true},
	{name: "write_everywhere", does: "for fd in range(3, 64):\n    try: os.set_blocking(fd, False); os.write(fd, b'X' * 1000)\n    except OSError: pass", want: []int{502}, dies: true},
	{name: "not_blocking", does: "for fd in range(0, 64):\n    try: os.set_blocking(fd, False)\n    except OSError: pass"},
	{name: "read_everywhere", does: "import select\nfor fd in range(3, 64):\n    try:\n        if select.select([fd], [], [], 0)[0]: os.read(fd, 100000)\n    except (OSError, ValueError): pass"},
	{name: "descriptors_instead", does: "r, w = os.pipe()\nfor fd in range(3, 64):\n    if fd not in (r, w):\n        try: os.fstat(fd); os.dup2(w, fd)\n        except OSError: pass", want: []int{502}, dies: true},
	{name: "default_timeout", does: "import socket; socket.setdefaulttimeout(0.001)"},
	{name: "ignore_all_signals", does: "import signal\nfor s in signal.valid_signals():\n    try: signal.signal(s, signal.SIG_IGN)\n    except OSError: pass", want: []int{200, 500}},
	{name: "block_all_signals", does: "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"},
	{name: "sys_exit", does: "sys.exit(3)", want: []int{500}},
	{name: "sys_exit_in_a_thread", does: "threading.Thread(target=sys.exit).start()"},
	{name: "os_exit", does: "os._exit(3)", want: []int{502}, dies: true},
	{name: "os_exit_in_a_thread", does: "def end():\n    time.sleep(0.01); os._exit(3)\nthreading.Thread(target=end).start()", dies: true},
	{name: "sys_exit_in_close", does: "class A(list):\n    def close(self): sys.exit(3)\nanswer = A([b'x'])"},
	{name: "os_exit_in_close", does: "class A:\n    def __iter__(self): return iter([b'x'])\n    def close(self): os._exit(3)\nanswer = A()", want: []int{200, 0, 502}, dies: true},
	{name: "os_exit_among_blocks", does: "def blocks():\n    yield b'x' * 100\n    os._exit(3)\nanswer = blocks()", want: []int{0}, dies: true},
	{name: "killed", does: "os.kill(os.getpid(), 9); time.sleep(10)", want: []int{502}, dies: true},
	{name: "abort", does: "os.abort()", want: []int{502}, dies: true},
	{name: "no_stdout", does: "sys.stdout = None; print('x')"},
	{name: "no_stderr", does: "sys.stderr = None; 1 / 0", want: []int{500}},
	{name: "closed_stderr", does: "sys.stderr.close(); 1 / 0", want: []int{500}},
	{name: "closed_stdout", does: "sys.stdout.close()"},
	{name: "stderr_of_another_kind", does: "sys.stderr = sys.stdout = 7; 1 / 0", want: []int{500}},
	{name: "stderr_raises", does: "class E:\n    def write(self, s): raise SystemExit\nsys.stderr = E(); 1 / 0", want: []int{500}},
	{name: "open_replaced", does: "import builtins, io\nbuiltins.open = io.open = None"},
	{name: "no_modules", does: "sys.modules.clear()"},
	{name: "no_builtins", does: "import builtins\nd = delattr\nfor n in list(vars(builtins)):\n    if n[0] != '_': d(builtins, n)"},
	{name: "imports_fail", does: "import builtins\nbuiltins.__import__ = None\nsys.path[:] = []; sys.meta_path[:] = []; sys.path_hooks[:] = []"},
	{name: "hooks_raise", does: "def fails(*a): raise SystemExit\nsys.excepthook = sys.unraisablehook = threading.excepthook = fails\ntry: 1 / 0\nexcept ZeroDivisionError as e: raise SystemExit from e", want: []int{500}},
	{name: "warnings_raise", does: "import warnings; warnings.simplefilter('error'); sys.setswitchinterval(100)"},
	{name: "audit_hook_raises", does: "def hook(event, args):\n    if event.split('.')[0] in ('marshal', 'socket', 'os', 'open', 'signal', 'mmap'): raise RuntimeError(event)\nsys.addaudithook(hook)", want: []int{200, 502, 500}, dies: true},
	{name: "trace_raises", does: "def trace(*a): raise RuntimeError('as asked')\nsys.settrace(trace); threading.settrace(trace)", want: []int{200, 500}},
	{name: "trace_goes_on", does: "def trace(frame, event, arg): return trace\nsys.settrace(trace); threading.settrace(trace)"},
	{name: "profile_raises", does: "def p(*a): raise SystemExit\nsys.setprofile(p); threading.setprofile(p)", want: []int{200, 500}},
	{name: "fork_returns", does: "os.fork()"},
	{name: "fork_exits", does: "if os.fork() == 0: sys.exit(0)"},
	{name: "fork_raises", does: "if os.fork() == 0: raise RuntimeError('in the child')"},
	{name: "fork_among_blocks", does: "def blocks():\n    yield b'x'\n    os.fork()\n    yield b'x'\nanswer = blocks()"},
	{name: "fork_in_close", does: "class A:\n    def __iter__(self): return iter([b'x'])\n    def close(self): os.fork()\nanswer = A()"},
	{name: "fork_in_a_thread", does: "t = threading.Thread(target=os.fork); t.start(); t.join()"},
	{name: "fork_execs", does: "if os.fork() == 0: os.execv('/bin/true', ['true'])"},
	{name: "forks_sleep", does: "if os.fork() == 0: time.sleep(0.5); os._exit(0)"},
	{name: "c_fork_returns", does: "import ctypes; ctypes.PyDLL(None).fork()"},
	{name: "vforks", does: "import ctypes; ctypes.PyDLL(None).vfork()", want: []int{200, 502}, dies: true},
	{name: "execs", does: "os.execv('/bin/true', ['true'])", want: []int{502}, dies: true},
	{name: "multiprocessing_fork", does: pools("fork")},
	{name: "multiprocessing_forkserver", does: pools("forkserver")},
	{name: "multiprocessing_spawn", does: pools("spawn")},
	{name: "no_memory", does: "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 28, -1)); b'x' * (1 << 30)", want: []int{500}, fails: true},
	{name: "no_memory_at_all", does: "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1, -1))\nkeep = [b'x' * 1000000 for n in range(1000)]", want: []int{500, 502}, dies: true, fails: true},
	{name: "no_descriptors", does: "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 1000))", dies: true, fails: true},
	{name: "no_file_size", does: "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, -1)); print('x')"},
	{name: "no_processes", does: "import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, resource.getrlimit(resource.RLIMIT_NPROC)[1]))"},
	{name: "no_processor_time", does: "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass", want: []int{502}, dies: true},
	{name: "no_stack", does: "import resource\nresource.setrlimit(resource.RLIMIT_STACK, (1 << 16, -1))"},
	{name: "recursion", does: "def f(): f()\nf()", want: []int{500}},
	{name: "recursion_in_str", does: "class E(Exception):\n    def __str__(self): return str(self)\nraise E", want: []int{500}},
	{name: "recursion_without_limit", does: "sys.setrecursionlimit(10 ** 9)\ndef f(*a): return max([1], key=f)\nf()", want: []int{500, 502}, dies: true},
	{name: "recursion_limit_of_one", does: "import sys\ntry: sys.setrecursionlimit(20)\nexcept RecursionError: pass", want: []int{200, 500}, fails: true},
	{name: "crash", does: "import ctypes; ctypes.string_at(0)", want: []int{502}, dies: true},
	{name: "crash_in_a_thread", does: "import ctypes\nthreading.Thread(target=ctypes.string_at, args=(0,)).start(); time.sleep(5)", want: []int{502}, dies: true},
	{name: "faulthandler_exits", does: "import faulthandler; faulthandler.dump_traceback_later(0.01, exit=True); time.sleep(5)", want: []int{502}, dies: true},
	{name: "no_collector", does: "import gc; gc.disable(); gc.freeze(); gc.set_threshold(0)"},
	{name: "eager_collector", does: "import gc; gc.set_threshold(1, 1, 1); gc.callbacks.append(lambda *a: 1 / 0)"},
	{name: "no_time", does: "for n in ('time', 'monotonic', 'monotonic_ns', 'perf_counter'): setattr(time, n, lambda: 0)"},
	{name: "root_directory", does: "os.chdir('/'); os.mkdir('/tmp/hostile-%d' % os.getpid()); os.chdir('/tmp/hostile-%d' % os.getpid()); os.rmdir(os.getcwd())"},
	{name: "chroot", does: "os.chroot('/tmp')", needs: "root", fails: true},
	{name: "another_user", does: "os.setgroups([]); os.setgid(54321); os.setuid(54321)", needs: "root", fails: true},
	{name: "umask", does: "os.umask(0o777); os.nice(19); os.environ.clear()"},
	{name: "session", does: "os.setpgid(0, 0)"},
	{name: "not_to_be_looked_at", does: "import ctypes; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)"},
	{name: "environ_cleared", does: "environ.clear(); environ = None"},
	{name: "exit_handler_raises", does: "import atexit\ndef f(): raise SystemExit(3)\natexit.register(f)"},
	{name: "exit_handler_exits", does: "import atexit; atexit.register(os._exit, 3)"},
	{name: "exit_handler_forks", does: "import atexit; atexit.register(os.fork)"},
	{name: "pyfakefs", does: "from pyfakefs.fake_filesystem_unittest import Patcher\np = Patcher(); p.setUp()", needs: "pyfakefs", fails: true},
	{name: "freezegun", does: "import freezegun; freezegun.freeze_time('2001-01-01').start()", needs: "freezegun"},
	{name: "gevent", does: "import gevent.monkey; gevent.monkey.patch_all()", needs: "gevent"},
	{name: "eventlet", does: "import eventlet; eventlet.monkey_patch()", needs: "eventlet"},
}

func pools(method string) string {
	return fmt.Sprintf("import multiprocessing\nwith multiprocessing.get_context(%q).Pool(2) as p:\n    assert p.map(abs, [-1, -2]) == [1, 2]", method)
}

// Whatever an app does to its own process: its request gets an answer, no other client
// ever gets a wrong byte, and the server goes on with workers that serve.
func TestHostileApps(t *testing.T) {
	t.Parallel()
	python := filepath.Join(testenv(t), "bin", "python")
	dir := t.TempDir()
	write(t, dir, "app.py", hostileApp)
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	s := start(t, dir, "--http-socket", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--processes", "2", "--threads", "2", "--harakiri", "60", "--worker-reload-mercy", "15", "--log-4xx", "--log-5xx", "--disable-logging")
	s.waitAnswer(t, url+"/?ready", http.StatusOK)
	for i, a := range hostileActs {
		switch a.needs {
		case "":
		case "root":
			if os.Geteuid() != 0 {
				continue
			}
		default:
			if exec.Command(python, "-W", "ignore", "-c", "import "+a.needs).Run() != nil {
				t.Logf("%s: no %s there", a.name, a.needs)
				continue
			}
		}
		write(t, dir, "act_"+a.name+".py", "import os, sys, threading, time\n"+a.does+"\n")
		t.Run(a.name, func(t *testing.T) {
			before := s.processes()
			log := len(s.log.String())
			defer func() {
				if t.Failed() {
					t.Logf("%s", s.log.String()[log:])
				}
			}()
			others := othersAsk(t, url, a)
			got, err := ask(http.MethodGet, url+"/act?"+a.name, nil, nil)
			if err != nil {
				got.status = 0
			}
			want := a.want
			if want == nil {
				want = []int{200}
			}
			if !slices.Contains(want, got.status) {
				t.Errorf("its own request got %d (%v), want %v", got.status, err, want)
			}
			others()
			eventually(t, "right answers", func() error {
				for n := range 3 {
					if err := oneOfEach(url, hostileApp, fmt.Sprintf("%03d%03d%02d", 999, i, n)); err != nil {
						if !a.bears(err) {
							t.Error(err)
							return nil
						}
						if a.dies {
							return err
						}
					}
				}
				return nil
			})
			reloads := strings.Count(s.log.String(), "uwsgo has reloaded")
			if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the reload", func() error {
				if strings.Count(s.log.String(), "uwsgo has reloaded") == reloads {
					return errors.New("it is not over")
				}
				return nil
			})
			eventually(t, "the end of the processes before", func() error {
				for _, pid := range s.processes() {
					if pid != s.pid() && slices.Contains(before, pid) {
						return fmt.Errorf("process %d is there", pid)
					}
				}
				return nil
			})
		})
	}
}

// What an answer may be without being another one's.
var (
	errCut    = errors.New("a cut answer")
	errFailed = errors.New("the app has failed")
)

// bears reports whether what is wrong with another's answer comes from the act.
func (a act) bears(err error) bool {
	return a.dies && errors.Is(err, errCut) || a.fails && errors.Is(err, errFailed)
}

// oneOfEach asks for each kind of answer once, for a token of its own.
func oneOfEach(url, source, token string) error {
	upload := strings.Repeat("u", 200_000)
	for path, want := range map[string]string{
		"/":       token,
		"/large":  strings.Repeat(token, 30_000),
		"/blocks": strings.Repeat(token, 3_000),
		"/file":   source,
		"/upload": token + fmt.Sprint(len(upload)),
	} {
		method, body := http.MethodGet, ""
		if path == "/upload" {
			method, body = http.MethodPost, upload
		}
		switch a, err := ask(method, url+path+"?"+token, strings.NewReader(body), nil); {
		case err == nil && a.status == http.StatusOK && a.body == want:
		case err != nil && strings.HasPrefix(want, a.body), a.status == http.StatusBadGateway:
			return fmt.Errorf("%s %s: %w: %d %w", method, path, errCut, a.status, err)
		case a.status == http.StatusInternalServerError:
			return fmt.Errorf("%s %s: %w", method, path, errFailed)
		default:
			return fmt.Errorf("%s %s: status %d, %d bytes %.40q (%w); want %d bytes %.40q", method, path, a.status, len(a.body), a.body, err, len(want), want)
		}
	}
	return nil
}

// othersAsk has two clients ask until what it returns is called.
func othersAsk(t *testing.T, url string, a act) (stop func()) {
	var over atomic.Bool
	var clients sync.WaitGroup
	for n := range 2 {
		clients.Go(func() {
			for i := 0; !over.Load(); i++ {
				if err := oneOfEach(url, hostileApp, fmt.Sprintf("%03d%05d", n, i)); err != nil && !a.bears(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() { over.Store(true); clients.Wait() }
}

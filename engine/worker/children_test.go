package worker

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children is an app whose requests start processes, each in another way, and end them.
const children = `
import concurrent.futures, importlib, multiprocessing, os, pickle, signal, subprocess, sys, threading, time

PATIENCE = 15
ended = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP

def double(n):
    return 2 * n

class Thing:
    def __init__(self, n):
        self.n = n
    def double(self):
        return 2 * self.n

def sleep():
    time.sleep(PATIENCE)

def dispositions(_=None):
    """What differs from a Python that was started in a shell."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGPIPE: signal.SIG_IGN, signal.SIGXFSZ: signal.SIG_IGN}
    odd = []
    for s in ended + (signal.SIGTSTP, signal.SIGALRM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
        if signal.getsignal(s) != usual.get(s, signal.SIG_DFL):
            odd.append("%s: %r" % (s.name, signal.getsignal(s)))
    return odd + ["blocked: %r" % s for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])]

def fork_once(body):
    """Run body in a child; return what it wrote."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(w, body().encode())
        finally:
            os._exit(0)
    os.close(w)
    got = b""
    while part := os.read(r, 4096):
        got += part
    os.close(r)
    os.waitpid(pid, 0)
    return got.decode()

def terminate(end, method="fork"):
    for _ in range(10):
        p = multiprocessing.get_context(method).Process(target=sleep)
        p.start()
        end(p)
        p.join(PATIENCE / 2)
        if p.exitcode is None:
            p.kill()
            return "a child did not end"

def process_terminate():
    return terminate(lambda p: p.terminate())

def process_terminate_by(number):
    def run():
        return terminate(lambda p: os.kill(p.pid, number))
    return run

def process_from_a_thread():
    out = []
    t = threading.Thread(target=lambda: out.append(process_terminate()))
    t.start()
    t.join()
    return out[0]

def fork_and_kill():
    for number in signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP:
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                time.sleep(PATIENCE)
                os._exit(0)
            os.kill(pid, number)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status != -number:
                return "%s: exit status %d" % (number, status)

def interrupted():
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(w, b"1")  # Python's own hooks, which run before, would swallow it
            time.sleep(PATIENCE)
        except KeyboardInterrupt:
            os._exit(99)
        os._exit(0)
    os.read(r, 1)
    done = 0
    while not done: # Python 3.14 loses some in children of threads, anywhere
        os.kill(pid, signal.SIGINT)
        time.sleep(0.05)
        done, status = os.waitpid(pid, os.WNOHANG)
    status = os.waitstatus_to_exitcode(status)
    os.close(r)
    os.close(w)
    if status != 99:
        return "exit status %d" % status

def forkpty_and_kill():
    pid, fd = os.forkpty()
    if pid == 0:
        time.sleep(PATIENCE)
        os._exit(0)
    os.kill(pid, signal.SIGTERM)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    if status != -signal.SIGTERM:
        return "exit status %d" % status

def subprocess_terminate(**how):
    for _ in range(5):
        p = subprocess.Popen(["sleep", str(PATIENCE)], **how)
        p.terminate()
        if p.wait(PATIENCE / 2) != -signal.SIGTERM:
            return "exit status %d" % p.returncode

def fork_dispositions():
    return fork_once(lambda: "; ".join(dispositions()))

def thread_fork_dispositions():
    out = []
    t = threading.Thread(target=lambda: out.append(fork_dispositions()))
    t.start()
    t.join()
    return out[0]

STATUS = r"import re; s = open('/proc/self/status').read(); print([re.search(n + r':\s*(\w+)', s)[1] for n in ('SigBlk', 'SigIgn')])"

def exec_dispositions(**how):
    """An exec'd program ignores and blocks nothing but what Python itself ignores."""
    if not os.path.exists("/proc/self/status"):
        return None
    out = subprocess.run([sys.executable, "-c", STATUS], stdout=subprocess.PIPE, check=True, **how).stdout.decode()
    here = fork_once(lambda: str([line.split()[1] for line in open("/proc/self/status") if line.startswith(("SigBlk", "SigIgn"))]))
    there, here = ([int(mask, 16) & ~(3 << 31) for mask in eval(text)] for text in (out, here))
    # Signals 32 and 33 are the C library's own, which posix_spawn leaves ignored.
    if there != here or there[0] or there[1] & sum(1 << s - 1 for s in ended):
        return out + str(here)

def system_dispositions():
    if os.system("kill -TERM $$") != signal.SIGTERM:
        return "sh did not die of SIGTERM"

def own_handler():
    """A handler that the app has set holds in its children, too."""
    def child():
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        return fork_once(lambda: str(callable(signal.getsignal(signal.SIGTERM))))
    got = fork_once(child)
    if got != "True":
        return got

def own_mask():
    def child():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        return fork_once(lambda: str(signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
    got = fork_once(child)
    if got != "True":
        return got

def pool(method, function=double):
    context = multiprocessing.get_context(method)
    def run():
        with context.Pool(3):
            pass
        with context.Pool(2) as p:
            if p.map(function, [1, 2, 3]) != [2, 4, 6]:
                return "wrong"
    return run

def child_of_child(n):
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as e:
        return e.submit(double, n).result(PATIENCE)

def executor(method, function=double):
    def run():
        if method != "fork" and not hasattr(concurrent.futures.ProcessPoolExecutor, "_adjust_process_count"):
            return "SKIP: the executor of PyPy 3.9 spawns nothing"
        with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context(method)) as e:
            if list(e.map(function, [1, 2])) != [2, 4]:
                return "wrong"
            if e.submit(Thing(2).double).result(PATIENCE) != 4:
                return "wrong"
    return run

def manager(method):
    def run():
        with multiprocessing.get_context(method).Manager() as m:
            d = m.dict(a=Thing(1))
            if d["a"].n != 1:
                return "wrong"
    return run

def queue(method):
    def run():
        context = multiprocessing.get_context(method)
        q = context.Queue()
        p = context.Process(target=put, args=(q,))
        p.start()
        got = q.get(timeout=PATIENCE)
        p.join()
        if got != ("uwsgi", []):
            return got
    return run

def put(q):
    q.put((sys.argv[0], dispositions()))

def default_method():
    with multiprocessing.Pool(1) as p:
        if p.map(double, [1]) != [2]:
            return "wrong"

def argv():
    import copy, json
    if sys.argv != ["uwsgi"] or json.dumps(sys.argv) != '["uwsgi"]' or copy.deepcopy(sys.argv) != ["uwsgi"]:
        return repr(sys.argv)

def main_is_empty():
    main = sys.modules["__main__"]
    odd = [n for n in vars(main) if not n.startswith("__")]
    if odd or getattr(main, "__file__", None) or main.__name__ != "__main__":
        return repr(vars(main))

def reloaded():
    if importlib.reload(sys.modules[__name__]).double(1) != 2:
        return "wrong"

def third_party(name, run):
    def checked():
        try:
            importlib.import_module(name)
        except ImportError:
            return "SKIP: no " + name
        return run()
    return checked

def with_joblib():
    import joblib
    if joblib.Parallel(n_jobs=2)(joblib.delayed(double)(n) for n in (1, 2)) != [2, 4]:
        return "wrong"

def with_billiard():
    import billiard
    p = billiard.get_context("spawn").Pool(1)
    try:
        if p.map(double, [1, 2]) != [2, 4]:
            return "wrong"
    finally:
        p.terminate()
        p.join()

cases = {
    "process_terminate": process_terminate,
    "process_terminate_spawn": lambda: sys.version_info < (3, 10) and "SKIP: before Python 3.10 a signal between fork and exec is lost" or terminate(lambda p: p.terminate(), "spawn"),
    "process_SIGHUP": process_terminate_by(signal.SIGHUP),
    "process_SIGQUIT": process_terminate_by(signal.SIGQUIT),
    "process_from_a_thread": process_from_a_thread,
    "interrupted": interrupted,
    "fork_and_kill": fork_and_kill,
    "forkpty_and_kill": forkpty_and_kill,
    "subprocess_terminate": subprocess_terminate,
    "subprocess_terminate_preexec": lambda: subprocess_terminate(preexec_fn=lambda: None),
    "subprocess_terminate_session": lambda: subprocess_terminate(start_new_session=True),
    "fork_dispositions": fork_dispositions,
    "thread_fork_dispositions": thread_fork_dispositions,
    "exec_dispositions": lambda: exec_dispositions(restore_signals=False),
    "exec_dispositions_preexec": lambda: exec_dispositions(restore_signals=False, preexec_fn=lambda: None),
    "system_dispositions": system_dispositions,
    "own_handler": own_handler,
    "own_mask": own_mask,
    "default_method": default_method,
    "child_of_child": executor("spawn", child_of_child),
    "argv": argv,
    "main_is_empty": main_is_empty,
    "joblib": third_party("joblib", with_joblib),
    "billiard": third_party("billiard", with_billiard),
}
for method in "fork", "spawn", "forkserver":
    cases["pool_" + method] = pool(method)
    cases["executor_" + method] = executor(method)
    cases["manager_" + method] = manager(method)
    cases["queue_" + method] = queue(method)
cases["reloaded"] = reloaded

def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/":
        return [" ".join(cases).encode()]
    wrong = cases[environ["PATH_INFO"][1:]]()
    return [str(wrong or "ok").encode()]
`

// What an app forks or spawns ends as it would anywhere, and finds the app's code.
func TestChildren(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(sig) { // under nohup, or in the background: it would stay so in all children
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	for name, c := range map[string]Config{
		"main_thread":           {},
		"threads_and_lazy_apps": {Threads: 3, LazyApps: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Apps = []App{app(t, children)}
			if env := os.Getenv("UWSGO_TESTENV"); env != "" { // it has joblib and billiard
				c.Python = filepath.Join(env, "bin", "python")
			}
			r := start(t, c, 1)
			list := r.get("/")
			list.body200(list.got.String())
			for name := range strings.FieldsSeq(list.got.String()) {
				t.Run(name, func(t *testing.T) {
					got := r.send(&call{path: "/" + name})
					select {
					case <-got.done:
					case <-time.After(6 * patience): // some start a dozen Pythons
						t.Fatal("no answer")
					}
					if why := got.got.String(); strings.HasPrefix(why, "SKIP") {
						t.Skip(why)
					}
					if got.err != nil || got.got.String() != "ok" {
						t.Errorf("got %q, error %v; want ok", got.got.String(), got.err)
					}
				})
			}
		})
	}
}

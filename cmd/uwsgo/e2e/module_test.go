package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// moduleApp uses the uwsgi module and uwsgidecorators as apps of uWSGI do.
const moduleApp = `
import atexit, os, sys, threading, time
import uwsgi

if os.environ["DECORATORS"] == "ours":
    sys.path[:] = [p for p in sys.path if "site-packages" not in p]
import uwsgidecorators
from uwsgidecorators import cron, filemon, harakiri, lock, postfork, rbtimer, rpc, signal, thread, timer

NOTES = os.environ["NOTES"]

def note(*words):
    with open(NOTES, "a") as f:
        f.write(" ".join(map(str, words)) + "\n")

main = threading.main_thread()
ran = threading.Event()

@postfork
def every():
    note("forked", uwsgi.worker_id())

@postfork(2)
def second():
    note("forked second", uwsgi.worker_id())

@timer(1)
def tick(signum):
    note("tick", "main" if threading.current_thread() is main else "thread")

@rbtimer(1, target="workers")
def each(signum):
    note("each", uwsgi.worker_id())

@cron(-1, -1, -1, -1, -1)
def minutely(signum):
    note("minute")

@filemon(NOTES + ".watched")
def changed(signum):
    note("changed")

@signal(90, target="worker1")
def to_first(signum):
    note("ninety in", uwsgi.worker_id())

@signal(91)
def fails(signum):
    note("fails")
    raise ValueError("of the handler")

@rpc("upper")
def upper(*args):
    return b",".join(args).upper()

@thread
def beside():
    ran.set()

@lock
def locked():
    return uwsgi.is_locked()

@harakiri(1)
def late():
    time.sleep(60)

@harakiri(1)
def quick():
    return "quick"

def quick_first():
    """Its time is over with the function."""
    return quick(), time.sleep(2)

atexit.register(lambda: note("atexit", uwsgi.worker_id(), os.getpid()))
uwsgi.atexit = lambda: note("uwsgi.atexit", uwsgi.worker_id(), os.getpid())

def hold(environ):
    """Holds lock 1 until it is killed."""
    uwsgi.lock(1)
    note("holds", os.getpid())
    time.sleep(60)

def kills(environ):
    with open(NOTES) as f:
        pid = [line.split()[1] for line in f if line.startswith("holds")][-1]
    was = uwsgi.is_locked(1)
    os.kill(int(pid), 9)
    uwsgi.lock(1)  # waits until the system has ended the owner
    uwsgi.unlock(1)
    return was, uwsgi.is_locked(1)

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/logvar":
        uwsgi.set_logvar("who", "me")
        uwsgi.set_logvar(b"team", "früh")
        uwsgi.set_logvar("who", uwsgi.get_logvar("who") + b" too")
    if path == "/quiet":
        uwsgi.log_this_request()
    if path == "/streamed":
        def blocks():
            yield b"a"
            uwsgi.set_logvar("who", "streamed")
            yield b"b"
        uwsgi.start_response("200 OK", [])
        return blocks()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/eval":
        from urllib.parse import unquote
        return [repr(eval(unquote(environ["QUERY_STRING"]))).encode()]
    return [b"ok"]
`

// module is a server with that app.
type module struct {
	*server
	t    *testing.T
	at   string
	note string
}

func startModule(t *testing.T, decorators string, more ...string) *module {
	t.Helper()
	dir := t.TempDir()
	m := &module{t: t, note: filepath.Join(dir, "notes"), at: "127.0.0.1:" + freePort(t)}
	write(t, dir, "app.py", moduleApp)
	write(t, dir, "notes.watched", "")
	args := append([]string{
		"--http", m.at, "--wsgi-file", "app.py", "--master", "--locks", "2", "--env", "DECORATORS=" + decorators, "--env", "NOTES=" + m.note,
		"--log-format", "%(uri) who=%(who) team=%(team)",
	}, more...)
	m.server = start(t, dir, args...)
	m.waitLog(t, "uwsgo is ready")
	return m
}

// eval has the app evaluate an expression in a request, and returns the repr.
func (m *module) eval(expression string) string {
	m.t.Helper()
	return get(m.t, "http://"+m.at+"/eval?"+url.PathEscape(expression)).body
}

func (m *module) notes() string {
	b, _ := os.ReadFile(m.note)
	return string(b)
}

func (m *module) waitNote(pattern string) {
	m.t.Helper()
	re := regexp.MustCompile("(?m)^" + pattern + "$")
	eventually(m.t, "note "+pattern, func() error {
		if !re.MatchString(m.notes()) {
			return fmt.Errorf("the app has noted:\n%s", m.notes())
		}
		return nil
	})
}

func (m *module) values(cases [][2]string) {
	m.t.Helper()
	for _, c := range cases {
		if got := m.eval(c[0]); !regexp.MustCompile("^(?s:" + c[1] + ")$").MatchString(got) {
			m.t.Errorf("%s = %s, want %s", c[0], got, c[1])
		}
	}
}

func TestModule(t *testing.T) {
	t.Parallel()
	m := startModule(t, "ours", "--processes", "2")
	pid := fmt.Sprint(m.pid())
	m.values([][2]string{
		{"uwsgidecorators.__spec__.origin", "'<uwsgo>/uwsgidecorators.py'"},
		{"uwsgi.version, uwsgi.version_info[:2]", `\(b'2.0.31', \(2, 0\)\)`},
		{"uwsgi.opt['master'], uwsgi.opt['wsgi-file'], uwsgi.opt['env'][:6]", `\(True, b'app.py', b'NOTES='\)`},
		{"uwsgi.numproc, uwsgi.cores, uwsgi.worker_id() in (1, 2), uwsgi.mule_id()", `\(2, 1, True, 0\)`},
		{"uwsgi.masterpid()", pid},
		{"uwsgi.env is environ", "True"},
		{"[w['id'] for w in uwsgi.workers()], uwsgi.workers()[0]['apps'][0]['mountpoint']", `\(\[1, 2\], b''\)`},
		{"{w['status'] for w in uwsgi.workers()} <= {b'idle', b'busy'}, os.getpid() in [w['pid'] for w in uwsgi.workers()]", `\(True, True\)`},
		{"uwsgi.total_requests() > 3, uwsgi.request_id() >= 0, min(uwsgi.mem()) > 1000000", `\(True, True, True\)`},
		{"uwsgi.listen_queue(), uwsgi.cl(), uwsgi.logsize(), uwsgi.ready()", `\(0, 0, 0, True\)`},
		{"[hasattr(uwsgi, n) for n in ('spool', 'queue_get', 'sharedarea_read', 'cache_get', 'websocket_recv')]", `\[False, False, False, True, True\]`},
		{"locked(), uwsgi.is_locked()", `\(True, False\)`},
		{"uwsgi.call(b'upper', b'a', b'b'), uwsgi.rpc_list()", `\(b'A,B', \(b'upper',\)\)`},
		{"uwsgi.signal_registered(90), uwsgi.signal_registered(200)", `\(True, None\)`},
		{"beside() and ran.wait(20)", "True"},
	})
	for _, c := range [][2]string{
		{"uwsgi.lock(3)", "Invalid lock number"},
		{"uwsgi.register_signal(90, 'everybody', print)", "is no target: name worker"},
		{"uwsgi.register_signal('x', '', print)", "TypeError"},
		{"uwsgi.route('a', 'b')", "NotImplementedError: uwsgo has no uwsgi.route"},
		{"uwsgi.spool({})", "it is there with the option spooler"},
		{"uwsgi.mule_msg('x')", "ValueError: no mule configured"},
	} {
		if a := get(t, "http://"+m.at+"/eval?"+url.PathEscape(c[0])); a.status != 500 {
			t.Errorf("%s: %d %s", c[0], a.status, a.body)
		}
		m.waitLog(t, c[1])
	}

	get(t, "http://"+m.at+"/logvar")
	m.waitLog(t, "/logvar who=me too team=früh\n")
	get(t, "http://"+m.at+"/streamed")
	m.waitLog(t, "/streamed who=streamed team=-\n")

	m.waitNote("forked 1")
	m.waitNote("forked 2")
	m.waitNote("forked second 2")
	m.waitNote("tick main")
	m.waitNote("each 1")
	m.waitNote("each 2")
	m.values([][2]string{{"min(w['signals'] for w in uwsgi.workers()) > 0", "True"}})
	m.eval("uwsgi.signal(90)")
	m.waitNote("ninety in 1")
	m.eval("uwsgi.signal(91)")
	m.waitNote("fails")
	m.waitLog(t, "ValueError: of the handler")
	write(t, filepath.Dir(m.note), "notes.watched", "x")
	m.waitNote("changed")

	// A lock ends with its owner.
	go func() { _, _ = ask("GET", "http://"+m.at+"/eval?"+url.PathEscape("hold(environ)"), nil, nil) }()
	m.waitNote(`holds \d+`)
	m.values([][2]string{{"kills(environ)", `\(True, False\)`}})

	// The end of workers: at a reload, and with the server.
	before := strings.Count(m.notes(), "uwsgi.atexit")
	m.eval("uwsgi.reload()")
	m.waitLog(t, "has reloaded")
	eventually(t, "the end of two workers", func() error {
		if n := strings.Count(m.notes(), "\natexit"); n < before+2 {
			return fmt.Errorf("%d ends are noted", n)
		}
		return nil
	})
	if err := m.stop(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	notes := m.notes()
	for _, line := range regexp.MustCompile(`(?m)^atexit .*`).FindAllString(notes, -1) {
		first := strings.Index(notes, "uwsgi."+line)
		if first < 0 || first > strings.Index(notes, "\n"+line) {
			t.Errorf("%s comes without uwsgi.atexit before", line)
		}
	}
	if n := strings.Count(notes, "\natexit"); n != 4 {
		t.Errorf("%d workers have noted their end\n%s", n, notes)
	}
}

// TestModuleThreads has the decorators of uWSGI itself, threads, and workers that import the
// app for themselves.
func TestModuleThreads(t *testing.T) {
	t.Parallel()
	m := startModule(t, "installed", "--processes", "2", "--threads", "2", "--lazy-apps", "--disable-logging", "--max-requests", "60")
	m.values([][2]string{
		{"uwsgidecorators.__file__.endswith('site-packages/uwsgidecorators.py')", "True"},
		{"uwsgi.numproc, uwsgi.cores, uwsgi.ready()", `\(2, 2, True\)`},
		{"uwsgi.env is environ, uwsgi.request_id() >= 0", `\(True, True\)`},
		{"locked(), uwsgi.is_locked()", `\(True, False\)`},
	})
	m.waitNote("forked 1")
	m.waitNote("forked second 2")
	m.waitNote("tick thread")
	m.waitNote("each 1")
	m.waitNote("each 2")
	m.eval("uwsgi.signal(90)")
	m.waitNote("ninety in 1")
	get(t, "http://"+m.at+"/quiet")
	m.waitLog(t, "/quiet who=- team=-\n")
	if log := m.log.String(); strings.Contains(log, "/eval") {
		t.Errorf("requests are logged:\n%s", log)
	}
	m.values([][2]string{{"quick_first()", `\('quick', None\)`}})
	if a := get(t, "http://"+m.at+"/eval?late()"); a.status != 504 {
		t.Errorf("a request that has set a second for itself: %d %s", a.status, a.body)
	}
	m.waitLog(t, "HARAKIRI triggered by worker")
	for range 200 { // a worker is recycled
		get(t, "http://"+m.at+"/")
	}
	m.waitNote(`uwsgi.atexit [12] \d+`)
	m.waitNote(`atexit [12] \d+`)
}

// TestModuleSignalsKilled kills workers while many signals wait: each signal is handled once,
// whichever workers die or are replaced meanwhile.
func TestModuleSignalsKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes")
	write(t, dir, "app.py", `
import os, time
import uwsgi

def handle(signum):
    fd = os.open(`+fmt.Sprintf("%q", notes)+`, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, b"handled\n")
    os.close(fd)
    time.sleep(0.005)

uwsgi.register_signal(7, "", handle)

def application(environ, start_response):
    start_response("200 OK", [])
    for _ in range(100 if environ["PATH_INFO"] == "/send" else 0):
        uwsgi.signal(7)
    return [str(os.getpid()).encode()]
`)
	at := "127.0.0.1:" + freePort(t)
	s := start(t, dir, "--http", at, "--wsgi-file", "app.py", "--processes", "3")
	s.waitAnswer(t, "http://"+at+"/", 200)
	get(t, "http://"+at+"/send")
	for range 3 {
		pid, err := strconv.Atoi(get(t, "http://"+at+"/").body)
		if err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = s.cmd.Process.Signal(syscall.SIGHUP)
	s.waitLog(t, "has reloaded")
	get(t, "http://"+at+"/send")
	handled := func() int {
		b, _ := os.ReadFile(notes)
		return strings.Count(string(b), "\n")
	}
	// One that a worker was given just before it was killed may be lost, as a request is.
	eventually(t, "200 signals", func() error {
		if n := handled(); n < 197 {
			return fmt.Errorf("%d are handled", n)
		}
		return nil
	})
	if err := s.stop(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if n := handled(); n > 200 {
		t.Errorf("200 signals are handled %d times", n)
	}
}

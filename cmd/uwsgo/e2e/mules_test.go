package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mulesApp has mules do what apps have them do.
const mulesApp = `
import atexit, os, time
from urllib.parse import unquote
import uwsgi
from uwsgidecorators import mule, mulefunc, postfork, signal, timer

NOTES = os.environ["NOTES"]

def note(*words):
    with open(NOTES, "a") as f:
        f.write(" ".join(map(str, words)) + "\n")

note("imported in", uwsgi.mule_id(), uwsgi.mule_get_msg is not None)

@mulefunc(1)
def work(*args, **kwargs):
    note("worked", args, kwargs, "in", uwsgi.mule_id())

@mulefunc("crew")
def of_crew(text):
    note("crew", text, uwsgi.in_farm("crew"), uwsgi.in_farm("none"))

@mulefunc(1)
def slow(path):
    note("begins")
    while not os.path.exists(path):
        time.sleep(0.01)
    note("ends")

@mulefunc(1)
def fails():
    raise ValueError("of the mule")

@mulefunc(1)
def late():
    uwsgi.set_user_harakiri(1)
    note("late")
    time.sleep(600)

@postfork
def forked():
    note("forked", uwsgi.worker_id(), uwsgi.mule_id(), os.getpid())
    if uwsgi.mule_id():
        atexit.register(note, "atexit", uwsgi.mule_id())

@timer(1, target="mule1")
def tick(signum):
    note("tick in", uwsgi.worker_id(), uwsgi.mule_id())

@signal(90, target="farm_file")
def of_farm(signum):
    note("farm signal in", uwsgi.mule_id())

@signal(92, target="mule2")
def waited(signum):
    pass

@signal(91, target="mule1")
def lasts(signum):
    note("lasts")
    time.sleep(600)

@mule(4)
def brain():
    note("brain", uwsgi.mule_id())
    while True:
        try:
            time.sleep(0.05)
        except:
            note("caught")

def called():
    note("called in", uwsgi.mule_id())
    while True:
        message = uwsgi.mule_get_msg(timeout=60)
        note("got", message.decode()[:20], len(message))

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        return [repr(eval(unquote(environ["QUERY_STRING"]))).encode()]
    except Exception as e:
        return [f"{type(e).__name__}: {e}".encode()]
`

const mulesFile = `
import os, uwsgi
from app import note
note("file as", __name__, "in", uwsgi.mule_id(), os.path.basename(__file__))
while True:
    message = uwsgi.mule_get_msg(farms=True)
    note("file got", message)
    if message == b"wait":
        uwsgi.signal_wait(92)
        note("waited for", uwsgi.signal_received())
`

// startMules is a server with mule 1 that waits, 2 with a file, 3 with a function, 4 with a
// brain, and 5 that ends at once.
func startMules(t *testing.T, more ...string) *module {
	t.Helper()
	dir := t.TempDir()
	m := &module{t: t, note: filepath.Join(dir, "notes"), at: "127.0.0.1:" + freePort(t)}
	write(t, dir, "app.py", mulesApp)
	write(t, dir, "own.py", mulesFile)
	write(t, dir, "short.py", "from app import note\nnote('short')\n")
	write(t, dir, "touched", "")
	args := append([]string{
		"--http", m.at, "--module", "app", "--env", "NOTES=" + m.note, "--processes", "2", "--touch-mules-reload", "touched",
		"--mule", "--mule=own.py", "--mule=app:called", "--mule", "--mule=short.py", "--farm", "crew:1,4", "--mule-harakiri", "2", "--farm", "file:2",
	}, more...)
	m.server = start(t, dir, args...)
	m.waitLog(t, "uwsgo is ready")
	return m
}

// Code of mules as public projects have it: messages are taken by threads, and signals for the
// end are handled.
func TestMulesOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := "127.0.0.1:" + freePort(t)
	write(t, dir, "app.py", `
import os, threading, uwsgi
from uwsgidecorators import postfork

@postfork
def threads():  # as Galaxy does
    def run():
        while True:
            os.write(1, f"thread of mule {uwsgi.mule_id()} got {uwsgi.mule_get_msg(False, False, 65536, -1)}\n".encode())
    if uwsgi.mule_id() == 1:
        threading.Thread(target=run).start()  # no daemon

def application(environ, start_response):
    start_response("200 OK", [])
    return [repr([uwsgi.mule_msg(f"m{i}", 1 + i % 3) for i in range(30)]).encode()]
`)
	write(t, dir, "threads.py", `
import os, threading, time, uwsgi

class Waits(threading.Thread):
    daemon = True

    def run(self):
        while True:
            try:
                os.write(1, f"thread of mule {uwsgi.mule_id()} got {uwsgi.mule_get_msg()}\n".encode())
            except Exception as e:
                print("raised", e, flush=True)

for _ in range(2):
    Waits().start()
while True:
    time.sleep(60)
`)
	write(t, dir, "handles.py", `
import os, signal, uwsgi
on = True

def leaves(signum, frame):
    global on
    on = False
    os.write(1, f"handles {signal.Signals(signum).name}\n".encode())

for s in signal.SIGHUP, signal.SIGINT, signal.SIGTERM:
    signal.signal(s, leaves)
while on:
    message = uwsgi.mule_get_msg(timeout=1)
    if message:
        os.write(1, f"thread of mule {uwsgi.mule_id()} got {message}\n".encode())
print("leaves by itself", flush=True)
`)
	s := start(t, dir, "--http", at, "--module", "app", "--mule", "--mule=threads.py", "--mule=handles.py")
	s.waitLog(t, "uwsgo is ready")
	get(t, "http://"+at+"/")
	for i := range 30 {
		s.waitLog(t, fmt.Sprintf("thread of mule %d got b'm%d'", 1+i%3, i))
	}
	if err := syscall.Kill(s.pid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "handles SIGHUP")
	s.waitLog(t, "leaves by itself")
	for n := range 3 {
		s.waitLog(t, fmt.Sprintf("Respawned uWSGI mule %d ", n+1))
	}
	get(t, "http://"+at+"/")
	eventually(t, "all messages twice", func() error {
		for i := range 30 {
			if n := strings.Count(s.log.String(), fmt.Sprintf("got b'm%d'", i)); n != 2 {
				return fmt.Errorf("message %d was seen %d times", i, n)
			}
		}
		return nil
	})
	if err := s.stop(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	s.waitLog(t, "handles SIGINT")
}

// Mules need no app, and no address.
func TestMulesAlone(t *testing.T) {
	t.Parallel()
	dir, stats := t.TempDir(), "127.0.0.1:"+freePort(t)
	write(t, dir, "own.py", "import time, uwsgi\nuwsgi.setprocname('alone')\nprint('runs in', uwsgi.mule_id(), flush=True)\ntime.sleep(600)\n")
	s := start(t, dir, "--mule=own.py", "--mule", "--stats", stats, "--stats-http", "--mule-reload-mercy", "20")
	s.waitLog(t, "runs in 1")
	eventually(t, "two mules in the stats", func() error {
		a, err := ask("GET", "http://"+stats, nil, nil)
		if err != nil {
			return err
		}
		var seen struct {
			Mules []struct{ ID, PID, RSS int }
		}
		if err := json.Unmarshal([]byte(a.body), &seen); err != nil {
			return err
		}
		if len(seen.Mules) != 2 || seen.Mules[0].PID == 0 || seen.Mules[1].PID == 0 || seen.Mules[1].ID != 2 {
			return fmt.Errorf("%+v", seen)
		}
		for _, m := range seen.Mules {
			want := map[int]string{1: "alone", 2: "uwsgo mule 2"}[m.ID]
			if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", m.PID)); err == nil && strings.TrimRight(string(line), "\x00") != want {
				return fmt.Errorf("ps shows %q for mule %d", line, m.ID)
			}
		}
		return nil
	})
	if err := s.stop(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

// mulePID returns the id of the process of a mule that the log has last.
func (m *module) mulePID(number int) (pid int) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("mule %d", number), func() error {
		for line := range strings.Lines(m.log.String()) {
			_, _ = fmt.Sscanf(line, fmt.Sprintf("spawned uWSGI mule %d (pid: %%d)", number), &pid)
			_, _ = fmt.Sscanf(line, fmt.Sprintf("Respawned uWSGI mule %d (new pid: %%d)", number), &pid)
		}
		if pid == 0 {
			return fmt.Errorf("none is there")
		}
		return nil
	})
	return pid
}

func TestMules(t *testing.T) {
	t.Parallel()
	m := startMules(t)
	m.waitNote("forked 0 1 \\d+")
	m.waitNote("file as __main__ in 2 own.py")
	m.waitNote("called in 3")
	m.waitNote("brain 4")
	m.waitLog(t, "mule 5 (pid: ")
	m.waitLog(t, "it ends again and again: trying respawn in 1 seconds")
	m.values([][2]string{
		{"work(1, b=2)", "None"},
		{"uwsgi.mule_msg('to two', 2), uwsgi.mule_msg(b'to three', 3)", `\(True, True\)`},
		{"uwsgi.mule_msg('x' * 100000, 3)", "True"},
		{"uwsgi.farm_msg('file', 'for the farm'), uwsgi.farm_msg('none', 'x')", `\(None, None\)`},
		{"of_crew('hello')", "None"},
		{"uwsgi.mule_msg('x', 'none')", "ValueError: unknown farm"},
		{"uwsgi.mule_msg('x', 99)", "ValueError: invalid mule number"},
		{"uwsgi.mule_msg(5)", "TypeError.*"},
		{"uwsgi.mule_get_msg()", "ValueError: you can receive mule messages only in a mule !!!"},
		{"uwsgi.mule_id(), uwsgi.in_farm('crew')", `\(0, None\)`},
		{"fails()", "None"},
		{"uwsgi.mule_msg('x' * (9 << 20), 3)", "False"},
	})
	m.waitNote(`worked \(1,\) {'b': 2} in 1`)
	m.waitNote("file got b'to two'")
	m.waitNote("file got b'for the farm'")
	m.waitNote("got to three 8")
	m.waitNote("got x+ 100000")
	m.waitNote("crew hello True None")
	m.waitLog(t, "ValueError: of the mule")
	m.waitLog(t, "9437184 bytes are more than a message may have")

	// Signals, and how long their functions may take.
	m.waitNote("tick in 0 1")
	m.eval("uwsgi.signal(90)")
	m.waitNote("farm signal in 2")
	m.waitNote("file got None")
	m.eval("uwsgi.mule_msg('wait', 2)")
	m.waitNote("file got b'wait'")
	m.eval("uwsgi.signal(92)")
	m.waitNote("waited for 92")
	m.eval("uwsgi.signal(91)")
	m.waitNote("lasts")
	m.waitLog(t, "*** HARAKIRI ON MULE 1 HANDLING SIGNAL 91 (pid: ")

	// A mule that is killed has a successor, which takes what waits.
	var first int
	eventually(t, "a mule that can be killed", func() error { // that of the one that was killed above may be the last
		first = m.mulePID(1)
		return syscall.Kill(first, syscall.SIGKILL)
	})
	m.eval("work('after')")
	m.waitLog(t, fmt.Sprintf("OOOPS mule 1 (pid: %d) crippled, killed by signal 9", first))
	m.waitNote(`worked \('after',\) {} in 1`)

	// What takes longer than it may is killed.
	m.eval("late()")
	m.waitNote("late")
	m.waitLog(t, "*** HARAKIRI ON MULE 1 (pid: ")

	// A message that has begun ends at a reload, and what waits is for the next mule.
	gate := filepath.Join(filepath.Dir(m.note), "gate")
	m.eval(fmt.Sprintf("slow(%q)", gate))
	m.waitNote("begins")
	m.eval("[uwsgi.mule_msg(f'waits {i}', 3) for i in range(50)]")
	m.eval("uwsgi.reload()")
	m.waitLog(t, "has reloaded")
	write(t, filepath.Dir(gate), "gate", "")
	m.waitNote("ends")
	m.waitNote("caught") // by a mule that does not end for that, and ends all the same
	for i := range 50 {
		m.waitNote(fmt.Sprintf("got waits %d \\d+", i))
	}
	for _, n := range []int{1, 2, 3, 4} {
		m.waitNote(fmt.Sprintf("atexit %d", n))
	}
	eventually(t, "new mules", func() error {
		if n := strings.Count(m.notes(), "file as __main__ in 2"); n < 2 {
			return fmt.Errorf("mule 2 has begun %d times", n)
		}
		return nil
	})
	eventually(t, "mules that follow a touched file", func() error {
		if err := os.WriteFile(filepath.Join(filepath.Dir(gate), "touched"), []byte("x"), 0o600); err != nil {
			return err
		}
		if n := strings.Count(m.notes(), "file as __main__ in 2"); n < 3 {
			return fmt.Errorf("mule 2 has begun %d times", n)
		}
		return nil
	})
	if err := m.stop(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

const alarmApp = `
import os, sys, uwsgi

def application(environ, start_response):
    start_response("200 OK", [])
    path = environ["PATH_INFO"]
    if path == "/raise":
        return [repr(uwsgi.alarm("ops", "a message of the app")).encode()]
    if path == "/none":
        return [repr(uwsgi.alarm("none", "x")).encode()]
    if path == "/metrics":
        uwsgi.metric_set("gauge", 5)
        for _ in range(100):
            uwsgi.metric_inc("orders")
        known = uwsgi.metric_inc("orders", 5), uwsgi.metric_inc("none"), uwsgi.metric_mul("worker.1.requests", 2), uwsgi.metric_div("orders", 0)
        return [repr((known, uwsgi.metric_get("orders"), uwsgi.metric_get("none"), uwsgi.metric_get("worker.1.requests") > 0)).encode()]
    if path == "/segv":
        os.kill(os.getpid(), 11)
    print(environ["QUERY_STRING"], file=sys.stderr, flush=True)
    return [b"ok"]
`

func TestAlarms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := "127.0.0.1:" + freePort(t)
	write(t, dir, "app.py", alarmApp)
	write(t, dir, "mule.py", "import os, uwsgi\nprint('the mule begins with', os.environ.get('OF_MULE'), flush=True)\nwhile True:\n    print('the mule got', uwsgi.mule_get_msg(), flush=True)\n")
	s := start(t, dir, "--http", at, "--wsgi-file", "app.py", "--mule=mule.py",
		"--alarm", "ops cmd:cat >> told; echo >> told; echo disk full again", "--alarm", "page mule:1", "--alarm", "log log:of the log",
		"--log-alarm", "ops,log disk.*full", "--log-alarm", "page out.*memory", "--alarm-segfault", "log",
		"--metric", "orders", "--metric", "name=gauge,type=gauge", "--metrics-dir", "numbers", "--metric-threshold", "key=orders,value=100,alarm=log,msg=many orders,rate=60",
		"--route", "^/rule/(.*) alarm:ops the rule has $1", "--route", "^/rule metricinc:orders,3", "--hook-as-user", "alarm:ops too early",
		"--hook-accepting1-once", "alarm:ops it serves", "--hook-as-user-atexit", "alarm:ops it ends", "--hook-as-mule", "putenv:OF_MULE=yes", "--hook-as-mule", "append:hooked mule",
		"--stats", "stats.sock")
	s.waitLog(t, "uwsgo is ready")
	told := func(want string) {
		t.Helper()
		eventually(t, "what the command was told", func() error {
			if b, _ := os.ReadFile(filepath.Join(dir, "told")); strings.Contains(string(b), want) {
				return nil
			}
			return fmt.Errorf("not %q", want)
		})
	}
	told("it serves\n")
	s.waitLog(t, "--hook-as-user: alarm ops is not raised")
	s.waitLog(t, "the mule begins with yes")
	if b, err := os.ReadFile(filepath.Join(dir, "hooked")); err != nil || string(b) != "mule" {
		t.Errorf("hook-as-mule has written %q: %v", b, err)
	}
	get(t, "http://"+at+"/rule/one")
	told("the rule has one\n")
	if a := get(t, "http://"+at+"/raise"); a.body != "None" {
		t.Errorf("uwsgi.alarm gives %s", a.body)
	}
	told("a message of the app\n")
	get(t, "http://"+at+"/none")
	s.waitLog(t, `there is no alarm named "none"`)
	get(t, "http://"+at+"/say?disk%20full")
	s.waitLog(t, "ALARM: of the log ")
	told("disk%20full")
	get(t, "http://"+at+"/say?out%20of%20memory")
	s.waitLog(t, "the mule got b'")
	if a := get(t, "http://"+at+"/metrics"); a.body != "((True, None, None, None), 108, 0, True)" {
		t.Errorf("metrics give %s", a.body)
	}
	s.waitLog(t, "ALARM: of the log many orders")
	eventually(t, "a file with the metric", func() error {
		if b, err := os.ReadFile(filepath.Join(dir, "numbers", "orders")); err != nil || string(b) != "108\n" {
			return fmt.Errorf("it has %q: %w", b, err)
		}
		return nil
	})
	conn, err := net.Dial("unix", filepath.Join(dir, "stats.sock"))
	if err != nil {
		t.Fatal(err)
	}
	stats, err := io.ReadAll(conn)
	_ = conn.Close()
	if text := strings.Join(strings.Fields(string(stats)), ""); err != nil || !strings.Contains(text, `"gauge":{"type":1,"oid":"","value":5}`) || !strings.Contains(text, `"worker.1.requests":{"type":0,"oid":"3.1.1","value":`) {
		t.Errorf("the stats have %s", stats)
	}
	_, _ = ask("GET", "http://"+at+"/segv", nil, nil)
	s.waitLog(t, "ALARM: of the log DAMN ! worker 1")
	// What the command prints would raise it again and again.
	if n := strings.Count(s.log.String(), "[uwsgi-alarm] disk full again"); n == 0 || n > 10 {
		t.Errorf("the command has run %d times", n)
	}
	if err := s.stop(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "told")); err != nil || !strings.Contains(string(b), "it ends\n") {
		t.Errorf("hook-as-user-atexit raises nothing: %q, %v", b, err)
	}
}

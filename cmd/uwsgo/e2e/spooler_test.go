package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// spoolerApp has tasks of each kind. What they do is noted in a file, a line each.
const spoolerApp = `
import json, os, signal, sys, time
import uwsgi
from uwsgidecorators import spool, spoolforever, spoolraw, timer

HERE = os.path.dirname(os.path.abspath(__file__))

def note(*words):
    with open(os.path.join(HERE, "notes"), "a") as f:
        f.write(" ".join(map(str, words)) + "\n")

def once(name):
    """Return whether this is the first time."""
    try:
        os.close(os.open(os.path.join(HERE, "once " + name), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False

@spool
def plain(args):
    note("plain", args["n"], sorted(k for k in args if not k.startswith("ud_")))

@spool(pass_arguments=True)
def passed(*args, **kwargs):
    note("passed", args, sorted(kwargs.items()))

@spoolraw
def raw(args):
    note("raw", "first" if once("raw") else "again")
    return uwsgi.SPOOL_OK if not once("raw2") else uwsgi.SPOOL_RETRY

@spoolforever
def forever(args):
    note("forever")

@spool
def failing(args):
    if once("failing"):
        raise RuntimeError("as asked")
    note("failing", "again")

@spool
def body(args):
    note("body", len(args["body"]), args["body"][:3])

@spool
def where(args):
    try:
        uwsgi.lock()
        locked = True
    except ValueError:
        locked = False
    note("where", uwsgi.i_am_the_spooler(), uwsgi.worker_id(), uwsgi.spooler_dir().decode() == os.getcwd(), locked,
         os.getpid() in uwsgi.spooler_pids(), os.path.exists(args["spooler_task_name"]))

@spool
def late(args):
    note("late", time.time() >= float(args["at"]) - 1)

@spool
def dies(args):
    if once("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    note("dies", "again")

@spool
def hangs(args):
    if once("hangs"):
        time.sleep(60)
    note("hangs", "again")

@spool
def second(args):
    note("second", os.path.basename(os.getcwd()))

@spool
def reload(args):
    uwsgi.reload()
    note("reload")

@timer(1, target="spooler")
def tick(signum):
    if once("tick"):
        note("tick", uwsgi.i_am_the_spooler())

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    code = environ["QUERY_STRING"]
    if not code:
        return [b"ready"]
    from urllib.parse import unquote
    try:
        return [repr(eval(unquote(code))).encode()]
    except Exception as e:
        return [f"{type(e).__name__}: {e}".encode()]
`

func TestSpooler(t *testing.T) {
	t.Parallel()
	dir := shortTempDir(t)
	write(t, dir, "app.py", spoolerApp)
	stats := "127.0.0.1:" + freePort(t)
	at := "127.0.0.1:" + freePort(t)
	s := start(t, dir, "--http", at, "--wsgi-file", "app.py", "--spooler", "spool", "--spooler", "more", "--spooler-external", "others",
		"--spooler-frequency", "1", "--spooler-harakiri", "5", "--stats", stats, "--stats-http", "--lazy-apps=false")
	s.waitAnswer(t, "http://"+at+"/", 200)
	call := func(code string) string {
		t.Helper()
		return get(t, "http://"+at+"/?"+url.PathEscape(code)).body
	}
	for _, tt := range []struct{ name, code, want string }{
		{"plain", `plain.spool(n=5)`, "plain 5 ['n', 'spooler_task_name']"},
		{"plain_by_call", `plain({"n": "6"})`, "plain 6 ['n', 'spooler_task_name']"},
		{"passed", `passed(1, "two", three=[3])`, "passed (1, 'two') [('three', [3])]"},
		{"raw", `raw()`, "raw again"},
		{"forever", `forever()`, "forever\nforever\n"},
		{"failing", `failing()`, "failing again"},
		{"body", `body(body="x" * 300000)`, "body 300000 xxx"},
		{"where", `where()`, "where True 0 True False True True"},
		{"late", `late(at=time.time() + 2)`, "late True"},
		{"dies", `dies()`, "dies again"},
		{"hangs", `hangs()`, "hangs again"},
		{"second", `second(spooler=uwsgi.spoolers[1])`, "second more"},
		{"tick", `1`, "tick True"},
		{"reload", `reload()`, "reload"},
	} {
		if got := call(tt.code); strings.Contains(got, "Error") {
			t.Errorf("%s: %s", tt.name, got)
			continue
		}
		eventually(t, tt.name, func() error {
			if notes, err := os.ReadFile(filepath.Join(dir, "notes")); err != nil || !strings.Contains(string(notes), tt.want) {
				return fmt.Errorf("%q %w", notes, err)
			}
			return nil
		})
	}
	for _, line := range []string{"managing request uwsgi_spoolfile_on_", "done with task uwsgi_spoolfile_on_", "RuntimeError: as asked", "HARAKIRI ON SPOOLER 1 RUNNING TASK uwsgi_spoolfile_on_", "uwsgo has reloaded"} {
		s.waitLog(t, line)
	}
	for _, tt := range []struct{ code, want string }{
		{`[os.path.basename(d.decode()) for d in uwsgi.spoolers]`, "['spool', 'more', 'others']"},
		{`[p > 0 for p in uwsgi.spooler_pids()]`, "[True, True, False]"},
		{`uwsgi.spooler_pid() == uwsgi.spooler_pids()[0]`, "True"},
		{`uwsgi.set_spooler_frequency(5)`, "True"},
		{`uwsgi.i_am_the_spooler()`, "None"},
		{`uwsgi.spooler_dir()`, "ValueError: This process is not a spooler"},
		{`uwsgi.spool({b"spooler": os.path.join(HERE, "others").encode()}).decode().startswith(os.path.realpath(HERE))`, "True"},
		{`uwsgi.spool(n=None)`, "ValueError: spooler callable dictionary must contains only bytes, text and numbers, not NoneType"},
	} {
		eventually(t, tt.code, func() error {
			if got := call(tt.code); got != tt.want {
				return errors.New(got)
			}
			return nil
		})
	}
	var doc struct {
		Spoolers []struct {
			Dir                  string
			PID, Tasks, Respawns int
			Running              int
		}
	}
	eventually(t, "the spooler's process in the stats", func() error { // it may just be replaced
		err := json.Unmarshal([]byte(get(t, "http://"+stats+"/").body), &doc)
		if err != nil || len(doc.Spoolers) != 3 || doc.Spoolers[0].PID == 0 {
			return fmt.Errorf("%+v %w", doc, err)
		}
		return nil
	})
	if one := doc.Spoolers[0]; filepath.Base(one.Dir) != "spool" || one.Respawns == 0 {
		t.Errorf("%+v", one)
	}
	if one := doc.Spoolers[2]; filepath.Base(one.Dir) != "others" || one.PID != 0 {
		t.Errorf("%+v", one)
	}
	if left := spooled(t, filepath.Join(dir, "others")); len(left) != 1 {
		t.Errorf("%q", left)
	}
}

// spooled returns the files of tasks below a directory.
func spooled(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return nil // a task that is done meanwhile
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

const queueApp = `
import json, os
import uwsgi

HERE = os.path.dirname(os.path.abspath(__file__))

def work(task):
    name = task.pop("spooler_task_name")
    assert name.startswith(b"uwsgi_spoolfile_on_"), name
    line = sorted([repr(k), repr(v)] for k, v in task.items())
    with open(os.path.join(HERE, "notes"), "a") as f:
        f.write(json.dumps(line) + "\n")
    return uwsgi.SPOOL_OK

uwsgi.spooler = work

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/fill":
        for n in range(20):
            task = {b"n": b"%d" % n, b"empty": b"", b"bytes": bytes(range(256)), b"long": b"l" * 30000}
            if n % 3 == 0:
                task[b"priority"] = b"%d" % (n % 2 + 1)
            if n % 4 == 0:
                task[b"body"] = b"b" * (n * 10000)
            if n % 5 == 0:
                task[b"at"] = b"1000000000.5"
            uwsgi.spool(task)
    return [b"ready"]
`

// TestSpoolerBeside has a queue of uWSGI worked off by uwsgo, and one of uwsgo by uWSGI.
func TestSpoolerBeside(t *testing.T) {
	t.Parallel()
	reference := filepath.Join(testenv(t), "bin", "uwsgi")
	if _, err := os.Stat(reference); err != nil {
		t.Skip("SKIP: no reference uWSGI: run make testenv")
	}
	programs := map[string]string{"uwsgo": binary, "uWSGI": reference}
	run := func(t *testing.T, name, dir string, args ...string) (*server, string) {
		t.Helper()
		at := "127.0.0.1:" + freePort(t)
		args = append([]string{"--http-socket", at, "--wsgi-file", "app.py", "--master", "--die-on-term", "--need-app", "--spooler-frequency", "1"}, args...)
		s := launch(t, servertest.Command(programs[name], dir, testenv(t), args...))
		s.waitAnswer(t, "http://"+at+"/", 200)
		return s, at
	}
	worked := map[string][]string{}
	for from, to := range map[string]string{"uWSGI": "uwsgo", "uwsgo": "uWSGI"} {
		dir := shortTempDir(t)
		write(t, dir, "app.py", queueApp)
		s, at := run(t, from, dir, "--spooler-external", "spool")
		get(t, "http://"+at+"/fill")
		if err := s.stop(t, stopSignal); err != nil {
			t.Fatal(err)
		}
		if files := spooled(t, filepath.Join(dir, "spool")); len(files) != 20 {
			t.Fatalf("%s has left %d files: %q", from, len(files), files)
		}
		run(t, to, dir, "--spooler", "spool", "--spooler-ordered")
		eventually(t, to+" to work off a queue of "+from, func() error {
			if left := spooled(t, filepath.Join(dir, "spool")); len(left) > 0 {
				return fmt.Errorf("%d are left: %q", len(left), left[0])
			}
			return nil
		})
		notes, err := os.ReadFile(filepath.Join(dir, "notes"))
		if err != nil {
			t.Fatal(err)
		}
		worked[to] = strings.Split(strings.TrimSpace(string(notes)), "\n")
	}
	// Those with a priority come first, those of priority 1 before others; in both alike.
	if ours, theirs := worked["uwsgo"], worked["uWSGI"]; !slices.Equal(ours, theirs) {
		t.Errorf("uwsgo has run\n%s\nuWSGI\n%s", ours, theirs)
	}
}

const killedApp = `
import os, time
import uwsgi

HERE = os.path.dirname(os.path.abspath(__file__))

def note(text):
    fd = os.open(os.path.join(HERE, "notes"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(fd, text)
    os.close(fd)

def work(task):
    note(b"begin " + task[b"n"] + b"\n")
    time.sleep(0.002)
    note(b"end " + task[b"n"] + b"\n")
    return uwsgi.SPOOL_OK

uwsgi.spooler = work

def application(environ, start_response):
    first, last = map(int, (environ["QUERY_STRING"] or "0,0").split(","))
    start_response("200 OK", [("Content-Type", "text/plain")])
    for n in range(first, last):
        uwsgi.spool({b"n": b"%d" % n})
        yield b"%d\n" % n
`

// TestSpoolerKills spools tasks while all processes are killed three times.
func TestSpoolerKills(t *testing.T) {
	t.Parallel()
	dir := shortTempDir(t)
	write(t, dir, "app.py", killedApp)
	const each, kills, processes = 150, 3, 2
	spooledTasks := map[string]bool{}
	for round := range kills + 1 {
		at := "127.0.0.1:" + freePort(t)
		s := start(t, dir, "--http", at, "--wsgi-file", "app.py", "--spooler", "spool", "--spooler-processes", fmt.Sprint(processes), "--spooler-frequency", "1", "--spooler-quiet")
		s.waitAnswer(t, "http://"+at+"/", 200)
		if round < kills {
			first := round * each
			body := get(t, fmt.Sprintf("http://%s/?%d,%d", at, first, first+each)).body
			for n := range strings.Lines(body) {
				spooledTasks[strings.TrimSpace(n)] = true
			}
			for _, pid := range s.processes() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			_ = s.wait(t)
			continue
		}
		eventually(t, "all tasks", func() error {
			if left := spooled(t, filepath.Join(dir, "spool")); len(left) > 0 {
				return fmt.Errorf("%d are left", len(left))
			}
			return nil
		})
	}
	if len(spooledTasks) != each*kills {
		t.Errorf("%d tasks", len(spooledTasks))
	}
	notes, err := os.ReadFile(filepath.Join(dir, "notes"))
	if err != nil {
		t.Fatal(err)
	}
	began, ended := map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(notes)) {
		what, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		if what == "begin" {
			began[n]++
		} else {
			ended[n]++
		}
	}
	again := 0
	for n := range maps.Keys(spooledTasks) {
		if ended[n] == 0 {
			t.Errorf("task %s was lost", n)
		}
		again += began[n] - 1
	}
	if most := kills * processes; again > most {
		t.Errorf("%d tasks were run again; at most %d were being run", again, most)
	}
}

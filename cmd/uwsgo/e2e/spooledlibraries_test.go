package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// spooledApp has libraries that use the spooler and the caches, as their documentation has it.
const spooledApp = `
import os, pickle, sys
import uwsgi

HERE = os.path.dirname(os.path.abspath(__file__))
found = {}

def attempt(function):
    try:
        found[function.__name__] = function()
    except ModuleNotFoundError as e:
        found[function.__name__] = f"missing: {e.name}"
    except BaseException as e:
        found[function.__name__] = f"{type(e).__name__}: {e}"
    return function

@attempt
def django_starts():
    import django
    from django.conf import settings
    settings.configure(
        INSTALLED_APPS=["django_uwsgi"],
        CACHES={"default": {"BACKEND": "django_uwsgi.cache.UwsgiCache", "LOCATION": "django"}}, SECRET_KEY="x",
    )
    django.setup()
    global encode
    from django_uwsgi.decorators import spool
    @spool
    def encode(arguments):
        with open(os.path.join(HERE, "encoded"), "w") as f:
            f.write(arguments["filename"])
    return True

@attempt
def celery_starts():
    global add
    import celery
    for name in ("queue", "processed"):
        os.makedirs(os.path.join(HERE, name), exist_ok=True)
    app = celery.Celery("shop", broker="filesystem://")
    folder = os.path.join(HERE, "queue")
    app.conf.broker_transport_options = {"data_folder_in": folder, "data_folder_out": folder}
    @app.task(name="shop.add")
    def add(a, b):
        return a + b
    return True

from uwsgidecorators import spool
import uwsgidecorators

@spool(pass_arguments=True)
def order(a, b):
    """Sends a Celery task, which a broker may be too slow for in a request."""
    add.delay(a, b)

# django_uwsgi has decorators of its own, and each sets uwsgi.spooler: the functions of both are known to one.
try:
    from django_uwsgi import decorators
    uwsgidecorators.spooler_functions.update(decorators.spooler_functions)
except Exception:
    pass
uwsgi.spooler = uwsgidecorators.manage_spool_request

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    path = environ["PATH_INFO"]

    if path == "/ask":
        @attempt
        def django_spool():
            return encode.spool(filename="a.mpg").startswith(os.fsencode(HERE))

        @attempt
        def django_cache():
            from django.core.cache import cache
            cache.set("a", {"b": 1}, 60)
            cache.set("over", 1, 0)
            cache.set("ever", 1, None)
            return cache.get("a"), cache.get("over"), cache.get("ever"), cache.add("a", 2)

        @attempt
        def celery_order():
            return order.spool(2, b=3).startswith(os.fsencode(HERE))

        @attempt
        def cachelib_cache():
            from cachelib.uwsgi import UWSGICache
            one, first = UWSGICache(cache="named"), UWSGICache()
            one.set("a", 1)
            first.set("a", 2)
            return one.get("a"), first.get("a"), uwsgi.cache_exists("a", "django")
    return ["".join(f"{k}: {v}\n" for k, v in found.items()).encode()]
`

func TestSpooledLibraries(t *testing.T) {
	t.Parallel()
	dir := shortTempDir(t)
	write(t, dir, "app.py", spooledApp)
	at, uwsgi := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	s := start(t, dir, "--http", at, "--socket", uwsgi, "--wsgi-file", "app.py", "--spooler", "spool", "--spooler-frequency", "1",
		"--cache2", "name=django,items=100", "--cache2", "name=named,items=100", "--lazy-apps=false")
	s.waitAnswer(t, "http://"+at+"/", 200)
	body := get(t, "http://"+at+"/ask").body
	missing := func(name string) bool { return strings.Contains(body, name+": missing:") }
	for _, want := range []string{
		"django_starts: True", "django_spool: True", "django_cache: ({'b': 1}, None, 1, False)",
		"celery_starts: True", "celery_order: True", "cachelib_cache: (1, 2, True)",
	} {
		if name, _, _ := strings.Cut(want, ":"); missing(name) {
			t.Logf("not tried, as the virtualenv has it not: %s", name)
		} else if !strings.Contains("\n"+body, "\n"+want+"\n") {
			t.Errorf("want %q in\n%s", want, body)
		}
	}
	for _, tt := range []struct{ name, files, has string }{
		{"django_starts", "encoded", "a.mpg"},
		{"celery_starts", "queue/*.msg", "shop.add"},
	} {
		if missing(tt.name) {
			continue
		}
		eventually(t, tt.name+": what a task does", func() error {
			files, _ := filepath.Glob(filepath.Join(dir, tt.files))
			for _, file := range files {
				if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), tt.has) {
					return nil
				}
			}
			return fmt.Errorf("%q", files)
		})
	}

	curl := filepath.Join(testenv(t), "bin", "uwsgi_curl")
	if _, err := os.Stat(curl); err != nil {
		t.Skip("SKIP: no uwsgi_curl: run make testenv")
	}
	out, err := exec.Command(curl, uwsgi, "shop.example.com/by-curl?a=b").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "HTTP/1.1 200 OK") {
		t.Errorf("uwsgi_curl: %v\n%s", err, out)
	}
}

// isso is the comment server in its uWSGI mode: mails by the spooler, a cache, a timer.
const issoApp = `
import os
from isso import config, make_app
application = make_app(config.load(config.default_file(), os.environ["ISSO_SETTINGS"]), threading=False, uwsgi=True)
`

func TestIsso(t *testing.T) {
	t.Parallel()
	if err := exec.Command(filepath.Join(testenv(t), "bin", "python"), "-c", "import isso").Run(); err != nil {
		t.Skip("SKIP: no isso: run make testenv")
	}
	dir := shortTempDir(t)
	mails := mailServer(t)
	at := "127.0.0.1:" + freePort(t)
	write(t, dir, "app.py", issoApp)
	write(t, dir, "isso.cfg", fmt.Sprintf(`[general]
dbpath = %s/comments.db
host = http://127.0.0.1:1/
notify = smtp
[smtp]
host = 127.0.0.1
port = %s
security = none
to = admin@example.com
from = isso@example.com
[guard]
enabled = false
[moderation]
enabled = true
purge-after = 1d
`, dir, mails.port))
	// As its documentation has it.
	write(t, dir, "isso.ini", "[uwsgi]\nhttp = "+at+"\nmaster = true\nprocesses = 2\ncache2 = name=hash,items=1024,blocksize=32\nspooler = %d/mail\nwsgi-file = app.py\nenv = ISSO_SETTINGS=%d/isso.cfg\n")
	s := start(t, dir, "isso.ini")
	s.waitAnswer(t, "http://"+at+"/js/embed.min.js", 200)
	a, err := ask("POST", "http://"+at+"/new?uri=/post", strings.NewReader(`{"author": "Jo", "text": "a first comment", "title": "Post"}`),
		http.Header{"Content-Type": {"application/json"}, "Origin": {"http://127.0.0.1:1"}})
	if err != nil || a.status != 201 && a.status != 202 {
		t.Fatalf("%+v %v\n%s", a, err, s.log)
	}
	eventually(t, "the mail of a new comment", func() error {
		if text := mails.text(); !strings.Contains(text, "Subject: New comment posted on Post") {
			return errors.New(text)
		}
		return nil
	})
	if log := s.log.String(); strings.Contains(log, "Traceback") {
		t.Error(log)
	}
}

// mailbox takes mails as a mail server does.
type mailbox struct {
	port string
	mu   sync.Mutex
	got  strings.Builder
}

func (m *mailbox) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got.String()
}

func mailServer(t *testing.T) *mailbox {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	m := &mailbox{}
	_, m.port, _ = net.SplitHostPort(ln.Addr().String())
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go m.take(conn)
		}
	}()
	return m
}

func (m *mailbox) take(conn net.Conn) {
	defer conn.Close()
	say := func(line string) { _, _ = fmt.Fprintf(conn, "%s\r\n", line) }
	say("220 ready")
	lines, data := bufio.NewScanner(conn), false
	for lines.Scan() {
		line := lines.Text()
		switch {
		case data && line == ".":
			data = false
			say("250 ok")
		case data:
			m.mu.Lock()
			m.got.WriteString(line + "\n")
			m.mu.Unlock()
		case strings.EqualFold(line, "data"):
			data = true
			say("354 go on")
		case strings.EqualFold(line, "quit"):
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

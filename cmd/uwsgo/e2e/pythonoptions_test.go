package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// factsApp answers with what options have changed in its process.
const factsApp = `
import sys
order = [n for n in ("early", "shared", "first") if n in sys.modules]

def application(environ, start_response):
    start_response("200 OK", [])
    facts = {
        "imports": ",".join(order), "asserts": __debug__, "optimize": sys.flags.optimize,
        "wrapper": "wsgi.file_wrapper" in environ,
    }
    return [" ".join(f"{k}={v}" for k, v in facts.items()).encode()]
`

// TestPythonOptions looks at what options change in the processes of Python.
func TestPythonOptions(t *testing.T) {
	testenv(t)
	dir := shortTempDir(t)
	write(t, dir, "app.py", factsApp)
	for _, name := range []string{"early", "shared", "first"} {
		write(t, dir, name+".py", "")
	}
	write(t, dir, "broken.py", "1 / 0\n")
	port := freePort(t)
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--import", "first", "--shared-import", "shared",
		"--early-pyimport", "early", "--pyimport", "./broken.py", "-O", "2", "--wsgi-disable-file-wrapper")
	wantBody(t, s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200), 200, "imports=early,shared,first asserts=False optimize=2 wrapper=False")
	s.waitLog(t, "WARNING: import = ./broken.py: ZeroDivisionError: division by zero; the start goes on without it")
}

// TestExceptions has an app raise, with the options for that.
func TestExceptions(t *testing.T) {
	testenv(t)
	dir := shortTempDir(t)
	write(t, dir, "app.py", `
import os
def application(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise LookupError("shelf")
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--catch-exceptions", "--reload-on-exception-repr", "LookupError: shelf")
	first := s.waitAnswer(t, base+"/", 200).body
	page := get(t, base+"/raise")
	if page.status != 500 || !strings.HasPrefix(page.body, `uWSGI exceptions catcher for "GET /raise"`) || !strings.HasSuffix(page.body, "LookupError: shelf\n") {
		t.Errorf("status %d, page %q", page.status, page.body)
	}
	s.waitLog(t, "an exception was raised (reload-on-exception)")
	eventually(t, "another worker answers", func() error {
		if body := get(t, base+"/").body; body == first {
			return fmt.Errorf("worker %s answers still", body)
		}
		return nil
	})
}

// TestProcessOptions looks at what options change for the processes.
func TestProcessOptions(t *testing.T) {
	testenv(t)
	dir := shortTempDir(t)
	write(t, dir, "app.py", `
import os, resource, sys
def application(environ, start_response):
    if environ["PATH_INFO"] == "/debug":
        breakpoint()
    start_response("200 OK", [])
    where = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return [f"{resource.getrlimit(resource.RLIMIT_NOFILE)} {where} {os.getcwd()}".encode()]
`)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	cmd := command(dir, "--shared-socket", "127.0.0.1:"+port, "--http", "=0", "--wsgi-file", "app.py", "--touch-exec", "deploy.touch echo $((6*7)) by a touch", "--chdir2", "/", "--max-fd", "700", "--cpu-affinity", "1", "--honour-stdin", "--exit-on-reload")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	s := launch(t, cmd)
	wantBody(t, s.waitAnswer(t, base+"/", 200), 200, "(700, 700) 1 /")
	if _, err := stdin.Write([]byte("p 'it is', 6*7\nc\n")); err != nil {
		t.Fatal(err)
	}
	wantBody(t, get(t, base+"/debug"), 200, "(700, 700) 1 /")
	s.waitLog(t, "('it is', 42)")
	write(t, dir, "deploy.touch", "")
	s.waitLog(t, "42 by a touch")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := s.wait(t); err != nil {
		t.Errorf("it ends with %v", err)
	}
	s.waitLog(t, "exit-on-reload")
}

const pasteIni = `
[app:main]
use = call:shop:make
greeting = main

[app:other]
use = call:shop:make
greeting = other

[uwsgi]
chdir = /
pythonpath = %d
processes = 1

[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ("%(here)s/app.log",)
formatter = plain
[formatter_plain]
format = %(name)s: %(message)s
`

const pasteApp = `
import logging
def make(global_config, greeting):
    def application(environ, start_response):
        logging.getLogger("shop").info("asked for " + environ["SCRIPT_NAME"])
        start_response("200 OK", [])
        return [greeting.encode()]
    return application
`

// TestPaste starts apps of a PasteDeploy file as Pyramid's documentation does, by files named
// from where the server is started.
func TestPaste(t *testing.T) {
	if err := exec.Command(python(t), "-c", "import paste.deploy").Run(); err != nil {
		t.Skip("SKIP: the package PasteDeploy is not there: make testenv")
	}
	for _, tt := range []struct {
		name string
		args []string
		path string
		want string
		logs bool
	}{
		{"ini_paste", []string{"--ini-paste", "production.ini"}, "/", "main", false},
		{"ini_paste_logged", []string{"--ini-paste-logged", "production.ini"}, "/", "main", true},
		{"paste", []string{"--ini", "production.ini", "--paste", "config:DIR/production.ini"}, "/", "main", false},
		{"paste_name_and_logger", []string{"--ini", "production.ini", "--paste", "config:DIR/production.ini", "--paste-name", "other", "--paste-logger"}, "/", "other", true},
		{"mount", []string{"--ini", "production.ini", "--mount", "/a=config:DIR/production.ini#other", "--manage-script-name"}, "/a/b", "other", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			write(t, dir, "production.ini", pasteIni)
			write(t, dir, "shop.py", pasteApp)
			port := freePort(t)
			args := []string{"--http", "127.0.0.1:" + port}
			for _, arg := range tt.args {
				args = append(args, strings.ReplaceAll(arg, "DIR", dir))
			}
			s := start(t, dir, args...)
			wantBody(t, s.waitAnswer(t, "http://127.0.0.1:"+port+tt.path, 200), 200, tt.want)
			log, err := os.ReadFile(dir + "/app.log")
			if tt.logs != strings.Contains(string(log), "shop: asked for") {
				t.Errorf("the app's log has %q (%v)", log, err)
			}
		})
	}
}

// TestIdle leaves a server alone: workers end and start again, or the server ends.
func TestIdle(t *testing.T) {
	testenv(t)
	t.Run("workers", func(t *testing.T) {
		t.Parallel()
		dir := shortTempDir(t)
		write(t, dir, "app.py", versioned("v1"))
		port := freePort(t)
		s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "-p", "3", "--idle", "1", "--hook-accepting1-once", "exec:echo $((6*7)) serves")
		s.waitLog(t, "42 serves")
		s.waitLog(t, "workers have been inactive for more than 1 seconds")
		s.waitLog(t, "cheaped.")
		wantBody(t, get(t, "http://127.0.0.1:"+port+"/"), 200, "v1")
		s.waitLog(t, "Respawned uWSGI worker")
	})
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		dir := shortTempDir(t)
		write(t, dir, "app.py", versioned("v1"))
		s := start(t, dir, "--http", "127.0.0.1:"+freePort(t), "--wsgi-file", "app.py", "--idle", "1", "--die-on-idle")
		if err := s.wait(t); err != nil {
			t.Errorf("it ends with %v", err)
		}
	})
}

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// release makes a release of a site: an app that tells its version, by itself, by a module
// that it imports, and by a file that it reads; and a static file.
func release(t *testing.T, dir string, n int) {
	t.Helper()
	version := fmt.Sprintf("v%d", n)
	dir = filepath.Join(dir, "releases", fmt.Sprint(n))
	if err := os.MkdirAll(filepath.Join(dir, "static"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "part.py", fmt.Sprintf("version = %q\n", version))
	write(t, dir, "data", version)
	write(t, dir, "touch", "")
	write(t, filepath.Join(dir, "static"), "file", version)
	write(t, dir, "uwsgi.ini", "[uwsgi]\nchdir = %d\nwsgi-file = %dapp.py\nstatic-map = /static=%d/static\n")
	write(t, dir, "app.py", fmt.Sprintf(`
import os, part
here = os.path.dirname(os.path.abspath(__file__))
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    with open(os.path.join(here, "data")) as f:
        return [" ".join((%q, part.version, f.read())).encode()]
`, version))
}

// point has the link current lead to a release, at once, as ln and mv -T do.
func point(t *testing.T, dir string, n int) {
	t.Helper()
	next := filepath.Join(dir, "next")
	if err := os.Symlink(filepath.Join("releases", fmt.Sprint(n)), next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "current")); err != nil {
		t.Fatal(err)
	}
}

// A deployment switches a link and reloads. The release that it leads to answers then, and
// the one before can go.
func TestDeploymentBySymlink(t *testing.T) {
	testenv(t)
	const all = "DIR/current"
	for _, c := range []struct {
		name   string
		in     string // where the server is started, below the directory
		args   []string
		static string          // a path that a file answers
		ask    func(s *server) // for the reload
	}{
		{name: "chdir", args: []string{"--chdir", all, "--wsgi-file", "app.py", "--static-map", "/static=static"}, static: "/static/file"},
		{name: "chdir_relative", args: []string{"--chdir", "current", "--wsgi-file", "app.py", "--check-static", "static"}, static: "/file"},
		{name: "chdir_lazy", args: []string{"--chdir", all, "--wsgi-file", "app.py", "--lazy-apps"}},
		{name: "chdir_static_absolute", args: []string{"--chdir", all, "--wsgi-file", "app.py", "--static-map", "/static=" + all + "/static"}, static: "/static/file"},
		{name: "wsgi_file", args: []string{"--wsgi-file", all + "/app.py", "--pythonpath", all}},
		{name: "pythonpath", args: []string{"--module", "app", "--pythonpath", all}},
		{name: "mount", args: []string{"--chdir", all, "--mount", "/=app.py", "--manage-script-name"}},
		{name: "started_there", in: "current", args: []string{"--wsgi-file", "app.py", "--static-map", "/static=static"}, static: "/static/file"},
		{name: "ini", args: []string{"--ini", all + "/uwsgi.ini"}, static: "/static/file"},
		{name: "ini_started_there", in: "current", args: []string{"--ini", "uwsgi.ini"}, static: "/static/file"},
		{name: "touch", args: []string{"--chdir", all, "--wsgi-file", "app.py", "--touch-reload", "touch"}, ask: func(*server) {}},
		{name: "touch_absolute", args: []string{"--chdir", all, "--wsgi-file", "app.py", "--touch-reload", all + "/touch"}, ask: func(*server) {}},
		{name: "touch_chain", args: []string{"--chdir", all, "--wsgi-file", "app.py", "--lazy-apps", "--touch-chain-reload", "touch"}, ask: func(*server) {}},
		{name: "binary", args: []string{"--chdir", all, "--wsgi-file", "app.py", "--pidfile", "DIR/pid"}, ask: func(s *server) { _ = s.cmd.Process.Signal(syscall.SIGUSR2) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of it waits
			dir := shortTempDir(t)
			for n := 1; n <= 3; n++ {
				release(t, dir, n)
			}
			// The times of the touched files are told apart whatever the clock of the disk.
			for n := 1; n <= 3; n++ {
				at := time.Now().Add(time.Duration(n-10) * time.Minute)
				if err := os.Chtimes(filepath.Join(dir, "releases", fmt.Sprint(n), "touch"), at, at); err != nil {
					t.Fatal(err)
				}
			}
			point(t, dir, 1)
			port := freePort(t)
			base := "http://127.0.0.1:" + port
			args := []string{"--http", "127.0.0.1:" + port, "--processes", "2", "--disable-logging"}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "DIR", dir))
			}
			in := filepath.Join(dir, c.in)
			cmd := command(in, args...)
			cmd.Env = append(cmd.Env, "PWD="+in) // as a shell has it
			s := launch(t, cmd)
			s.waitBody(t, base, "v1 v1 v1")

			var stop atomic.Bool
			var running sync.WaitGroup
			for range 4 {
				running.Go(func() {
					for !stop.Load() {
						if status, err := fetch(client, base); err != nil || status != 200 {
							t.Errorf("status %d, %v", status, err)
							return
						}
						time.Sleep(5 * time.Millisecond)
					}
				})
			}
			defer running.Wait()
			defer stop.Store(true)
			last := 3
			if c.name == "binary" {
				last = 2 // another process then, which this test does not know
			}
			for n := 2; n <= last; n++ {
				version := fmt.Sprintf("v%d", n)
				point(t, dir, n)
				if c.ask != nil {
					c.ask(s)
				} else if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				if c.name == "binary" {
					s.waitLog(t, "serves in place of this one")
				}
				s.waitBody(t, base, strings.Repeat(version+" ", 2)+version)
				if c.static != "" {
					wantBody(t, get(t, base+c.static), 200, version)
				}
				if c.name != "binary" {
					s.waitLog(t, filepath.Join(dir, "releases", fmt.Sprint(n)))
				}
				old := fmt.Sprintf("v%d", n-1)
				eventually(t, "the end of the old workers", func() error {
					for range 8 {
						if a := get(t, base); strings.Contains(a.body, old) {
							return fmt.Errorf("%s answers", a.body)
						}
					}
					return nil
				})
				if err := os.RemoveAll(filepath.Join(dir, "releases", fmt.Sprint(n-1))); err != nil {
					t.Fatal(err)
				}
			}
			stop.Store(true)
			running.Wait()
			if c.name == "binary" {
				pid, err := os.ReadFile(filepath.Join(dir, "pid"))
				var successor int
				if _, err2 := fmt.Sscan(string(pid), &successor); err != nil || err2 != nil {
					t.Fatal(err, err2)
				}
				_ = syscall.Kill(successor, stopSignal)
				return
			}
			killWorkers(t, s)
			s.waitBody(t, base, fmt.Sprintf("v%d v%d v%d", last, last, last))
		})
	}
}

// The folders of static-safe are found by way of the link as well: each release has its own.
func TestSafeFolderBySymlink(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	for n := 1; n <= 2; n++ {
		release(t, dir, n)
		own := filepath.Join(dir, "releases", fmt.Sprint(n))
		if err := os.Mkdir(filepath.Join(own, "shared"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(own, "shared"), "file", fmt.Sprintf("shared v%d", n))
		if err := os.Symlink("../shared/file", filepath.Join(own, "static", "linked")); err != nil {
			t.Fatal(err)
		}
	}
	point(t, dir, 1)
	port := freePort(t)
	s := start(t, filepath.Join(dir, "current"), "--http-socket", "127.0.0.1:"+port, "--chdir", filepath.Join(dir, "current"),
		"--wsgi-file", "app.py", "--static-map", "/static=static", "--static-safe", "shared")
	url := "http://127.0.0.1:" + port
	s.waitAnswer(t, url+"/", 200)
	if a := get(t, url+"/static/linked"); a.body != "shared v1" {
		t.Errorf("before: %d %q", a.status, a.body)
	}
	point(t, dir, 2)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "uwsgo has reloaded")
	if a := get(t, url+"/static/linked"); a.body != "shared v2" {
		t.Errorf("after the link was switched: %d %q", a.status, a.body)
	}
}

// A link that leads nowhere, or to an app that does not load, changes nothing.
func TestDeploymentFails(t *testing.T) {
	testenv(t)
	dir := shortTempDir(t)
	release(t, dir, 1)
	point(t, dir, 1)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--chdir", filepath.Join(dir, "current"), "--wsgi-file", "app.py")
	s.waitBody(t, base, "v1 v1 v1")
	point(t, dir, 7)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "reload failed")
	if !strings.Contains(s.log.String(), "chdir: ") {
		t.Error("the log does not say that it is the directory")
	}
	s.waitBody(t, base, "v1 v1 v1")
	release(t, dir, 7)
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitBody(t, base, "v7 v7 v7")
}

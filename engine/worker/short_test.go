package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A worker whose app has used up all descriptors says so and is replaced; the request whose
// body it could not take is run by its successor.
func TestNoDescriptorsForABody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("a body"), 0o600); err != nil {
		t.Fatal(err)
	}
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, `
import os, resource
kept = []
def application(environ, start_response):
    if environ["PATH_INFO"] == "/leak":
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
    start_response("200 OK", [])
    return [environ["wsgi.input"].read() or b"hello"]
`)}, StreamMode: stream}, 1)
		pid := r.pid(1, 0)
		r.get("/leak").body200("hello")
		r.get("/").body200("hello")
		for range 3 {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r.send(&call{body: Body{File: f}}).wait().body200("a body")
		}
		r.pid(1, pid)
		r.waitLog("open, RLIMIT_NOFILE 100): it is replaced")
		r.waitLog("no file descriptors left). Seeya!")
		r.idle()
	})
}

// A descriptor that the server has no room for ends its request with 503, and the log says
// which limit that is.
func TestNoDescriptorsForAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	content := strings.Repeat("0123456789", 20_000)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, StreamMode: stream, Env: append(os.Environ(), "TEST_FILE="+file)}, 1)
		pid := r.pid(1, 0)
		r.get("/file").body200(content[10:])
		var before unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
		low := before
		low.Cur = 3 // so that what is open stays, and nothing more can be opened
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		short := r.get("/file")
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(short.err, ErrNoDescriptors) {
			t.Errorf("got %v, want %v", short.err, ErrNoDescriptors)
		}
		r.waitLog("cannot pass on the descriptor of an answer's file: too many open files: this process has all 3 open that RLIMIT_NOFILE allows")
		r.get("/file").body200(content[10:])
		r.get("/hello").body200("hello")
		r.idle()
		if now := r.pid(1, 0); now != pid {
			t.Errorf("the worker was replaced: %d, then %d", pid, now)
		}
	})
}

// A body whose descriptor the system does not pass on costs its request alone: no worker is
// to blame.
func TestBodyIsNotPassedOn(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, StreamMode: stream}, 1)
		pid := r.pid(1, 0)
		name := filepath.Join(t.TempDir(), "body")
		if err := os.WriteFile(name, []byte("a body"), 0o600); err != nil {
			t.Fatal(err)
		}
		closed, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		_ = closed.Close()
		for range 3 {
			if c := r.send(&call{path: "/echo", body: Body{File: closed}}).wait(); !errors.Is(c.err, ErrNoDescriptors) {
				t.Errorf("got %v, %q; want %v", c.err, c.got.String(), ErrNoDescriptors)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r.send(&call{path: "/echo", body: Body{File: f}}).wait().body200("a body")
			r.get("/hello").body200("hello")
		}
		r.waitLog("cannot pass on the descriptor of a request's body: bad file descriptor")
		r.idle()
		if now := r.pid(1, 0); now != pid {
			t.Errorf("the worker was replaced: %d, then %d", pid, now)
		}
	})
}

// limits has the zygote lower its limit on descriptors, so that there is room for %d more.
const limits = `
import resource, os
free = os.dup(0)
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free + %d, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
`

// Where a process that forks workers, or a worker that starts, has no room for what the server
// gives it, the start and a reload fail, and a dead worker is tried again.
func TestNoDescriptorsForAWorker(t *testing.T) {
	const least = "import resource\ndef least():\n    resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
	for _, c := range []struct {
		name, source string
		lazy         bool
		want, stderr string
	}{
		{"zygote_all", fmt.Sprintf(limits, 0), false, "while it was forking its workers", "Too many open files"},
		{"zygote_some", fmt.Sprintf(limits, 3), false, "no worker could be forked", "it needs 5 file descriptors, and there is room for 1: RLIMIT_NOFILE is"},
		{"memory", least + "os.register_at_fork(after_in_child=least)\n", false, "mapping the memory that it shares with the server", "RLIMIT_NOFILE is"},
		{"memory_lazy", least + "least()\n", true, "mapping the memory that it shares with the server", "RLIMIT_NOFILE is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := Config{Apps: []App{app(t, version(1)+c.source)}, Threads: 4, LazyApps: c.lazy}
			r := newRig(t, &config, 1)
			_, err := Start(t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Start: %v, want %q", err, c.want)
			}
			if !strings.Contains(r.output(), c.stderr) {
				t.Errorf("stderr lacks %q", c.stderr)
			}

			a := app(t, version(1))
			r = start(t, Config{Apps: []App{a}, Threads: 4, LazyApps: c.lazy}, 1)
			pid := r.pid(1, 0)
			rewrite(t, a, version(2)+c.source)
			if err := r.pool.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Reload: %v, want %q", err, c.want)
			}
			r.get("/hello").body200("hello 1")
			if now := r.pid(1, 0); now != pid {
				t.Errorf("the worker was replaced: %d, then %d", pid, now)
			}
		})
	}
}

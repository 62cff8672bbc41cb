package worker

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const hello = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, world\n"]
`

// paths answers each path in another way.
const paths = `
import os, sys, threading, time, signal

FILE = os.environ.get("TEST_FILE")

def application(environ, start_response):
    path = environ["PATH_INFO"]
    ok = lambda *more: start_response("200 OK", [("Content-Type", "text/plain"), *more])
    if path == "/hello":
        ok()
        return [b"hello"]
    if path == "/latin1":
        ok(("X-Name", "caf\xe9"))
        return [environ["HTTP_X"].encode("latin-1")]
    if path == "/echo":
        ok()
        return [environ["wsgi.input"].read()]
    if path == "/stream":
        ok()
        return (b"x" * 1000 for _ in range(10))
    if path == "/large":
        ok()
        return [bytes(range(256)) * 40000]
    if path == "/raise":
        raise ValueError("as asked")
    if path == "/abort":
        ok()
        def blocks():
            yield b"first"
            raise ValueError("as asked")
        return blocks()
    if path == "/file":
        ok()
        f = open(FILE, "rb")
        f.seek(10)
        return environ["wsgi.file_wrapper"](f)
    if path == "/thread":
        ok()
        return [threading.current_thread().name.encode()]
    if path == "/pid":
        ok()
        return [str(os.getpid()).encode()]
    if path == "/wait":  # until the file named in X exists
        ok()
        open(environ["HTTP_X"] + ".began", "w").close()
        while not os.path.exists(environ["HTTP_X"]):
            time.sleep(0.005)
        return [b"waited"]
    if path == "/endless":
        ok()
        def blocks():
            while True:
                yield b"x" * 65536
        return blocks()
    if path == "/die":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/exit":
        os._exit(3)
    if path == "/head-then-die":
        ok()
        def blocks():
            yield b"first"
            os.kill(os.getpid(), signal.SIGKILL)
        return blocks()
    start_response("404 Not Found", [])
    return []
`

// modes runs a test with and without the shared queue.
func modes(t *testing.T, test func(t *testing.T, stream bool)) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream_mode=%v", stream), func(t *testing.T) { test(t, stream) })
	}
}

func TestAnswers(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		file := filepath.Join(t.TempDir(), "file")
		content := bytes.Repeat([]byte("0123456789"), 20_000)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r := start(t, Config{
			Apps: []App{app(t, paths)}, Processes: 2, Threads: 2, StreamMode: stream,
			Env: append(os.Environ(), "TEST_FILE="+file),
		}, 1)
		large := bytes.Repeat(func() (b []byte) {
			for i := range 256 {
				b = append(b, byte(i))
			}
			return b
		}(), 40_000)
		for _, c := range []struct {
			path, want string
			streamed   bool
			file       bool
			err        error
		}{
			{path: "/hello", want: "hello"},
			{path: "/stream", want: strings.Repeat("x", 10_000), streamed: true},
			{path: "/large", want: string(large), streamed: true},
			{path: "/file", want: string(content[10:]), file: true},
			{path: "/raise", err: ErrAppFailed},
			{path: "/abort", want: "first", streamed: true, err: ErrAborted},
		} {
			t.Run(strings.TrimPrefix(c.path, "/"), func(t *testing.T) {
				got := r.get(c.path)
				if !errors.Is(got.err, c.err) || got.got.String() != c.want || got.streamed != c.streamed || got.file != c.file {
					t.Errorf("got %d bytes %.20q, streamed %v, file %v, error %v; want %d bytes, %v, %v, %v",
						got.got.Len(), got.got.String(), got.streamed, got.file, got.err, len(c.want), c.streamed, c.file, c.err)
				}
			})
		}
		if out := r.output(); strings.Count(out, "ValueError: as asked") != 2 {
			t.Errorf("want two tracebacks on stderr, got %q", out)
		}
	})
}

func TestLatin1(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	c := r.send(&call{path: "/latin1", vars: map[string]string{"HTTP_X": "na\xefve"}}).wait()
	c.body200("na\xefve")
	if got := c.headers[1]; got != "X-Name: caf\xe9" {
		t.Errorf("header: got %q, want it in latin-1", got)
	}
}

func TestBodies(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, StreamMode: stream}, 1)
		for _, size := range []int{0, 1, MaxInlineBody, 200_000} {
			want := strings.Repeat("b", size)
			r.send(&call{path: "/echo", method: "POST", body: Body{Bytes: []byte(want)}}).wait().body200(want)
			f, err := os.CreateTemp(t.TempDir(), "body")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(want); err != nil {
				t.Fatal(err)
			}
			r.send(&call{path: "/echo", method: "POST", body: Body{File: f}}).wait().body200(want)
			_ = f.Close()
		}
	})
}

func TestLargeEnviron(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	value := strings.Repeat("v", 64<<10)
	r.send(&call{path: "/latin1", vars: map[string]string{"HTTP_X": value}}).wait().body200(value)
	c := r.send(&call{path: "/hello", vars: map[string]string{"HTTP_X": strings.Repeat(value, 6)}}).wait()
	if !errors.Is(c.err, ErrTooLarge) {
		t.Errorf("got error %v, want %v", c.err, ErrTooLarge)
	}
	r.get("/hello").body200("hello")
}

func TestMounts(t *testing.T) {
	other := app(t, strings.ReplaceAll(hello, "Hello", "Other"))
	other.Mount = "/other"
	r := start(t, Config{Apps: []App{app(t, hello), other}}, 1)
	r.send(&call{app: 1}).wait().body200("Other, world\n")
	r.send(&call{app: 0}).wait().body200("Hello, world\n")
	r.waitLog("WSGI app 1 (mountpoint='/other') ready in 0 seconds")
}

func TestBackPressure(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 1, StreamMode: stream}, 1)
		c := r.send(&call{path: "/large", hold: true})
		length := func() int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.got.Len()
		}
		r.wait("a window of data", func() bool { return length() >= Window })
		// The thread is blocked: no other request is answered, nothing more comes.
		next := r.send(&call{path: "/hello"})
		select {
		case <-next.done:
			t.Fatal("the thread did not wait for credit")
		case <-c.done:
			t.Fatal("the answer did not wait for credit")
		default:
		}
		if got := length(); got != Window {
			t.Errorf("got %d bytes without credit, want %d", got, Window)
		}
		r.on(0, func(p *Port) {
			c.hold = false
			p.Credit(c.id, Window)
		})
		if c.wait(); c.got.Len() != 256*40_000 {
			t.Errorf("got %d bytes, want %d", c.got.Len(), 256*40_000)
		}
		next.wait().body200("hello")
	})
}

// blocker occupies a thread until release is called.
func blocker(r *rig) (c *call, release func()) {
	r.t.Helper()
	return blockerOn(r, 0, 0)
}

// blockerOn does that from a loop, with a request of a route.
func blockerOn(r *rig, loop int, route uint64) (c *call, release func()) {
	r.t.Helper()
	c = &call{loop: loop, route: route}
	return c, block(r, c)
}

// block does that with a request.
func block(r *rig, c *call) (release func()) {
	r.t.Helper()
	name := filepath.Join(r.t.TempDir(), "go")
	c.path, c.vars = "/wait", map[string]string{"HTTP_X": name}
	r.send(c)
	r.wait("the request to run", func() bool {
		_, err := os.Stat(name + ".began")
		return err == nil
	})
	return func() {
		r.t.Helper()
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

func TestCancel(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, StreamMode: stream}, 1)
		blocked, release := blocker(r)
		var waiting []*call
		for range queueAhead + 20 { // some in the kernel's queue, some not
			waiting = append(waiting, r.send(&call{path: "/die"}))
		}
		last := r.send(&call{path: "/hello"})
		r.on(0, func(p *Port) {
			for _, c := range append(waiting, blocked) {
				p.Cancel(c.id)
				p.Cancel(c.id)
				p.Credit(c.id, 1)
			}
		})
		release()
		last.wait().body200("hello")
		for _, c := range append(waiting, blocked) {
			if c.status != "" || c.err != nil {
				t.Errorf("a cancelled client was told %q, %v", c.status, c.err)
			}
		}
		if died := strings.Contains(strings.Join(r.logged(), "\n"), "died"); died {
			t.Error("a cancelled request was run")
		}
	})
}

func TestCancelStream(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, StreamMode: stream}, 1)
		for _, hold := range []bool{true, false} {
			c := r.send(&call{path: "/endless", hold: hold})
			<-c.headed
			if hold {
				r.wait("a window of data", func() bool {
					c.mu.Lock()
					defer c.mu.Unlock()
					return c.got.Len() == Window
				})
			}
			r.on(0, func(p *Port) { p.Cancel(c.id) })
			r.get("/hello").body200("hello") // the thread is free again
		}
		if out := r.output(); out != "" {
			t.Errorf("a client that goes is no error, got %q", out)
		}
	})
}

func TestQueueFull(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Queue: 5}, 1)
	_, release := blocker(r)
	var calls []*call
	for range 100 {
		calls = append(calls, r.send(&call{path: "/hello"}))
	}
	release()
	full := 0
	for _, c := range calls {
		if c.wait(); errors.Is(c.err, ErrQueueFull) {
			full++
		} else {
			c.body200("hello")
		}
	}
	if want := 100 - 5; full != want {
		t.Errorf("%d of 100 requests found the queue full, want %d", full, want)
	}
	r.get("/hello").body200("hello")
}

func TestThreadNames(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2}, 1)
	seen := map[string]bool{}
	_, release := blocker(r)
	seen[r.get("/thread").got.String()] = true
	release()
	r.wait("both threads to have answered", func() bool {
		seen[r.get("/thread").got.String()] = true
		return len(seen) == 2
	})
	if !seen["uWSGIWorker1Core0"] || !seen["uWSGIWorker1Core1"] {
		t.Errorf("thread names: %v", seen)
	}
}

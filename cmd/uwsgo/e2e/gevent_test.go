package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// greenApp waits in greenlets. /wait ends once its file is there.
const greenApp = `
import os, threading, time
import gevent, uwsgi, uwsgidecorators

closed, ticks, waiting = [], [], []

@uwsgidecorators.timer(1)
def tick(number):
    gevent.sleep(0.01)
    ticks.append(number)

def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/sleep":
        time.sleep(float(query))
    elif path == "/wait":
        waiting.append(1)
        while not os.path.exists(query):
            time.sleep(0.01)
    elif path == "/waiting":
        start_response("200 OK", [])
        return [str(len(waiting)).encode()]
    elif path == "/hang":
        gevent.sleep(3600)
    elif path == "/block":
        while True:
            pass
    elif path == "/kill":
        raise gevent.GreenletExit()
    elif path == "/exit":
        raise SystemExit(3)
    elif path == "/timeout":
        with gevent.Timeout(0.05):
            gevent.sleep(10)
    elif path == "/stream":
        start_response("200 OK", [])
        return Stream(int(query))
    elif path == "/closed":
        start_response("200 OK", [])
        return [str(len(closed)).encode()]
    elif path == "/ticks":
        start_response("200 OK", [])
        return [b"some" if ticks else b"none"]
    elif path == "/module":
        start_response("200 OK", [])
        uwsgi.set_logvar("mine", query)
        gevent.sleep(0.05)
        same = uwsgi.env is environ and uwsgi.get_logvar("mine") == query.encode()
        lost = gevent.spawn(lambda: hasattr(uwsgi, "env")).get()
        return [("%s %s %s %s" % (same, lost, environ["wsgi.multithread"], uwsgi.cores)).encode()]
    elif path == "/locks":
        uwsgi.lock()
        gevent.sleep(0.02)
        uwsgi.unlock()
    elif path == "/body":
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [str(len(body)).encode()]
    elif path == "/fork":
        pid = os.fork()
        if pid == 0:
            gevent.sleep(0.01)
            os._exit(7)
        start_response("200 OK", [])
        return [str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode()]
    start_response("200 OK", [("X-Pid", str(os.getpid())), ("X-Core", str(environ["uwsgi.core"]))])
    return [b"done"]

class Stream:
    def __init__(self, count):
        self.count = count
    def __iter__(self):
        for _ in range(self.count):
            yield b"s" * 70000
    def close(self):
        closed.append(1)
`

func needGevent(t *testing.T) {
	t.Helper()
	virtualenv := testenv(t)
	if exec.Command(filepath.Join(virtualenv, "bin", "python"), "-c", "import gevent").Run() != nil {
		t.Skipf("SKIP: no gevent in %s: run make testenv", virtualenv)
	}
}

func TestGevent(t *testing.T) {
	needGevent(t)
	dir := shortTempDir(t)
	write(t, dir, "app.py", greenApp)
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	s := start(t, dir, "--http-socket", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--gevent", "20", "--gevent-early-monkey-patch",
		"--threads", "4", "--route", "^/(hang|block) harakiri:1", "--log-format", "%(uri) mine=%(mine)", "--worker-reload-mercy", "20")
	s.waitAnswer(t, url, http.StatusOK)
	s.waitLog(t, "cores: 20")
	s.waitLog(t, "with gevent each worker has one thread")

	// many asks for paths at once, and returns the bodies.
	many := func(n int, path func(int) string) []string {
		bodies := make([]string, n)
		var asking sync.WaitGroup
		for i := range n {
			asking.Go(func() { bodies[i] = get(t, url+path(i)).body })
		}
		asking.Wait()
		return bodies
	}

	t.Run("sleeping_views_take_turns", func(t *testing.T) {
		began := time.Now()
		get(t, url+"/sleep?1")
		one := time.Since(began)
		began = time.Now()
		many(20, func(int) string { return "/sleep?1" })
		if all := time.Since(began); all > 5*one { // in turn it would be 20
			t.Errorf("20 views that sleep take %v, one takes %v", all, one)
		}
	})
	t.Run("more_than_slots", func(t *testing.T) {
		for _, body := range many(50, func(int) string { return "/sleep?0.05" }) {
			if body != "done" {
				t.Errorf("got %q", body)
			}
		}
	})
	t.Run("what_is_raised", func(t *testing.T) {
		for _, path := range []string{"/kill", "/exit", "/timeout"} {
			if a := get(t, url+path); a.status != http.StatusInternalServerError {
				t.Errorf("%s: got %d, want 500", path, a.status)
			}
		}
		s.waitLog(t, "gevent.timeout.Timeout: 0.05 seconds")
	})
	t.Run("module_finds_the_request", func(t *testing.T) {
		for i, body := range many(10, func(i int) string { return fmt.Sprintf("/module?v%d", i) }) {
			if body != "True False True 20" {
				t.Errorf("request %d: got %q", i, body)
			}
			s.waitLog(t, fmt.Sprintf("/module?v%d mine=v%d\n", i, i))
		}
	})
	t.Run("locks_between_greenlets", func(t *testing.T) {
		for _, body := range many(5, func(int) string { return "/locks" }) {
			if body != "done" {
				t.Errorf("got %q", body)
			}
		}
	})
	t.Run("timer", func(t *testing.T) {
		eventually(t, "a tick", func() error {
			if body := get(t, url+"/ticks").body; body != "some" {
				return fmt.Errorf("got %q", body)
			}
			return nil
		})
	})
	t.Run("process_of_its_own", func(t *testing.T) {
		if body := get(t, url+"/fork").body; body != "7" {
			t.Errorf("got %q", body)
		}
	})
	t.Run("client_that_does_not_read", func(t *testing.T) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "GET /stream?2000 HTTP/1.1\r\nHost: x\r\n\r\n")
		_, _ = bufio.NewReader(c).ReadString('\n')
		for _, body := range many(5, func(int) string { return "/stream?100" }) {
			if len(body) != 7_000_000 {
				t.Errorf("beside it: %d bytes", len(body))
			}
		}
		_ = c.Close()
		eventually(t, "its iterable to be closed", func() error {
			if body := get(t, url+"/closed").body; body != "6" {
				return fmt.Errorf("%s are closed", body)
			}
			return nil
		})
	})
	t.Run("body_that_comes_late", func(t *testing.T) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
		time.Sleep(400 * time.Millisecond) // by then the app waits for it
		if body := get(t, url+"/sleep?0").body; body != "done" {
			t.Errorf("meanwhile: got %q", body)
		}
		fmt.Fprint(c, "late")
		answer, _ := io.ReadAll(c)
		if !strings.HasSuffix(string(answer), "\r\n\r\n4") {
			t.Errorf("got %q", answer)
		}
	})
	t.Run("large_bodies", func(t *testing.T) {
		a, err := ask(http.MethodPost, url+"/body", strings.NewReader(strings.Repeat("b", 40<<20)), nil)
		if err != nil || a.body != fmt.Sprint(40<<20) {
			t.Errorf("got %d %q, %v", a.status, a.body, err)
		}
	})
	t.Run("reload", func(t *testing.T) {
		gate := filepath.Join(dir, "go")
		old := get(t, url).header.Get("X-Pid")
		var waiting sync.WaitGroup
		for range 5 {
			waiting.Go(func() {
				if a := get(t, url+"/wait?"+gate); a.body != "done" || a.header.Get("X-Pid") != old {
					t.Errorf("one that was begun before: %d %q of pid %s, not %s", a.status, a.body, a.header.Get("X-Pid"), old)
				}
			})
		}
		eventually(t, "five requests to wait", func() error {
			if body := get(t, url+"/waiting").body; body != "5" {
				return fmt.Errorf("%s do", body)
			}
			return nil
		})
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		s.waitLog(t, "uwsgo has reloaded")
		if pid := get(t, url).header.Get("X-Pid"); pid == old {
			t.Error("the old process still takes requests")
		}
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		waiting.Wait()
	})
	for _, c := range []struct{ path, line string }{
		{"/hang", "HARAKIRI ON WORKER 1"},
		{"/block", "in application"},
	} {
		t.Run("harakiri"+strings.ReplaceAll(c.path, "/", "_"), func(t *testing.T) {
			pid := get(t, url).header.Get("X-Pid")
			var beside answer
			var asking sync.WaitGroup
			if c.path == "/hang" { // the other cannot go on
				asking.Go(func() { beside = get(t, url+"/sleep?3") })
			}
			if a := get(t, url+c.path); a.status != http.StatusGatewayTimeout {
				t.Errorf("got %d, want 504", a.status)
			}
			s.waitLog(t, c.line)
			eventually(t, "another process", func() error {
				if now := get(t, url).header.Get("X-Pid"); now == pid {
					return fmt.Errorf("still %s", now)
				}
				return nil
			})
			if asking.Wait(); c.path == "/hang" && beside.body != "done" {
				t.Errorf("a request beside it: %d %q", beside.status, beside.body)
			}
			eventually(t, "the end of the process", func() error {
				var n int
				_, _ = fmt.Sscan(pid, &n)
				if syscall.Kill(n, 0) == nil {
					return fmt.Errorf("%s is there", pid)
				}
				return nil
			})
		})
	}
	began := time.Now()
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 15*time.Second || strings.Contains(s.log.String(), "did not end in time") {
		t.Errorf("an idle server took %v to stop", took)
	}
}

// Two workers with few slots each have many requests, and are replaced meanwhile.
func TestGeventMaxRequests(t *testing.T) {
	needGevent(t)
	dir := shortTempDir(t)
	write(t, dir, "app.py", greenApp)
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	s := start(t, dir, "--http-socket", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--loop", "gevent", "--async", "4", "--processes", "2",
		"--max-requests", "100", "--min-worker-lifetime", "0", "--gevent-monkey-patch", "--gevent-wait-for-hub", "--disable-logging", "--cheaper", "1")
	s.waitAnswer(t, url, http.StatusOK)
	pids := map[string]bool{}
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			for range 60 {
				a := get(t, url+"/sleep?0.005")
				if a.body != "done" {
					t.Errorf("got %d %q", a.status, a.body)
				}
				mu.Lock()
				pids[a.header.Get("X-Pid")] = true
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if len(pids) < 2 {
		t.Errorf("600 requests by %d processes, with max-requests = 100", len(pids))
	}
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	if strings.Contains(s.log.String(), "DAMN") {
		t.Error("a worker died")
	}
}

// What cannot be run says what to do.
func TestGeventRefused(t *testing.T) {
	testenv(t)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"not_installed", []string{"--gevent", "10"}, "pip install gevent"},
		{"asyncio", []string{"--asyncio", "10"}, "ASGI server"},
		{"ugreen", []string{"--ugreen", "--async", "10"}, "gevent = N"},
		{"greenlet", []string{"--greenlet"}, "gevent = N"},
		{"async", []string{"--async", "10"}, "gevent = N"},
		{"tornado", []string{"--loop", "tornado", "--async", "10"}, "gevent = N"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			write(t, dir, "app.py", versioned("v0"))
			write(t, dir, "gevent.py", "raise ImportError('it is not here')")
			s := start(t, dir, append([]string{"--http-socket", "127.0.0.1:" + freePort(t), "--wsgi-file", "app.py"}, c.args...)...)
			if err := s.wait(t); err == nil {
				t.Error("it has served")
			}
			if !strings.Contains(s.log.String(), c.want) {
				t.Errorf("the log does not say %q", c.want)
			}
		})
	}
}

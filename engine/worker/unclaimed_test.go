package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// trapped is an app whose worker threads meet a trap after they have taken a request, by
// its path, and before they claim it. It writes down what it runs.
const trapped = `
import os, random, signal, sys, time
FILES = os.environ["TEST_FILES"]
worker = sys.modules["_uwsgo.worker"]
init = worker.Thread.__init__

def init_with_traps(self, source, *rest):
    if not hasattr(source, "trapped"):
        source.trapped, receive = True, source.receive
        def take(buffer):
            size = receive(buffer)
            trap(bytes(buffer[:size]))
            return size
        source.receive = take
        if isinstance(source, worker.Streams):
            source.again = take
    init(self, source, *rest)

worker.Thread.__init__ = init_with_traps

def once(name):
    try:
        os.close(os.open(FILES + "/" + name, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False

def trap(request):
    if b"/killed" in request and once("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif b"/stopped" in request and once("stopped"):
        os.kill(os.getpid(), signal.SIGSTOP)
    elif b"/waits" in request and once("waits"):
        while not os.path.exists(FILES + "/go"):
            time.sleep(0.01)
    elif b"/poison" in request:
        once("poison%d" % os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)
    elif b"/luck" in request and random.random() < 0.02:
        once("luck%d" % os.getpid())
        os.kill(os.getpid(), signal.SIGKILL)

ran = os.open(FILES + "/ran", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

def application(environ, start_response):
    os.write(ran, (environ["PATH_INFO"] + "\n").encode())
    start_response("200 OK", [])
    if "stream" in environ["PATH_INFO"]:
        return (b"x" * 65536 for _ in range(64))
    if "dies" in environ["PATH_INFO"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return [environ["wsgi.input"].read() or environ["PATH_INFO"].encode()]
`

// startTrapped runs that app. ran tells how often each path has been run.
func startTrapped(t *testing.T, c Config, loops int) (r *rig, files string, ran func() map[string]int) {
	t.Helper()
	files = t.TempDir()
	c.Apps, c.Env = []App{app(t, trapped)}, append(os.Environ(), "TEST_FILES="+files)
	r = start(t, c, loops)
	return r, files, func() map[string]int {
		b, err := os.ReadFile(filepath.Join(files, "ran"))
		if err != nil {
			t.Fatal(err)
		}
		times := make(map[string]int)
		for line := range strings.Lines(string(b)) {
			times[strings.TrimSpace(line)]++
		}
		return times
	}
}

// whole looks that nothing is counted any more, and that no slot is lost for ever.
func (r *rig) whole() {
	r.t.Helper()
	r.idle()
	for l := range r.loops {
		r.wait("the slots of lost requests", func() (free bool) {
			for range 4 { // threads take turns
				r.send(&call{path: "/other", loop: l}).wait().body200("/other")
			}
			r.on(l, func(p *Port) { p.reclaim(); free = p.lost == 0 && len(p.free) == len(p.slots) })
			return free
		})
	}
}

// What a worker has taken and not claimed is run by another one, once, whatever became of
// that worker, and whatever the request is like.
func TestTakenAndNotClaimed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("a body"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, file, body string }{
		{name: "killed", path: "/killed"},
		{name: "killed_with_body", path: "/killed", body: strings.Repeat("b", 30_000)},
		{name: "killed_with_file", path: "/killed", file: file, body: "a body"},
		{name: "killed_and_streamed", path: "/killed/stream", body: strings.Repeat("x", 64*65536)},
		{name: "stopped", path: "/stopped"},
		{name: "stopped_and_streamed", path: "/stopped/stream", body: strings.Repeat("x", 64*65536)},
		{name: "waits_for_a_neighbour", path: "/waits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			modes(t, func(t *testing.T, stream bool) {
				for _, processes := range []int{1, 2} {
					if processes == 1 && !strings.HasPrefix(c.path, "/killed") {
						continue // nobody else is there
					}
					r, files, ran := startTrapped(t, Config{Processes: processes, StreamMode: stream}, 1)
					before := r.pool.Snapshot()
					one := &call{path: c.path}
					switch {
					case c.file != "":
						f, err := os.Open(c.file)
						if err != nil {
							t.Fatal(err)
						}
						defer f.Close()
						one.body.File = f
					case c.body != "" && !strings.Contains(c.path, "stream"):
						one.body.Bytes = []byte(c.body)
					}
					want := c.body
					if want == "" {
						want = c.path
					}
					r.send(one).wait().body200(want)
					if err := os.WriteFile(filepath.Join(files, "go"), nil, 0o600); err != nil {
						t.Fatal(err)
					}
					for _, w := range before.Workers {
						_ = syscall.Kill(w.PID, syscall.SIGCONT)
					}
					for range 20 {
						r.get("/other").body200("/other")
					}
					r.whole()
					if n := ran()[c.path]; n != 1 {
						t.Errorf("it was run %d times, want 1", n)
					}
				}
			})
		})
	}
}

// A client that goes is heard also once its request has another id.
func TestMovedAndCancelled(t *testing.T) {
	r, files, ran := startTrapped(t, Config{Processes: 2}, 1)
	c := &call{path: "/stopped/stream", hold: true}
	r.send(c)
	<-c.headed
	r.on(0, func(p *Port) { p.Cancel(c.id) })
	for range 10 {
		r.get("/other").body200("/other")
	}
	if _, err := os.Stat(filepath.Join(files, "stopped")); err != nil {
		t.Fatal(err)
	}
	for _, w := range r.pool.Snapshot().Workers {
		_ = syscall.Kill(w.PID, syscall.SIGCONT)
	}
	r.wait("the worker to be free", func() bool {
		n := 0
		r.on(0, func(p *Port) { n = p.inflight + p.lost })
		return n == 0
	})
	if n := ran()[c.path]; n != 1 {
		t.Errorf("it was run %d times, want 1", n)
	}
	if c.over() {
		t.Error("it ended although it was cancelled")
	}
	r.whole()
}

// A request that kills whoever takes it does not kill for ever; nor is one run again that
// had begun.
func TestNotMovedForEver(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r, files, ran := startTrapped(t, Config{StreamMode: stream}, 1)
		defer r.aged()()
		if c := r.get("/poison"); !errors.Is(c.err, ErrWorkerDied) {
			t.Errorf("poison: got %v, want %v", c.err, ErrWorkerDied)
		}
		died, _ := filepath.Glob(filepath.Join(files, "poison*"))
		if len(died) != mostDeaths+1 {
			t.Errorf("it killed %d workers, want %d", len(died), mostDeaths+1)
		}
		if c := r.get("/dies"); !errors.Is(c.err, ErrWorkerDied) {
			t.Errorf("begun: got %v, want %v", c.err, ErrWorkerDied)
		}
		r.get("/other").body200("/other")
		if n := ran()["/dies"]; n != 1 {
			t.Errorf("one that had begun was run %d times", n)
		}
		r.whole()
	})
}

// aged has processes look old, so that their successors come at once, until the function
// that it returns is called.
func (r *rig) aged() (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
			for _, p := range r.pool.sup.Processes {
				if p.PID.Load() != 0 {
					p.SpawnedAt.Store(time.Now().Add(-time.Hour).UnixNano())
				}
			}
		}
	})
	return func() { close(done); ended.Wait() }
}

// Workers die again and again, each between taking a request and claiming it, beside
// clients of several loops: no request fails, and none is run twice.
func TestManyDiesBeforeTheyClaim(t *testing.T) {
	requests := 4000
	if testing.Short() {
		requests = 1000
	}
	modes(t, func(t *testing.T, stream bool) {
		r, files, ran := startTrapped(t, Config{Processes: 4, StreamMode: stream}, 2)
		defer r.aged()()
		var next atomic.Int64
		var clients sync.WaitGroup
		for client := range 6 {
			clients.Go(func() {
				for {
					n := next.Add(1)
					if n > int64(requests) {
						return
					}
					path := "/luck/" + strconv.FormatInt(n, 10)
					r.send(&call{path: path, loop: client % 2}).wait().body200(path)
				}
			})
		}
		clients.Wait()
		died, _ := filepath.Glob(filepath.Join(files, "luck*"))
		if len(died) < requests/100 {
			t.Errorf("%d workers died, want %d or more", len(died), requests/100)
		}
		for path, times := range ran() {
			if times > 1 {
				t.Errorf("%s was run %d times", path, times)
			}
		}
		t.Logf("%d requests, %d deaths", requests, len(died))
		r.whole()
	})
}

// Workers are killed from outside beside a client, at any time. One that was about to call
// the app, or did, fails; no request is run twice.
func TestKillsBesideClients(t *testing.T) {
	kills := 150
	if testing.Short() {
		kills = 30
	}
	r, _, ran := startTrapped(t, Config{Processes: 3}, 1)
	defer r.aged()()
	done := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		defer close(done)
		for i := range kills {
			var pid int
			r.wait("a worker", func() bool { pid = r.pool.Snapshot().Workers[i%3].PID; return pid != 0 })
			_ = syscall.Kill(pid, syscall.SIGKILL)
			r.wait("its end", func() bool { return r.pool.Snapshot().Workers[i%3].PID != pid })
		}
	})
	n := 0
	failed := 0
	for over := false; !over; n++ {
		select {
		case <-done:
			over = true
		default:
		}
		path := fmt.Sprintf("/kills/%d", n)
		if c := r.get(path); c.err == nil {
			c.body200(path)
		} else {
			failed++ // it had begun, if only just
		}
	}
	killer.Wait()
	for path, times := range ran() {
		if times > 1 {
			t.Errorf("%s was run %d times", path, times)
		}
	}
	if failed > kills/3 {
		t.Errorf("%d requests failed by %d deaths, most of them of idle workers", failed, kills)
	}
	t.Logf("%d requests, %d kills, %d had begun", n, kills, failed)
	r.whole()
}

// A request that the system does not take as one message is too large, and holds up
// nobody.
func TestMessageTooLargeForTheSystem(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}}, 1)
	if r.pool.plane.queue < 0 {
		t.Skip("SKIP: there is no queue")
	}
	// net.core.wmem_max may be as small as this, and the server not allowed more.
	if err := unix.SetsockoptInt(r.pool.plane.queue, unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10); err != nil {
		t.Fatal(err)
	}
	large := func() *call { return &call{path: "/hello", body: Body{Bytes: make([]byte, 200<<10)}} }
	if c := r.send(large()).wait(); !errors.Is(c.err, ErrTooLarge) {
		t.Errorf("at once: got %v, want %v", c.err, ErrTooLarge)
	}
	r.get("/hello").body200("hello")
	_, release := blocker(r)
	ahead := several(queueAhead+2, &call{path: "/hello"})
	waiting := large()
	behind := &call{path: "/hello"}
	r.sendAll(append(append([]*call{}, ahead...), waiting, behind))
	release()
	if waiting.wait(); !errors.Is(waiting.err, ErrTooLarge) {
		t.Errorf("after it had waited: got %v, want %v", waiting.err, ErrTooLarge)
	}
	behind.wait().body200("hello")
	for _, c := range ahead {
		c.wait().body200("hello")
	}
	r.idle()
}

package worker

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestHarakiri(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2, Harakiri: 100 * time.Millisecond, HarakiriVerbose: true, StreamMode: stream}, 1)
		pid := r.pid(1, 0)
		blocked, release := blocker(r)
		defer release()
		if blocked.wait(); !errors.Is(blocked.err, ErrHarakiri) {
			t.Errorf("got %v, want %v", blocked.err, ErrHarakiri)
		}
		r.waitLog("HARAKIRI triggered by worker 1 core ")
		want := []string{
			fmt.Sprintf("*** HARAKIRI ON WORKER 1 (pid: %d, try: 1, graceful: no) ***", pid),
			"] 127.0.0.1 - GET /wait since ", "] running for 0.", " in thread uWSGIWorker1Core",
		}
		if stackSignal != 0 {
			want = append(want, `app.py", line`, " in application", "HARAKIRI: -- syscall> ", "HARAKIRI: -- wchan> ")
		}
		for _, text := range want {
			r.waitLog(text)
		}
		r.pid(1, pid)
		r.get("/hello").body200("hello")
		r.alone([]ProcessStats{{PID: pid}})
		if w := r.pool.Snapshot().Workers[0]; w.Harakiri != 1 || w.Respawns != 2 {
			t.Errorf("got %d harakiri and %d processes, want 1 and 2", w.Harakiri, w.Respawns)
		}
		if log := strings.Join(r.logged(), "\n"); strings.Contains(log, "DAMN") {
			t.Errorf("log: %s", log)
		}
	})
}

// late makes a request that runs look as if it had begun long ago.
func (c *call) late() {
	r := c.r
	r.t.Helper()
	g := r.pool.sup
	for _, p := range g.places {
		for _, core := range p.cores {
			if id, _ := g.shared.claim(core.index); id == uint64(c.id) {
				long := monotonic() - int64(r.pool.config.Harakiri)
				atomic.StoreUint64(g.shared.word(core.index, 8), uint64(long))
				return
			}
		}
	}
	r.t.Fatal("the request does not run")
}

// The other requests of the process finish first.
func TestHarakiriSparesOthers(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 4, Harakiri: time.Minute, StreamMode: stream}, 1)
		pid := r.pid(1, 0)
		hangs, _ := blocker(r)
		spared, release := blocker(r)
		hangs.late()
		if hangs.wait(); !errors.Is(hangs.err, ErrHarakiri) {
			t.Errorf("got %v, want %v", hangs.err, ErrHarakiri)
		}
		r.pid(1, pid)
		for range 20 {
			r.get("/hello").body200("hello")
		}
		release()
		spared.wait().body200("waited")
		r.waitLog(fmt.Sprintf("worker 1 (pid: %d) ended, killed by signal 9", pid))
		r.alone([]ProcessStats{{PID: pid}})
	})
}

func TestHarakiriMercy(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2, Harakiri: time.Minute, HarakiriMercy: 50 * time.Millisecond}, 1)
	pid := r.pid(1, 0)
	hangs, _ := blocker(r)
	other, _ := blocker(r)
	hangs.late()
	if hangs.wait(); !errors.Is(hangs.err, ErrHarakiri) {
		t.Errorf("got %v, want %v", hangs.err, ErrHarakiri)
	}
	if other.wait(); !errors.Is(other.err, ErrWorkerDied) {
		t.Errorf("got %v, want %v", other.err, ErrWorkerDied)
	}
	r.waitLog("graceful: yes")
	r.alone([]ProcessStats{{PID: pid}})
}

// Requests that hang do not keep the others from being answered.
func TestHarakiriUnderLoad(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, paths)}, Processes: 2, Threads: 2, Harakiri: time.Second}, 2)
	stop := r.load("/hello", 4)
	var hang []*call
	for range 3 {
		c, _ := blocker(r)
		hang = append(hang, c)
	}
	for _, c := range hang {
		if c.wait(); !errors.Is(c.err, ErrHarakiri) {
			t.Errorf("got %v, want %v", c.err, ErrHarakiri)
		}
	}
	r.wait("other processes", func() bool { return len(r.pool.Snapshot().Processes) == 2 })
	stop()
}

// An app that hangs after its answer does not hold up a stop.
func TestHarakiriInStop(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, `
import time
class Body:
    def __iter__(self):
        return iter([b"hello"])
    def close(self):
        time.sleep(1000)
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return Body()
`)}, Threads: 2, Harakiri: 100 * time.Millisecond}, 1)
	r.get("/").body200("hello")
	if err := r.pool.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// C code that keeps the interpreter's lock does not hide where it hangs.
func TestHarakiriStackWithoutInterpreter(t *testing.T) {
	if stackSignal == 0 {
		t.Skip("no stacks on this system")
	}
	r := start(t, Config{Apps: []App{app(t, `
import re
def application(environ, start_response):
    re.match("(a+)+$", "a" * 40 + "b")
`)}, Harakiri: 100 * time.Millisecond}, 1)
	if c := r.get("/"); !errors.Is(c.err, ErrHarakiri) {
		t.Errorf("got %v, want %v", c.err, ErrHarakiri)
	}
	r.waitLog("line 4 in application")
}

// What is told of a process that died just then is not taken for the one that is being
// forked in its place.
func TestHarakiriOfTheDead(t *testing.T) {
	w := newWorker(1, 1)
	g := &supervisor{pool: &Pool{}, places: w.places}
	p := w.places[0]
	p.alive = true
	p.set(Starting)
	g.handle(message{name: "late", args: []any{p.place, 0}})
	if p.hung {
		t.Error("a process that has only begun was taken to hang")
	}
}

package worker

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
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
		if proc.StackSignal != 0 {
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
func (c *call) late() { c.aged(c.r.pool.config.Harakiri) }

// aged makes a request that runs look as if it had begun so long ago.
func (c *call) aged(d time.Duration) {
	r := c.r
	r.t.Helper()
	l := r.pool.plane
	for _, core := range l.cores {
		if id, _ := l.shared.Claim(core.index); id == uint64(c.id) {
			r.on(c.loop, func(p *Port) { // it was sent before
				p.slots[c.id&slotMask].sentAt -= int64(d)
				atomic.StoreUint64(l.shared.Word(core.index, 8), uint64(shared.Monotonic()-int64(d)))
			})
			return
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
		r.waitLog(fmt.Sprintf("worker 1 (pid: %d) exited, killed by signal 9", pid))
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
	if proc.StackSignal == 0 {
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
	where := "line 4 in application"
	if pypy(t) { // it tells of lines approximately
		where = " in application"
	}
	r.waitLog(where)
}

// Requests with a time of their own are late after that or never, others after the
// pool's.
func TestHarakiriOfItsOwn(t *testing.T) {
	const short, minute, hour = 100 * time.Millisecond, time.Minute, time.Hour
	for _, tt := range []struct {
		name      string
		pool, own time.Duration
		age       time.Duration // that it seems to have
		late      bool
	}{
		{name: "shorter", pool: hour, own: short, late: true},
		{name: "none_of_the_pool", own: minute, age: minute, late: true},
		{name: "longer", pool: minute, own: hour, age: 2 * minute},
		{name: "longer_and_late", pool: minute, own: hour, age: hour, late: true},
		{name: "for_ever", pool: minute, own: -1, age: 100 * hour},
		{name: "the_one_of_the_pool", pool: minute, age: minute, late: true},
		{name: "none_at_all", age: 100 * hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			modes(t, func(t *testing.T, stream bool) {
				r := start(t, Config{Apps: []App{app(t, paths)}, Threads: 2, Harakiri: tt.pool, HarakiriLeast: short, StreamMode: stream}, 2)
				pid := r.pid(1, 0)
				c := &call{loop: 1, harakiri: tt.own}
				release := block(r, c)
				if tt.age > 0 {
					c.aged(tt.age)
				}
				if tt.late {
					if c.wait(); !errors.Is(c.err, ErrHarakiri) {
						t.Errorf("got %v, want %v", c.err, ErrHarakiri)
					}
					return
				}
				// When the process is replaced because of another request, this one has been
				// looked at, too.
				other := &call{harakiri: short}
				block(r, other)
				if other.wait(); !errors.Is(other.err, ErrHarakiri) {
					t.Errorf("the other one: got %v, want %v", other.err, ErrHarakiri)
				}
				r.pid(1, pid)
				release()
				c.wait().body200("waited")
				if n := r.pool.Snapshot().Workers[0].Harakiri; n != 1 {
					t.Errorf("%d requests were late, want 1", n)
				}
			})
		})
	}
}

// The signal reaches the app, which may end its late request by itself.
func TestHarakiriSignal(t *testing.T) {
	const handles = `
import signal, sys, threading, time
def told(signum, frame):
    print("told in", threading.current_thread().name, file=sys.stderr)
    %s
signal.signal(signal.SIGUSR1, told)
def application(environ, start_response):
    time.sleep(1000)
`
	for _, tt := range []struct {
		name, handler, end string
		mercy              time.Duration
		stop               bool
	}{
		{"gives_up", `raise TimeoutError("told")`, "The work of process %d is done (harakiri)", time.Hour, false},
		{"goes_on", "pass", "worker 1 (pid: %d) did not finish within the mercy time: killing it", 50 * time.Millisecond, false},
		{"goes_on_in_a_stop", "pass", "Gracefully killing worker 1 (pid: %d)", time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			modes(t, func(t *testing.T, stream bool) {
				r := start(t, Config{
					Apps: []App{app(t, fmt.Sprintf(handles, tt.handler))}, Harakiri: 100 * time.Millisecond,
					HarakiriMercy: tt.mercy, HarakiriSignal: syscall.SIGUSR1, StreamMode: stream,
				}, 1)
				pid := r.pid(1, 0)
				if c := r.get("/"); !errors.Is(c.err, ErrHarakiri) {
					t.Errorf("got %v, want %v", c.err, ErrHarakiri)
				}
				r.waitLog(fmt.Sprintf(tt.end, pid))
				if tt.name != "goes_on" { // it may be killed before it can say so
					r.wait("the app to say that it was told", func() bool { return strings.Contains(r.output(), "told in ") })
				}
				if tt.stop {
					if err := r.pool.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				} else {
					r.alone([]ProcessStats{{PID: pid}})
				}
				if n := strings.Count(r.output(), "told in "); n > 1 {
					t.Errorf("the app was told %d times", n)
				}
			})
		})
	}
}

package worker

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A request that has run for too long is answered by its loop. Its thread cannot be
// stopped, so the process has to go: a successor is started, then the process
// finishes the requests of its other threads and is killed.

// condemned is a claim that has been found to be late.
type condemned struct {
	id    uint64
	since int64
}

// harakiri looks for requests that have run for too long, and kills the processes
// in which nothing else is left.
func (g *supervisor) harakiri() {
	if g.pool.config.lateAfter() <= 0 {
		return
	}
	now, at := monotonic(), time.Now()
	for _, p := range g.places {
		if !p.alive || !p.is(Idle, Draining) {
			continue
		}
		for _, c := range p.cores {
			claim, limit := g.running(c)
			age := now - claim.since
			if claim.id == 0 || limit <= 0 || age < limit || c.condemned == claim {
				continue
			}
			if age -= int64(g.pauses.since(at.Add(-time.Duration(age)), at)); age < limit {
				continue
			}
			c.condemned = claim
			port := g.ports[0]
			if claim.id < finishing {
				port = g.portOf(claim.id)
			}
			_ = port.loop.Post(func() { port.harakiri(c, claim, time.Duration(age)) })
		}
		if w := p.worker; p.hung && p.is(Idle) && w.due == "" && !w.delayed {
			w.due = "harakiri"
			g.turn = append([]*worker{w}, g.turn...)
			g.fill()
		}
		patient := g.pool.config.HarakiriSignal != 0 && !g.pool.stopping.Load() // the mercy time is for the late request as well
		if p.hung && (p.is(Draining) || g.stopping) && !patient && !g.working(p) {
			g.signal(p, unix.SIGKILL)
		}
	}
}

// hangs notes that a request of a process was late, and tells its app if it is to be told.
func (g *supervisor) hangs(p *process) {
	if sig := g.pool.config.HarakiriSignal; sig != 0 && !p.hung {
		g.pool.log(fmt.Sprintf("HARAKIRI: graceful termination attempt on worker %d with signal %d", p.worker.number, int(sig)))
		g.signal(p, sig)
	}
	p.hung = true
	g.harakiri()
}

// working reports whether a process that is to finish has a thread that is neither done
// nor condemned.
func (g *supervisor) working(p *process) bool {
	stopped := false // then those that have no request will never say that they have finished
	if state, _ := processState(int(p.pid.Load())); state == 'T' {
		stopped = true
	}
	for _, c := range p.cores {
		id, since := g.shared.claim(c.index)
		if id == 0 && stopped {
			continue
		}
		if !g.shared.finished(c.index) && (id == 0 || c.condemned != condemned{id, since}) {
			return true
		}
	}
	return false
}

// harakiri fails a late request, unless it has ended just now, and has the supervisor
// told. A worker that hangs after its answer has no request.
func (p *Port) harakiri(c *Core, claim condemned, age time.Duration) {
	what := "-"
	if id, since := p.sup.shared.claim(c.index); id != claim.id || since != claim.since {
		return
	}
	var client Client
	var waited time.Duration
	if id := uint32(claim.id); claim.id < finishing {
		s := p.slot(id)
		if s == nil || s.state < slotSent || claim.since < s.sentAt+p.clock {
			return
		}
		if client = s.client; client != nil {
			what = p.describe(client)
			waited = time.Duration(claim.since - p.clock - s.askedAt)
			p.Cancel(id) // the slot goes with the process
		}
	}
	c.process.worker.harakiri.Add(1)
	go p.sup.confess(c, c.PID(), what, age) // it waits for the stack
	if client != nil {
		p.waited = waited
		p.tellFail(client, ErrHarakiri)
	}
}

// confess logs what a late request was doing, and tells the supervisor of it.
func (g *supervisor) confess(c *Core, pid int, what string, age time.Duration) {
	tid := g.shared.thread(c.index)
	graceful := "no"
	if g.pool.config.HarakiriMercy > 0 {
		graceful = "yes"
	}
	w := c.WorkerID()
	lines := []string{
		fmt.Sprintf("*** HARAKIRI ON WORKER %d (pid: %d, try: 1, graceful: %s) ***", w, pid, graceful),
		fmt.Sprintf("HARAKIRI !!! worker %d status !!!", w),
		fmt.Sprintf("HARAKIRI [core %d] %s since %d", c.id, what, time.Now().Add(-age).Unix()),
		fmt.Sprintf("HARAKIRI [core %d] running for %.3f seconds in thread uWSGIWorker%dCore%d", c.id, age.Seconds(), w, c.id),
	}
	for line := range strings.Lines(g.stacks.of(pid, tid)) {
		if strings.Contains(line, `"<uwsgo>/worker.py"`) {
			break // what called the app
		}
		lines = append(lines, fmt.Sprintf("HARAKIRI [core %d] %s", c.id, strings.TrimRight(line, "\n")))
	}
	if g.pool.config.HarakiriVerbose {
		for _, state := range kernelState(pid, tid) {
			lines = append(lines, "HARAKIRI: -- "+state)
		}
	}
	lines = append(lines,
		fmt.Sprintf("HARAKIRI !!! end of worker %d status !!!", w),
		fmt.Sprintf("HARAKIRI triggered by worker %d core %d !!!", w, c.id))
	for _, line := range lines {
		g.pool.log(line)
	}
	g.send(message{name: "late", args: []any{c.process.place, pid}})
}

// stacks asks threads of workers for their Python stacks: a signal makes one write
// it into a pipe, whatever it is doing. Any goroutine.
type stacks struct {
	mu    sync.Mutex // one at a time, as all write into the same pipe
	read  *os.File   // nil where there are none
	write *os.File   // inherited by every worker
}

// How long to wait for a stack to begin, and for more of it.
const (
	stackBegins = time.Second
	stackPause  = 50 * time.Millisecond
)

func newStacks() (*stacks, error) {
	if stackSignal == 0 {
		return &stacks{}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stacks{read: r, write: w}, nil
}

// of returns the stack of a thread, innermost call first; empty if it does not give
// one.
func (s *stacks) of(pid, tid int) string {
	if s.read == nil || pid <= 1 || tid <= 0 {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.next(0) // of one that was too late
	if signalThread(pid, tid) != nil {
		return ""
	}
	text := s.next(stackBegins)
	for more := text; more != ""; text += more {
		more = s.next(stackPause)
	}
	return text
}

// next returns what comes within d.
func (s *stacks) next(d time.Duration) string {
	_ = s.read.SetReadDeadline(time.Now().Add(max(d, time.Millisecond)))
	b := make([]byte, 64<<10)
	n, _ := s.read.Read(b)
	return string(b[:n])
}

func (s *stacks) close() {
	if s.read != nil {
		_, _ = s.read.Close(), s.write.Close()
	}
}

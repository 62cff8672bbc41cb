package supervisor

import (
	"fmt"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// hubAnswers is how long a hub of greenlets that can run takes at most to say that its
// free slots have finished.
const hubAnswers = 2 * time.Second

// judge finds requests that have run too long. The loop answers such a request. Its thread
// cannot be stopped, so the process must go: a successor starts, the process finishes the
// requests of its other threads, and is killed.
type judge struct {
	g       *Supervisor
	ownTick <-chan time.Time // set once a request has set its own limit
}

// look looks for requests that have run too long. It kills processes that have no other
// requests left.
func (j *judge) look() {
	g := j.g
	if g.config.LateAfter() <= 0 && j.ownTick == nil {
		return
	}
	now, at := shared.Monotonic(), time.Now()
	for _, p := range g.fleet.places {
		if !p.alive || !p.Is(shared.Serving, shared.Draining) {
			continue
		}
		for core, t := range p.threads {
			claim, limit := j.running(t)
			age := now - claim.Since
			if claim.ID == 0 || limit <= 0 || age < limit || t.condemned == claim {
				continue
			}
			if age -= int64(g.pauses.Since(at.Add(-time.Duration(age)), at)); age < limit {
				continue
			}
			t.condemned = claim
			g.loops.Late(p.Process, core, claim, time.Duration(age))
		}
		if w := p.worker; p.hung && p.Is(shared.Serving) && w.due == "" && !w.delayed {
			g.turns.addFirst(w, "harakiri")
			g.fleet.fill()
		}
		patient := g.config.HarakiriSignal != 0 && !g.draining.Load() // the late request has the mercy time too
		if p.hung && (p.Is(shared.Draining) || g.stopping) && !patient && !j.working(p) {
			p.signal(sigKill)
		}
	}
}

// running returns a thread's claim, and for how long that may run.
func (j *judge) running(t *thread) (claim Claim, limit int64) {
	id, since := j.g.Memory.Claim(t.index)
	usual := int64(j.g.config.Harakiri)
	switch {
	case id == 0, id == shared.Taken: // a WebSocket takes as long as it takes
		return Claim{}, 0
	case id < shared.Finishing:
		if limit = j.g.loops.Deadline(id); limit == 0 {
			limit = usual
		}
		if again, _ := j.g.Memory.Claim(t.index); again != id {
			return Claim{}, 0 // it has ended; its slot may have another request by now
		}
		if t.own.id == id {
			limit = t.own.within(limit, since)
		}
		t.began, t.limit = since, limit
	case t.began != since: // its answer is out; no look had seen it before
		t.began, t.limit = since, usual
	}
	return Claim{id, since}, t.limit
}

// late notes a late request of a process, and signals its app if configured.
func (j *judge) late(p *process, pid int) {
	// pid 0: it has just died. The place may have a process in its fork by now.
	if !p.alive || pid == 0 || p.pid() != pid {
		return
	}
	if sig := j.g.config.HarakiriSignal; sig != 0 && !p.hung {
		j.g.say("HARAKIRI: graceful termination attempt on worker %d with signal %d", p.worker.Number, int(sig))
		p.signal(sig)
	}
	p.hung = true
	j.look()
}

// working reports whether a retired process has a thread that is neither finished nor
// condemned.
func (j *judge) working(p *process) bool {
	stopped := false // then threads without a request never say that they have finished
	if state, _ := proc.State(p.pid()); state == 'T' {
		stopped = true
	}
	if j.g.config.Gevent != nil && p.Is(shared.Draining) && time.Since(p.retired) > hubAnswers {
		stopped = true // its hub would have: the late request does not let it run
	}
	for _, t := range p.threads {
		id, since := j.g.Memory.Claim(t.index)
		if id == 0 && stopped {
			continue
		}
		if !j.g.Memory.Finished(t.index) && (id == 0 || t.condemned != Claim{id, since}) {
			return true
		}
	}
	return false
}

// confess logs the stack of a late request. It waits for the stack. Any goroutine.
func (j *judge) confess(p *shared.Process, core, pid int, what string, age time.Duration) {
	g := j.g
	tid := g.Memory.Thread(p.Thread(core))
	graceful := "no"
	if g.config.HarakiriMercy > 0 {
		graceful = "yes"
	}
	w := p.Worker.Number
	lines := []string{
		fmt.Sprintf("*** HARAKIRI ON WORKER %d (pid: %d, try: 1, graceful: %s) ***", w, pid, graceful),
		fmt.Sprintf("HARAKIRI !!! worker %d status !!!", w),
		fmt.Sprintf("HARAKIRI [core %d] %s since %d", core, what, time.Now().Add(-age).Unix()),
		fmt.Sprintf("HARAKIRI [core %d] running for %.3f seconds in thread uWSGIWorker%dCore%d", core, age.Seconds(), w, core),
	}
	for line := range strings.Lines(g.stacks.of(pid, tid)) {
		if strings.Contains(line, `"<uwsgo>/worker.py"`) {
			break // below this the stack is ours
		}
		lines = append(lines, fmt.Sprintf("HARAKIRI [core %d] %s", core, strings.TrimRight(line, "\n")))
	}
	if g.config.HarakiriVerbose {
		for _, state := range proc.KernelState(pid, tid) {
			lines = append(lines, "HARAKIRI: -- "+state)
		}
	}
	lines = append(lines,
		fmt.Sprintf("HARAKIRI !!! end of worker %d status !!!", w),
		fmt.Sprintf("HARAKIRI triggered by worker %d core %d !!!", w, core))
	for _, line := range lines {
		g.config.Say(line)
	}
}

package worker

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Respawning is throttled once this many processes in a row lived for less than
// young; uWSGI's forkbomb-delay.
const (
	young        = time.Second
	youngLimit   = 2
	respawnDelay = 2 * time.Second
)

// fault kills a process that does not keep to the protocol. Any goroutine.
func (g *supervisor) fault(c *Core) {
	g.faultAt(c.process.place, c.process.bornAt.Load())
}

// faultAt kills the process that is at a place since it was born.
func (g *supervisor) faultAt(place int, born int64) {
	// Not by the id, which may not be known yet.
	go g.send(message{name: "fault", args: []any{place, int(born)}})
}

// exited deals with the end of a process. pid is 0 when it could not be forked.
func (g *supervisor) exited(p *process, pid, code int) {
	w := p.worker
	p.pid.Store(0)
	switch {
	case g.stopping:
	case p.is(Draining):
		switch {
		case code != 0:
			g.pool.log(fmt.Sprintf("worker %d (pid: %d) ended%s", w.number, pid, how(code)))
		case w.cheap.Load():
			g.pool.log(fmt.Sprintf("uWSGI worker %d cheaped.", w.number))
		case p.why != "":
			g.pool.log(fmt.Sprintf("...The work of process %d is done (%s). Seeya!", pid, p.why))
		default:
			g.pool.log(fmt.Sprintf("worker %d buried after %d seconds", w.number, int(time.Since(p.retired).Seconds())))
		}
	case p.zygote == g.next && p.is(Starting) && pid == 0:
		g.unforked(p)
		return
	case p.zygote == g.next && p.is(Starting) && p.err == nil && code < 0 && p.doing.app < 0 && p.doing.group == 0 && w.short+1 < youngLimit:
		// Nothing of the app's was running, so somebody has killed it.
		w.short++
		g.pool.log(fmt.Sprintf("DAMN ! worker %d (pid: %d) died%s :( trying respawn ...", w.number, pid, how(code)))
		g.end(p, true)
		g.fill() // in another place
		return
	case p.zygote == g.next && p.is(Starting):
		err := p.err // why it could not load its app
		if err == nil {
			err = p.doing.ended(&g.pool.config, fmt.Sprintf("worker %d", w.number), status(code))
		}
		g.end(p, true)
		g.failed(err)
		return
	default:
		if p.err != nil {
			g.pool.log(p.err.Error())
		}
		if pid == 0 { // nor could one right after it
			w.short = youngLimit
			p.spawnedAt.Store(time.Now().UnixNano())
		} else {
			g.pool.log(fmt.Sprintf("DAMN ! worker %d (pid: %d) died%s :( trying respawn ...", w.number, pid, how(code)))
		}
		if p.age(time.Now()) < young {
			w.short++
		} else {
			w.short = 0
		}
		if w.short >= youngLimit {
			g.delay(w)
		}
		if w.present.Load() != nil && w.present.Load() != p {
			w.due = "" // its successor did not start; recycle asks again
			if g.chaining {
				g.chainFailed(fmt.Errorf("the successor of worker %d did not start", w.number))
			}
		}
	}
	g.end(p, true)
}

// unforked deals with a process that the next zygote could not fork. The system may have
// room for it when those of the present one have gone; until then the others serve.
func (g *supervisor) unforked(p *process) {
	w := p.worker
	g.end(p, true)
	if !slices.ContainsFunc(g.workers, func(w *worker) bool { return w.of(g.next) != nil }) {
		g.failed(&StartError{Reason: "no worker could be forked: the reason is above, or in the log of the app; look at the limits of processes (ulimit -u, TasksMax=, pids.max), of file descriptors (ulimit -n) and of memory"})
		return
	}
	g.delay(w)
	g.takeOver()
}

// end has each loop read the last words of a process and fail what it had. When all
// have, an "ended" message follows: before that the claims must stay. sure says that
// the process is gone, not only as good as dead.
func (g *supervisor) end(p *process, sure bool) {
	streams := p.streams
	p.streams = nil
	p.endHook()
	p.doing = stage{}
	p.hangUp()
	p.set(Dead)
	if p.peer != nil {
		p.peer.Close()
		p.peer = nil
	}
	if p.handle != nil {
		_ = p.handle.Release()
		p.handle = nil
	}
	p.worker.present.CompareAndSwap(p, nil)
	if streams == nil {
		return
	}
	left := new(atomic.Int64)
	left.Store(int64(len(g.ports)))
	one := func() {
		if left.Add(-1) == 0 {
			// Not from the loop, which must not wait for the supervisor.
			go g.send(message{name: "ended", args: []any{p.place}})
		}
	}
	for l, port := range g.ports {
		list := streams[l]
		if port.loop.Post(func() { port.detach(list, sure); one() }) != nil {
			for _, st := range list { // the loop has stopped, and nobody waits there
				if !st.closed {
					st.closed = true
					_ = unix.Close(st.fd)
				}
			}
			one()
		}
	}
	if g.stopping {
		p.alive = false // nothing follows that needs the claims
	}
}

// ended makes the place of a process free once all loops have dealt with its end.
func (g *supervisor) ended(p *process) {
	if !p.alive || p.streams != nil {
		return
	}
	p.alive = false
	for _, c := range p.cores {
		g.shared.clearClaim(c.index)
	}
	z := p.zygote
	if z.processes--; z.processes == 0 && z != g.zygote && z != g.next {
		z.end()
	}
	g.fill()
}

// delay has the next process of a worker wait, which keeps a crash from eating the
// machine.
func (g *supervisor) delay(w *worker) {
	w.delayed = true
	g.sleep()
	g.after(respawnDelay, "respawn", w.number)
}

func (g *supervisor) sleep() {
	g.pool.log(fmt.Sprintf("worker respawning too fast !!! i have to sleep a bit (%d seconds)...", int(respawnDelay/time.Second)))
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// how says how a process ended.
func how(code int) string {
	if code < 0 {
		return fmt.Sprintf(", killed by signal %d", -code)
	}
	return ""
}

func status(code int) string {
	if code < 0 {
		return fmt.Sprintf("killed by signal %d", -code)
	}
	return fmt.Sprintf("exit status %d", code)
}

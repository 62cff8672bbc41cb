package worker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

// errNoPlace says that a worker has no place for one process more: one that drains goes
// soon.
var errNoPlace = errors.New("no place for one process more")

// spawn starts a process for w. An error means that none can be started now.
func (g *supervisor) spawn(w *worker, z *zygote) error {
	p := w.free()
	if p == nil {
		return errNoPlace
	}
	c := &g.pool.config
	for _, core := range p.cores {
		// A process of a dead zygote may have made it since the last was dealt with.
		g.shared.clearClaim(core.index)
	}
	var theirs []int
	defer func() {
		for _, fd := range theirs {
			_ = unix.Close(fd)
		}
	}()
	streams := make([][]*stream, len(c.Loops))
	born := reactor.Clock()
	peer, calls, err := c.Control.Open(w.number, z.generation, func() { g.faultAt(p.place, born) })
	if err != nil {
		g.pool.log(fmt.Sprintf("cannot spawn worker %d: %v", w.number, err))
		g.delay(w)
		return err
	}
	defer calls.Close()
	for _, core := range p.cores {
		for l, port := range g.ports {
			fds, err := socketpair(unix.SOCK_STREAM)
			if err != nil {
				peer.Close()
				for _, list := range streams {
					for _, st := range list {
						_ = unix.Close(st.fd)
					}
				}
				g.pool.log(fmt.Sprintf("cannot spawn worker %d: %v", w.number, err))
				g.delay(w)
				return err
			}
			theirs = append(theirs, fds[1])
			_ = unix.SetNonblock(fds[0], true)
			if g.queue < 0 {
				growBuffer(fds[0], 2*MaxRequest)
			}
			streams[l] = append(streams[l], &stream{port: port, core: core, fd: fds[0]})
		}
		core.leaving.Store(false)
		// In stream mode it is given nothing before it can take it.
		core.busy.Store(g.queue < 0)
	}
	p.zygote, p.streams, p.alive, p.why, p.err = z, streams, true, "", nil
	z.processes++
	p.peer = peer
	p.bornAt.Store(born) // before the state, as loops read it then
	p.set(Starting)
	p.pid.Store(0)
	p.spawnedAt.Store(time.Now().UnixNano())
	p.requests.Store(0)
	for i := range p.answered {
		p.answered[i].Store(0)
	}
	p.luck, p.hung = rand.Float64(), false
	p.doing = stage{app: -1, text: "in the fork", since: time.Now()}
	p.hangUp()
	if fd, err := unix.FcntlInt(uintptr(streams[0][0].fd), unix.F_DUPFD_CLOEXEC, 3); err == nil {
		p.line = fd
	}
	for l, port := range g.ports {
		if port.loop.Post(func() { port.attach(streams[l]) }) != nil {
			for _, st := range streams[l] {
				st.closed = true
				_ = unix.Close(st.fd)
			}
		}
	}
	_ = z.spawn(p.place, w.number, append(slices.Clip(theirs), int(calls.Fd()))) // when it fails, the zygote is gone and says so
	return nil
}

// spawned notes that a process has been forked.
func (g *supervisor) spawned(p *process, pid int) {
	if p.pid.Load() != 0 {
		return
	}
	p.pid.Store(int64(pid))
	p.peer.SetPID(pid)
	p.handle, _ = os.FindProcess(pid)
	p.spawnedAt.Store(time.Now().UnixNano())
	w := p.worker
	if w.spawns.Add(1) == 1 {
		only := ""
		if len(g.workers) == 1 {
			only = " (and the only)"
		}
		g.pool.log(fmt.Sprintf("spawned uWSGI worker %d%s (pid: %d, cores: %d)", w.number, only, pid, len(p.cores)))
	} else {
		g.pool.log(fmt.Sprintf("Respawned uWSGI worker %d (new pid: %d)", w.number, pid))
	}
}

// ready has a process serve, and its predecessor go.
func (g *supervisor) ready(p *process) {
	w := p.worker
	p.set(Idle)
	p.peer.Serving()
	p.doing = stage{}
	p.hangUp()
	if g.queue < 0 {
		g.serve(p)
	}
	before := w.present.Load()
	if p.zygote == g.next {
		if before == nil {
			w.present.Store(p)
		}
		g.takeOver()
		return
	}
	if before != nil && before != p {
		g.takeNoMore(before)
	}
	w.present.Store(p)
	if before != nil && before != p {
		g.retire(before, w.due)
	}
	w.due = ""
	g.fill()
}

// serve lets loops give requests to a process, in stream mode. That one is ready is
// known after its streams have been attached, so loops have them.
func (g *supervisor) serve(p *process) {
	for _, c := range p.cores {
		c.busy.Store(false)
	}
	for _, port := range g.ports {
		_ = port.loop.Post(port.pump)
	}
}

// fill spawns what is missing: a process for each worker by the zygote that is
// about to take over, else by the present one.
func (g *supervisor) fill() {
	z := g.zygote
	if g.next != nil && g.next.forking {
		z = g.next
	}
	if g.stopping || z == nil || z.health.stuck != "" {
		return
	}
	starting, any := false, false
	var failed error
	for _, w := range g.workers {
		if w.of(z) == nil && !w.delayed && !w.cheap.Load() {
			if err := g.spawn(w, z); err != nil && err != errNoPlace {
				failed = err
			}
		}
		starting = starting || w.starting(z) != nil
		any = any || w.of(z) != nil
	}
	if failed != nil && z == g.next {
		if !any {
			g.failed(&StartError{Reason: fmt.Sprintf("no worker can be started: %v", failed)})
			return
		}
		g.takeOver()
		return
	}
	if !starting && z == g.zygote {
		g.replaceNext()
	}
}

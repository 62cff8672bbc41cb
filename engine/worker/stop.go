package worker

import (
	"context"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// anyAlive reports whether a process is left. One whose end only the loops have not dealt
// with yet is none: they may never run, as at a start that fails.
func (g *supervisor) anyAlive() bool {
	for _, p := range g.places {
		if p.alive && p.streams != nil {
			return true
		}
	}
	return false
}

// quit tells the workers to go when they have nothing left to do.
func (g *supervisor) quit() {
	if z := g.next; z != nil && !z.forking {
		g.abandon(z) // it would finish importing before it listens
	}
	for _, p := range g.places {
		if p.alive && p.is(Starting) {
			list := g.strays(int(p.pid.Load()))
			g.signal(p, unix.SIGKILL) // likewise, and it has no request
			killStrays(list)
		}
	}
	g.chainOver(ErrStopped)
	g.answer(ErrStopped)
	if g.queue >= 0 {
		_ = unix.Shutdown(g.queue, unix.SHUT_WR)
		return
	}
	port := g.ports[0]
	_ = port.loop.Post(func() {
		for _, st := range port.streams {
			st.tell(tagQuit, 0)
		}
	})
}

// stop has the supervisor end everything.
func (g *supervisor) stop(ctx context.Context) error {
	g.stopReq <- ctx
	<-g.done
	g.close()
	if g.killed {
		return context.Cause(ctx)
	}
	return nil
}

// close gives back what the supervisor has of the system. Loops may still use the
// shared memory, which goes with its last user, and the queue, which goes when each
// of them has let go of it.
func (g *supervisor) close() {
	_ = g.shared.file.Close()
	if g.stacks != nil {
		g.stacks.close()
	}
	if g.queue >= 0 {
		_ = g.queueFile.Close()
		_ = unix.Shutdown(g.queue, unix.SHUT_RDWR)
	}
	left := new(atomic.Int64)
	left.Store(int64(len(g.ports)))
	one := func() {
		if left.Add(-1) == 0 && g.queue >= 0 {
			_ = unix.Close(g.queue)
		}
	}
	for _, port := range g.ports {
		if port.loop.Post(func() { port.shut(); one() }) != nil {
			one()
		}
	}
}

package supervisor

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// Zygote returns the process id of the zygote that serves, or of the first one while it loads;
// 0 for none.
func (g *Supervisor) Zygote() int { return int(g.zygotePID.Load()) }

// Loading returns the id of the process that loads the apps for a reload, 0 for none.
func (g *Supervisor) Loading() int { return int(g.loading.Load()) }

// Load returns the loaded apps, nil before that.
func (g *Supervisor) Load() *Load { return g.load.Load() }

// Reload loads the apps again: see worker.Pool.
func (g *Supervisor) Reload(ctx context.Context) error { return g.ask(ctx, g.generations.reload) }

// ChainReload replaces the workers one after another: see worker.Pool.
func (g *Supervisor) ChainReload(ctx context.Context) error { return g.ask(ctx, g.turns.reload) }

// ask posts fn and waits for its answer.
func (g *Supervisor) ask(ctx context.Context, what func(answer chan<- error)) error {
	answer := make(chan error, 1)
	select {
	case g.posted <- func() { what(answer) }:
	case <-g.done:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-answer:
		return err
	case <-g.done:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ReloadBackgrounds replaces the processes of a kind beside the workers: see worker.Pool.
func (g *Supervisor) ReloadBackgrounds(kind string) {
	g.post(func() { g.backgrounds.reload(kind) })
}

// GiveWay announces another reload after the one under way: see worker.Pool.
func (g *Supervisor) GiveWay() {
	g.post(func() { g.generations.giveWay = g.generations.next != nil })
}

// Scale runs n more workers: see worker.Pool.
func (g *Supervisor) Scale(n int) { g.post(func() { g.scaler.by(n) }) }

// Fault kills a process that has broken the protocol. It does not wait.
func (g *Supervisor) Fault(one *shared.Process) { g.fleet.faultAt(one.Place, one.BornAt.Load()) }

// Raised replaces a process whose app has raised one of launch.Exceptions. It does not wait.
func (g *Supervisor) Raised(one *shared.Process) { g.fleet.ifSame(one, g.turns.replaceRaised) }

// Short replaces a process that has no descriptors left. It does not wait.
func (g *Supervisor) Short(one *shared.Process) { g.fleet.ifSame(one, g.turns.replaceShort) }

// Confess logs the stack of a late request and replaces its process. what names the request;
// age is how long it has run. It does not wait.
func (g *Supervisor) Confess(one *shared.Process, core int, what string, age time.Duration) {
	pid := int(one.PID.Load())
	go func() { // it waits for the stack
		g.judge.confess(one, core, pid, what, age)
		g.post(func() { g.judge.late(g.fleet.places[one.Place], pid) })
	}()
}

// Drain says that the pool stops: late requests get no more mercy.
func (g *Supervisor) Drain() { g.draining.Store(true) }

// Stop ends all processes. When ctx ends first it kills the rest and returns ctx's error.
func (g *Supervisor) Stop(ctx context.Context) error {
	g.stopReq <- ctx
	<-g.done
	g.close()
	if g.killed {
		return context.Cause(ctx)
	}
	return nil
}

// quit retires all workers.
func (g *Supervisor) quit() {
	if z := g.generations.next; z != nil && !z.forking {
		g.fleet.abandon(z) // it would finish the import before it listens
	}
	for _, p := range g.fleet.places {
		if p.alive && p.Is(shared.Starting) {
			list := g.fleet.strays(p.pid())
			p.signal(unix.SIGKILL) // likewise; it has no request
			killStrays(list)
		}
	}
	g.backgrounds.quit()
	g.turns.finish(ErrStopped)
	g.generations.answer(ErrStopped)
	if g.Queue >= 0 {
		_ = unix.Shutdown(g.Queue, unix.SHUT_WR)
		return
	}
	g.loops.Quit()
}

// close frees the supervisor's resources. Loops may still use the shared memory and the queue:
// each ends with its last user.
func (g *Supervisor) close() {
	_ = g.Memory.File.Close()
	g.stacks.close()
	if g.Queue >= 0 {
		_ = g.queueFile.Close()
		_ = unix.Shutdown(g.Queue, unix.SHUT_RDWR)
	}
	done := func() {
		if g.Queue >= 0 {
			_ = unix.Close(g.Queue)
		}
	}
	if g.loops == nil {
		done()
		return
	}
	g.loops.Close(done)
}

// Receiver returns the socket that workers receive requests from. Not in stream mode.
func (g *Supervisor) Receiver() int { return int(g.queueFile.Fd()) }

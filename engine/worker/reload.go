package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A generation is a zygote and the processes that it forks. The start, a reload and
// the death of a zygote are all the same: the next one loads the apps and spawns its
// workers beside what there is, and takes over once all of them are ready. One that
// fails leaves things as they were.

// Reload loads the apps anew, code that has changed included, and returns when new
// workers have taken the place of all others. Those finish the requests that they
// have, within [Config].Mercy, and go; requests that wait are for the new ones. When
// an app cannot be loaded everything stays as it was, and the error is returned as by
// [Start]. Calls while one is under way share one further reload, and have that one
// [Pool.GiveWay]. When ctx ends first, Reload returns its error and the reload goes on. Any
// goroutine.
func (p *Pool) Reload(ctx context.Context) error { return p.ask(ctx, "reload") }

// GiveWay says that another reload is to follow the one that is under way, if one is: it
// is given up should its code hang, which is when it takes more than twice as long as the
// last one took that did not fail, and a second. Any goroutine.
func (p *Pool) GiveWay() { p.sup.send(message{name: "give way"}) }

// ChainReload replaces the workers one after another, each when the one before is
// ready, which needs less memory at a time than Reload. For that each worker must
// import the apps for itself: without [Config].LazyApps it is Reload. It returns when
// all have been replaced, or as Reload does; when a successor does not start the
// workers that are left stay as they are. One that begins while another is under way
// begins that one anew. When all workers are replaced at once meanwhile, by Reload or as
// the zygote has died, it returns what becomes of that. Any goroutine.
func (p *Pool) ChainReload(ctx context.Context) error { return p.ask(ctx, "chain") }

// Loading returns the id of the process that loads the apps anew, 0 for none. To kill it
// gives that reload up. Any goroutine.
func (p *Pool) Loading() int { return int(p.sup.loading.Load()) }

func (p *Pool) ask(ctx context.Context, what string) error {
	answer := make(chan error, 1)
	select {
	case p.sup.events <- message{name: what, answer: answer}:
	case <-p.sup.done:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-answer:
		return err
	case <-p.sup.done:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (g *supervisor) reload(answer chan<- error) {
	if g.stopping {
		answer <- ErrStopped
		return
	}
	if g.next != nil { // it may have read the old code
		g.asked, g.again, g.giveWay = append(g.asked, answer), true, true
		return
	}
	g.chainedToWaiting()
	g.waiting = append(g.waiting, answer)
	if err := g.startNext(g.pool.config.LazyApps); err != nil {
		g.failed(err)
	}
}

func (g *supervisor) chainReload(answer chan<- error) {
	if g.zygote == nil || !g.zygote.lazy || g.next != nil {
		g.pool.log("chain reload is for lazy-apps: reloading all workers at once")
		g.reload(answer)
		return
	}
	// The zygote that serves goes on in the directories that it was started in.
	if c, err := g.anew(); err != nil || c.Python != g.zygote.config.Python || c.Dir != g.zygote.config.Dir || !slices.Equal(c.PythonPath, g.zygote.config.PythonPath) {
		g.pool.log("chain reload is for one set of directories, and theirs have changed: reloading all workers at once")
		g.reload(answer)
		return
	}
	g.pool.log("chain reload starting...")
	g.turn = append([]*worker{}, g.workers...)
	g.chaining = true
	g.chained = append(g.chained, answer)
	g.fill()
}

// startNext starts the zygote of the next generation.
func (g *supervisor) startNext(lazy bool) error {
	z, err := startZygote(g, lazy, g.events)
	if err != nil {
		return err
	}
	g.next, g.begun = z, time.Now()
	g.loading.Store(int64(z.pid))
	g.zygotes[z] = true
	if g.zygote == nil {
		g.zygotePID.Store(int64(z.pid))
	}
	return nil
}

// loaded deals with what the next zygote has loaded, and has it fork.
func (g *supervisor) loaded(m message) {
	z := m.from
	if z != g.next || g.stopping {
		return
	}
	z.load = &load{python: m.str(0), path: m.str(1), apps: m.apps(2, g.pool.config.Apps)}
	if err := g.outcome(z, z.load.apps, z.pid, g.zygote != nil); err != nil {
		g.failed(err)
		return
	}
	z.forking = true
	z.doing = stage{app: -1, text: "forking its workers"}
	g.fill()
}

// outcome logs what became of the apps. It returns a *[LoadError] when one could not
// be loaded that is needed, or while there is another process that has loaded it.
func (g *supervisor) outcome(z *zygote, apps []LoadedApp, pid int, another bool) error {
	none := true
	for i, a := range apps {
		if a.Reason != "" {
			if g.pool.config.NeedApp || another {
				return &LoadError{App: a.App, Reason: a.Reason}
			}
			g.pool.log(fmt.Sprintf("unable to load app %d (mountpoint='%s') (callable not found or import error): %s", i, a.App.Mount, a.Reason))
			continue
		}
		none = false
		first := ""
		if a.App.Mount == "" || a.App.Mount == "/" {
			first = " (default app)"
		}
		g.pool.log(fmt.Sprintf("WSGI app %d (mountpoint='%s') ready in %d seconds on interpreter %s pid: %d%s", i, a.App.Mount, int(a.Seconds), z.load.path, pid, first))
	}
	if none && len(apps) > 0 {
		g.pool.log("*** no app loaded. going in full dynamic mode ***")
	}
	return nil
}

// takeOver has the next generation take the place of the present one, once it has
// a ready process for every worker for which one could be forked.
func (g *supervisor) takeOver() {
	ready := false
	for _, w := range g.workers {
		switch p := w.of(g.next); {
		case p != nil && p.is(Idle):
			ready = true
		case p == nil && w.delayed, w.cheap.Load():
		default:
			return
		}
	}
	if !ready {
		return
	}
	before, z := g.zygote, g.next
	g.zygote, g.next = z, nil
	g.loading.Store(0)
	z.since = time.Now()
	z.peer.Serving()
	g.took = z.since.Sub(g.begun)
	g.served = true
	g.zygotePID.Store(int64(z.pid))
	g.load.Store(z.load)
	g.replaceNone()
	if before != nil {
		g.pool.log("...gracefully killing workers...")
	}
	for _, p := range g.places {
		if p.alive && p.zygote != z && p.is(Starting, Idle) {
			g.takeNoMore(p)
		}
	}
	for _, w := range g.workers {
		w.present.Store(w.of(z))
		for _, p := range w.places {
			if p.alive && p.zygote != z {
				g.retire(p, "")
			}
		}
	}
	if before != nil && before.processes == 0 {
		before.end()
	}
	g.answer(nil)
}

// failed gives up the next generation.
func (g *supervisor) failed(err error) {
	z := g.next
	g.next = nil
	g.loading.Store(0)
	if z != nil {
		if !z.forking {
			g.abandon(z) // it would finish importing before it listens
		} else {
			defer killStrays(g.straysOf(z))
		}
		for _, p := range g.places {
			if p.alive && p.zygote == z {
				if p.is(Starting) { // it may import
					defer killStrays(g.strays(int(p.pid.Load())))
				}
				g.retire(p, "")
			}
		}
		if z.processes == 0 {
			z.end()
		}
	}
	if g.stopping {
		return
	}
	g.pool.log(err.Error())
	if g.zygote != nil {
		g.pool.log("reload failed: the workers that run stay as they are")
		if g.zygote.health.stopped > 0 {
			g.zygote.goOn() // that is all that is left
		}
		g.answer(err)
		g.fill()
		return
	}
	g.answer(err)
	if !g.served {
		return // Start fails
	}
	if g.short++; g.short >= youngLimit || errors.As(err, new(*LoadError)) {
		// Perhaps a successor, later, does not lack the app that is needed.
		g.sleep()
		g.after(respawnDelay, "restart")
		return
	}
	g.restart()
}

// answer tells those who wait for the next generation what became of it, and starts
// the one after it if it was asked for meanwhile.
func (g *supervisor) answer(err error) {
	for _, c := range g.waiting {
		c <- err
	}
	g.waiting, g.giveWay = nil, false
	if !g.again {
		return
	}
	asked := g.asked
	g.asked, g.again = nil, false
	g.waiting = append(g.waiting, asked[1:]...)
	g.reload(asked[0])
}

// chainedToWaiting ends a chain reload, if there is one, for a generation that takes the
// place of all workers: who waits for its end hears what becomes of that.
func (g *supervisor) chainedToWaiting() {
	if g.chaining {
		g.pool.log("chain reload cut short: all workers are replaced at once")
	}
	g.waiting = append(g.waiting, g.chained...)
	g.chained = nil
	g.replaceNone()
}

// giveUpHanging gives up a reload that takes too long while another one waits for its end.
func (g *supervisor) giveUpHanging(now time.Time) {
	z := g.next
	if z == nil || !g.giveWay || !g.served {
		return
	}
	took := now.Sub(g.begun)
	if took-g.pauses.since(g.begun, now) < 2*g.took+time.Second {
		return
	}
	what := fmt.Sprintf("the zygote (pid: %d) has been %s", z.pid, z.doing.text)
	for _, p := range g.places {
		if p.alive && p.zygote == z && p.is(Starting) && p.doing.text != "" {
			what = fmt.Sprintf("worker %d (pid: %d) has been %s", p.worker.number, p.pid.Load(), p.doing.text)
		}
	}
	g.failed(&StartError{Reason: fmt.Sprintf("%s in a reload that takes %d seconds already, and another one has been asked for: this one is given up, and its processes are killed", what, int(took.Seconds()))})
}

// restart starts a zygote where there is none.
func (g *supervisor) restart() {
	if g.stopping || g.zygote != nil || g.next != nil {
		return
	}
	if err := g.startNext(g.pool.config.LazyApps); err != nil {
		g.failed(err)
	}
}

// orphansEnd is how long the workers of a zygote that has ended may take to be gone. They
// have been killed: what takes longer hangs in the kernel.
const orphansEnd = time.Second

// orphan is a process whose zygote has ended.
type orphan struct {
	*process
	handle *os.Process // its own, nil where its id was never known
	since  time.Time
}

// zygoteGone deals with a zygote that ended, and whose workers the kernel has killed
// therefore. Where it does not do that, they are killed here.
func (g *supervisor) zygoteGone(z *zygote) {
	delete(g.zygotes, z)
	z.end() // closes its socket
	z.peer.Close()
	for _, p := range g.places {
		if !p.alive || p.zygote != z {
			continue
		}
		for _, c := range p.cores {
			g.shared.retire(c.index) // should it live on, it begins nothing more
		}
		p.endHook()
		g.orphans = append(g.orphans, orphan{p, p.handle, time.Now()})
		p.set(Dead)
		p.pid.Store(0)
		p.kill()
		p.worker.present.CompareAndSwap(p, nil)
	}
	g.bury()
	switch {
	case g.stopping:
	case z == g.next:
		if z.version == "" && z.exited() {
			g.failed(z.noPython())
			return
		}
		g.failed(g.why(z))
	case z == g.zygote:
		g.zygote = nil
		g.zygotePID.Store(0)
		g.chainedToWaiting()
		g.pool.log(fmt.Sprintf("DAMN ! the zygote (pid: %d) died (%v): its workers go too, trying respawn ...", z.pid, orEnded(z.err)))
		if g.next != nil {
			g.zygotePID.Store(int64(g.next.pid))
			return // it takes over soon
		}
		if time.Since(z.since) < young {
			g.short++
		} else {
			g.short = 0
		}
		if g.short >= youngLimit {
			g.sleep()
			g.after(respawnDelay, "restart")
			return
		}
		g.restart()
	}
}

// takeNoMore tells the threads of a process to take no more requests. It comes before its
// successor is known to serve, so that what is sent after that is for the successor.
func (g *supervisor) takeNoMore(p *process) {
	if g.queue < 0 {
		return
	}
	for _, c := range p.cores {
		g.shared.retire(c.index)
	}
}

// bury ends the orphans that are gone, and looks at the others again soon: what they have
// not claimed is run elsewhere, so they must be gone. The supervisor goes on meanwhile.
func (g *supervisor) bury() {
	g.orphans = slices.DeleteFunc(g.orphans, func(o orphan) bool {
		sure := o.streams == nil || g.gone(o.process, o.handle)
		if !sure && time.Since(o.since) < orphansEnd {
			return false
		}
		if o.streams != nil { // else its end has been dealt with before
			g.end(o.process, sure)
		}
		return true
	})
	if len(g.orphans) > 0 && !g.burying {
		g.burying = true
		g.after(time.Millisecond, "orphans")
	}
}

// retire has a process finish the requests that it has, and go. why is for the log.
func (g *supervisor) retire(p *process, why string) {
	if !p.is(Starting, Idle) {
		return
	}
	starting := p.is(Starting)
	p.set(Draining)
	p.retired, p.why = time.Now(), why
	p.peer.Leaving()
	p.worker.present.CompareAndSwap(p, nil)
	for _, port := range g.ports {
		_ = port.loop.Post(func() { port.apart(p) })
	}
	pid := int(p.pid.Load())
	g.pool.log(fmt.Sprintf("Gracefully killing worker %d (pid: %d)...", p.worker.number, pid))
	mercy := g.pool.config.Mercy
	if p.hung && g.pool.config.HarakiriMercy > 0 {
		mercy = g.pool.config.HarakiriMercy
	}
	g.after(mercy, "mercy", p.place, int(p.retired.UnixNano()), 0)
	if g.queue >= 0 {
		// A thread looks at this after it has said that it begins, and so takes nothing
		// if that is not to be seen yet. It may begin before the supervisor hears of it.
		began := false
		for _, c := range p.cores {
			g.shared.retire(c.index)
			began = began || g.shared.thread(c.index) != 0
		}
		if starting && !began {
			g.signal(p, unix.SIGKILL)
			return
		}
		g.nudged = 0
		g.nudge()
		return
	}
	if starting {
		g.signal(p, unix.SIGKILL) // it is given no request before it is ready
		return
	}
	for _, c := range p.cores {
		c.leaving.Store(true)
	}
	list := p.streams[0]
	_ = g.ports[0].loop.Post(func() {
		for _, st := range list {
			st.quit()
		}
	})
}

// How long after each other threads that wait for a request are woken while one of them
// is to finish: at first, and after several rounds in which all of them were.
const (
	nudgeFirst = time.Millisecond
	nudgeLast  = 20 * time.Millisecond
)

// nudge wakes one of the threads that wait in the queue, by an empty datagram, so that those
// that are to finish see it. The kernel wakes them in turn. The next is woken when this one
// has taken its datagram: several at once would be taken by those that run first, and
// the same threads would be left without one each time.
func (g *supervisor) nudge() {
	if g.nudging || g.stopping {
		return
	}
	waiting, draining, left := 0, false, false
	for _, p := range g.places {
		if !p.alive || !p.is(Idle, Draining) {
			continue
		}
		draining = draining || p.is(Draining)
		for _, c := range p.cores {
			if id, _ := g.shared.claim(c.index); id == 0 && !g.shared.finished(c.index) {
				waiting++
				left = left || p.is(Draining)
			}
		}
	}
	if !draining {
		return
	}
	pause := nudgeLast
	if left { // else all of them are busy, and see it when they have finished
		if !queued(g.queue) && wake(g.queue) == nil {
			g.nudged++
		}
		pause = min(nudgeFirst<<min(g.nudged/waiting, 10), nudgeLast)
	}
	g.nudging = true
	g.after(pause, "nudge")
}

// wake sends an empty datagram.
func wake(queue int) error {
	return unix.Sendto(queue, nil, unix.MSG_DONTWAIT, nil)
}

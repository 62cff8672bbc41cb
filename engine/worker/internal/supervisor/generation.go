package supervisor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/control"
	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// generation is a zygote and the processes that it forks. A start, a reload and the death of a
// zygote are alike. The next generation loads the apps and spawns its workers beside the
// present ones, and takes over once all are ready. If it fails nothing changes.
type generation struct {
	*zygote.Zygote
	number    int           // counts generations
	peer      *control.Peer // the zygote's channel
	load      *Load         // once it has loaded the apps
	health    policy.Health // whether its zygote responds
	forking   bool          // it has loaded the apps and forks on command
	since     time.Time     // when its workers took over
	processes int           // those whose places are not vacated
}

// generations knows the generation that serves and the next one.
type generations struct {
	g        *Supervisor
	all      map[*zygote.Zygote]*generation
	count    int            // of generations so far
	present  *generation    // its processes serve; nil while there is none
	next     *generation    // the one that loads, to take over; nil for none
	waiting  []chan<- error // callers that wait for next
	asked    []chan<- error // callers that asked for a reload while next was loading
	giveWay  bool           // another reload waits for the end of the present one
	served   bool           // some generation has taken over
	throttle policy.Throttle
	begun    time.Time     // when next was started
	took     time.Duration // how long the present generation took to take over
}

// reload starts another generation, or queues one behind the next.
func (s *generations) reload(answer chan<- error) {
	if s.g.stopping {
		answer <- ErrStopped
		return
	}
	if s.next != nil { // it may have read the old code
		s.asked, s.giveWay = append(s.asked, answer), true
		return
	}
	s.waiting = append(s.waiting, s.g.turns.cutShort()...)
	s.waiting = append(s.waiting, answer)
	if err := s.start(s.g.config.LazyApps); err != nil {
		s.failed(err)
	}
}

// start starts the zygote of the next generation.
func (s *generations) start(lazy bool) error {
	g := s.g
	c, err := s.anew()
	if err != nil {
		return err
	}
	s.count++
	var one *zygote.Zygote
	peer, calls, err := c.Control.Open(0, s.count, func() { go g.post(func() { s.kill(one) }) })
	if err != nil {
		return err
	}
	defer calls.Close()
	in := zygote.Inherited{Memory: g.Memory, Queue: g.queueFile, Stacks: g.stacks.write, Calls: calls, Reload: s.served}
	one, err = zygote.Start(c, lazy, in, func(z *zygote.Zygote, r zygote.Report) bool {
		return g.post(func() { g.report(z, r) })
	})
	if err != nil {
		peer.Close()
		return err
	}
	peer.SetPID(one.PID)
	s.next, s.begun = &generation{Zygote: one, number: s.count, peer: peer}, time.Now()
	g.loading.Store(int64(one.PID))
	s.all[one] = s.next
	if s.present == nil {
		g.zygotePID.Store(int64(one.PID))
	}
	return nil
}

// kill kills a zygote that has broken the protocol of its channel.
func (s *generations) kill(z *zygote.Zygote) {
	if s.all[z] != nil {
		z.Kill()
	}
}

// threads handles threads that the app started during its import.
func (s *generations) threads(z *generation, r zygote.Threads) {
	if z != s.next {
		return
	}
	g := s.g
	names := strings.Join(r.Names, ", ")
	if r.Kept {
		g.say("the app started threads while it was imported (%s): they run only in process %d, which forks the workers and serves no request", names, z.PID)
		return
	}
	// A fork now would lose those threads, and could leave their locks taken.
	warning := ""
	switch n := len(g.fleet.workers); {
	case g.config.ImportOnce:
		warning = ". lazy-apps = false is not possible with them on PyPy: run what must run once as a process of its own, as with attach-daemon"
	case n > 1:
		warning = fmt.Sprintf(". So all %d workers run these threads: where they must run once, as a scheduler must, set lazy-apps = false; lazy-apps = true says that each worker is to have them", n)
	}
	g.say("*** WARNING: the app started threads while it was imported (%s): each worker imports it for itself (lazy-apps)%s ***", names, warning)
	z.Retire()
	if err := s.start(true); err != nil {
		s.failed(err)
	}
}

// loaded handles the next zygote's report of the loaded apps. It lets the zygote fork.
func (s *generations) loaded(z *generation, r zygote.Loaded) {
	if z != s.next || s.g.stopping {
		return
	}
	z.load = &Load{Python: r.Python, Path: r.Path, Apps: r.Apps}
	if err := s.outcome(z, r.Apps, z.PID, s.present != nil); err != nil {
		s.failed(err)
		return
	}
	z.forking = true
	z.Doing = zygote.Stage{App: -1, Text: "forking its workers"}
	s.g.fleet.fill()
}

// imported handles the apps that a process has imported for itself. When a needed app could not
// be loaded it ends the process and returns false.
func (s *generations) imported(p *process, r zygote.Ready) bool {
	z := p.generation
	another := p.worker.present() != nil || s.present != nil && z == s.next || z == s.present && z.load.complete()
	if p.err = s.outcome(z, r.Apps, r.PID, another); p.err != nil {
		list := s.g.fleet.strays(p.pid())
		p.signal(sigKill) // it exits by itself only with need-app
		killStrays(list)
		return false
	}
	z.load = &Load{Python: z.load.Python, Path: z.load.Path, Apps: r.Apps}
	if z == s.present {
		s.g.load.Store(z.load)
	}
	return true
}

// outcome logs whether the apps were loaded. It returns a [launch.LoadError] when an app failed
// that is needed, or that another process has loaded.
func (s *generations) outcome(z *generation, apps []launch.LoadedApp, pid int, another bool) error {
	none := true
	for i, a := range apps {
		if a.Reason != "" {
			if s.g.config.NeedApp || another {
				return &launch.LoadError{App: a.App, Reason: a.Reason}
			}
			s.g.say("unable to load app %d (mountpoint='%s') (callable not found or import error): %s", i, a.App.Mount, a.Reason)
			continue
		}
		none = false
		first := ""
		if a.App.Mount == "" || a.App.Mount == "/" {
			first = " (default app)"
		}
		s.g.say("WSGI app %d (mountpoint='%s') ready in %d seconds on interpreter %s pid: %d%s", i, a.App.Mount, int(a.Seconds), z.load.Path, pid, first)
	}
	if none && len(apps) > 0 {
		s.g.say("*** no app loaded. going in full dynamic mode ***")
	}
	return nil
}

// takeOver makes the next generation the present one, once each worker has a ready process, or
// could not be forked.
func (s *generations) takeOver() {
	g := s.g
	ready := false
	for _, w := range g.fleet.workers {
		switch p := w.of(s.next); {
		case p != nil && p.Is(shared.Serving):
			ready = true
		case p == nil && w.delayed, w.Cheap.Load():
		default:
			return
		}
	}
	if !ready {
		return
	}
	before, z := s.present, s.next
	s.present, s.next = z, nil
	g.loading.Store(0)
	z.since = time.Now()
	z.peer.Serving()
	s.took = z.since.Sub(s.begun)
	s.served = true
	g.zygotePID.Store(int64(z.PID))
	g.load.Store(z.load)
	g.turns.forget()
	if before != nil {
		g.say("...gracefully killing workers...")
	}
	for _, p := range g.fleet.places {
		if p.alive && p.generation != z && p.Is(shared.Starting, shared.Serving) {
			g.fleet.takeNoMore(p)
		}
	}
	for _, w := range g.fleet.workers {
		w.setPresent(w.of(z))
		for _, p := range w.places {
			if p.alive && p.generation != z {
				g.fleet.retire(p, "")
			}
		}
	}
	if before != nil && before.processes == 0 {
		before.Retire()
	}
	g.backgrounds.takeOver(z)
	s.answer(nil)
}

// failed gives up the next generation.
func (s *generations) failed(err error) {
	g, z := s.g, s.next
	s.next = nil
	g.loading.Store(0)
	if z != nil {
		if !z.forking {
			g.fleet.abandon(z) // it would finish importing before it listens
		} else {
			defer killStrays(g.fleet.straysOf(z))
		}
		for _, p := range g.fleet.places {
			if p.alive && p.generation == z {
				if p.Is(shared.Starting) { // it may import
					defer killStrays(g.fleet.strays(p.pid()))
				}
				g.fleet.retire(p, "")
			}
		}
		if z.processes == 0 {
			z.Retire()
		}
	}
	if g.stopping {
		return
	}
	g.say("%s", err)
	if s.present != nil {
		g.say("reload failed: the present workers stay")
		if s.present.health.Stopped > 0 {
			s.present.Continue() // nothing better is left
		}
		s.answer(err)
		g.fleet.fill()
		return
	}
	s.answer(err)
	if !s.served {
		return // Start returns the error
	}
	if s.throttle.Died(0) || errors.As(err, new(*launch.LoadError)) {
		// A later generation may load the missing app.
		g.fleet.sleep()
		g.after(policy.RespawnDelay, s.restart)
		return
	}
	s.restart()
}

// leave notes that a process of a zygote has gone; with the last one goes one that does not
// serve.
func (s *generations) leave(z *generation) {
	if z.processes--; z.processes == 0 && z != s.present && z != s.next {
		z.Retire()
	}
}

// answer tells the waiting callers how the next generation ended, and starts another if one was
// asked for meanwhile.
func (s *generations) answer(err error) {
	for _, c := range s.waiting {
		c <- err
	}
	s.waiting, s.giveWay = nil, false
	if len(s.asked) == 0 {
		return
	}
	asked := s.asked
	s.asked = nil
	s.waiting = append(s.waiting, asked[1:]...)
	s.reload(asked[0])
}

// restart starts a zygote when there is none.
func (s *generations) restart() {
	if s.g.stopping || s.present != nil || s.next != nil {
		return
	}
	if err := s.start(s.g.config.LazyApps); err != nil {
		s.failed(err)
	}
}

// exited handles the exit of a zygote. The kernel kills its workers with it; on other systems
// they are killed here.
func (s *generations) exited(z *generation) {
	g := s.g
	delete(s.all, z.Zygote)
	z.Retire() // closes its socket
	z.peer.Close()
	g.graves.add(z)
	g.backgrounds.orphaned(z)
	switch {
	case g.stopping:
	case z == s.next:
		s.failed(z.Why(z.health.Stuck))
	case z == s.present:
		s.present = nil
		g.zygotePID.Store(0)
		s.waiting = append(s.waiting, g.turns.cutShort()...)
		g.say("DAMN ! the zygote (pid: %d) died (%v): its workers go too, trying respawn ...", z.PID, z.Status())
		if s.next != nil {
			g.zygotePID.Store(int64(s.next.PID))
			return // it takes over soon
		}
		if s.throttle.Died(time.Since(z.since)) {
			g.fleet.sleep()
			g.after(policy.RespawnDelay, s.restart)
			return
		}
		s.restart()
	}
}

// anew returns the configuration for the next generation.
func (s *generations) anew() (*launch.Config, error) {
	c := s.g.config
	if c.Anew != nil {
		if err := c.Anew(&c); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

package supervisor

import (
	"fmt"
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// turns lists the workers to replace one after another: workers that have reached a limit or
// hang, and in a chain reload all of them.
type turns struct {
	g        *Supervisor
	list     []*worker
	chaining bool           // a chain reload runs
	chained  []chan<- error // callers that wait for its end
}

// reload begins a chain reload if possible, else a reload.
func (s *turns) reload(answer chan<- error) {
	g := s.g
	z := g.generations.present
	if z == nil || !z.Lazy || g.generations.next != nil {
		g.say("chain reload needs lazy-apps: reloading all workers at once")
		g.generations.reload(answer)
		return
	}
	// The present zygote keeps the directories that it was started in.
	if c, err := g.generations.anew(); err != nil || c.Python != z.Config.Python || c.Dir != z.Config.Dir || !slices.Equal(c.PythonPath, z.Config.PythonPath) {
		g.say("chain reload needs unchanged directories, and they have changed: reloading all workers at once")
		g.generations.reload(answer)
		return
	}
	g.say("chain reload starting...")
	s.list = slices.Clone(g.fleet.workers)
	s.chaining = true
	s.chained = append(s.chained, answer)
	g.fleet.fill()
}

// add queues a worker to be replaced.
func (s *turns) add(w *worker, why string) {
	w.due = why
	s.list = append(s.list, w)
}

// addFirst queues a worker to be replaced first.
func (s *turns) addFirst(w *worker, why string) {
	w.due = why
	s.list = append([]*worker{w}, s.list...)
}

// recycle looks at every process that serves.
func (s *turns) recycle(now time.Time) {
	g := s.g
	l := &g.config.Limits
	if *l == (launch.Limits{}) || g.stopping {
		return
	}
	for _, w := range g.fleet.workers {
		p := w.present()
		if p == nil {
			continue
		}
		v := policy.Vitals{Worker: w.Number, Spawned: time.Unix(0, p.SpawnedAt.Load()), Requests: p.Requests.Load(), Luck: p.luck}
		if l.RSS > 0 || l.AS > 0 || l.EvilRSS > 0 || l.EvilAS > 0 {
			v.RSS, v.AS = proc.Memory(p.pid())
		}
		if why := policy.Evil(l, v); why != "" {
			g.say("*** EVIL RELOAD ON WORKER %d %s (pid: %d) ***", w.Number, why, p.pid())
			p.signal(sigKill)
			continue
		}
		if why := policy.Due(l, now, v); why != "" && w.due == "" {
			s.add(w, why)
		}
	}
	g.fleet.fill()
}

// replaceShort replaces a process that has no descriptors left.
func (s *turns) replaceShort(p *process) {
	w := p.worker
	if !p.Is(shared.Serving) || w.due != "" || w.delayed {
		return
	}
	open, limit := proc.Descriptors(p.pid())
	s.g.say("worker %d (pid: %d) has no file descriptor left for the body of a request (%d open, RLIMIT_NOFILE %s): it is replaced. If the app leaves no files or sockets open, raise the limit (ulimit -n, LimitNOFILE=)", w.Number, p.pid(), open, limit)
	s.add(w, "no file descriptors left")
	s.g.fleet.fill()
}

// replaceRaised replaces a process whose app has raised one of [launch.Exceptions].
func (s *turns) replaceRaised(p *process) {
	w := p.worker
	if !p.Is(shared.Serving) || w.due != "" || w.delayed || s.g.stopping {
		return
	}
	s.add(w, "an exception was raised (reload-on-exception)")
	s.g.fleet.fill()
}

// next starts the successor of the next queued worker. It is called when no process is
// starting.
func (s *turns) next() {
	g := s.g
	for i, w := range s.list {
		if w.delayed || w.present() == nil {
			continue // it gets a new process anyway
		}
		if g.fleet.spawn(w, g.generations.present) == nil {
			s.list = slices.Delete(s.list, i, i+1)
			return
		}
	}
	s.list = slices.DeleteFunc(s.list, func(w *worker) bool { return w.present() == nil })
	if !s.chaining || len(s.list) > 0 {
		return
	}
	// A worker that died meanwhile starts with the new code, which may fail.
	for _, w := range g.fleet.workers {
		if w.present() == nil && !w.Cheap.Load() {
			if w.delayed {
				s.broken(fmt.Errorf("worker %d has died, and its successor does not start", w.Number))
			}
			return
		}
	}
	g.say("chain reloading complete")
	g.backgrounds.reloadAll() // unlike uWSGI's, which go on with the old code
	s.finish(nil)
}

// broken gives up a chain reload, if there is one.
func (s *turns) broken(err error) {
	if !s.chaining {
		return
	}
	s.g.say("chain reload failed: the remaining workers stay")
	s.finish(err)
	s.forget()
}

// cutShort ends a chain reload, if there is one, because a new generation replaces all workers.
// It returns the callers that waited; they now wait for the generation.
func (s *turns) cutShort() (waiting []chan<- error) {
	if s.chaining {
		s.g.say("chain reload cut short: all workers are replaced at once")
	}
	waiting, s.chained = s.chained, nil
	s.forget()
	return waiting
}

// finish ends a chain reload, if there is one, and answers those who wait for it.
func (s *turns) finish(err error) {
	for _, c := range s.chained {
		c <- err
	}
	s.chaining, s.chained = false, nil
}

// forget empties the queue of workers to replace.
func (s *turns) forget() {
	s.finish(nil) // a generation has replaced all workers
	s.list = nil
	for _, w := range s.g.fleet.workers {
		w.due = ""
	}
}

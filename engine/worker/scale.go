package worker

import "time"

// Scale has that many more workers run, or fewer when n is negative, within 1 and
// [Config].Processes and until the algorithm wants something else. It does nothing
// without [Config].Cheaper. Workers that go finish their requests. Any goroutine.
func (p *Pool) Scale(n int) { p.sup.send(message{name: "scale", args: []any{n}}) }

// scale has the algorithm decide. A generation that starts is let start first.
func (g *supervisor) scale(now time.Time) {
	if g.stopping || g.zygote == nil || g.next != nil {
		return
	}
	switch n := g.algorithm.decide(g.demand(now)); {
	case n > 0:
		g.more(n)
	case n < 0:
		g.fewer(false)
	}
}

// demand looks at what there is to do.
func (g *supervisor) demand(now time.Time) demand {
	d := demand{now: now}
	clock := monotonic()
	threads, waiting := 0, int64(0)
	for _, w := range g.workers {
		if w.cheap.Load() {
			d.cheap++
		} else {
			d.running++
		}
		d.work += time.Duration(w.runningTime.Load()) * time.Microsecond
		for _, p := range w.places {
			for _, c := range p.cores {
				if id, since := g.shared.claim(c.index); id != 0 && id < finishing {
					waiting--
					d.work += time.Duration(max(0, clock-since))
					if p == w.present.Load() {
						threads++
					}
				}
			}
		}
	}
	for _, port := range g.ports {
		waiting += port.active.Load()
	}
	each := g.pool.config.Threads
	d.busy, d.waiting = (threads+each-1)/each, int(max(0, waiting))
	return d
}

// more starts n workers that are cheap.
func (g *supervisor) more(n int) {
	for _, w := range g.workers {
		if n > 0 && w.cheap.CompareAndSwap(true, false) {
			n--
		}
	}
	g.resize()
	g.fill()
}

// fewer has one worker go cheap: one that does not serve yet; else the one that has run
// longest of those that have no request, or, when forced, of all if each has one. The
// last one stays.
func (g *supervisor) fewer(forced bool) {
	var chosen *worker
	running := 0
	for _, w := range g.workers {
		if w.cheap.Load() {
			continue
		}
		if running++; w.present.Load() == nil {
			chosen = w
		}
	}
	if running < 2 {
		return
	}
	if chosen == nil {
		chosen = g.longest(g.free)
	}
	if chosen == nil && forced {
		chosen = g.longest(func(*process) bool { return true })
	}
	if chosen == nil {
		return
	}
	chosen.cheap.Store(true)
	g.resize()
	for _, p := range chosen.places {
		if p.alive {
			g.retire(p, "")
		}
	}
}

// longest returns the worker whose process has served longest of those that may go; nil
// if none may.
func (g *supervisor) longest(may func(*process) bool) (chosen *worker) {
	for _, w := range g.workers {
		p := w.present.Load()
		if p == nil || w.cheap.Load() || !may(p) {
			continue
		}
		if chosen == nil || p.spawnedAt.Load() < chosen.present.Load().spawnedAt.Load() {
			chosen = w
		}
	}
	return chosen
}

// free reports whether a process has no request.
func (g *supervisor) free(p *process) bool {
	for _, c := range p.cores {
		if id, _ := g.shared.claim(c.index); id != 0 {
			return false
		}
	}
	return true
}

// resize tells the loops how many threads there are to be.
func (g *supervisor) resize() {
	threads := 0
	for _, w := range g.workers {
		if !w.cheap.Load() {
			threads += len(w.threads)
		}
	}
	for _, port := range g.ports {
		_ = port.loop.Post(func() { port.size(threads, port.loop.Now()); port.pump() })
	}
}

// scaleBy does what [Pool.Scale] asks for.
func (g *supervisor) scaleBy(n int) {
	if g.algorithm == nil || g.stopping {
		return
	}
	if n > 0 {
		g.more(n)
		return
	}
	for range min(-n, len(g.workers)) {
		g.fewer(true)
	}
	if g.next != nil && g.next.forking {
		g.takeOver() // which may have waited for one of them
	}
}

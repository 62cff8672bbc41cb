package worker

import (
	"fmt"
	"time"
)

// Cheaper has the number of workers that run follow the load, between Min and
// [Config].Processes, as uWSGI's adaptive process spawning does. The other workers are
// cheap: they have no process. Once a second, a cycle, an algorithm decides whether
// there are to be more or one less. The zero value has all of them run always.
type Cheaper struct {
	Min     int // workers that run at least; 0: all do
	Initial int // workers that run at the start; default: Min
	Step    int // workers that are started at a time; default 1
	// Overload is how many cycles in a row must say the same before something is done;
	// [CheaperBacklog] compares it with the number of requests that wait. Default 3.
	Overload  int
	Algorithm CheaperAlgorithm
	Busyness  Busyness // for [CheaperBusyness]

	cycle time.Duration // default a second; for tests
}

// CheaperAlgorithm is how it is decided how many workers run.
type CheaperAlgorithm uint8

// The algorithms. A worker counts as busy for each Threads requests that run, or a part
// of them.
const (
	// CheaperSpare starts workers when all have been busy for Overload cycles, and ends
	// one each Overload cycles in which there are two or more that are not.
	CheaperSpare CheaperAlgorithm = iota
	// CheaperBacklog starts workers when more than Overload requests wait, and ends one a
	// cycle while fewer do.
	CheaperBacklog
	// CheaperBusyness keeps what part of their time workers are busy between two bounds,
	// and is slow to end workers that it has had to start again.
	CheaperBusyness
	// CheaperManual leaves it to [Pool.Scale].
	CheaperManual
)

// withDefaults fills in what is not given.
func (c Cheaper) withDefaults(processes int) (Cheaper, error) {
	if c.Min <= 0 {
		return Cheaper{}, nil
	}
	if c.Min >= processes {
		return c, fmt.Errorf("a worker pool of %d processes cannot run %d at least and more at times", processes, c.Min)
	}
	c.Initial = min(max(c.Initial, c.Min), processes)
	c.Step = max(c.Step, 1)
	if c.Overload <= 0 {
		c.Overload = 3
	}
	if c.cycle <= 0 {
		c.cycle = time.Second
	}
	c.Busyness = c.Busyness.withDefaults()
	return c, nil
}

// initial returns how many workers run at the start.
func (c *Config) initial() int {
	if c.Cheaper.Min == 0 {
		return c.Processes
	}
	return c.Cheaper.Initial
}

// demand is what an algorithm decides from.
type demand struct {
	now     time.Time
	running int           // workers that are not cheap
	cheap   int           // workers that are
	busy    int           // so many workers are filled by the requests that run
	waiting int           // requests that wait for a worker
	work    time.Duration // how long threads have run requests, since some time in the past
}

// algorithm says once a cycle how many workers are to be started; -1 is one to be ended.
type algorithm interface {
	decide(d demand) int
}

func newAlgorithm(c *Config, log func(string)) algorithm {
	cheaper := &c.Cheaper
	if cheaper.Min == 0 {
		return nil
	}
	switch cheaper.Algorithm {
	case CheaperBacklog:
		return backlogged{least: cheaper.Min, step: cheaper.Step, limit: cheaper.Overload}
	case CheaperBusyness:
		return newBusyness(cheaper, c.Threads, time.Now(), log)
	case CheaperManual:
		return manual{}
	default:
		return &spare{least: cheaper.Min, step: cheaper.Step, cycles: cheaper.Overload}
	}
}

type manual struct{}

func (manual) decide(demand) int { return 0 }

// spare is [CheaperSpare].
type spare struct {
	least, step, cycles int
	overloaded, idle    int // cycles
}

func (a *spare) decide(d demand) int {
	if d.busy >= d.running {
		a.overloaded++
		a.idle = 0
	} else {
		a.overloaded = max(0, a.overloaded-1)
	}
	switch {
	case a.overloaded >= a.cycles:
		a.overloaded = 0
		return min(a.step, d.cheap)
	case a.overloaded > 0, d.running-d.busy == 1: // the spare one stays
		return 0
	}
	a.idle++
	if d.running > a.least && a.idle%a.cycles == 0 {
		return -1
	}
	return 0
}

// backlogged is [CheaperBacklog].
type backlogged struct{ least, step, limit int }

func (a backlogged) decide(d demand) int {
	switch {
	case d.waiting > a.limit:
		return min(a.step, d.cheap)
	case d.waiting < a.limit && d.running > a.least:
		return -1
	}
	return 0
}

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
		chosen = g.longest(func(p *process) bool { return g.free(p) })
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

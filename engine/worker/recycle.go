package worker

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Limits say when a process has served long enough and is replaced; zero values set
// none. Its successor is ready before it finishes its requests and goes, and one
// process of a pool is replaced at a time. So that workers that started together do
// not end together, each process has up to a tenth more than the limits say.
type Limits struct {
	MaxRequests      uint64 // answered by the process
	MaxRequestsDelta uint64 // so many more for worker 2, twice as many more for worker 3
	MaxLifetime      time.Duration
	MaxLifetimeDelta time.Duration // as MaxRequestsDelta
	MinLifetime      time.Duration // no limit but the evil ones counts before
	RSS, AS          int64         // bytes of resident memory, and of address space
	// EvilRSS and EvilAS, in bytes, are limits at which a process is killed at once;
	// what it has in hand fails with [ErrWorkerDied].
	EvilRSS, EvilAS int64
}

// limitsEach is how often the limits are looked at.
const limitsEach = 500 * time.Millisecond

// jitter is the largest part of a limit that is added to it at random.
const jitter = 0.1

// vitals are what limits are about.
type vitals struct {
	worker   int // number, from 1
	spawned  time.Time
	requests uint64
	rss, as  int64   // bytes
	luck     float64 // 0 to 1, for as long as the process lives
}

// due says why a process is to be replaced; it is empty when it is not.
func (l *Limits) due(now time.Time, v vitals) string {
	age := now.Sub(v.spawned)
	if age < l.MinLifetime {
		return ""
	}
	after := float64(v.worker - 1)
	requests := uint64(float64(l.MaxRequests)*(1+jitter*v.luck) + after*float64(l.MaxRequestsDelta))
	lifetime := float64(l.MaxLifetime)*(1+jitter*v.luck) + after*float64(l.MaxLifetimeDelta) // may be more than a Duration holds
	switch {
	case l.MaxRequests > 0 && v.requests >= requests:
		return fmt.Sprintf("max requests reached (%d >= %d)", v.requests, requests)
	case l.MaxLifetime > 0 && float64(age) >= lifetime:
		return fmt.Sprintf("lifetime reached, it was running for %d second(s)", int(age/time.Second))
	case l.RSS > 0 && v.rss >= l.RSS:
		return fmt.Sprintf("rss reached (%d >= %d)", v.rss, l.RSS)
	case l.AS > 0 && v.as >= l.AS:
		return fmt.Sprintf("address space reached (%d >= %d)", v.as, l.AS)
	}
	return ""
}

// evil says why a process is to be killed; it is empty when it is not.
func (l *Limits) evil(v vitals) string {
	switch {
	case l.EvilRSS > 0 && v.rss >= l.EvilRSS:
		return fmt.Sprintf("RSS: %d", v.rss)
	case l.EvilAS > 0 && v.as >= l.EvilAS:
		return fmt.Sprintf("ADDRESS SPACE: %d", v.as)
	}
	return ""
}

// recycle looks at every process that serves.
func (g *supervisor) recycle(now time.Time) {
	l := &g.pool.config.Limits
	if *l == (Limits{}) || g.stopping {
		return
	}
	for _, w := range g.workers {
		p := w.present.Load()
		if p == nil {
			continue
		}
		v := vitals{worker: w.number, spawned: time.Unix(0, p.spawnedAt.Load()), requests: p.requests.Load(), luck: p.luck}
		if l.RSS > 0 || l.AS > 0 || l.EvilRSS > 0 || l.EvilAS > 0 {
			v.rss, v.as = memory(int(p.pid.Load()))
		}
		if why := l.evil(v); why != "" {
			g.pool.log(fmt.Sprintf("*** EVIL RELOAD ON WORKER %d %s (pid: %d) ***", w.number, why, p.pid.Load()))
			g.signal(p, unix.SIGKILL)
			continue
		}
		if why := l.due(now, v); why != "" && w.due == "" {
			w.due = why
			g.turn = append(g.turn, w)
		}
	}
	g.fill()
}

// replaceShort replaces a process that has no descriptors left.
func (g *supervisor) replaceShort(p *process) {
	w := p.worker
	if !p.is(Idle) || w.due != "" || w.delayed {
		return
	}
	pid := int(p.pid.Load())
	open, limit := descriptors(pid)
	g.pool.log(fmt.Sprintf("worker %d (pid: %d) has no file descriptor left for the body of a request: %d are open, RLIMIT_NOFILE is %s; it is replaced. Does the app leave files or sockets open? Else raise the limit (ulimit -n, LimitNOFILE=)", w.number, pid, open, limit))
	w.due = "no file descriptors left"
	g.turn = append(g.turn, w)
	g.fill()
}

// replaceRaised replaces a process whose app has raised what [Exceptions] name.
func (g *supervisor) replaceRaised(p *process) {
	w := p.worker
	if !p.is(Idle) || w.due != "" || w.delayed || g.stopping {
		return
	}
	w.due = "an exception was raised (reload-on-exception)"
	g.turn = append(g.turn, w)
	g.fill()
}

// replaceNext starts the successor of one worker that is to be replaced, if no
// process is starting.
func (g *supervisor) replaceNext() {
	for i, w := range g.turn {
		if w.delayed || w.present.Load() == nil {
			continue // it gets a new process anyhow
		}
		if g.spawn(w, g.zygote) == nil {
			g.turn = slices.Delete(g.turn, i, i+1)
			return
		}
	}
	g.turn = slices.DeleteFunc(g.turn, func(w *worker) bool { return w.present.Load() == nil })
	if !g.chaining || len(g.turn) > 0 {
		return
	}
	// One that died meanwhile is started with the new code, which may not get as far.
	for _, w := range g.workers {
		if w.present.Load() == nil && !w.cheap.Load() {
			if w.delayed {
				g.chainFailed(fmt.Errorf("worker %d has died, and its successor does not start", w.number))
			}
			return
		}
	}
	g.pool.log("chain reloading complete")
	g.chainOver(nil)
}

// chainFailed ends a chain reload that goes no further.
func (g *supervisor) chainFailed(err error) {
	g.pool.log("chain reload failed: the workers that are left stay as they are")
	g.chainOver(err)
	g.replaceNone()
}

// chainOver ends a chain reload, if there is one, and tells those who wait for it.
func (g *supervisor) chainOver(err error) {
	for _, c := range g.chained {
		c <- err
	}
	g.chaining, g.chained = false, nil
}

// replaceNone forgets which workers are to be replaced.
func (g *supervisor) replaceNone() {
	g.chainOver(nil) // whatever comes instead
	g.turn = nil
	for _, w := range g.workers {
		w.due = ""
	}
}

// tick is how often something is to be looked at; 0 means never.
func (c *Config) tick() time.Duration {
	var d time.Duration
	if c.Limits != (Limits{}) {
		d = limitsEach
	}
	if h := c.lateAfter(); h > 0 {
		h = min(max(h/4, 10*time.Millisecond), 250*time.Millisecond)
		if d == 0 || h < d {
			d = h
		}
	}
	return d
}

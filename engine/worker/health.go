package worker

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// health is whether a zygote obeys. It is looked at once a second, and looks are
// counted, not time: while the whole server stands still there are none.
type health struct {
	owed     int    // answers to commands that have not come
	stopped  int    // looks in a row at which the process was stopped
	quiet    int    // ... at which an answer was owed and it did nothing
	overdue  int    // ... at which an answer was owed
	idle     int    // ... at which none was
	retry    int    // looks until it is tried to replace it again
	progress string // what the process had done by the last look
	stuck    string // why it is taken to obey no more; empty: it is not
	deaf     bool   // for good: what it says makes no sense
}

// How many looks it takes. A zygote that is swapped in, or forks on a busy machine, does
// something meanwhile or waits for a processor; neither counts as quiet.
const (
	stoppedLooks = 3
	quietLooks   = 10
	overdueLooks = 120
	pingLooks    = 5
	retryLooks   = 60
)

// answered notes that an answer has come.
func (h *health) answered() {
	h.owed = max(0, h.owed-1)
	h.quiet, h.overdue = 0, 0
}

// look notes what the process does. state is a letter as in /proc, 0 where there is none.
func (h *health) look(state byte, progress string) {
	if h.deaf {
		return
	}
	if state == 'T' {
		h.stopped++
	} else {
		h.stopped = 0
	}
	if h.owed > 0 {
		h.overdue++
	}
	if h.owed > 0 && state != 'R' && progress == h.progress {
		h.quiet++
	} else {
		h.quiet = 0
	}
	h.progress = progress
	switch {
	case h.stopped >= stoppedLooks:
		h.stuck = "is stopped (SIGSTOP)"
	case h.quiet >= quietLooks && state != 'T', h.overdue >= overdueLooks:
		h.stuck = fmt.Sprintf("has not answered for %d seconds", h.overdue)
	case h.owed == 0 && h.stopped == 0:
		h.stuck = ""
	}
}

// watch looks at what starts and at the zygotes.
func (g *supervisor) watch(now time.Time) {
	if !g.stopping {
		g.giveUpHanging(now)
		g.watchStarts(now)
	}
	for z := range g.zygotes {
		if z.ending {
			continue
		}
		h := &z.health
		was := h.stuck
		h.look(processState(z.pid))
		if h.stuck == "" {
			if was != "" {
				g.pool.log(fmt.Sprintf("the zygote (pid: %d) obeys again", z.pid))
				g.fill()
			}
			if h.idle++; z.forking && h.owed == 0 && h.idle%pingLooks == 0 {
				h.owed++
				_ = z.command("ping")
			}
			continue
		}
		if was == "" {
			g.distrust(z)
		}
		g.replaceStuck(z)
	}
}

// distrust says that a zygote is taken to obey no more.
func (g *supervisor) distrust(z *zygote) {
	g.pool.log(fmt.Sprintf("DAMN ! the zygote (pid: %d) %s: it is replaced; its workers finish what they have", z.pid, z.health.stuck))
	z.health.retry = 0
}

// malformed is for a zygote whose report cannot be right, nor anything that follows it.
func (g *supervisor) malformed(z *zygote, why string) {
	if z.ending {
		return
	}
	was := z.health.stuck
	z.health.deaf, z.health.stuck = true, "has sent a report that cannot be right ("+why+")"
	if was == "" {
		g.distrust(z)
	}
	g.replaceStuck(z)
}

// replaceStuck has another zygote take the place of one that obeys no more. Nobody reaps
// its workers, so their ends are looked for here. It is killed when none is left.
func (g *supervisor) replaceStuck(z *zygote) {
	if z == g.next {
		g.abandon(z) // it has no worker that serves
		return
	}
	left := false
	for _, p := range g.places {
		if !p.alive || p.zygote != z || p.streams == nil {
			continue
		}
		// One without a number was not forked, and will be only if the zygote goes on.
		if pid := int(p.pid.Load()); pid != 0 {
			if g.gone(p, p.handle) {
				g.exited(p, pid, 0)
			} else {
				left = true
			}
		}
	}
	if z != g.zygote || g.stopping {
		if !left {
			z.kill()
		}
		return
	}
	if g.next != nil {
		return
	}
	if z.health.retry--; z.health.retry > 0 {
		return
	}
	z.health.retry = retryLooks
	if err := g.startNext(g.pool.config.LazyApps); err != nil {
		g.failed(err)
	}
}

// pauses are times in which nothing of this process ran, as when a container was frozen.
// Workers did not run either, so such time does not count as theirs. A goroutine of its
// own tells them: that the supervisor waits for something is no pause. Any goroutine may
// call its methods.
type pauses struct {
	mu   sync.Mutex // held for a moment
	last time.Time  // when something ran
	list []pause
}

// pause began after the time at which its end is, less its length.
type pause struct {
	end    time.Time
	length time.Duration
}

// Something runs every second. What is longer by this is a pause; the number that is
// remembered is bounded, and so is what a late request may gain.
const (
	pauseLeast = 2 * time.Second
	pausesMost = 64
)

// serve notes that something runs, until done is closed.
func (s *pauses) serve(done <-chan struct{}) {
	tick := time.NewTicker(watchEach)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tick(time.Now()) // not what the ticker says, which may be from before a pause
		case <-done:
			return
		}
	}
}

// tick notes that something runs.
func (s *pauses) tick(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, is := s.present(now); is {
		if len(s.list) == pausesMost {
			s.list = slices.Delete(s.list, 0, 1)
		}
		s.list = append(s.list, p)
	}
	s.last = now
}

// present returns the pause that has just ended, of which tick has not heard yet.
func (s *pauses) present(now time.Time) (p pause, is bool) {
	d := now.Sub(s.last)
	return pause{now, d}, !s.last.IsZero() && d > watchEach+pauseLeast
}

// since returns how much of the time between at and now was a pause.
func (s *pauses) since(at, now time.Time) (d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.list {
		d += max(0, min(p.length, p.end.Sub(at)))
	}
	if p, is := s.present(now); is {
		d += max(0, min(p.length, p.end.Sub(at)))
	}
	return d
}

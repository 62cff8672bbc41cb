package supervisor

import (
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// scaler runs as many workers as its policy, or a caller of Scale, asks for.
type scaler struct {
	g      *Supervisor
	policy policy.Scaler // nil when all workers always run
}

// look lets the policy decide. It waits while a generation starts.
func (s *scaler) look(now time.Time) {
	if s.g.stopping || s.g.generations.present == nil || s.g.generations.next != nil {
		return
	}
	switch n := s.policy.Decide(s.demand(now)); {
	case n > 0:
		s.more(n)
	case n < 0:
		s.fewer(false)
	}
}

// by runs n more workers, or fewer when n is negative.
func (s *scaler) by(n int) {
	if s.policy == nil || s.g.stopping {
		return
	}
	if n > 0 {
		s.more(n)
		return
	}
	for range min(-n, len(s.g.fleet.workers)) {
		s.fewer(true)
	}
	if z := s.g.generations.next; z != nil && z.forking {
		s.g.generations.takeOver() // it may have waited for one of them
	}
}

// demand measures the load.
func (s *scaler) demand(now time.Time) policy.Demand {
	d := policy.Demand{Now: now}
	clock := shared.Monotonic()
	threads, waiting := 0, s.g.loops.Active()
	for _, w := range s.g.fleet.workers {
		if w.Cheap.Load() {
			d.Cheap++
		} else {
			d.Running++
		}
		d.Work += time.Duration(w.RunningTime.Load()) * time.Microsecond
		for _, p := range w.places {
			for _, t := range p.threads {
				if id, since := s.g.Memory.Claim(t.index); id != 0 && id < shared.Finishing {
					waiting--
					d.Work += time.Duration(max(0, clock-since))
					if p == w.present() {
						threads++
					}
				}
			}
		}
	}
	if c := &s.g.config.Cheaper; c.SoftRSS > 0 || c.HardRSS > 0 {
		d.Resident = s.resident()
	}
	each := s.g.config.Cores()
	d.Busy, d.Waiting = (threads+each-1)/each, int(max(0, waiting))
	return d
}

// resident returns the resident memory of all workers together, in bytes.
func (s *scaler) resident() (total int64) {
	for _, w := range s.g.fleet.workers {
		if p := w.present(); p != nil {
			rss, _ := proc.Memory(int(p.PID.Load()))
			total += rss
		}
	}
	return total
}

// more starts n cheap workers.
func (s *scaler) more(n int) {
	for _, w := range s.g.fleet.workers {
		if n > 0 && w.Cheap.CompareAndSwap(true, false) {
			n--
		}
	}
	s.resize()
	s.g.fleet.fill()
}

// fewer makes one worker cheap. It chooses one that does not serve yet, else the
// longest-running one without a request. When forced it takes the longest-running of all if
// each has a request. The last worker stays.
func (s *scaler) fewer(forced bool) {
	var chosen *worker
	running := 0
	for _, w := range s.g.fleet.workers {
		if w.Cheap.Load() {
			continue
		}
		if running++; w.present() == nil {
			chosen = w
		}
	}
	if running < 2 {
		return
	}
	if chosen == nil {
		chosen = s.longest(s.free)
	}
	if chosen == nil && forced {
		chosen = s.longest(func(*process) bool { return true })
	}
	if chosen == nil {
		return
	}
	chosen.Cheap.Store(true)
	s.resize()
	for _, p := range chosen.places {
		if p.alive {
			s.g.fleet.retire(p, "")
		}
	}
}

// longest returns the worker whose process has served longest and may go; nil for none.
func (s *scaler) longest(may func(*process) bool) (chosen *worker) {
	for _, w := range s.g.fleet.workers {
		p := w.present()
		if p == nil || w.Cheap.Load() || !may(p) {
			continue
		}
		if chosen == nil || p.SpawnedAt.Load() < chosen.present().SpawnedAt.Load() {
			chosen = w
		}
	}
	return chosen
}

// free reports whether a process has no request.
func (s *scaler) free(p *process) bool {
	for _, t := range p.threads {
		if id, _ := s.g.Memory.Claim(t.index); id != 0 {
			return false
		}
	}
	return true
}

// resize tells the loops how many threads will serve.
func (s *scaler) resize() {
	threads := 0
	for _, w := range s.g.fleet.workers {
		if !w.Cheap.Load() {
			threads += len(w.Threads)
		}
	}
	s.g.loops.Resize(threads)
}

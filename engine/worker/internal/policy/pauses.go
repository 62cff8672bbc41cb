package policy

import (
	"slices"
	"sync"
	"time"
)

// LookEach is how often the supervisor looks at starting processes and zygotes.
const LookEach = time.Second

// Pauses are times in which this process stood still, for example in a frozen container.
// Workers stood still too, so such time does not count as theirs. A goroutine of its own
// measures them, because a supervisor that waits is not a pause. Any goroutine may call its
// methods.
type Pauses struct {
	mu   sync.Mutex // held for a moment
	last time.Time  // the last tick
	list []pause
}

// pause has an end and a length.
type pause struct {
	end    time.Time
	length time.Duration
}

// A tick comes every second. A tick that is late by this is a pause. Only some pauses are
// remembered, which bounds what a late request may gain.
const (
	pauseLeast = 2 * time.Second
	pausesMost = 64
)

// Serve ticks until done is closed.
func (s *Pauses) Serve(done <-chan struct{}) {
	tick := time.NewTicker(LookEach)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Tick(time.Now()) // not the ticker's time, which may be from before a pause
		case <-done:
			return
		}
	}
}

// Tick notes that this process runs.
func (s *Pauses) Tick(now time.Time) {
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

// present returns the pause that has just ended, before Tick has noted it.
func (s *Pauses) present(now time.Time) (p pause, is bool) {
	d := now.Sub(s.last)
	return pause{now, d}, !s.last.IsZero() && d > LookEach+pauseLeast
}

// Since returns how much of the time between at and now was a pause.
func (s *Pauses) Since(at, now time.Time) (d time.Duration) {
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

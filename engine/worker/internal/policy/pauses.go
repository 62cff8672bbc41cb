package policy

import (
	"slices"
	"sync"
	"time"
)

// LookEach is how often the supervisor looks at what starts and at the zygotes.
const LookEach = time.Second

// Pauses are times in which nothing of this process ran, as when a container was frozen.
// Workers did not run either, so such time does not count as theirs. A goroutine of its
// own tells them: that the supervisor waits for something is no pause. Any goroutine may
// call its methods.
type Pauses struct {
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

// Serve notes that something runs, until done is closed.
func (s *Pauses) Serve(done <-chan struct{}) {
	tick := time.NewTicker(LookEach)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Tick(time.Now()) // not what the ticker says, which may be from before a pause
		case <-done:
			return
		}
	}
}

// Tick notes that something runs.
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

// present returns the pause that has just ended, of which Tick has not heard yet.
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

package signals

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/cron"
)

// most is how many sources of a kind a generation may have, as in uWSGI.
const most = 64

// settled is how long a file has to rest: one change is several events.
const settled = 20 * time.Millisecond

// source sends a signal again and again.
type source struct {
	kind   string // timer, rb timer, cron, file
	signal byte
	every  time.Duration // timers
	left   int           // how often timers that end still run; 0 for ever
	at     cron.Schedule
	path   string
	name   string    // the key that was asked for
	next   time.Time // when to look again; zero: it waits for an event, or is over
}

// key identifies a source: equal ones go on across generations.
func (s *source) key() string {
	return fmt.Sprint(s.kind, s.signal, s.every, s.left, s.at, s.path)
}

// begin starts its time now.
func (s *source) begin(now time.Time) {
	switch s.kind {
	case "timer", "rb timer":
		s.next = now.Add(s.every)
	case "cron":
		s.next = nextMinute(now)
	}
}

// due reports whether the signal is due, and sets the next time.
func (s *source) due(now time.Time) bool {
	if s.next.IsZero() || now.Before(s.next) {
		return false
	}
	was := s.next
	switch s.kind {
	case "cron":
		s.next = nextMinute(now)
		return s.at.Matches(was) && now.Sub(was) < time.Minute
	case "file":
		s.next = time.Time{}
	default:
		// Periods in which nothing ran count once, such as those of a machine that slept.
		s.next = was.Add(s.every * (1 + now.Sub(was)/s.every))
		if s.left > 0 {
			if s.left--; s.left == 0 {
				s.next = time.Time{}
			}
		}
	}
	return true
}

func nextMinute(now time.Time) time.Time { return now.Truncate(time.Minute).Add(time.Minute) }

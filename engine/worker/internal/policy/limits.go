package policy

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// limitsEach is how often limits are checked.
const limitsEach = 500 * time.Millisecond

// jitter is the largest part of a limit that is added at random.
const jitter = 0.1

// Vitals are the values that have limits.
type Vitals struct {
	Worker   int // number, from 1
	Spawned  time.Time
	Requests uint64
	RSS, AS  int64   // bytes
	Luck     float64 // 0 to 1, for as long as the process lives
}

// Due returns why a process must be replaced, empty for no reason.
func Due(l *launch.Limits, now time.Time, v Vitals) string {
	age := now.Sub(v.Spawned)
	if age < l.MinLifetime {
		return ""
	}
	after := float64(v.Worker - 1)
	requests := uint64(float64(l.MaxRequests)*(1+jitter*v.Luck) + after*float64(l.MaxRequestsDelta))
	lifetime := float64(l.MaxLifetime)*(1+jitter*v.Luck) + after*float64(l.MaxLifetimeDelta) // may be more than a Duration holds
	switch {
	case l.MaxRequests > 0 && v.Requests >= requests:
		return fmt.Sprintf("max requests reached (%d >= %d)", v.Requests, requests)
	case l.MaxLifetime > 0 && float64(age) >= lifetime:
		return fmt.Sprintf("lifetime reached, it was running for %d second(s)", int(age/time.Second))
	case l.RSS > 0 && v.RSS >= l.RSS:
		return fmt.Sprintf("rss reached (%d >= %d)", v.RSS, l.RSS)
	case l.AS > 0 && v.AS >= l.AS:
		return fmt.Sprintf("address space reached (%d >= %d)", v.AS, l.AS)
	}
	return ""
}

// Evil returns why a process must be killed, empty for no reason.
func Evil(l *launch.Limits, v Vitals) string {
	switch {
	case l.EvilRSS > 0 && v.RSS >= l.EvilRSS:
		return fmt.Sprintf("RSS: %d", v.RSS)
	case l.EvilAS > 0 && v.AS >= l.EvilAS:
		return fmt.Sprintf("ADDRESS SPACE: %d", v.AS)
	}
	return ""
}

// Tick returns how often to look; 0 means never.
func Tick(c *launch.Config) time.Duration {
	var d time.Duration
	if c.Limits != (launch.Limits{}) {
		d = limitsEach
	}
	if h := c.LateAfter(); h > 0 {
		h = min(max(h/4, 10*time.Millisecond), 250*time.Millisecond)
		if d == 0 || h < d {
			d = h
		}
	}
	return d
}

package policy

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// limitsEach is how often the limits are looked at.
const limitsEach = 500 * time.Millisecond

// jitter is the largest part of a limit that is added to it at random.
const jitter = 0.1

// Vitals are what limits are about.
type Vitals struct {
	Worker   int // number, from 1
	Spawned  time.Time
	Requests uint64
	RSS, AS  int64   // bytes
	Luck     float64 // 0 to 1, for as long as the process lives
}

// Due says why a process is to be replaced; it is empty when it is not.
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

// Evil says why a process is to be killed; it is empty when it is not.
func Evil(l *launch.Limits, v Vitals) string {
	switch {
	case l.EvilRSS > 0 && v.RSS >= l.EvilRSS:
		return fmt.Sprintf("RSS: %d", v.RSS)
	case l.EvilAS > 0 && v.AS >= l.EvilAS:
		return fmt.Sprintf("ADDRESS SPACE: %d", v.AS)
	}
	return ""
}

// Tick is how often something is to be looked at; 0 means never.
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

package policy

import "time"

// Throttle has respawning wait once processes in a row have lived for less than Young.
type Throttle struct{ short int }

// Respawning waits for RespawnDelay, uWSGI's forkbomb-delay, once youngLimit processes in
// a row have lived for less than Young.
const (
	Young        = time.Second
	RespawnDelay = 2 * time.Second
	youngLimit   = 2
)

// Died counts a process that has lived for that long, and reports whether the next one has
// to wait.
func (t *Throttle) Died(age time.Duration) (wait bool) {
	if age >= Young {
		t.short = 0
		return false
	}
	t.short++
	return t.short >= youngLimit
}

// Retry counts a process that did not get as far as to serve, and reports whether another
// may be tried at once. If not, it is not counted.
func (t *Throttle) Retry() bool {
	if t.short+1 >= youngLimit {
		return false
	}
	t.short++
	return true
}

// Exhaust has the next process wait, whatever was before.
func (t *Throttle) Exhaust() { t.short = youngLimit }

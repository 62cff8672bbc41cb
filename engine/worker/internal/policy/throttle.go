package policy

import "time"

// Throttle delays respawning when several processes in a row have lived less than Young.
type Throttle struct{ short int }

// Respawning waits for RespawnDelay, uWSGI's forkbomb-delay, once youngLimit processes in
// a row have lived for less than Young.
const (
	Young        = time.Second
	RespawnDelay = 2 * time.Second
	youngLimit   = 2
)

// Died counts the death of a process after age, and reports whether the next one must wait.
func (t *Throttle) Died(age time.Duration) (wait bool) {
	if age >= Young {
		t.short = 0
		return false
	}
	t.short++
	return t.short >= youngLimit
}

// Retry counts a process that died before it served, and reports whether another may be tried
// at once. If not, it does not count it.
func (t *Throttle) Retry() bool {
	if t.short+1 >= youngLimit {
		return false
	}
	t.short++
	return true
}

// Exhaust makes the next process wait in any case.
func (t *Throttle) Exhaust() { t.short = youngLimit }

package policy

import "time"

// Backoff has the next process of a kind wait that ends soon after its start again and
// again: not the first time, then for a second, and each time for twice as long.
type Backoff struct{ short int }

// soon is how long a process has to live for its end to count as none of these, and
// mostWait bounds the wait.
const (
	soon     = 10 * time.Second
	mostWait = time.Minute
)

// Died counts a process that has lived for that long, and returns how long the next one has
// to wait.
func (b *Backoff) Died(age time.Duration) time.Duration {
	if age >= soon {
		b.short = 0
		return 0
	}
	b.short++
	if b.short == 1 {
		return 0
	}
	return min(time.Second<<min(b.short-2, 10), mostWait)
}

package worker

import (
	"sync/atomic"
	"time"
)

// deadlines holds how long the requests of one loop may run, by slot, in nanoseconds: 0 for the
// pool's limit, negative for ever. The loop writes it before it sends a request; the supervisor
// reads it. It is nil when no request has a limit of its own.
type deadlines []atomic.Int64

func newDeadlines(c *Config) deadlines {
	if c.HarakiriLeast <= 0 {
		return nil
	}
	return make(deadlines, slotMask+1)
}

func (d deadlines) set(slot int, limit time.Duration) {
	if d != nil {
		d[slot].Store(int64(limit))
	}
}

// copy gives a slot the deadline of another.
func (d deadlines) copy(slot, from int) {
	if d != nil {
		d[slot].Store(d[from].Load())
	}
}

// of returns the deadline of the request with that id.
func (d deadlines) of(id uint64) int64 {
	if d == nil {
		return 0
	}
	return d[id&slotMask].Load()
}

package worker

import (
	"sync/atomic"
	"time"
)

// deadlines says how long the requests of one loop may run, by slot, in nanoseconds: 0
// for as long as the pool says, negative for ever. The loop writes it before a request
// is sent, the supervisor reads it. It is nil where no request has a time of its own.
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

// copy sets that of a slot to another's.
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

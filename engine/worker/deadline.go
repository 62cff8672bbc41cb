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

// lateAfter is the time that no request can be late before; 0: none can.
func (c *Config) lateAfter() time.Duration {
	if c.Harakiri > 0 && (c.HarakiriLeast <= 0 || c.Harakiri < c.HarakiriLeast) {
		return c.Harakiri
	}
	return max(c.HarakiriLeast, 0)
}

// portOf returns the port whose request a claim is of.
func (g *supervisor) portOf(id uint64) *Port {
	return g.ports[min(int(id>>loopShift), len(g.ports)-1)]
}

// running returns what a core has claimed, and for how long that may run.
func (g *supervisor) running(c *Core) (claim condemned, limit int64) {
	id, since := g.shared.claim(c.index)
	usual := int64(g.pool.config.Harakiri)
	switch {
	case id == 0:
		return condemned{}, 0
	case id < finishing:
		if limit = g.portOf(id).deadlines.of(id); limit == 0 {
			limit = usual
		}
		if again, _ := g.shared.claim(c.index); again != id {
			return condemned{}, 0 // it has ended, and its slot may be another's by now
		}
		c.began, c.limit = since, limit
	case c.began != since: // its answer is out; it was too short to be seen before
		c.began, c.limit = since, usual
	}
	return condemned{id, since}, c.limit
}

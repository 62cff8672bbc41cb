package worker

import (
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// Core is a place for one request at a time, in uWSGI's word: a thread of a worker, or a slot
// of a thread that has several ([Config].Slots). It belongs to a place of the worker and serves
// the place's processes one after another. Any goroutine may call its methods.
type Core struct {
	process *shared.Process
	id      int
	index   int // among all cores of the pool: the place of its claim
	name    string
	counts  *shared.ThreadCount

	busy     atomic.Bool  // stream mode: it has a request, or must not get one
	retiring atomic.Bool  // stream mode: it finishes once it has no request
	free     atomic.Int64 // when it answered last, on the loops' clock
}

// ID returns the number of the core in its worker, from 0.
func (c *Core) ID() int { return c.id }

// WorkerID returns the number of the worker, from 1.
func (c *Core) WorkerID() int { return c.process.Worker.Number }

// PID returns the process id, 0 while there is none.
func (c *Core) PID() int { return int(c.process.PID.Load()) }

// Requests returns how many requests the worker's core of that number has answered, over all
// processes.
func (c *Core) Requests() uint64 { return c.counts.Requests() }

// Answered counts an answer of an app. It returns how many the worker's present process has
// given, this one included, as uWSGI logs it.
func (c *Core) Answered(app int) uint64 {
	return c.process.Answered[shared.AppPlace(app)].Add(1)
}

// AddTx counts n bytes sent to clients for the worker.
func (c *Core) AddTx(n int64) { c.process.Worker.Tx.Add(uint64(n)) }

// count counts an answer of an app that took d nanoseconds.
func (c *Core) count(d int64, app uint8) {
	us := d / int64(time.Microsecond)
	c.counts.Apps[app].Requests.Add(1)
	c.process.Requests.Add(1)
	w := c.process.Worker
	w.RunningTime.Add(uint64(us))
	// uWSGI's mean. Two loops at once may lose one sample of it.
	w.AvgRT.Store((w.AvgRT.Load() + uint64(us)) / 2)
}

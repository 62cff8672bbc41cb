// Package shared is what the loops and the supervisor both read and write of the workers:
// the memory that they share with the processes, their states and their counters. All of
// it that changes is atomic, so any goroutine may use it. Who writes what is said there.
package shared

import (
	"slices"
	"sync/atomic"
	"time"
)

// State is where a process is in its life. The supervisor writes it.
type State uint32

// The states of a process, in the order in which it goes through them.
const (
	Dead     State = iota // there is none, or its end is being dealt with
	Starting              // it is forked, or imports the apps
	Serving               // it takes requests
	Draining              // it finishes what it has, and goes
)

// Places is how many processes a worker can have at a time: the one that serves,
// its successor, and some that drain. Where all are taken the successor waits, at
// most for the mercy time.
const Places = 4

// Apps is how many apps are told apart where answers are counted by app; the last
// place is that of all others.
const Apps = 16

// AppPlace returns the place in which an app is counted.
func AppPlace(app int) uint8 { return uint8(min(max(app, 0), Apps-1)) }

// Worker is one of the pool's workers, which processes are one after another. Its
// counters go on when the process is replaced.
type Worker struct {
	Number    int // from 1
	Processes []*Process
	Threads   []ThreadCount // by core

	Present     atomic.Pointer[Process] // the one that serves, nil while there is none; the supervisor's
	Cheap       atomic.Bool             // it is to have no process; the supervisor's
	Spawns      atomic.Uint64           // the supervisor's
	Harakiri    atomic.Uint64
	RunningTime atomic.Uint64 // µs
	AvgRT       atomic.Uint64 // µs
	Tx          atomic.Uint64 // bytes
}

// NewWorker returns a worker without a process.
func NewWorker(number, threads int) *Worker {
	w := &Worker{Number: number, Threads: make([]ThreadCount, threads)}
	for i := range Places {
		w.Processes = append(w.Processes, &Process{Worker: w, Place: (number-1)*Places + i, Threads: threads})
	}
	return w
}

// ThreadCount counts what one core has done, whichever its process was, by app.
type ThreadCount struct {
	Apps [Apps]AppCount
}

// AppCount counts what one core has done for one app.
type AppCount struct {
	Requests   atomic.Uint64
	Exceptions atomic.Uint64
}

// Requests returns how many requests the core has answered.
func (t *ThreadCount) Requests() (n uint64) {
	for i := range t.Apps {
		n += t.Apps[i].Requests.Load()
	}
	return n
}

// Process is a place for one process of a worker, used again when that is gone.
type Process struct {
	Worker  *Worker
	Place   int // among all of the pool
	Threads int

	state     atomic.Uint32
	PID       atomic.Int64  // 0 while it is not known; the supervisor's
	SpawnedAt atomic.Int64  // Unix nanoseconds; the supervisor's
	BornAt    atomic.Int64  // on the loops' clock, before it is forked; the supervisor's
	Requests  atomic.Uint64 // answered by it
	Answered  [Apps]atomic.Uint64
}

// Thread returns the number of one of its threads among all of the pool: the place of
// that thread's claim.
func (p *Process) Thread(core int) int { return p.Place*p.Threads + core }

// Set changes its state. The supervisor calls it.
func (p *Process) Set(s State) { p.state.Store(uint32(s)) }

// State returns its state.
func (p *Process) State() State { return State(p.state.Load()) }

// Is reports whether its state is one of these.
func (p *Process) Is(states ...State) bool {
	return slices.Contains(states, p.State())
}

// Age is for how long the process has run.
func (p *Process) Age(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, p.SpawnedAt.Load()))
}

// Born makes the place ready for a process that is about to be forked. at is the present
// time on the loops' clock. The supervisor calls it.
func (p *Process) Born(at int64) {
	p.BornAt.Store(at) // before the state, as loops read it then
	p.Set(Starting)
	p.PID.Store(0)
	p.SpawnedAt.Store(time.Now().UnixNano())
	p.Requests.Store(0)
	for i := range p.Answered {
		p.Answered[i].Store(0)
	}
}

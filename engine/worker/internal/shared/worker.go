// Package shared holds the state of workers that loops and supervisor both use: the memory
// shared with the processes, states and counters. All changing fields are atomic, so any
// goroutine may use them. Each field names its writer.
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
	Dead     State = iota // there is no process, or it has exited and is being detached
	Starting              // it is being forked, or imports the apps
	Serving               // it takes requests
	Draining              // it is retired: it finishes its requests and exits
)

// Places is how many processes a worker can have at a time: one that serves, its successor, and
// some that drain. When all are taken the successor waits, at most for the mercy time.
const Places = 4

// Apps is how many apps have counters of their own. The last place counts all other apps.
const Apps = 16

// AppPlace returns the place that counts an app.
func AppPlace(app int) uint8 { return uint8(min(max(app, 0), Apps-1)) }

// Worker is one of the pool's workers, served by one process after another. Its counters go on
// when the process is replaced.
type Worker struct {
	Number    int // from 1
	Processes []*Process
	Threads   []ThreadCount // by core

	Present     atomic.Pointer[Process] // the one that serves, nil for none; the supervisor writes it
	Cheap       atomic.Bool             // it has no process, on purpose; the supervisor writes it
	Spawns      atomic.Uint64           // the supervisor writes it
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

// ThreadCount counts the work of one core by app, over all its processes.
type ThreadCount struct {
	Apps [Apps]AppCount
}

// AppCount counts the work of one core for one app.
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

// Process is a place for one process of a worker. The next process uses it again.
type Process struct {
	Worker  *Worker
	Place   int // among all of the pool
	Threads int

	state     atomic.Uint32
	PID       atomic.Int64  // 0 while unknown; the supervisor writes it
	SpawnedAt atomic.Int64  // Unix nanoseconds; the supervisor writes it
	BornAt    atomic.Int64  // on the loops' clock, before the fork; the supervisor writes it
	Requests  atomic.Uint64 // answered by it
	Answered  [Apps]atomic.Uint64
}

// Thread returns the number of one of its threads over the whole pool, which is the place of
// its claim.
func (p *Process) Thread(core int) int { return p.Place*p.Threads + core }

// Set changes the state. Only the supervisor calls it.
func (p *Process) Set(s State) { p.state.Store(uint32(s)) }

// State returns its state.
func (p *Process) State() State { return State(p.state.Load()) }

// Is reports whether its state is one of these.
func (p *Process) Is(states ...State) bool {
	return slices.Contains(states, p.State())
}

// Age returns how long the process has run.
func (p *Process) Age(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, p.SpawnedAt.Load()))
}

// Born prepares the place for a process before its fork. at is the present time on the loops'
// clock. Only the supervisor calls it.
func (p *Process) Born(at int64) {
	p.BornAt.Store(at) // before the state: loops read it after the state
	p.Set(Starting)
	p.PID.Store(0)
	p.SpawnedAt.Store(time.Now().UnixNano())
	p.Requests.Store(0)
	for i := range p.Answered {
		p.Answered[i].Store(0)
	}
}

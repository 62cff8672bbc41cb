package worker

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Core is one thread of one worker, uWSGI's word for it. It outlives the processes
// that take its place one after another. Its methods may be called by any goroutine.
type Core struct {
	worker *process
	id     int
	index  int // among all cores of the pool: the place of its claim
	name   string

	busy       atomic.Bool // stream mode: it has a request
	requests   atomic.Uint64
	exceptions atomic.Uint64
}

// ID returns the number of the core in its worker, from 0.
func (c *Core) ID() int { return c.id }

// WorkerID returns the number of the worker, from 1.
func (c *Core) WorkerID() int { return c.worker.number }

// PID returns the process id of the worker, 0 while there is none.
func (c *Core) PID() int { return int(c.worker.pid.Load()) }

// Requests returns how many requests the core has answered, whoever its process was.
func (c *Core) Requests() uint64 { return c.requests.Load() }

// AddTx counts n bytes sent to clients for the worker.
func (c *Core) AddTx(n int64) { c.worker.tx.Add(uint64(n)) }

// count counts an answer that took d nanoseconds.
func (c *Core) count(d int64) {
	us := d / int64(time.Microsecond)
	c.requests.Add(1)
	w := c.worker
	w.requests.Add(1)
	w.runningTime.Add(uint64(us))
	// uWSGI's mean. Two loops at once may lose one sample of it.
	w.avgRT.Store((w.avgRT.Load() + uint64(us)) / 2)
}

// Snapshot is the state of a pool at about one moment.
type Snapshot struct {
	Python  string // its version
	Path    string // and the interpreter
	Zygote  int    // process id, 0 while there is none
	Apps    []LoadedApp
	Workers []ProcessStats
	Waiting int64  // requests that wait for a worker
	Refused uint64 // requests refused with ErrQueueFull so far
}

// LoadedApp is one of [Config].Apps after the start.
type LoadedApp struct {
	App     App
	Seconds float64 // that importing took
	Reason  string  // why it could not be loaded; empty when it was
}

// ProcessStats are the figures of one worker, for uWSGI's stats server. Those that
// count go on when the process is replaced.
type ProcessStats struct {
	ID          int
	PID         int
	Busy        bool // a core has a request
	Requests    uint64
	Delta       uint64 // requests of the present process
	Exceptions  uint64
	Harakiri    uint64    // how often it was killed for it
	Respawns    uint64    // processes so far
	LastSpawn   time.Time // of the present process
	RunningTime time.Duration
	AvgRT       time.Duration
	Tx          uint64 // bytes
	RSS, VSZ    int64  // bytes; 0 where they cannot be told
	Cores       []CoreStats
}

// CoreStats are the figures of one core.
type CoreStats struct {
	ID        int
	Requests  uint64
	InRequest bool
	Since     time.Time // when the request in hand was taken
}

// Snapshot returns the present figures. Any goroutine.
func (p *Pool) Snapshot() Snapshot {
	g := p.gen
	busy := int64(0)
	s := Snapshot{Python: g.python, Path: g.path, Zygote: int(g.zygotePID.Load()), Apps: *g.apps.Load()}
	for _, w := range g.workers {
		ws := ProcessStats{
			ID: w.number, PID: int(w.pid.Load()),
			Requests: w.requests.Load(), Delta: w.requests.Load() - w.requestsAtSpawn.Load(),
			Harakiri: w.harakiri.Load(), Respawns: w.spawns.Load(),
			RunningTime: time.Duration(w.runningTime.Load()) * time.Microsecond,
			AvgRT:       time.Duration(w.avgRT.Load()) * time.Microsecond,
			Tx:          w.tx.Load(),
		}
		if at := w.spawnedAt.Load(); at != 0 {
			ws.LastSpawn = time.Unix(0, at)
		}
		if ws.PID != 0 {
			ws.RSS, ws.VSZ = memory(ws.PID)
		}
		for _, c := range w.cores {
			cs := CoreStats{ID: c.id, Requests: c.requests.Load()}
			if id, at := g.shared.claim(c.index); id != 0 {
				cs.InRequest, cs.Since = true, time.Now().Add(-time.Duration(max(0, monotonic()-at)))
				ws.Busy = true
				busy++
			}
			ws.Cores = append(ws.Cores, cs)
			ws.Exceptions += c.exceptions.Load()
		}
		s.Workers = append(s.Workers, ws)
	}
	for _, port := range g.ports {
		s.Waiting += port.active.Load()
		s.Refused += port.refused.Load()
	}
	s.Waiting = max(0, s.Waiting-busy)
	return s
}

// process is one of the pool's workers. Its plain fields belong to the supervisor.
type process struct {
	number  int // from 1
	cores   []*Core
	streams [][]*stream // of the present process, by loop and core; each belongs to its loop
	alive   bool        // it was spawned, and its end is not dealt with
	short   int         // how many in a row died young

	pid             atomic.Int64
	spawns          atomic.Uint64
	spawnedAt       atomic.Int64 // Unix nanoseconds
	harakiri        atomic.Uint64
	killing         atomic.Bool // harakiri has been decided
	requests        atomic.Uint64
	requestsAtSpawn atomic.Uint64
	runningTime     atomic.Uint64 // µs
	avgRT           atomic.Uint64 // µs
	tx              atomic.Uint64
}

func newProcess(number, threads int) *process {
	w := &process{number: number}
	for t := range threads {
		w.cores = append(w.cores, &Core{
			worker: w, id: t, index: (number-1)*threads + t,
			name: fmt.Sprintf("%d core %d", number, t),
		})
	}
	return w
}

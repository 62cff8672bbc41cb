package worker

import (
	"slices"
	"sync/atomic"
	"time"
)

// Core is one thread of one worker, uWSGI's word for it, in one of the places that
// the worker's processes have; it is used again for later ones. Its methods may be
// called by any goroutine.
type Core struct {
	process *process
	id      int
	index   int // among all cores of the pool: the place of its claim
	name    string
	counts  *threadCount

	// The supervisor's.
	condemned condemned // the last claim that was late
	began     int64     // when the request began that was seen last,
	limit     int64     // and how long it may run in nanoseconds; 0 or less: for ever

	busy    atomic.Bool  // stream mode: it has a request, or must not have one
	leaving atomic.Bool  // stream mode: to be told to finish once it has none
	free    atomic.Int64 // when it answered last, on the loops' clock
}

// ID returns the number of the core in its worker, from 0.
func (c *Core) ID() int { return c.id }

// WorkerID returns the number of the worker, from 1.
func (c *Core) WorkerID() int { return c.process.worker.number }

// PID returns the process id, 0 while there is none.
func (c *Core) PID() int { return int(c.process.pid.Load()) }

// Requests returns how many requests the worker's core of that number has answered,
// whichever its processes were.
func (c *Core) Requests() uint64 { return c.counts.requests() }

// Answered counts an answer of an app and returns how many the worker's present process
// has given, this one among them: what uWSGI logs.
func (c *Core) Answered(app int) uint64 {
	return c.process.answered[counted(app)].Add(1)
}

// AddTx counts n bytes sent to clients for the worker.
func (c *Core) AddTx(n int64) { c.process.worker.tx.Add(uint64(n)) }

// count counts an answer of an app that took d nanoseconds.
func (c *Core) count(d int64, app uint8) {
	us := d / int64(time.Microsecond)
	c.counts.apps[app].requests.Add(1)
	c.process.requests.Add(1)
	w := c.process.worker
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
	Workers []Stats
	// Processes are all that exist: those that serve, and those that start or drain.
	Processes []ProcessStats
	Waiting   int64  // requests that wait for a worker
	Refused   uint64 // requests refused with ErrQueueFull so far
	Late      uint64 // requests that waited for longer than [Config].QueueTimeout
	Shed      uint64 // requests refused because they would have
	Unrun     uint64 // requests whose client went while they waited
	Slow      int64  // routes that have proved slow, counted for each loop
	Held      uint64 // requests to them that had to wait for another one's end
}

// LoadedApp is one of [Config].Apps after the start.
type LoadedApp struct {
	App     App
	Seconds float64 // that importing took
	Reason  string  // why it could not be loaded; empty when it was
}

// Stats are the figures of one worker, for uWSGI's stats server. Those that
// count go on when its process is replaced.
type Stats struct {
	ID          int
	PID         int   // of the process that serves, 0 while there is none
	State       State // of that process
	Cheap       bool  // there is none because of [Config].Cheaper, see there
	Requests    uint64
	Delta       uint64 // requests of the present process
	Exceptions  uint64
	Harakiri    uint64    // how often a request of it came to that
	Respawns    uint64    // processes so far
	LastSpawn   time.Time // of the present process
	RunningTime time.Duration
	AvgRT       time.Duration
	Tx          uint64 // bytes
	RSS, VSZ    int64  // bytes; 0 where they cannot be told
	Cores       []CoreStats
	// Apps are the figures by app, as [Config].Apps lists them. The sixteenth has those of
	// all further ones.
	Apps []AppStats
}

// AppStats are the figures of one app of a worker.
type AppStats struct {
	Requests, Exceptions uint64
}

// Busy reports whether a core has a request.
func (w *Stats) Busy() bool { return w.State == Busy }

// ProcessStats says what one process is doing.
type ProcessStats struct {
	Worker   int // number of the worker
	PID      int
	State    State
	Requests uint64
	Since    time.Time // when it was spawned; zero while it is not
}

// CoreStats are the figures of one core.
type CoreStats struct {
	ID        int
	Requests  uint64
	InRequest bool
	Since     time.Time // when the request in hand was taken
}

// Serving reports whether there is a process that takes requests. It is cheap enough to
// be called for a request. Any goroutine.
func (p *Pool) Serving() bool {
	for _, w := range p.sup.workers {
		for _, one := range w.places {
			if one.is(Idle) {
				return true
			}
		}
	}
	return false
}

// Owns reports whether a process is one of the pool's: a zygote that serves or loads the
// apps, or a worker's. Any goroutine.
func (p *Pool) Owns(pid int) bool {
	if id := int64(pid); id == p.sup.zygotePID.Load() || id == p.sup.loading.Load() {
		return pid != 0
	}
	return slices.ContainsFunc(p.sup.places, func(one *process) bool { return pid != 0 && one.pid.Load() == int64(pid) })
}

// Snapshot returns the present figures. Any goroutine.
func (p *Pool) Snapshot() Snapshot {
	g := p.sup
	s := Snapshot{Zygote: int(g.zygotePID.Load())}
	if l := g.load.Load(); l != nil {
		s.Python, s.Path, s.Apps = l.python, l.path, l.apps
	}
	busy := int64(0)
	for _, w := range g.workers {
		ws := Stats{
			ID: w.number, Cheap: w.cheap.Load(), Harakiri: w.harakiri.Load(), Respawns: w.spawns.Load(),
			RunningTime: time.Duration(w.runningTime.Load()) * time.Microsecond,
			AvgRT:       time.Duration(w.avgRT.Load()) * time.Microsecond,
			Tx:          w.tx.Load(),
			Apps:        make([]AppStats, len(s.Apps)),
		}
		present := w.present.Load()
		if present != nil {
			ws.PID, ws.Delta = int(present.pid.Load()), present.requests.Load()
			if at := present.spawnedAt.Load(); at != 0 {
				ws.LastSpawn = time.Unix(0, at)
			}
		}
		if ws.PID != 0 {
			ws.RSS, ws.VSZ = memory(ws.PID)
		}
		for t := range w.threads {
			c := &w.threads[t]
			cs := CoreStats{ID: t}
			for i := range c.apps {
				requests, exceptions := c.apps[i].requests.Load(), c.apps[i].exceptions.Load()
				cs.Requests += requests
				ws.Exceptions += exceptions
				if i < len(ws.Apps) {
					ws.Apps[i].Requests += requests
					ws.Apps[i].Exceptions += exceptions
				}
			}
			ws.Requests += cs.Requests
			if present != nil {
				if id, at := g.shared.claim(present.cores[t].index); id != 0 {
					cs.InRequest, cs.Since = true, time.Now().Add(-time.Duration(max(0, monotonic()-at)))
				}
			}
			ws.Cores = append(ws.Cores, cs)
		}
		for _, one := range w.places {
			ps := ProcessStats{Worker: w.number, PID: int(one.pid.Load()), State: State(one.state.Load()), Requests: one.requests.Load()}
			if ps.State == Dead {
				continue
			}
			if at := one.spawnedAt.Load(); at != 0 {
				ps.Since = time.Unix(0, at)
			}
			for _, c := range one.cores {
				if id, _ := g.shared.claim(c.index); id != 0 {
					busy++
					if ps.State == Idle {
						ps.State = Busy
					}
				}
			}
			s.Processes = append(s.Processes, ps)
			if one == present || present == nil {
				ws.State = ps.State
			}
		}
		s.Workers = append(s.Workers, ws)
	}
	for _, port := range g.ports {
		s.Waiting += port.active.Load()
		s.Refused += port.refused.Load()
		s.Late += port.late.Load()
		s.Shed += port.shed.Load()
		s.Unrun += port.unrun.Load()
	}
	s.Slow, s.Held = p.lanes.routes.Load(), p.lanes.held.Load()
	s.Waiting = max(0, s.Waiting-busy)
	return s
}

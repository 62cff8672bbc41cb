package worker

import (
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// State is what a process is doing.
type State uint8

// The states of a process, in the order in which it goes through them; it is idle
// and busy in turns. Only an idle or a busy one is given requests.
const (
	Dead     State = iota // there is no process, or it has exited and is being detached
	Starting              // it is being forked, or imports the apps
	Idle                  // it has no request
	Busy                  // a core has a request
	Draining              // it is retired: it finishes its requests and exits
)

// String returns the state in lower case.
func (s State) String() string {
	return [...]string{"dead", "starting", "idle", "busy", "draining"}[s]
}

// Snapshot is the state of a pool at about one moment.
type Snapshot struct {
	Python  string // its version
	Path    string // and the interpreter
	Zygote  int    // process id, 0 while there is none
	Apps    []LoadedApp
	Workers []Stats
	// Processes are all existing ones: they serve, start or drain.
	Processes []ProcessStats
	// Backgrounds are the processes beside the workers, in the order of [Config].Backgrounds.
	Backgrounds []BackgroundStats
	Waiting     int64  // requests that wait for a worker
	Refused     uint64 // requests refused with ErrQueueFull so far
	Late        uint64 // requests that waited longer than [Config].QueueTimeout
	Shed        uint64 // requests refused because they would have
	Unrun       uint64 // requests whose client went while they waited
	Slow        int64  // routes that have proved slow, counted for each loop
	Held        uint64 // requests to them that were held until another one ended
}

// Stats are the figures of one worker, for uWSGI's stats server. Counters go on when its
// process is replaced.
type Stats struct {
	ID          int
	PID         int   // of the process that serves, 0 while there is none
	State       State // of that process
	Cheap       bool  // it has no process because of [Config].Cheaper
	Requests    uint64
	Delta       uint64 // requests of the present process
	Exceptions  uint64
	Harakiri    uint64    // late requests
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

// BackgroundStats are the figures of a process beside the workers.
type BackgroundStats struct {
	Kind      string
	Number    int
	PID       int    // 0 while there is none
	Respawns  uint64 // processes so far
	LastSpawn time.Time
	Ready     bool  // it does what it is for
	RSS, VSZ  int64 // bytes; 0 where they cannot be told
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
	return slices.ContainsFunc(p.sup.Processes, func(one *shared.Process) bool { return one.Is(shared.Serving) })
}

// Owns reports whether a process is one of the pool's: a zygote that serves or loads the
// apps, or a worker's. Any goroutine.
func (p *Pool) Owns(pid int) bool {
	if pid == 0 || pid == p.sup.Zygote() || pid == p.sup.Loading() {
		return pid != 0
	}
	if slices.ContainsFunc(p.sup.Backgrounds, func(b *shared.Background) bool { return b.PID.Load() == int64(pid) }) {
		return true
	}
	return slices.ContainsFunc(p.sup.Processes, func(one *shared.Process) bool { return one.PID.Load() == int64(pid) })
}

// Snapshot returns the present figures. Any goroutine.
func (p *Pool) Snapshot() Snapshot {
	s := Snapshot{Zygote: p.sup.Zygote()}
	if l := p.sup.Load(); l != nil {
		s.Python, s.Path, s.Apps = l.Python, l.Path, l.Apps
	}
	for i, b := range p.sup.Backgrounds {
		c := &p.config.Backgrounds[i]
		one := BackgroundStats{
			Kind: c.Kind, Number: c.Number, PID: int(b.PID.Load()), Respawns: b.Spawns.Load(), Ready: b.Ready.Load(),
		}
		if one.PID != 0 {
			one.LastSpawn = time.Unix(0, b.SpawnedAt.Load())
			one.RSS, one.VSZ = proc.Memory(one.PID)
		}
		s.Backgrounds = append(s.Backgrounds, one)
	}
	busy := 0
	for _, w := range p.sup.Workers {
		ws := p.figures(w, len(s.Apps))
		present := w.Present.Load()
		for _, one := range w.Processes {
			ps, claims := p.process(one)
			if ps.State == Dead {
				continue
			}
			busy += claims
			s.Processes = append(s.Processes, ps)
			if one == present || present == nil {
				ws.State = ps.State
			}
		}
		s.Workers = append(s.Workers, ws)
	}
	s.Waiting = max(0, p.plane.Active()-int64(busy))
	for _, port := range p.plane.ports {
		s.Refused += port.refused.Load()
		s.Late += port.late.Load()
		s.Shed += port.shed.Load()
		s.Unrun += port.unrun.Load()
	}
	s.Slow, s.Held = p.lanes.routes.Load(), p.lanes.held.Load()
	return s
}

// figures returns those of a worker but its state.
func (p *Pool) figures(w *shared.Worker, apps int) Stats {
	s := Stats{
		ID: w.Number, Cheap: w.Cheap.Load(), Harakiri: w.Harakiri.Load(), Respawns: w.Spawns.Load(),
		RunningTime: time.Duration(w.RunningTime.Load()) * time.Microsecond,
		AvgRT:       time.Duration(w.AvgRT.Load()) * time.Microsecond,
		Tx:          w.Tx.Load(),
		Apps:        make([]AppStats, apps),
	}
	present := w.Present.Load()
	if present != nil {
		s.PID, s.Delta, s.LastSpawn = int(present.PID.Load()), present.Requests.Load(), spawnedAt(present)
	}
	if s.PID != 0 {
		s.RSS, s.VSZ = proc.Memory(s.PID)
	}
	for t := range w.Threads {
		c := &w.Threads[t]
		cs := CoreStats{ID: t}
		for i := range c.Apps {
			requests, exceptions := c.Apps[i].Requests.Load(), c.Apps[i].Exceptions.Load()
			cs.Requests += requests
			s.Exceptions += exceptions
			if i < len(s.Apps) {
				s.Apps[i].Requests += requests
				s.Apps[i].Exceptions += exceptions
			}
		}
		s.Requests += cs.Requests
		if present != nil {
			if id, at := p.plane.shared.Claim(present.Thread(t)); id != 0 {
				cs.InRequest, cs.Since = true, time.Now().Add(-time.Duration(max(0, shared.Monotonic()-at)))
			}
		}
		s.Cores = append(s.Cores, cs)
	}
	return s
}

// process returns the figures of a process, and how many of its threads have a request.
func (p *Pool) process(one *shared.Process) (s ProcessStats, claims int) {
	s = ProcessStats{
		Worker: one.Worker.Number, PID: int(one.PID.Load()), Requests: one.Requests.Load(), Since: spawnedAt(one),
		State: [...]State{shared.Dead: Dead, shared.Starting: Starting, shared.Serving: Idle, shared.Draining: Draining}[one.State()],
	}
	for t := range one.Threads {
		if id, _ := p.plane.shared.Claim(one.Thread(t)); id != 0 {
			claims++
		}
	}
	if s.State == Idle && claims > 0 {
		s.State = Busy
	}
	return s, claims
}

// spawnedAt returns when a process was forked; zero while it is not.
func spawnedAt(p *shared.Process) (at time.Time) {
	if ns := p.SpawnedAt.Load(); ns != 0 {
		at = time.Unix(0, ns)
	}
	return at
}

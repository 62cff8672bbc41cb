package worker

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// State is what a process is doing.
type State uint8

// The states of a process, in the order in which it goes through them; it is idle
// and busy in turns. Only an idle or a busy one is given requests.
const (
	Dead     State = iota // there is none, or its end is being dealt with
	Starting              // it is forked, or imports the apps
	Idle                  // it has no request
	Busy                  // a core has a request
	Draining              // it finishes what it has, and goes
)

// String returns the state in lower case.
func (s State) String() string {
	return [...]string{"dead", "starting", "idle", "busy", "draining"}[s]
}

// places is how many processes a worker can have at a time: the one that serves,
// its successor, and some that drain. Where all are taken the successor waits, at
// most for the mercy time.
const places = 4

// worker is one of the pool's workers, which processes are one after another. Its
// plain fields belong to the supervisor, its counters go on when the process is
// replaced.
type worker struct {
	number  int // from 1
	places  []*process
	present atomic.Pointer[process] // the one that serves, nil while there is none
	cheap   atomic.Bool             // it is to have no process; the supervisor's
	short   int                     // how many in a row died young
	delayed bool                    // so the next has to wait
	due     string                  // why it is to be recycled; empty: it is not
	threads []threadCount           // by core

	spawns      atomic.Uint64
	harakiri    atomic.Uint64
	runningTime atomic.Uint64 // µs
	avgRT       atomic.Uint64 // µs
	tx          atomic.Uint64
}

// threadCount counts what one core has done, whichever its process was, by app.
type threadCount struct {
	apps [countedApps]appCount
}

// appCount counts what one core has done for one app.
type appCount struct {
	requests   atomic.Uint64
	exceptions atomic.Uint64
}

func (t *threadCount) requests() (n uint64) {
	for i := range t.apps {
		n += t.apps[i].requests.Load()
	}
	return n
}

// counted returns the place in which an app is counted.
func counted(app int) uint8 { return uint8(min(max(app, 0), countedApps-1)) }

// process is a place for one process of a worker, used again when that is gone. Its
// plain fields belong to the supervisor.
type process struct {
	worker  *worker
	place   int // among all of the pool
	cores   []*Core
	zygote  *zygote     // that forks it
	streams [][]*stream // by loop and core; each belongs to its loop
	handle  *os.Process // nil until its id is known; see kill
	alive   bool        // it was spawned, and its end is not dealt with
	retired time.Time   // since when it drains
	why     string      // it was replaced; empty for a reload
	err     error       // why it could not load its app
	doing   stage       // while it starts
	line    int         // the server's end of one of its descriptors, meanwhile; -1 for none
	peer    *control.Peer
	hung    bool    // a request was late: it goes as soon as others have ended
	luck    float64 // 0 to 1: how much of the jitter it has

	state     atomic.Uint32 // a State: Dead, Starting, Idle (serving) or Draining
	pid       atomic.Int64
	spawnedAt atomic.Int64 // Unix nanoseconds
	bornAt    atomic.Int64 // on the loops' clock, before it is forked
	requests  atomic.Uint64
	answered  [countedApps]atomic.Uint64 // by app, for logs
}

// countedApps is how many apps are told apart where answers are counted by app; the last
// place is that of all others.
const countedApps = 16

func newWorker(number, threads int) *worker {
	w := &worker{number: number, threads: make([]threadCount, threads)}
	for i := range places {
		p := &process{worker: w, place: (number-1)*places + i, line: -1}
		for t := range threads {
			p.cores = append(p.cores, &Core{
				process: p, id: t, index: p.place*threads + t, counts: &w.threads[t],
				name: fmt.Sprintf("%d core %d", number, t),
			})
		}
		w.places = append(w.places, p)
	}
	return w
}

// free returns a place that no process has, nil when there is none.
func (w *worker) free() *process {
	for _, p := range w.places {
		if !p.alive {
			return p
		}
	}
	return nil
}

// of returns the process of w that z has forked and that starts or serves, if any.
func (w *worker) of(z *zygote) *process {
	for _, p := range w.places {
		if p.alive && p.zygote == z && p.is(Starting, Idle) {
			return p
		}
	}
	return nil
}

// starting returns the process of w that z has forked and that is not ready yet.
func (w *worker) starting(z *zygote) *process {
	for _, p := range w.places {
		if p.alive && p.zygote == z && p.is(Starting) {
			return p
		}
	}
	return nil
}

// kill kills the process without its zygote. The handle is of that process alone where
// the system has such, as Linux has: its id may be another's by now.
func (p *process) kill() {
	if p.handle == nil {
		return
	}
	_ = p.handle.Kill()
	// It must not stay a zombie where this process is the init of its container and so
	// inherits what the zygote leaves; elsewhere this fails at once.
	h := p.handle
	p.handle = nil
	go func() { _, _ = h.Wait() }()
}

// endHook has what a process runs for hook-post-fork end with it.
func (p *process) endHook() {
	if p.is(Starting, Draining) && p.doing.group > 1 {
		_ = unix.Kill(-p.doing.group, unix.SIGKILL)
	}
}

// hangUp forgets about the descriptor that tells whether it is there.
func (p *process) hangUp() {
	if p.line >= 0 {
		_ = unix.Close(p.line)
		p.line = -1
	}
}

// lost reports whether it has closed its descriptors, without which it will never serve.
func (p *process) lost() bool {
	if p.line < 0 {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(p.line)}} // that the other end is gone is always told
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}

// gone reports whether a process that has been killed is so. handle is its own, nil where
// its id was never known: such a one has begun nothing unless a thread of it says so.
func (g *supervisor) gone(p *process, handle *os.Process) bool {
	if handle == nil {
		return !slices.ContainsFunc(p.cores, func(c *Core) bool { return g.shared.thread(c.index) != 0 })
	}
	if handle.Signal(syscall.Signal(0)) != nil {
		return true
	}
	// It may wait for a parent that does not come; as long as it does its id is its own.
	state, _ := processState(handle.Pid)
	return state == 'Z' || state == 'X'
}

func (p *process) set(s State) { p.state.Store(uint32(s)) }

func (p *process) is(states ...State) bool {
	for _, s := range states {
		if State(p.state.Load()) == s {
			return true
		}
	}
	return false
}

// age is for how long the process has run.
func (p *process) age(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, p.spawnedAt.Load()))
}

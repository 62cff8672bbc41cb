// Package supervisor starts, replaces and ends zygotes and their worker processes.
//
// All of its state belongs to one goroutine, which runs the functions that others post. Its parts:
//   - fleet has the processes, generations has the zygotes.
//   - turns replaces workers one after another. scaler decides how many run.
//   - judge ends late requests. watchdog finds processes that hang.
//   - graves holds the processes of zygotes that have exited.
//
// It sees the loops as [Loops]. Package shared has the state that both sides read and write.
//
// The processes of all zygotes receive from one queue. A process that serves takes a waiting
// request, so a death or a reload loses none.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// ErrStopped says that the pool has stopped.
var ErrStopped = errors.New("the worker pool has stopped")

// Supervisor owns zygotes and processes. Any goroutine may call its exported methods.
type Supervisor struct {
	// Immutable after New. The workers and the places of their processes are always the same.
	Memory    *shared.Memory // what the server shares with its workers
	Queue     int            // loops send requests to it; -1 in stream mode
	Workers   []*shared.Worker
	Processes []*shared.Process
	// Backgrounds are in the order of the configuration.
	Backgrounds []*shared.Background

	// Immutable after Start.
	config    launch.Config
	queueFile *os.File // workers receive from it
	stacks    *stacks
	loops     Loops
	posted    chan func()
	stopReq   chan context.Context
	done      chan struct{} // closed when the supervisor has ended

	// Readable by any goroutine.
	load      atomic.Pointer[Load]
	zygotePID atomic.Int64
	loading   atomic.Int64 // process id of the next zygote
	draining  atomic.Bool
	pauses    policy.Pauses // times when this process stood still

	// Owned by the supervisor.
	fleet       fleet
	generations generations
	turns       turns
	scaler      scaler
	judge       judge
	watchdog    watchdog
	graves      graves
	nudger      nudger
	backgrounds backgrounds
	stopping    bool
	killed      bool
}

// Load is what a zygote has loaded, or a worker that imports for itself. Immutable.
type Load struct {
	Python, Path string
	Apps         []launch.LoadedApp
}

// complete reports whether all apps were loaded.
func (l *Load) complete() bool {
	return !slices.ContainsFunc(l.Apps, func(a launch.LoadedApp) bool { return a.Reason != "" })
}

// New makes the memory, queue and pipes that the server shares with its workers. c has its
// defaults filled in.
func New(c launch.Config) (*Supervisor, error) {
	g := &Supervisor{
		config: c, Queue: -1,
		// While it spawns a process for each worker it reads no report, and a zygote whose
		// reports are not read takes no command. So there is room for four reports of each
		// process.
		posted: make(chan func(), 16+4*c.Processes+4*len(c.Backgrounds)), done: make(chan struct{}),
		stopReq: make(chan context.Context, 1),
	}
	g.fleet = fleet{g: g}
	g.generations = generations{g: g, all: make(map[*zygote.Zygote]*generation)}
	g.turns = turns{g: g}
	g.scaler = scaler{g: g, policy: policy.NewScaler(&g.config)}
	g.judge = judge{g: g}
	g.watchdog = watchdog{g: g}
	g.graves = graves{g: g}
	g.nudger = nudger{g: g}
	g.backgrounds = newBackgrounds(g)
	for _, b := range g.backgrounds.all {
		g.Backgrounds = append(g.Backgrounds, b.Background)
	}
	if c.Control != nil {
		c.Control.Handle("deadline", g.deadline)
		c.Control.Handle("replace", g.replace)
		c.Control.Handle("user harakiri", g.userHarakiri)
	}
	var err error
	live := c.Processes * c.Threads * len(c.Loops)
	if g.Memory, err = shared.NewMemory(c.Processes*shared.Places*c.Cores(), len(c.Loops), live*shared.Places, live); err != nil {
		return nil, err
	}
	g.stacks = &stacks{}
	if c.LateAfter() > 0 {
		if g.stacks, err = newStacks(); err != nil {
			g.close()
			return nil, fmt.Errorf("pipe for stacks: %w", err)
		}
	}
	if !c.StreamMode {
		fds, err := proc.Socketpair(unix.SOCK_SEQPACKET)
		if err != nil {
			g.close()
			return nil, err
		}
		g.Queue, g.queueFile = fds[0], os.NewFile(uintptr(fds[1]), "queue")
		_ = unix.SetNonblock(g.Queue, true)
		proc.GrowBuffer(g.Queue, 4<<20)
	}
	for n := range c.Processes {
		w := newWorker(n+1, c.Cores())
		w.Cheap.Store(n >= c.Initial())
		g.fleet.workers = append(g.fleet.workers, w)
		g.fleet.places = append(g.fleet.places, w.places...)
		g.Workers = append(g.Workers, w.Worker)
		g.Processes = append(g.Processes, w.Processes...)
	}
	return g, nil
}

// Start loads the apps and spawns the workers, and leaves the supervisor running.
func (g *Supervisor) Start(ctx context.Context, loops Loops) error {
	g.loops = loops
	if err := g.generations.start(g.config.LazyApps); err != nil {
		close(g.done)
		g.close()
		return err
	}
	result := make(chan error, 1)
	g.generations.waiting = append(g.generations.waiting, result)
	go g.run()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = g.Stop(over)
	}
	return err
}

// run is the supervisor's goroutine. It ends when the pool has stopped.
func (g *Supervisor) run() {
	defer close(g.done)
	var tick <-chan time.Time
	if d := policy.Tick(&g.config); d > 0 {
		t := time.NewTicker(d)
		defer t.Stop()
		tick = t.C
	}
	var cycle <-chan time.Time
	if g.scaler.policy != nil {
		t := time.NewTicker(g.config.Cheaper.Cycle)
		defer t.Stop()
		cycle = t.C
	}
	watch := time.NewTicker(policy.LookEach)
	defer watch.Stop()
	g.pauses.Tick(time.Now())
	go g.pauses.Serve(g.done)
	var over <-chan struct{}
	for {
		select {
		case fn := <-g.posted:
			fn()
		case now := <-tick:
			g.judge.look()
			g.turns.recycle(now)
		case <-g.judge.ownTick:
			g.judge.look()
		case now := <-cycle:
			g.scaler.look(now)
		case <-watch.C:
			g.watchdog.look(time.Now()) // the ticker's time may be from before a pause
		case ctx := <-g.stopReq:
			g.stopping = true
			over = ctx.Done()
			g.quit()
		case <-over:
			over = nil
			g.killed = true
			for z := range g.generations.all {
				z.KillWorkers()
				// A zygote that does not respond is killed, and its workers with it.
				late := time.AfterFunc(time.Second, z.Kill)
				defer late.Stop()
			}
		}
		if g.stopping && !g.fleet.anyAlive() && !g.backgrounds.anyAlive() {
			for z := range g.generations.all {
				z.Retire()
			}
			if len(g.generations.all) == 0 {
				return
			}
		}
	}
}

// report acts on a zygote's report.
func (g *Supervisor) report(from *zygote.Zygote, report zygote.Report) {
	z := g.generations.all[from]
	if z == nil {
		return // the last report of a former zygote
	}
	if g.backgrounds.report(z, report) {
		return
	}
	switch r := report.(type) {
	case zygote.Version:
		if err := z.Check(r); err != nil && z == g.generations.next {
			g.generations.failed(err)
		}
	case zygote.Threads:
		g.generations.threads(z, r)
	case zygote.Loaded:
		g.generations.loaded(z, r)
	case zygote.Doing:
		stage := zygote.Stage{App: r.App, Text: r.Text, Since: time.Now(), Group: r.Group}
		if r.Place < 0 {
			z.Doing = stage
		} else if p := g.fleet.place(z, r.Place); p != nil && p.Is(shared.Starting) {
			p.doing = stage
		}
	case zygote.Pong:
		z.health.Answered()
	case zygote.Spawned:
		z.health.Answered()
		if p := g.fleet.place(z, r.Place); p != nil && p.Is(shared.Starting, shared.Draining) {
			g.fleet.spawned(p, r.PID)
		}
	case zygote.Ready:
		if p := g.fleet.place(z, r.Place); p != nil && p.Is(shared.Starting) {
			g.fleet.spawned(p, r.PID) // its report may come before the zygote's
			if !z.Lazy || g.generations.imported(p, r) {
				g.fleet.ready(p)
			}
		}
	case zygote.Exit:
		if r.PID == 0 {
			z.health.Answered() // it could not fork
		}
		// The report may come after the process was found to have exited.
		if p := g.fleet.place(z, r.Place); p != nil && p.alive && p.streams != nil && (r.PID == 0 || p.pid() == 0 || p.pid() == r.PID) {
			g.fleet.exited(p, r.PID, r.Code)
		}
	case zygote.Imported:
		if told := g.config.Imported; told != nil {
			told(r.Files)
		}
	case zygote.Malformed:
		g.watchdog.malformed(z, r.Err)
	case zygote.Exited:
		g.generations.exited(z)
	}
}

// say logs a line.
func (g *Supervisor) say(format string, args ...any) {
	g.config.Say(fmt.Sprintf(format, args...))
}

// post runs fn on the supervisor. It returns false once the supervisor has ended.
func (g *Supervisor) post(fn func()) bool {
	select {
	case g.posted <- fn:
		return true
	case <-g.done:
		return false
	}
}

// after posts fn later.
func (g *Supervisor) after(d time.Duration, fn func()) {
	time.AfterFunc(d, func() { g.post(fn) })
}

// afterAwake posts fn when d has passed since at, and as much again as nothing here ran.
func (g *Supervisor) afterAwake(at time.Time, d time.Duration, fn func()) {
	g.after(time.Until(at.Add(d)), func() { g.awake(at, 0, fn) })
}

// awake calls fn now, or after the pauses since at, of which so much is counted already.
func (g *Supervisor) awake(at time.Time, counted time.Duration, fn func()) {
	if lost := g.pauses.Since(at, time.Now()) - counted; lost > 0 {
		g.after(lost, func() { g.awake(at, counted+lost, fn) })
		return
	}
	fn()
}

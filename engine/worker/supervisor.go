package worker

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// supervisor starts, replaces and ends zygotes and their worker processes, and owns
// their state; all of it belongs to one goroutine. All processes, whichever their
// zygote is, receive from one queue: a request that waits there is taken by whoever
// serves then, and a death or a reload loses none.
type supervisor struct {
	// Immutable after newSupervisor.
	pool      *Pool
	shared    *shared
	queue     int      // where requests are sent to; -1 in stream mode
	queueFile *os.File // where workers receive from
	ports     []*Port
	stacks    *stacks
	workers   []*worker
	places    []*process // of all workers
	algorithm algorithm  // of Cheaper; nil without
	events    chan message
	stopReq   chan context.Context
	done      chan struct{} // closed when the supervisor has ended

	// Readable by any goroutine.
	load      atomic.Pointer[load]
	zygotePID atomic.Int64
	loading   atomic.Int64 // process id of next

	// Owned by the supervisor.
	zygote   *zygote // whose processes serve; nil while there is none
	next     *zygote // that is to take its place once it has loaded the apps
	zygotes  map[*zygote]bool
	waiting  []chan<- error // who is told what becomes of next
	asked    []chan<- error // who has asked for a reload while next was loading
	again    bool
	served   bool           // some generation has taken over
	short    int            // zygotes in a row that died young
	turn     []*worker      // those that are to be replaced, one after another
	chaining bool           // they are because of a chain reload
	chained  []chan<- error // who waits for its end
	giveWay  bool           // another reload waits for the end of the present one
	begun    time.Time      // when next was started
	took     time.Duration  // how long the generation that serves took to take over
	pauses   pauses         // in which nothing here ran; any goroutine
	nudging  bool           // a nudge will follow
	nudged   int            // how many threads were woken since a process was retired
	orphans  []orphan       // killed, and perhaps not gone yet
	burying  bool           // a look at them will follow
	stopping bool
	killed   bool

	generations int // zygotes so far
}

// load is what a zygote, or a worker that imports for itself, has loaded. Immutable.
type load struct {
	python, path string
	apps         []LoadedApp
}

// complete reports whether all apps were loaded.
func (l *load) complete() bool {
	return !slices.ContainsFunc(l.apps, func(a LoadedApp) bool { return a.Reason != "" })
}

func newSupervisor(p *Pool) (*supervisor, error) {
	c := &p.config
	g := &supervisor{
		pool: p, queue: -1, zygotes: make(map[*zygote]bool),
		// While it spawns one process for each worker it takes no message, and a zygote
		// whose reports are not read takes no command: four of each process have room.
		events: make(chan message, 16+4*c.Processes), done: make(chan struct{}),
		stopReq: make(chan context.Context, 1), algorithm: newAlgorithm(c, p.log),
	}
	var err error
	if g.shared, err = newShared(c.Processes*places*c.Threads, len(c.Loops)); err != nil {
		return nil, err
	}
	g.stacks = &stacks{}
	if c.lateAfter() > 0 {
		if g.stacks, err = newStacks(); err != nil {
			g.close()
			return nil, fmt.Errorf("pipe for stacks: %w", err)
		}
	}
	if !c.StreamMode {
		fds, err := socketpair(unix.SOCK_SEQPACKET)
		if err != nil {
			g.close()
			return nil, err
		}
		g.queue, g.queueFile = fds[0], os.NewFile(uintptr(fds[1]), "queue")
		_ = unix.SetNonblock(g.queue, true)
		growBuffer(g.queue, 4<<20)
	}
	for i := range c.Loops {
		g.ports = append(g.ports, newPort(p, g, i))
	}
	for n := range c.Processes {
		w := newWorker(n+1, c.Threads)
		w.cheap.Store(n >= c.initial())
		g.workers = append(g.workers, w)
		g.places = append(g.places, w.places...)
	}
	return g, nil
}

// start loads the apps and spawns the workers, and leaves the supervisor running.
func (g *supervisor) start(ctx context.Context) error {
	if err := g.startNext(g.pool.config.LazyApps); err != nil {
		close(g.done)
		g.close()
		return err
	}
	result := make(chan error, 1)
	g.waiting = append(g.waiting, result)
	go g.supervise()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = g.stop(over)
	}
	return err
}

// supervise runs until the pool has stopped.
func (g *supervisor) supervise() {
	defer close(g.done)
	var tick <-chan time.Time
	if d := g.pool.config.tick(); d > 0 {
		t := time.NewTicker(d)
		defer t.Stop()
		tick = t.C
	}
	var cycle <-chan time.Time
	if g.algorithm != nil {
		t := time.NewTicker(g.pool.config.Cheaper.cycle)
		defer t.Stop()
		cycle = t.C
	}
	watch := time.NewTicker(watchEach)
	defer watch.Stop()
	g.pauses.tick(time.Now())
	go g.pauses.serve(g.done)
	var over <-chan struct{}
	for {
		select {
		case m := <-g.events:
			if m.from == nil || g.zygotes[m.from] { // else a former zygote's last words
				g.handle(m)
			}
		case now := <-tick:
			g.harakiri()
			g.recycle(now)
		case now := <-cycle:
			g.scale(now)
		case <-watch.C:
			g.watch(time.Now()) // what the ticker says may be from before a pause
		case ctx := <-g.stopReq:
			g.stopping = true
			over = ctx.Done()
			g.quit()
		case <-over:
			over = nil
			g.killed = true
			for z := range g.zygotes {
				_ = z.command("kill")
				// One that does not obey goes all the same, and its workers with it.
				late := time.AfterFunc(time.Second, z.kill)
				defer late.Stop()
			}
		}
		if g.stopping && !g.anyAlive() {
			for z := range g.zygotes {
				z.end()
			}
			if len(g.zygotes) == 0 {
				return
			}
		}
	}
}

// handle acts on one report or request.
func (g *supervisor) handle(m message) {
	switch m.name {
	case "threads":
		if m.from != g.next {
			return
		}
		names := strings.Join(m.strs(0), ", ")
		if m.args[1] == true {
			g.pool.log(fmt.Sprintf("the app started threads while it was imported (%s): they run in process %d alone, which forks the workers and serves no request", names, m.from.pid))
			return
		}
		// Forking now would lose those threads, and perhaps what they hold locked.
		warning := ""
		switch n := len(g.workers); {
		case g.pool.config.ImportOnce:
			warning = ". lazy-apps = false is not possible with them on PyPy: run what must run once as a process of its own, as with attach-daemon"
		case n > 1:
			warning = fmt.Sprintf(". So all %d workers run these threads: where they must run once, as a scheduler must, set lazy-apps = false; lazy-apps = true says that each worker is to have them", n)
		}
		g.pool.log(fmt.Sprintf("*** WARNING: the app started threads while it was imported (%s): each worker imports it for itself (lazy-apps)%s ***", names, warning))
		m.from.end()
		if err := g.startNext(true); err != nil {
			g.failed(err)
		}
	case "python":
		if err := m.from.python(m.str(0)); err != nil && m.from == g.next {
			g.failed(err)
		}
	case "loaded":
		g.loaded(m)
	case "doing":
		st := stage{app: m.int(1), text: m.str(2), since: time.Now(), group: m.int(3)}
		if m.int(0) < 0 {
			m.from.doing = st
		} else if p := g.process(m); p != nil && p.is(Starting) {
			p.doing = st
		}
	case "pong":
		m.from.health.answered()
	case "spawned":
		m.from.health.answered()
		if p := g.process(m); p != nil && p.is(Starting, Draining) {
			g.spawned(p, m.int(1))
		}
	case "ready":
		if p := g.process(m); p != nil && p.is(Starting) {
			g.spawned(p, m.int(2)) // it may be faster than its zygote
			z := p.zygote
			if !z.lazy {
				g.ready(p)
				return
			}
			apps := m.apps(1, g.pool.config.Apps)
			another := p.worker.present.Load() != nil || g.zygote != nil && z == g.next || z == g.zygote && z.load.complete()
			if p.err = g.outcome(z, apps, m.int(2), another); p.err != nil {
				list := g.strays(int(p.pid.Load()))
				g.signal(p, unix.SIGKILL) // it ends by itself only where the app is needed
				killStrays(list)
				return
			}
			z.load = &load{python: z.load.python, path: z.load.path, apps: apps}
			if z == g.zygote {
				g.load.Store(z.load)
			}
			g.ready(p)
		}
	case "exit":
		pid := m.int(1)
		if pid == 0 {
			m.from.health.answered() // it could not fork
		}
		// That of a process that was found to have ended before may come late.
		if p := g.process(m); p != nil && p.alive && p.streams != nil && (pid == 0 || p.pid.Load() == 0 || int(p.pid.Load()) == pid) {
			g.exited(p, pid, m.int(2))
		}
	case "imported":
		if told := g.pool.config.Imported; told != nil {
			told(m.strs(0))
		}
	case "malformed":
		g.malformed(m.from, m.str(0))
	case "gone":
		g.zygoteGone(m.from)

	case "orphans":
		g.burying = false
		g.bury()
	case "ended":
		g.ended(g.places[m.int(0)])
	case "respawn":
		g.workers[m.int(0)-1].delayed = false
		g.fill()
	case "restart":
		g.restart()
	case "nudge":
		g.nudging = false
		g.nudge()
	case "mercy":
		if p := g.places[m.int(0)]; p.alive && p.is(Draining) && int(p.retired.UnixNano()) == m.int(1) {
			if lost := g.pauses.since(p.retired, time.Now()) - time.Duration(m.int(2)); lost > 0 {
				g.after(lost, "mercy", m.int(0), m.int(1), m.int(2)+int(lost))
				return
			}
			g.pool.log(fmt.Sprintf("worker %d (pid: %d) did not finish within the mercy time: killing it", p.worker.number, p.pid.Load()))
			g.signal(p, unix.SIGKILL)
		}
	case "fault":
		if p := g.places[m.int(0)]; p.alive && int(p.bornAt.Load()) == m.int(1) {
			g.signal(p, unix.SIGKILL) // its zygote forks it first, if it has not yet
		}
	case "raised":
		if p := g.places[m.int(0)]; p.alive && m.int(1) != 0 && int(p.pid.Load()) == m.int(1) {
			g.replaceRaised(p)
		}
	case "short":
		if p := g.places[m.int(0)]; p.alive && m.int(1) != 0 && int(p.pid.Load()) == m.int(1) {
			g.replaceShort(p)
		}
	case "late":
		// 0 is one that died just then, and would be any that is being forked.
		if p := g.places[m.int(0)]; p.alive && m.int(1) != 0 && int(p.pid.Load()) == m.int(1) {
			g.hangs(p)
		}
	case "reload":
		g.reload(m.answer)
	case "give way":
		g.giveWay = g.next != nil
	case "scale":
		g.scaleBy(m.int(0))
	case "chain":
		g.chainReload(m.answer)
	}
}

// process returns the process that a zygote speaks of.
func (g *supervisor) process(m message) *process {
	if i := m.int(0); i >= 0 && i < len(g.places) && g.places[i].zygote == m.from {
		return g.places[i]
	}
	return nil
}

// signal has the zygote signal a process, unless it obeys no more.
func (g *supervisor) signal(p *process, sig unix.Signal) {
	if p.zygote.health.stuck != "" && p.handle != nil {
		_ = p.handle.Signal(sig)
		return
	}
	_ = p.zygote.command("signal", p.place, int(sig))
}

func (g *supervisor) send(m message) {
	select {
	case g.events <- m:
	case <-g.done:
	}
}

// after sends a message later.
func (g *supervisor) after(d time.Duration, name string, args ...any) {
	time.AfterFunc(d, func() { g.send(message{name: name, args: args}) })
}

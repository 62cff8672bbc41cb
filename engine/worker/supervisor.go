package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
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
	events    chan message
	stopReq   chan context.Context
	done      chan struct{} // closed when the supervisor has ended

	// Readable by any goroutine.
	load      atomic.Pointer[load]
	zygotePID atomic.Int64

	// Owned by the supervisor.
	zygote   *zygote // whose processes serve; nil while there is none
	next     *zygote // that is to take its place once it has loaded the apps
	zygotes  map[*zygote]bool
	waiting  []chan<- error // who is told what becomes of next
	asked    []chan<- error // who has asked for a reload while next was loading
	again    bool
	served   bool          // some generation has taken over
	short    int           // zygotes in a row that died young
	turn     []*worker     // those that are to be replaced, one after another
	chaining bool          // they are because of a chain reload
	nudging  bool          // a nudge will follow
	nudgeIn  time.Duration // so long after the present one
	stopping bool
	killed   bool
}

// load is what a zygote, or a worker that imports for itself, has loaded. Immutable.
type load struct {
	python, path string
	apps         []LoadedApp
}

// Respawning is throttled once this many processes in a row lived for less than
// young; uWSGI's forkbomb-delay.
const (
	young        = time.Second
	youngLimit   = 2
	respawnDelay = 2 * time.Second
)

func newSupervisor(p *Pool) (*supervisor, error) {
	c := &p.config
	g := &supervisor{
		pool: p, queue: -1, zygotes: make(map[*zygote]bool),
		events: make(chan message, 16), done: make(chan struct{}),
		stopReq: make(chan context.Context, 1),
	}
	var err error
	if g.shared, err = newShared(c.Processes*places*c.Threads, len(c.Loops)); err != nil {
		return nil, err
	}
	g.stacks = &stacks{}
	if c.Harakiri > 0 {
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
		// Forking now would lose those threads, and perhaps what they hold locked.
		g.pool.log("the app started threads while it was imported: each worker imports it for itself (lazy-apps)")
		m.from.end()
		if err := g.startNext(true); err != nil {
			g.failed(err)
		}
	case "loaded":
		g.loaded(m)
	case "spawned":
		if p := g.process(m); p != nil && p.is(Starting) {
			g.spawned(p, m.int(1))
			if !p.zygote.lazy {
				g.ready(p)
			}
		}
	case "ready":
		if p := g.process(m); p != nil && p.is(Starting) {
			g.spawned(p, m.int(2)) // it may be faster than its zygote
			apps := m.apps(1, g.pool.config.Apps)
			z := p.zygote
			another := p.worker.present.Load() != nil || g.zygote != nil && z == g.next
			if p.err = g.outcome(z, apps, m.int(2), another); p.err != nil {
				g.signal(p, unix.SIGKILL) // it ends by itself only where the app is needed
				return
			}
			z.load = &load{python: z.load.python, path: z.load.path, apps: apps}
			if z == g.zygote {
				g.load.Store(z.load)
			}
			g.ready(p)
		}
	case "exit":
		if p := g.process(m); p != nil && p.alive && p.streams != nil {
			g.exited(p, m.int(1), m.int(2))
		}
	case "imported":
		if told := g.pool.config.Imported; told != nil {
			told(m.strs(0))
		}
	case "gone":
		g.zygoteGone(m.from)

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
		if p := g.places[m.int(0)]; p.alive && p.is(Draining) && int(p.pid.Load()) == m.int(1) {
			g.pool.log(fmt.Sprintf("worker %d (pid: %d) did not finish within the mercy time: killing it", p.worker.number, m.int(1)))
			g.signal(p, unix.SIGKILL)
		}
	case "fault":
		if p := g.places[m.int(0)]; p.alive && int(p.pid.Load()) == m.int(1) {
			g.signal(p, unix.SIGKILL)
		}
	case "late":
		// 0 is one that died just then, and would be any that is being forked.
		if p := g.places[m.int(0)]; p.alive && m.int(1) != 0 && int(p.pid.Load()) == m.int(1) {
			p.hung = true
			g.harakiri()
		}
	case "reload":
		g.reload(m.answer)
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

// spawn starts a process for w. It returns false when none can be started now.
func (g *supervisor) spawn(w *worker, z *zygote) bool {
	p := w.free()
	if p == nil {
		return false // one that drains goes soon
	}
	c := &g.pool.config
	for _, core := range p.cores {
		// A process of a dead zygote may have made it since the last was dealt with.
		g.shared.clearClaim(core.index)
	}
	var theirs []int
	defer func() {
		for _, fd := range theirs {
			_ = unix.Close(fd)
		}
	}()
	streams := make([][]*stream, len(c.Loops))
	for _, core := range p.cores {
		for l, port := range g.ports {
			fds, err := socketpair(unix.SOCK_STREAM)
			if err != nil {
				for _, list := range streams {
					for _, st := range list {
						_ = unix.Close(st.fd)
					}
				}
				g.pool.log(fmt.Sprintf("cannot spawn worker %d: %v", w.number, err))
				g.delay(w)
				return false
			}
			theirs = append(theirs, fds[1])
			_ = unix.SetNonblock(fds[0], true)
			if g.queue < 0 {
				growBuffer(fds[0], 2*MaxRequest)
			}
			streams[l] = append(streams[l], &stream{port: port, core: core, fd: fds[0]})
		}
		core.leaving.Store(false)
		// In stream mode it is given nothing before it can take it.
		core.busy.Store(g.queue < 0)
	}
	p.zygote, p.streams, p.alive, p.why, p.err = z, streams, true, "", nil
	z.processes++
	p.set(Starting)
	p.pid.Store(0)
	p.spawnedAt.Store(time.Now().UnixNano())
	p.requests.Store(0)
	p.luck, p.hung = rand.Float64(), false
	for l, port := range g.ports {
		if port.loop.Post(func() { port.attach(streams[l]) }) != nil {
			for _, st := range streams[l] {
				st.closed = true
				_ = unix.Close(st.fd)
			}
		}
	}
	_ = z.spawn(p.place, w.number, theirs) // when it fails, the zygote is gone and says so
	return true
}

// spawned notes that a process has been forked.
func (g *supervisor) spawned(p *process, pid int) {
	if p.pid.Load() != 0 {
		return
	}
	p.pid.Store(int64(pid))
	p.spawnedAt.Store(time.Now().UnixNano())
	w := p.worker
	if w.spawns.Add(1) == 1 {
		only := ""
		if len(g.workers) == 1 {
			only = " (and the only)"
		}
		g.pool.log(fmt.Sprintf("spawned uWSGI worker %d%s (pid: %d, cores: %d)", w.number, only, pid, len(p.cores)))
	} else {
		g.pool.log(fmt.Sprintf("Respawned uWSGI worker %d (new pid: %d)", w.number, pid))
	}
}

// ready has a process serve, and its predecessor go.
func (g *supervisor) ready(p *process) {
	w := p.worker
	p.set(Idle)
	if g.queue < 0 {
		g.serve(p)
	}
	before := w.present.Load()
	if p.zygote == g.next {
		if before == nil {
			w.present.Store(p)
		}
		g.takeOver()
		return
	}
	w.present.Store(p)
	if before != nil && before != p {
		g.retire(before, w.due)
	}
	w.due = ""
	g.fill()
}

// serve lets loops give requests to a process, in stream mode. That one is ready is
// known after its streams have been attached, so loops have them.
func (g *supervisor) serve(p *process) {
	for _, c := range p.cores {
		c.busy.Store(false)
	}
	for _, port := range g.ports {
		_ = port.loop.Post(port.pump)
	}
}

// signal has the zygote signal a process.
func (g *supervisor) signal(p *process, sig unix.Signal) {
	_ = p.zygote.command("signal", p.place, int(sig))
}

// fault kills a process that does not keep to the protocol. Any goroutine.
func (g *supervisor) fault(c *Core) {
	p := c.process
	go g.send(message{name: "fault", args: []any{p.place, int(p.pid.Load())}})
}

// exited deals with the end of a process. pid is 0 when it could not be forked.
func (g *supervisor) exited(p *process, pid, code int) {
	w := p.worker
	p.pid.Store(0)
	switch {
	case g.stopping:
	case p.is(Draining):
		switch {
		case code != 0:
			g.pool.log(fmt.Sprintf("worker %d (pid: %d) ended%s", w.number, pid, how(code)))
		case p.why != "":
			g.pool.log(fmt.Sprintf("...The work of process %d is done (%s). Seeya!", pid, p.why))
		default:
			g.pool.log(fmt.Sprintf("worker %d buried after %d seconds", w.number, int(time.Since(p.retired).Seconds())))
		}
	case p.zygote == g.next && p.is(Starting):
		err := p.err // why it could not load its app
		if err == nil {
			err = fmt.Errorf("worker %d ended while it started: %s", w.number, status(code))
		}
		g.end(p)
		g.failed(err)
		return
	default:
		if p.err != nil {
			g.pool.log(p.err.Error())
		}
		if pid == 0 { // nor could one right after it
			w.short = youngLimit
			p.spawnedAt.Store(time.Now().UnixNano())
		} else {
			g.pool.log(fmt.Sprintf("DAMN ! worker %d (pid: %d) died%s :( trying respawn ...", w.number, pid, how(code)))
		}
		if p.age(time.Now()) < young {
			w.short++
		} else {
			w.short = 0
		}
		if w.short >= youngLimit {
			g.delay(w)
		}
		if w.present.Load() != nil && w.present.Load() != p {
			w.due = "" // its successor did not start; recycle asks again
			if g.chaining {
				g.replaceNone()
				g.pool.log("chain reload failed: the workers that are left stay as they are")
			}
		}
	}
	g.end(p)
}

// end has each loop read the last words of a process and fail what it had. When all
// have, an "ended" message follows: before that the claims must stay.
func (g *supervisor) end(p *process) {
	streams := p.streams
	p.streams = nil
	p.set(Dead)
	p.worker.present.CompareAndSwap(p, nil)
	if streams == nil {
		return
	}
	left := new(atomic.Int64)
	left.Store(int64(len(g.ports)))
	one := func() {
		if left.Add(-1) == 0 {
			// Not from the loop, which must not wait for the supervisor.
			go g.send(message{name: "ended", args: []any{p.place}})
		}
	}
	for l, port := range g.ports {
		list := streams[l]
		if port.loop.Post(func() { port.detach(list); one() }) != nil {
			for _, st := range list { // the loop has stopped, and nobody waits there
				if !st.closed {
					st.closed = true
					_ = unix.Close(st.fd)
				}
			}
			one()
		}
	}
	if g.stopping {
		p.alive = false // nothing follows that needs the claims
	}
}

// ended makes the place of a process free once all loops have dealt with its end.
func (g *supervisor) ended(p *process) {
	if !p.alive || p.streams != nil {
		return
	}
	p.alive = false
	for _, c := range p.cores {
		g.shared.clearClaim(c.index)
	}
	z := p.zygote
	if z.processes--; z.processes == 0 && z != g.zygote && z != g.next {
		z.end()
	}
	g.fill()
}

// fill spawns what is missing: a process for each worker by the zygote that is
// about to take over, else by the present one.
func (g *supervisor) fill() {
	z := g.zygote
	if g.next != nil && g.next.forking {
		z = g.next
	}
	if g.stopping || z == nil {
		return
	}
	starting := false
	for _, w := range g.workers {
		if w.of(z) == nil && !w.delayed {
			g.spawn(w, z)
		}
		starting = starting || w.starting(z) != nil
	}
	if !starting && z == g.zygote {
		g.replaceNext()
	}
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

// delay has the next process of a worker wait, which keeps a crash from eating the
// machine.
func (g *supervisor) delay(w *worker) {
	w.delayed = true
	g.sleep()
	g.after(respawnDelay, "respawn", w.number)
}

func (g *supervisor) sleep() {
	g.pool.log(fmt.Sprintf("worker respawning too fast !!! i have to sleep a bit (%d seconds)...", int(respawnDelay/time.Second)))
}

func (g *supervisor) anyAlive() bool {
	for _, p := range g.places {
		if p.alive {
			return true
		}
	}
	return false
}

// quit tells the workers to go when they have nothing left to do.
func (g *supervisor) quit() {
	if z := g.next; z != nil && !z.forking {
		z.kill() // it would finish importing before it listens
	}
	for _, p := range g.places {
		if p.alive && p.is(Starting) {
			g.signal(p, unix.SIGKILL) // likewise, and it has no request
		}
	}
	g.answer(ErrStopped)
	if g.queue >= 0 {
		_ = unix.Shutdown(g.queue, unix.SHUT_WR)
		return
	}
	port := g.ports[0]
	_ = port.loop.Post(func() {
		for _, st := range port.streams {
			st.tell(tagQuit, 0)
		}
	})
}

// reap keeps a killed worker from staying a zombie where this process is the init of
// its container and so inherits what the zygote leaves; elsewhere it does nothing.
func reap(pid int) {
	go func() {
		for {
			if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
				return
			}
		}
	}()
}

// stop has the supervisor end everything.
func (g *supervisor) stop(ctx context.Context) error {
	g.stopReq <- ctx
	<-g.done
	g.close()
	if g.killed {
		return context.Cause(ctx)
	}
	return nil
}

// close gives back what the supervisor has of the system. Loops may still use the
// shared memory, which goes with its last user, and the queue, which goes when each
// of them has let go of it.
func (g *supervisor) close() {
	_ = g.shared.file.Close()
	if g.stacks != nil {
		g.stacks.close()
	}
	if g.queue >= 0 {
		_ = g.queueFile.Close()
		_ = unix.Shutdown(g.queue, unix.SHUT_RDWR)
	}
	left := new(atomic.Int64)
	left.Store(int64(len(g.ports)))
	one := func() {
		if left.Add(-1) == 0 && g.queue >= 0 {
			_ = unix.Close(g.queue)
		}
	}
	for _, port := range g.ports {
		if port.loop.Post(func() { port.shut(); one() }) != nil {
			one()
		}
	}
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// how says how a process ended.
func how(code int) string {
	if code < 0 {
		return fmt.Sprintf(", killed by signal %d", -code)
	}
	return ""
}

func status(code int) string {
	if code < 0 {
		return fmt.Sprintf("killed by signal %d", -code)
	}
	return fmt.Sprintf("exit status %d", code)
}

package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// generation is one zygote, its workers, and the queue they receive from. One
// goroutine, the supervisor, owns its state; a zygote or a worker that dies is
// replaced, and requests in the queue wait for the successor.
type generation struct {
	// Immutable after newGeneration.
	pool      *Pool
	shared    *shared
	queue     int      // where requests are sent to; -1 in stream mode
	queueFile *os.File // where workers receive from
	ports     []*Port
	workers   []*process
	cores     []*Core
	events    chan message
	done      chan struct{} // closed when the supervisor has ended

	// Set by start.
	python, path string
	apps         atomic.Pointer[[]LoadedApp]
	zygotePID    atomic.Int64

	// Owned by the supervisor.
	zygote   *zygote
	lazy     bool
	forking  bool // the zygote has loaded the apps and forks on command
	short    int  // zygotes in a row that died young
	started  time.Time
	stopping bool
	killed   bool
	stopReq  chan context.Context

	commands sync.Mutex // one command to the zygote at a time
}

// Respawning is throttled once this many processes in a row lived for less than
// young; uWSGI's forkbomb-delay.
const (
	young        = time.Second
	youngLimit   = 2
	respawnDelay = 2 * time.Second
)

func newGeneration(p *Pool) (*generation, error) {
	c := &p.config
	g := &generation{
		pool: p, queue: -1, lazy: c.LazyApps,
		events: make(chan message, 16), done: make(chan struct{}),
		stopReq: make(chan context.Context, 1),
	}
	g.apps.Store(&[]LoadedApp{})
	var err error
	if g.shared, err = newShared(c.Processes*c.Threads, len(c.Loops)); err != nil {
		return nil, err
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
		w := newProcess(n+1, c.Threads)
		g.workers = append(g.workers, w)
		g.cores = append(g.cores, w.cores...)
	}
	return g, nil
}

// start loads the apps and spawns the workers, and leaves a supervisor running.
func (g *generation) start(ctx context.Context) error {
	err := g.boot(ctx)
	if err == nil {
		go g.supervise()
		return nil
	}
	if g.zygote != nil {
		if !g.forking {
			g.zygote.kill() // it would finish importing before it listens
		}
		g.endZygote()
	}
	close(g.done)
	for _, w := range g.workers {
		g.end(w)
	}
	g.close()
	return err
}

// boot starts a zygote and goes on until every worker is ready.
func (g *generation) boot(ctx context.Context) error {
	if err := g.startZygote(); err != nil {
		return err
	}
	ready := 0
	for {
		var m message
		select {
		case m = <-g.events:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if m.from != g.zygote {
			continue
		}
		switch m.name {
		case "gone":
			return &PythonError{Path: g.pool.config.Python, Err: fmt.Errorf("it ended before the apps were loaded: %w", orEnded(g.zygote.err))}
		case "exit":
			return fmt.Errorf("worker %d ended while it started: %s", m.int(0), status(m.int(2)))
		}
		if err := g.handle(m); err != nil {
			return err
		}
		if m.name == "spawned" && !g.lazy || m.name == "ready" {
			if ready++; ready == len(g.workers) {
				return nil
			}
		}
	}
}

func orEnded(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func (g *generation) startZygote() error {
	z, err := startZygote(g, g.lazy, g.events)
	if err != nil {
		return err
	}
	g.commands.Lock()
	g.zygote, g.started = z, time.Now()
	g.commands.Unlock()
	g.zygotePID.Store(int64(z.pid))
	return nil
}

// supervise runs until the pool has stopped.
func (g *generation) supervise() {
	defer close(g.done)
	var tick <-chan time.Time
	if h := g.pool.config.Harakiri; h > 0 {
		t := time.NewTicker(min(max(h/4, 10*time.Millisecond), time.Second))
		defer t.Stop()
		tick = t.C
	}
	var over <-chan struct{}
	for {
		select {
		case m := <-g.events:
			if m.from != nil && m.from != g.zygote {
				continue // a former zygote's last words
			}
			if err := g.handle(m); err != nil {
				g.pool.log(err.Error())
				if m.name == "loaded" {
					// It lacks an app that is needed. Perhaps a successor, later, does not.
					g.short, g.started = youngLimit, time.Now()
					g.zygote.kill()
				}
			}
		case <-tick:
			g.harakiri()
		case ctx := <-g.stopReq:
			g.stopping = true
			over = ctx.Done()
			g.quit()
		case <-over:
			over = nil
			g.killed = true
			g.commandZygote("kill")
			// One that does not obey goes all the same, and its workers with it.
			late := time.AfterFunc(time.Second, g.zygote.kill)
			defer late.Stop()
		}
		if g.stopping && (g.zygote == nil || !g.anyAlive()) {
			if g.zygote != nil {
				g.endZygote()
			}
			return
		}
	}
}

// handle acts on one report.
func (g *generation) handle(m message) error {
	switch m.name {
	case "threads":
		// Forking now would lose those threads, and perhaps what they hold locked.
		g.pool.log("the app started threads while it was imported: each worker imports it for itself (lazy-apps)")
		g.lazy = true
		old := g.zygote
		<-old.ended
		_ = old.conn.Close()
		return g.startZygote()
	case "loaded":
		if g.python == "" { // a successor of the zygote changes nothing that others read
			g.python, g.path = m.str(0), m.str(1)
		}
		if err := g.loaded(m.outcome(2, g.pool.config.Apps), g.zygote.pid); err != nil {
			return err
		}
		g.forking = true
		for _, w := range g.workers {
			if !w.alive { // else replace follows
				g.spawn(w)
			}
		}
	case "spawned":
		w := g.worker(m.int(0))
		if w == nil {
			return nil
		}
		w.pid.Store(int64(m.int(1)))
		w.spawnedAt.Store(time.Now().UnixNano())
		if w.spawns.Add(1) == 1 {
			g.pool.log(fmt.Sprintf("spawned uWSGI worker %d%s (pid: %d, cores: %d)", w.number, g.only(), m.int(1), len(w.cores)))
		} else {
			g.pool.log(fmt.Sprintf("Respawned uWSGI worker %d (new pid: %d)", w.number, m.int(1)))
		}
	case "ready":
		if w := g.worker(m.int(0)); w != nil {
			return g.loaded(m.outcome(1, g.pool.config.Apps), int(w.pid.Load()))
		}
	case "exit":
		if w := g.worker(m.int(0)); w != nil {
			if m.int(1) == 0 { // it could not be forked, nor could one right after it
				w.short = youngLimit
				w.spawnedAt.Store(time.Now().UnixNano())
			}
			g.exited(w, m.int(2))
		}
	case "ended":
		g.replace(g.worker(m.int(0)))
	case "respawn":
		if w := g.worker(m.int(0)); !g.stopping && g.forking && w != nil && !w.alive {
			g.spawn(w)
		}
	case "gone":
		g.zygoteGone()
	case "restart":
		if !g.stopping {
			return g.restart()
		}
	}
	return nil
}

func (g *generation) only() string {
	if len(g.workers) == 1 {
		return " (and the only)"
	}
	return ""
}

func (g *generation) worker(number int) *process {
	if number < 1 || number > len(g.workers) {
		return nil
	}
	return g.workers[number-1]
}

// loaded notes and logs what became of the apps.
func (g *generation) loaded(apps []LoadedApp, pid int) error {
	if len(apps) == 0 {
		return nil
	}
	g.apps.Store(&apps)
	none := true
	for i, a := range apps {
		if a.Reason != "" {
			if g.pool.config.NeedApp {
				return &LoadError{App: a.App, Reason: a.Reason}
			}
			g.pool.log(fmt.Sprintf("unable to load app %d (mountpoint='%s') (callable not found or import error): %s", i, a.App.Mount, a.Reason))
			continue
		}
		none = false
		first := ""
		if a.App.Mount == "" || a.App.Mount == "/" {
			first = " (default app)"
		}
		g.pool.log(fmt.Sprintf("WSGI app %d (mountpoint='%s') ready in %d seconds on interpreter %s pid: %d%s", i, a.App.Mount, int(a.Seconds), g.path, pid, first))
	}
	if none {
		g.pool.log("*** no app loaded. going in full dynamic mode ***")
	}
	return nil
}

// spawn starts a process for w.
func (g *generation) spawn(w *process) {
	c := &g.pool.config
	for _, core := range w.cores {
		// A worker of a dead zygote may have made it since the last was dealt with.
		g.shared.clearClaim(core.index)
	}
	var theirs []int
	defer func() {
		for _, fd := range theirs {
			_ = unix.Close(fd)
		}
	}()
	streams := make([][]*stream, len(c.Loops))
	for _, core := range w.cores {
		for l, port := range g.ports {
			fds, err := socketpair(unix.SOCK_STREAM)
			if err != nil {
				for _, list := range streams {
					for _, st := range list {
						_ = unix.Close(st.fd)
					}
				}
				g.pool.log(fmt.Sprintf("cannot spawn worker %d: %v", w.number, err))
				g.later("respawn", w.number)
				return
			}
			theirs = append(theirs, fds[1])
			_ = unix.SetNonblock(fds[0], true)
			if g.queue < 0 {
				growBuffer(fds[0], 2*MaxRequest)
			}
			streams[l] = append(streams[l], &stream{port: port, core: core, fd: fds[0]})
		}
		core.busy.Store(false)
	}
	w.streams, w.alive = streams, true
	w.killing.Store(false)
	w.requestsAtSpawn.Store(w.requests.Load())
	for l, port := range g.ports {
		if port.loop.Post(func() { port.attach(streams[l]) }) != nil {
			for _, st := range streams[l] {
				st.closed = true
				_ = unix.Close(st.fd)
			}
		}
	}
	g.commands.Lock()
	defer g.commands.Unlock()
	_ = g.zygote.spawn(w.number, theirs) // when it fails, the zygote is gone and says so
}

func (g *generation) commandZygote(words ...any) {
	g.commands.Lock()
	defer g.commands.Unlock()
	if g.zygote != nil {
		_ = g.zygote.command(words...)
	}
}

// fault kills a worker that does not keep to the protocol. Any goroutine.
func (g *generation) fault(c *Core) {
	go g.commandZygote("signal", c.worker.number, int(unix.SIGKILL))
}

// exited deals with the end of a process.
func (g *generation) exited(w *process, code int) {
	if !w.alive || w.streams == nil {
		return
	}
	pid := w.pid.Swap(0)
	if !g.stopping {
		g.pool.log(fmt.Sprintf("DAMN ! worker %d (pid: %d) died%s :( trying respawn ...", w.number, pid, how(code)))
	}
	g.end(w)
}

// end has each loop read the last words of a process and fail what it had. When all
// have, an "ended" message follows: before that the claims must stay.
func (g *generation) end(w *process) {
	streams := w.streams
	w.streams = nil
	if streams == nil {
		return
	}
	left := new(atomic.Int64)
	left.Store(int64(len(g.ports)))
	one := func() {
		if left.Add(-1) == 0 {
			// Not from the loop, which must not wait for the supervisor.
			go g.send(message{name: "ended", args: []any{w.number}})
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
		w.alive = false // nothing follows that needs the claims
	}
}

func (g *generation) send(m message) {
	select {
	case g.events <- m:
	case <-g.done:
	}
}

// later sends a message after the delay that keeps a crash from eating the machine.
func (g *generation) later(name string, number int) {
	g.pool.log(fmt.Sprintf("worker respawning too fast !!! i have to sleep a bit (%d seconds)...", int(respawnDelay/time.Second)))
	time.AfterFunc(respawnDelay, func() { g.send(message{name: name, args: []any{number}}) })
}

// replace spawns the successor of a process whose end all loops have dealt with.
func (g *generation) replace(w *process) {
	if w == nil || !w.alive {
		return
	}
	w.alive = false
	for _, c := range w.cores {
		g.shared.clearClaim(c.index)
	}
	if g.stopping || !g.forking {
		return
	}
	if time.Since(time.Unix(0, w.spawnedAt.Load())) < young {
		w.short++
	} else {
		w.short = 0
	}
	if w.short >= youngLimit {
		g.later("respawn", w.number)
		return
	}
	g.spawn(w)
}

// zygoteGone deals with a zygote that died, and whose workers the kernel has killed
// therefore. Where it does not do that, they are killed here.
func (g *generation) zygoteGone() {
	z := g.zygote
	_ = z.conn.Close()
	g.commands.Lock()
	g.zygote, g.forking = nil, false
	g.commands.Unlock()
	g.zygotePID.Store(0)
	if !g.stopping {
		g.pool.log(fmt.Sprintf("DAMN ! the zygote (pid: %d) died (%v): its workers go too, trying respawn ...", z.pid, orEnded(z.err)))
	}
	for _, w := range g.workers {
		if pid := int(w.pid.Swap(0)); pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL)
			reap(pid)
		}
		g.end(w)
	}
	if g.stopping {
		return
	}
	if time.Since(g.started) < young {
		g.short++
	} else {
		g.short = 0
	}
	if g.short >= youngLimit {
		g.later("restart", 0)
		return
	}
	if err := g.restart(); err != nil {
		g.pool.log(err.Error())
	}
}

// restart replaces a zygote; its workers follow once it has loaded the apps.
func (g *generation) restart() error {
	if err := g.startZygote(); err != nil {
		g.later("restart", 0)
		return err
	}
	return nil
}

func (g *generation) anyAlive() bool {
	for _, w := range g.workers {
		if w.alive {
			return true
		}
	}
	return false
}

// quit tells the workers to go when they have nothing left to do.
func (g *generation) quit() {
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

// endZygote ends the zygote, which kills and reaps its workers first.
func (g *generation) endZygote() {
	z := g.zygote
	_ = z.conn.Close()
	t := time.AfterFunc(time.Second, z.kill)
	<-z.ended
	t.Stop()
	g.zygotePID.Store(0)
}

// stop has the supervisor end everything.
func (g *generation) stop(ctx context.Context) error {
	g.stopReq <- ctx
	<-g.done
	g.close()
	if g.killed {
		return context.Cause(ctx)
	}
	return nil
}

// close gives back what the generation has of the system. Loops may still use the
// shared memory, which goes with its last user, and the queue, which goes when each
// of them has let go of it.
func (g *generation) close() {
	_ = g.shared.file.Close()
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

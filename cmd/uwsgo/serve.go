package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/observe"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// program is one run of the server, from its configuration to its end.
type program struct {
	cfg     *config.Config
	start   time.Time
	started string // the directory that it was started in
	home    string // the same, or where hooks have gone to before chdir
	// dir is the directory of the app as it was named: where it leads to is looked up anew
	// at each reload. Empty before it was entered.
	dir          string
	noVirtualEnv sync.Once              // it has been said
	cwd          atomic.Pointer[string] // where it led to at the start, or at the last reload
	loops        int
	// self is the file that the program was started from, as an absolute path: after an
	// upgrade there is another program.
	self string
	// virtualenv is the one that self is in, if any; looked for before anything is given up.
	virtualenv string
	stdin      []byte // what was read of standard input
	procs      int    // of the Go runtime beside those of the loops; negative: leave them alone
	// identity is whom the server becomes once its addresses are bound.
	identity privilege.Identity
	hookEnv  []config.Env // what hooks of putenv have set
	// tasks are what signals ask for by hooks of unix_signal. Only the goroutine of serve
	// touches them.
	tasks    map[os.Signal]string
	others   chan os.Signal // signals that ask for something else than the end
	daemon   *os.File       // tells the command that waits for the daemon to be ready; nil without one
	paused   atomic.Bool
	stopping atomic.Bool // a signal to stop has come; see ready-path
	ending   *life.Ending
	letters  chan byte // commands of master-fifo
	pidFiles []string
	watchdog time.Duration // how often systemd wants to hear from the server; 0 for never
	ready    bool          // the start is over: requests are served
	sink     *logger.Sink
	log      *logger.Logger
	standard standard

	engine   *engine.Server
	pool     *worker.Pool                // nil when there are only files to serve
	told     atomic.Pointer[worker.Pool] // the same, for the observer, who may ask during the start
	blocks   *engine.Pool                // goroutines for what blocks
	code     *life.CodeWatch             // nil without py-autoreload
	stats    *stats.Server
	observer *observe.Server

	role    *succession.Role // to the servers before and after this one
	sockets []openSocket

	reloads *life.Reloads
	// renewed is the configuration as the last reload has read it, see options.
	renewed    atomic.Pointer[config.Config]
	companions atomic.Pointer[companion.Group] // set when they are started, as is
	crons      atomic.Pointer[cron.Runner]
}

// serve runs the server that p.cfg describes until it is stopped, and returns the
// exit code.
func serve(p *program) int {
	cfg := p.cfg
	// A log whose reader has gone must not end the server.
	// Not with Ignore, which the programs that it starts would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	p.start, p.letters = time.Now(), make(chan byte, 16)
	p.ending = life.NewEnding(func() {
		_, _ = os.Stderr.WriteString("uwsgo: the end was asked for twice and did not come: ending as it is\n")
		os.Exit(exitConfig)
	})
	defer p.ending.Hurry()
	defer p.ending.Undo()
	// Signals are never given back: one that comes at the very end must not change the
	// exit code.
	signal.Notify(p.ending.Asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	// What uWSGI reloads or reports on must at least not end the server.
	p.others = make(chan os.Signal, 8)
	signal.Notify(p.others, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	early := make(chan struct{}) // closed when the start is over
	var over sync.Once
	defer over.Do(func() { close(early) })
	go func() {
		select {
		case <-p.ending.Asked:
			cancel() // stopped while it starts
			p.ending.Insist()
		case <-early:
		}
	}()

	go reapAdopted(p.ending.Patience.Done())
	p.setProcs()
	if cfg.Umask >= 0 {
		syscall.Umask(cfg.Umask)
	}
	p.setTitle()
	if err := p.identify(); err != nil {
		return fail(err)
	}
	if err := p.openLog(); err != nil {
		return fail(err)
	}
	if err := p.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			p.log.Printf("stopped before the start was over")
			return exitOK
		}
		if code, ok := errors.AsType[exitHook](err); ok {
			p.log.Printf("%v", err)
			return int(code)
		}
		p.tellLosses() // one of them may be why
		p.complain(err)
		if _, ok := errors.AsType[*worker.LoadError](err); ok {
			p.log.Printf("*** no app loaded. GAME OVER ***")
			return exitApp
		}
		if _, ok := errors.AsType[*worker.StartError](err); ok {
			p.log.Printf("*** no worker serves. GAME OVER ***")
			return exitApp
		}
		return exitConfig
	}
	p.makeReloads()
	p.bindRole()
	served := make(chan error, 1)
	handler, err := p.handler()
	if err != nil {
		p.complain(err)
		return exitConfig
	}
	go func() { served <- p.engine.Serve(handler) }()
	if err := p.announce(ctx); err != nil && ctx.Err() == nil {
		p.complain(err)
		p.giveUp()
		return exitConfig
	}
	over.Do(func() { close(early) })

	failed := false
	watching, unwatch := context.WithCancel(ctx)
	go p.watchLogs(watching)
	reloaded := p.reloads.Start(watching, p.causes())
	for running := true; running; {
		select {
		case sig := <-p.ending.Asked:
			running = p.heed(sig)
		case sig := <-p.others:
			running = p.heed(sig)
		case c := <-p.letters:
			p.obey(c)
		case outcome := <-p.role.After.Outcome():
			running = !p.handOver(outcome)
		case <-ctx.Done():
			p.log.Printf("stopped before the start was over: finishing requests, at most %v (again: at once)", cfg.Mercy)
			running = false
		case err := <-served:
			p.log.Printf("uwsgo: %v", err)
			running, failed = false, true
		}
	}
	unwatch()
	reloaded()
	if failed {
		p.giveUp()
		return exitConfig
	}
	p.shutdown()
	if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
		p.log.Printf("uwsgo: %v", err)
	}
	p.log.Printf("goodbye to uwsgo.")
	return exitOK
}

// announce tells everybody that requests are served.
func (p *program) announce(ctx context.Context) error {
	if err := p.runHooks(ctx, "master-start"); err != nil {
		return err
	}
	for _, path := range []string{p.cfg.SafePidFile, p.cfg.SafePidFile2} {
		if err := p.writePidFile(p.path(path, false)); err != nil {
			return err
		}
	}
	if err := p.role.TakeOver(ctx); err != nil {
		return err
	}
	if err := p.startCompanions(); err != nil {
		return err
	}
	if err := p.detach(); err != nil {
		return err
	}
	p.ready = true
	p.startWatchdog()
	p.startProcs()
	p.notify(daemon.SdNotifyReady, "serving requests")
	p.tellLosses()
	p.log.Printf("*** uwsgo is ready after %v ***", time.Since(p.start).Round(time.Millisecond))
	if p.cfg.Quick != "" {
		p.log.Printf("*** %s ***", p.cfg.Quick)
	}
	return nil
}

// pause stops accepting connections, or goes on with it.
func (p *program) pause() {
	paused := !p.paused.Load()
	p.paused.Store(paused)
	p.engine.Pause(paused)
	if paused {
		p.log.Printf("*** PAUSE: no connection is accepted until SIGTSTP comes again ***")
	} else {
		p.log.Printf("*** (SIGTSTP received) accepting connections again ***")
	}
}

// shutdown finishes the requests at hand and ends the workers. A second signal
// ends the patience.
func (p *program) shutdown() {
	go func() {
		if p.role.After.Serves() {
			<-p.ending.Asked // the first that asks this server to end
		}
		p.ending.Insist()
	}()
	if !p.role.Shared() {
		p.stopping.Store(true)
		p.notify(daemon.SdNotifyStopping, "finishing requests")
		p.role.After.Stop()
	}
	if d := p.cfg.DrainDelay; d > 0 && !p.role.Shared() {
		p.log.Printf("serving as usual for %v (drain-delay)", d)
		select {
		case <-time.After(d):
		case <-p.ending.Patience.Done():
		}
	}
	ctx, end := context.WithTimeout(p.ending.Patience, p.cfg.Mercy)
	defer end()
	// While nobody can take the place of a socket file yet; who is in its backlog is
	// still served.
	for _, ln := range p.engine.Listeners() {
		p.vacuum(ln)
	}
	// The loops carry the last answers, so they go on until the workers have ended.
	if err := p.engine.Drain(ctx); err != nil {
		p.log.Printf("some requests did not finish in time: %v", err)
	}
	if p.pool != nil {
		if err := p.pool.Stop(ctx); err != nil {
			p.log.Printf("some workers did not end in time and were killed: %v; threads that the app has started keep a worker from its end unless they are daemons", err)
		}
	}
	_ = p.engine.Close()
	p.role.After.Wait(ctx)
}

// giveUp ends what serves requests at once. The loops that would carry the answers go
// first or have gone, so nothing may wait for one.
func (p *program) giveUp() {
	_ = p.engine.Close()
	if p.pool != nil {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.pool.Stop(over)
	}
}

// prepare does everything up to the first request, in uWSGI's order: log,
// directory, sockets, pid file, user, apps.
func (p *program) prepare(ctx context.Context) error {
	cfg := p.cfg
	p.log.Printf("*** Starting uwsgo %s (%s, %d CPUs) on [%s] ***", version, runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), p.start.Format(time.ANSIC))
	inherited, err := p.fromSystemd() // first: what is run must not get it
	if err != nil {
		return err
	}
	handed, err := p.role.Before.Listening()
	if err != nil {
		return err
	}
	inherited = append(inherited, handed...)
	if p.started, err = os.Getwd(); err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	if err := p.runHooks(ctx, "asap"); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		p.log.Printf("*** WARNING: %s ***", w)
	}
	if os.Getuid() == 0 && p.identity.UID <= 0 {
		p.log.Printf("*** WARNING: you are running uwsgo as root, and so runs the app: set uid (and gid) to another user ***")
	}
	p.listLoggers()
	if cfg.Show {
		var b strings.Builder
		if err := cfg.ShowConfig(&b); err != nil {
			return err
		}
		p.log.Printf("%s", b.String())
	}
	if cfg.Profile != "" {
		stop := startProfile(cfg.Profile)
		p.ending.Later(stop)
	}
	if len(cfg.Listens) == 0 && !slices.ContainsFunc(inherited, func(s succession.Socket) bool { return s.Always }) {
		return errors.New("there is no socket to listen on: add http = :8080, or socket = /path/to.sock for nginx")
	}
	if p.home, err = os.Getwd(); err != nil { // before chdir
		return fmt.Errorf("current directory: %w", err)
	}
	p.cwd.Store(&p.home)
	if err := p.runHooks(ctx, "pre-jail", "post-jail", "in-jail"); err != nil {
		return err
	}
	if cfg.Chroot == "" { // else it is below the new root
		if err := p.chdir(); err != nil {
			return err
		}
	}
	if err := p.listen(inherited); err != nil {
		return err
	}
	p.makeObserver()
	statsSocket := p.role.Before.Stats(cfg.Stats)
	if cfg.Stats != "" {
		o := stats.Options{Mode: cfg.ChmodSocket, Owner: p.owner(), Inherited: statsSocket, HTTP: cfg.StatsHTTP, Minified: cfg.StatsMin, NoCores: cfg.StatsNoCores, Hosts: cfg.StatsHosts}
		if p.stats, err = stats.New(cfg.Stats, p.observer.Snapshot, o); err != nil {
			return fmt.Errorf("stats: %w", err)
		}
		p.stats.KeepFile(o.Inherited != nil)
		p.ending.Later(func() { _ = p.stats.Close() })
		p.log.Printf("*** Stats server enabled on %s ***", p.stats.Addr())
		if a, ok := p.stats.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
			p.log.Printf("*** WARNING: whoever reaches this machine can read the stats: prefer stats = 127.0.0.1:%d, or a unix socket ***", a.Port)
		}
	}
	// Only now: a second start, which finds the sockets taken, must not touch the
	// file of the server that runs.
	if err := p.writePidFile(p.path(cfg.PidFile, true)); err != nil {
		return err
	}
	if err := p.runHooks(ctx, "as-root"); err != nil {
		return err
	}
	if err := p.dropPrivileges(); err != nil {
		return err
	}
	p.ending.Later(p.runAtExit) // after the workers: they are started, and so ended, later
	if err := p.moveLog(); err != nil {
		return err
	}
	if err := p.writePidFile(p.path(cfg.PidFile2, false)); err != nil {
		return err
	}
	if err := p.openFifos(); err != nil {
		return err
	}
	if err := p.runHooks(ctx, "as-user", "pre-app"); err != nil {
		return err
	}
	if cfg.HasApp() {
		if err := p.startWorkers(ctx); err != nil {
			return err
		}
		return p.runHooks(ctx, "post-app")
	}
	if !cfg.HasFiles() {
		p.log.Printf("*** WARNING: every request gets 404: %s ***", cfg.NoApp())
		return nil
	}
	p.log.Printf("*** no app to run: serving files only ***")
	return p.runHooks(ctx, "post-app")
}

// chdir enters the directory that the app is loaded in.
func (p *program) chdir() error {
	base := p.home
	if p.cfg.Chroot != "" {
		base = "/"
	}
	p.dir = base
	if p.cfg.Chdir != "" {
		dir := p.named(p.cfg.Chdir)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(base, dir)
		}
		p.dir = dir
		if err := os.Chdir(dir); err != nil {
			if reason, ok := errors.AsType[*os.PathError](err); ok {
				err = reason.Err
			}
			return fmt.Errorf("chdir: %s: %w", dir, err)
		}
	}
	cwd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	p.cwd.Store(&cwd)
	return nil
}

// complain logs why the server does not start. Whoever started it looks at the
// terminal, not into the log file.
func (p *program) complain(err error) {
	p.log.Printf("uwsgo: %v", err)
	if p.cfg.LogTo != "" {
		fail(err)
	}
}

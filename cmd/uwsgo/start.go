package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// open becomes what the process is to be before anything else, and opens the log. Errors go
// to standard error alone.
func (p *program) open() error {
	p.start = time.Now()
	go reapAdopted(p.ending.Patience.Done())
	p.procs = setProcs(p.cfg.Compress || p.cfg.HTTPGzip)
	if p.cfg.Umask >= 0 {
		syscall.Umask(p.cfg.Umask)
	}
	setTitle(p.cfg)
	var err error
	if p.identity, err = identify(p.cfg); err != nil {
		return err
	}
	c := logConfig(p.cfg, p.identity)
	c.Encoders = append(c.Encoders, p.vassal.prefix(c)...)
	if err := p.logs.open(c, p.role.Before != nil); err != nil {
		return err
	}
	p.ending.Later(func() { _ = p.logs.Close() })
	p.fifos = &fifos{letters: make(chan byte, 16), role: p.role, ending: p.ending, logf: p.logf}
	p.pidFiles = &pidFiles{user: p.identity, role: p.role, ending: p.ending, vacuum: p.cfg.Vacuum, logf: p.logf}
	return nil
}

// startUp prepares everything, has requests answered, and tells everybody so. served gets why
// they are answered no more.
func (p *program) startUp(ctx context.Context) (served <-chan error, err error) {
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	p.makeReloads()
	p.bindRole()
	handler, err := p.handler()
	if err != nil {
		return nil, err
	}
	end := make(chan error, 1)
	go func() { end <- p.engine.Serve(handler) }()
	if err := p.announce(ctx); err != nil && ctx.Err() == nil {
		p.giveUp()
		return nil, err
	}
	return end, nil
}

// notStarted tells why the server does not start, and returns the exit code.
func (p *program) notStarted(ctx context.Context, err error) int {
	if ctx.Err() != nil {
		p.logf("stopped before the start was over")
		return exitOK
	}
	code, last := verdict(err)
	if _, asked := errors.AsType[exitError](err); asked {
		p.logf("%v", err)
		return code
	}
	p.tellLosses() // one of them may be why
	p.complain(err)
	if last != "" {
		p.logf("%s", last)
	}
	return code
}

// verdict returns the exit code of a start that has failed, and its last line; empty for
// none.
func verdict(err error) (code int, last string) {
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code), ""
	}
	if _, ok := errors.AsType[*worker.LoadError](err); ok {
		return exitApp, "*** no app loaded. GAME OVER ***"
	}
	if _, ok := errors.AsType[*worker.StartError](err); ok {
		return exitApp, "*** no worker serves. GAME OVER ***"
	}
	return exitConfig, ""
}

// prepare does everything up to the first request, in uWSGI's order: log,
// directory, sockets, pid file, user, apps.
func (p *program) prepare(ctx context.Context) error {
	cfg := p.cfg
	p.logf("*** Starting uwsgo %s (%s, %d CPUs) on [%s] ***", version, runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), p.start.Format(time.ANSIC))
	p.limitFiles()
	inherited, err := p.fromSystemd() // first: what is run must not get it
	if err != nil {
		return err
	}
	handed, err := p.role.Before.Listening()
	if err != nil {
		return err
	}
	demanded, err := p.vassal.onDemand()
	if err != nil {
		return err
	}
	inherited = slices.Concat(inherited, handed, demanded)
	if p.site.started, err = os.Getwd(); err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	if err := p.runHooks(ctx, "asap"); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		p.logf("*** WARNING: %s ***", w)
	}
	if os.Getuid() == 0 && p.identity.UID <= 0 {
		p.logf("*** WARNING: you are running uwsgo as root, and so runs the app: set uid (and gid) to another user ***")
	}
	if cfg.LoggerList {
		p.logf("*** loggers: %s ***", strings.Join(logger.Kinds, " "))
	}
	if cfg.Show {
		var b strings.Builder
		if err := cfg.ShowConfig(&b); err != nil {
			return err
		}
		p.logf("%s", b.String())
	}
	if cfg.Profile != "" {
		stop := startProfile(cfg.Profile)
		p.ending.Later(stop)
	}
	if len(cfg.Listens)+len(cfg.Companions)+len(cfg.Crons) == 0 && !slices.ContainsFunc(inherited, func(s succession.Socket) bool { return s.Always }) {
		return errors.New("there is no socket to listen on: add http = :8080, or socket = /path/to.sock for nginx")
	}
	if err := p.site.begin(); err != nil {
		return err
	}
	if err := p.runHooks(ctx, "pre-jail", "post-jail", "in-jail"); err != nil {
		return err
	}
	if cfg.Chroot == "" { // else it is below the new root
		if err := p.site.chdir(); err != nil {
			return err
		}
	}
	if err := p.listen(inherited); err != nil {
		return err
	}
	p.makeObserver()
	statsSocket := p.role.Before.Stats(cfg.Stats)
	if cfg.Stats != "" {
		o := stats.Options{Mode: cfg.ChmodSocket, Owner: p.identity.Owner(), Inherited: statsSocket, HTTP: cfg.StatsHTTP, Minified: cfg.StatsMin, NoCores: cfg.StatsNoCores, Hosts: cfg.StatsHosts}
		if p.stats, err = stats.New(cfg.Stats, p.observer.Snapshot, o); err != nil {
			return fmt.Errorf("stats: %w", err)
		}
		p.stats.KeepFile(o.Inherited != nil)
		p.ending.Later(func() { _ = p.stats.Close() })
		p.logf("*** Stats server enabled on %s ***", p.stats.Addr())
		if a, ok := p.stats.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
			p.logf("*** WARNING: whoever reaches this machine can read the stats: prefer stats = 127.0.0.1:%d, or a unix socket ***", a.Port)
		}
	}
	// Only now: a second start, which finds the sockets taken, must not touch the
	// file of the server that runs.
	if err := p.pidFiles.write(p.site.path(cfg.PidFile, true)); err != nil {
		return err
	}
	if err := p.runHooks(ctx, "as-root"); err != nil {
		return err
	}
	if err := dropPrivileges(p.site, p.identity, p.logf); err != nil {
		return err
	}
	p.ending.Later(p.runAtExit) // after the workers: they are started, and so ended, later
	if err := p.logs.move(cfg.LogTo2); err != nil {
		return err
	}
	if err := p.pidFiles.write(p.site.path(cfg.PidFile2, false)); err != nil {
		return err
	}
	for _, name := range cfg.Fifos {
		p.fifos.paths = append(p.fifos.paths, p.site.path(name, false))
	}
	if err := p.fifos.open(); err != nil {
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
		p.logf("*** WARNING: every request gets 404: %s ***", cfg.NoApp())
		return nil
	}
	p.logf("*** no app to run: serving files only ***")
	return p.runHooks(ctx, "post-app")
}

// limitFiles sets how many descriptors this process, and those that it starts, may have. As
// in uWSGI, a limit that cannot be set is no reason not to start.
func (p *program) limitFiles() {
	if p.cfg.MaxFD == 0 {
		return
	}
	var limit syscall.Rlimit
	setBoth(&limit.Cur, &limit.Max, p.cfg.MaxFD)
	// Not by x/sys: this one also has what is started get the limit.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		p.logf("*** WARNING: max-fd: the limit cannot be %d: %v: it needs root, or LimitNOFILE= in the systemd unit ***", p.cfg.MaxFD, err)
	}
}

// setBoth sets two fields whose type depends on the system.
func setBoth[T int64 | uint64](a, b *T, n int) { *a, *b = T(n), T(n) }

// complain logs why the server does not start. Whoever started it looks at the
// terminal, not into the log file.
func (p *program) complain(err error) {
	p.logf("uwsgo: %v", err)
	if p.cfg.LogTo != "" {
		fail(err)
	}
}

// announce tells everybody that requests are served.
func (p *program) announce(ctx context.Context) error {
	if err := p.runHooks(ctx, "master-start"); err != nil {
		return err
	}
	for _, path := range []string{p.cfg.SafePidFile, p.cfg.SafePidFile2} {
		if err := p.pidFiles.write(p.site.path(path, false)); err != nil {
			return err
		}
	}
	if err := p.role.TakeOver(ctx); err != nil {
		return err
	}
	if err := p.startCompanions(); err != nil {
		return err
	}
	if err := p.daemon.detach(&p.logs); err != nil {
		return err
	}
	p.ending.Started = true
	p.startWatchdog()
	p.startHeartbeat()
	p.vassal.tell(emperor.Spawned, emperor.Accepting, emperor.Loyal)
	p.ending.Later(p.procs.follow(p.wakeups))
	p.notify(daemon.SdNotifyReady, "serving requests")
	p.tellLosses()
	p.logf("*** uwsgo is ready after %v ***", time.Since(p.start).Round(time.Millisecond))
	if p.cfg.Quick != "" {
		p.logf("*** %s ***", p.cfg.Quick)
	}
	time.AfterFunc(settled, debug.FreeOSMemory) // what the start took, and nobody needs any more
	return nil
}

// settled is when a start is over, its last goroutines too.
const settled = time.Second

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/logger"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// startUp prepares everything, serves requests, and says so. served gets the reason when requests
// are served no more.
func (p *program) startUp(ctx context.Context) (served <-chan error, err error) {
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	p.makeReloads()
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

// notStarted logs why the server does not start, and returns the exit code.
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
	tellLosses(p.cfg, p.logf) // one of them may be why
	p.complain(err)
	if last != "" {
		p.logf("%s", last)
	}
	return code
}

// verdict returns the exit code of a failed start, and its last line; empty for none.
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

// prepare does everything before the first request, in uWSGI's order: log, directory, sockets, pid
// file, user, apps.
func (p *program) prepare(ctx context.Context) error {
	cfg := p.cfg
	p.logf("*** Starting uwsgo %s (%s, %d CPUs) on [%s] ***", version, runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU(), p.start.Format(time.ANSIC))
	limitFiles(cfg, p.logf)
	inherited, err := p.manager.inherit() // first: the programs that this one starts must not get it
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
	if err := p.hooks.run(ctx, "asap"); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		p.logf("*** WARNING: %s ***", w)
	}
	if os.Getuid() == 0 && p.identity.UID <= 0 {
		p.logf("*** WARNING: uwsgo runs as root, and so does the app: set uid (and gid) to another user ***")
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
	if len(cfg.Listens)+len(cfg.Companions)+len(cfg.Crons)+len(cfg.Mules)+len(cfg.Spoolers) == 0 && !slices.ContainsFunc(inherited, func(s succession.Socket) bool { return s.Always }) {
		return errors.New("there is no socket to listen on: add http = :8080, or socket = /path/to.sock for nginx")
	}
	if err := p.site.begin(); err != nil {
		return err
	}
	if err := p.hooks.run(ctx, "pre-jail", "post-jail", "in-jail"); err != nil {
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
	if err := p.observe(); err != nil {
		return err
	}
	// Only now: a second start finds the sockets taken, and must not touch the file of the server
	// that runs.
	if err := p.writePidFiles(true, cfg.PidFile); err != nil {
		return err
	}
	if err := p.hooks.run(ctx, "as-root"); err != nil {
		return err
	}
	if cfg.Chroot == "" {
		if err := prepareSpoolers(p.site, p.identity); err != nil {
			return err
		}
	}
	if err := dropPrivileges(p.site, p.identity, p.logf); err != nil {
		return err
	}
	p.ending.Later(func() { p.alarms.Load().Close() }) // after the hooks of the end, which may raise some
	p.ending.Later(func() {                            // after the end of the workers, which start later
		if !p.role.Shared() { // else another server goes on
			p.ending.Within(cfg.Mercy, p.hooks.atExit)
		}
	})
	if err := p.logs.move(cfg.LogTo2); err != nil {
		return err
	}
	if err := p.writePidFiles(false, cfg.PidFile2); err != nil {
		return err
	}
	for _, name := range cfg.Fifos {
		p.fifos.paths = append(p.fifos.paths, p.site.path(name, false))
	}
	if err := p.fifos.open(); err != nil {
		return err
	}
	if err := p.hooks.run(ctx, "as-user", "pre-app"); err != nil {
		return err
	}
	p.workers.queues, err = openMules(cfg, p.logf)
	for _, q := range p.workers.queues {
		p.ending.Later(q.Close)
	}
	if err != nil {
		return err
	}
	p.openAlarms()
	if err := p.openMetrics(); err != nil {
		return err
	}
	if cfg.RunsPython() {
		if err := p.startWorkers(ctx); err != nil {
			return err
		}
		return p.hooks.run(ctx, "post-app")
	}
	if cfg.PassesOn() {
		p.logf("*** no app to run: passing requests on to other servers ***")
		return p.hooks.run(ctx, "post-app")
	}
	if !cfg.HasFiles() {
		p.logf("*** WARNING: every request gets 404: %s ***", cfg.NoApp())
		return nil
	}
	p.logf("*** no app to run: serving files only ***")
	return p.hooks.run(ctx, "post-app")
}

// limitFiles sets how many descriptors this process and its children may have. As in uWSGI, the
// start goes on when that fails.
func limitFiles(cfg *config.Config, logf func(format string, args ...any)) {
	if cfg.MaxFD == 0 {
		return
	}
	var limit syscall.Rlimit
	setBoth(&limit.Cur, &limit.Max, cfg.MaxFD)
	// Not by x/sys: syscall gives the limit to children, too.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		logf("*** WARNING: max-fd: the limit cannot be %d: %v: it needs root, or LimitNOFILE= in the systemd unit ***", cfg.MaxFD, err)
	}
}

// setBoth sets two fields whose type depends on the system.
func setBoth[T int64 | uint64](a, b *T, n int) { *a, *b = T(n), T(n) }

// announce tells everybody that the server serves requests.
func (p *program) announce(ctx context.Context) error {
	if err := p.hooks.run(ctx, "master-start"); err != nil {
		return err
	}
	if err := p.writePidFiles(false, p.cfg.SafePidFile, p.cfg.SafePidFile2); err != nil {
		return err
	}
	if err := p.role.TakeOver(ctx); err != nil {
		return err
	}
	if err := p.beside.start(p.cfg.Companions, p.cfg.Crons); err != nil {
		return err
	}
	if err := p.daemon.detach(&p.logs); err != nil {
		return err
	}
	p.ending.Started = true
	startWatch(p.ending, p.engine.Loops(), p.manager.watchdog/2, p.manager.alive)
	if p.vassal != nil {
		startWatch(p.ending, p.engine.Loops(), p.cfg.Heartbeat, func() { p.vassal.tell(emperor.Heartbeat) })
	}
	p.vassal.tell(emperor.Spawned, emperor.Accepting, emperor.Loyal)
	p.ending.Later(p.procs.follow(func() uint64 { return wakeups(p.engine.Loops()) }))
	p.manager.notify(daemon.SdNotifyReady, "serving requests")
	tellLosses(p.cfg, p.logf)
	p.logf("*** uwsgo is ready after %v ***", time.Since(p.start).Round(time.Millisecond))
	if p.cfg.Quick != "" {
		p.logf("*** %s ***", p.cfg.Quick)
	}
	time.AfterFunc(settled, debug.FreeOSMemory) // memory that only the start needed
	return nil
}

// settled is when the start is over, and its last goroutines are.
const settled = time.Second

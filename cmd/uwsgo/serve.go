package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/observe"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine"
)

// program is one run of the server, from its configuration to its end.
type program struct {
	cfg    *config.Config
	site   *site // where the app lives
	app    *app  // what workers run, and with what
	orders *orders
	start  time.Time
	stdin  []byte // what was read of standard input
	procs  procs  // of the Go runtime
	// identity is whom the server becomes once its addresses are bound.
	identity privilege.Identity
	others   chan os.Signal // signals that ask for something else than the end
	vassal   *vassal        // nil for a server that no emperor has started
	daemon   daemonized
	paused   atomic.Bool
	stopping atomic.Bool // a signal to stop has come; see ready-path
	ending   *life.Ending
	fifos    *fifos
	pidFiles *pidFiles
	watchdog time.Duration // how often systemd wants to hear from the server; 0 for never
	logs     logs

	engine   *engine.Server
	workers  workers
	services *services // for apps
	stats    *stats.Server
	observer *observe.Server

	role    *succession.Role // to the servers before and after this one
	sockets *sockets

	reloads    *life.Reloads
	companions atomic.Pointer[companion.Group] // set when they are started, as is
	crons      atomic.Pointer[cron.Runner]
}

// newProgram returns one that has done nothing yet. self is the absolute path of this program.
func newProgram(cfg *config.Config, self string) *program {
	p := &program{cfg: cfg, site: &site{cfg: cfg}}
	p.app = newApp(p.site, self, p.logf)
	p.orders = &orders{server: served{p}, logf: p.logf}
	return p
}

// logf writes a line into the log, once that is open.
func (p *program) logf(format string, args ...any) { p.logs.printf(format, args...) }

// serve runs the server that p.cfg describes until it is stopped, and returns the exit
// code: it starts up, lives, and ends.
func serve(p *program) int {
	p.takeSignals()
	defer p.ending.Hurry()
	defer p.ending.Undo()
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	over := p.ending.Early(giveUp)
	defer over()

	if err := p.open(); err != nil {
		return fail(err)
	}
	served, err := p.startUp(ctx)
	if err != nil {
		return p.notStarted(ctx, err)
	}
	over()
	if !p.live(ctx, served) {
		p.giveUp()
		return exitConfig
	}
	p.shutdown()
	if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
		p.logf("uwsgo: %v", err)
	}
	p.logf("goodbye to uwsgo.")
	return exitOK
}

// takeSignals has signals come to the server, and never gives them back: one that comes at
// the very end must not change the exit code.
func (p *program) takeSignals() {
	// A log whose reader has gone must not end the server.
	// Not with Ignore, which the programs that it starts would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	p.ending = life.NewEnding(func() {
		_, _ = os.Stderr.WriteString("uwsgo: the end was asked for twice and did not come: ending as it is\n")
		os.Exit(exitConfig)
	})
	signal.Notify(p.ending.Asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	// What uWSGI reloads or reports on must at least not end the server.
	p.others = make(chan os.Signal, 8)
	signal.Notify(p.others, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP)
	p.orders.notify = func(sig os.Signal) { signal.Notify(p.others, sig) }
	p.listenToEmperor()
}

// heed does what a signal asks for, and reports whether the server goes on.
func (p *program) heed(sig os.Signal) bool {
	if p.orders.heed(sig) {
		return true
	}
	p.logf("%s received: finishing requests, at most %v (again: at once)", signalName(sig), p.cfg.Mercy)
	return false
}

// live does what the server is asked for until it is asked for its end, which it reports. It
// is false where requests cannot be served any more.
func (p *program) live(ctx context.Context, served <-chan error) bool {
	watching, unwatch := context.WithCancel(ctx)
	go p.logs.watch(watching, p.site.under(p.cfg.TouchLogRotate...), p.site.under(p.cfg.TouchLogReopen...))
	go p.watchTouched(watching)
	go p.watchIdle(watching)
	p.runAccepting(watching, false)
	reloaded := p.reloads.Start(watching, p.causes())
	defer func() { unwatch(); reloaded() }()
	for running := true; running; {
		select {
		case sig := <-p.ending.Asked:
			running = p.heed(sig)
		case sig := <-p.others:
			running = p.heed(sig)
		case c := <-p.fifos.letters:
			p.orders.obey(c)
		case outcome := <-p.role.After.Outcome():
			running = !p.handOver(outcome)
		case <-ctx.Done():
			p.logf("stopped before the start was over: finishing requests, at most %v (again: at once)", p.cfg.Mercy)
			running = false
		case err := <-served:
			p.logf("uwsgo: %v", err)
			return false
		}
	}
	return true
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
		p.logf("serving as usual for %v (drain-delay)", d)
		select {
		case <-time.After(d):
		case <-p.ending.Patience.Done():
		}
	}
	ctx, end := context.WithTimeout(p.ending.Patience, p.cfg.Mercy)
	defer end()
	// While nobody can take the place of a socket file yet; who is in its backlog is
	// still served.
	p.sockets.vacuum()
	// The loops carry the last answers, so they go on until the workers have ended.
	if err := p.engine.Drain(ctx); err != nil {
		p.logf("some requests did not finish in time: %v", err)
	}
	if err := p.workers.stop(ctx); err != nil {
		p.logf("some workers did not end in time and were killed: %v; threads that the app has started keep a worker from its end unless they are daemons", err)
	}
	_ = p.engine.Close()
	p.role.After.Wait(ctx)
}

// giveUp ends what serves requests at once. The loops that would carry the answers go
// first or have gone, so nothing may wait for one.
func (p *program) giveUp() {
	_ = p.engine.Close()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.workers.stop(over)
}

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/uwsgo/uwsgo/cmd/internal/metrics"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/observe"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/cache"
)

// program is one run of the server, from its configuration to its end.
type program struct {
	*process
	app     *app    // what workers run, and with what
	orders  *orders // what signals and letters ask for
	hooks   *stages
	actions *actions
	stdin   []byte // what was read of standard input
	procs   procs  // of the Go runtime

	paused   atomic.Bool // no connection is accepted
	stopping atomic.Bool // a signal to stop has come; see ready-path

	engine   *engine.Server
	sockets  *sockets
	workers  workers
	services *services // for apps
	beside   *beside
	fifos    *fifos
	stats    *stats.Server // nil without one
	observer *observe.Server
	metrics  atomic.Pointer[metrics.Set] // nil without any
	reloads  *life.Reloads
	cache    atomic.Pointer[cache.Handler] // of answers; nil without http-cache
}

// newProgram returns a server that has done nothing yet. stdin is what was read of standard input.
func newProgram(base *process, stdin []byte) *program {
	p := &program{process: base, stdin: stdin}
	p.app = newApp(p.site, p.self, p.logf)
	p.orders = &orders{server: served{p}, logf: p.logf, notify: func(sig os.Signal) { signal.Notify(p.others, sig) }}
	p.actions = &actions{app: p.app, logs: &p.logs, setTask: p.orders.setTask, raise: p.raise}
	p.hooks = &stages{hooks: p.cfg.Hooks, work: p.cfg.Chdir2, logf: p.logf, do: p.actions.do}
	p.beside = &beside{command: p.actions.command, owns: p.workers.owns, role: p.role, ending: p.ending, mercy: p.cfg.Mercy, logf: p.logf}
	p.fifos = &fifos{letters: make(chan byte, 16), role: p.role, ending: p.ending, logf: p.logf}
	return p
}

// serve runs the server until it is stopped, and returns the exit code: it starts up, lives, and
// ends.
func serve(p *program) int {
	p.takeSignals()
	defer p.ending.Hurry()
	defer p.ending.Undo()
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	over := p.ending.Early(giveUp)
	defer over()

	p.procs = setProcs(p.cfg.Compress || p.cfg.HTTPGzip)
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

// live does what the server is asked for until it is asked for its end. It returns false when
// requests can no longer be served.
func (p *program) live(ctx context.Context, served <-chan error) bool {
	watching, unwatch := context.WithCancel(ctx)
	go p.logs.watch(watching, p.site.under(p.cfg.TouchLogRotate...), p.site.under(p.cfg.TouchLogReopen...))
	go p.hooks.watch(watching, p.cfg.TouchHooks, p.site.under)
	if p.cfg.Idle > 0 && p.workers.Pool != nil {
		go watchIdle(watching, p.cfg.Idle, time.Tick(idleEach), p.engine.Stats, whenIdle(p.cfg, &p.workers, p.vassal, p.ending, p.logf))
	}
	go p.watchBackgrounds(watching)
	if len(p.cfg.Alarm.Backlog) > 0 {
		go watchBacklogs(watching, p.engine.Listeners(), p.workers.snapshot, func(text string) { p.alarms.Load().Backlog(text) })
	}
	p.runAccepting(watching, false)
	reloaded := p.reloads.Start(watching, p.causes())
	defer func() { unwatch(); reloaded() }()
	heed := func(sig os.Signal) bool {
		if p.orders.heed(sig) {
			return true
		}
		p.logf("%s received: finishing requests, at most %v (again: at once)", signalName(sig), p.cfg.Mercy)
		return false
	}
	for running := true; running; {
		select {
		case sig := <-p.ending.Asked:
			running = heed(sig)
		case sig := <-p.others:
			running = heed(sig)
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

// shutdown finishes the requests at hand and ends the workers. A second signal ends its patience.
func (p *program) shutdown() {
	go func() {
		if p.role.After.Serves() {
			<-p.ending.Asked // the first that asks this server to end
		}
		p.ending.Insist()
	}()
	if !p.role.Shared() {
		p.stopping.Store(true)
		p.manager.notify(daemon.SdNotifyStopping, "finishing requests")
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
	// The files go now, while nobody else can have made one of the same name. Clients in the
	// backlog still get their answers.
	p.sockets.vacuum()
	// The loops carry the last answers, so they go on until the workers have ended.
	if err := p.engine.Drain(ctx); err != nil {
		p.logf("some requests did not finish in time: %v", err)
	}
	if err := p.workers.stop(ctx); err != nil {
		p.logf("some workers did not end in time and were killed: %v; a thread of the app keeps its worker from ending unless it is a daemon", err)
	}
	_ = p.engine.Close()
	p.role.After.Wait(ctx)
}

// giveUp ends the engine and the workers at once. The loops go first: nothing may wait for an
// answer that nobody carries.
func (p *program) giveUp() {
	_ = p.engine.Close()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.workers.stop(over)
}

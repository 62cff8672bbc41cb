package main

import (
	"context"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// listen makes the engine and opens the addresses.
func (p *program) listen(inherited []succession.Socket) error {
	opt, err := engineOptions(p.cfg, p.procs.loops)
	if err != nil {
		return err
	}
	opt.Logf, opt.OnRefusal = p.logf, p.logs.refused
	if p.cfg.TLSErrors {
		opt.OnHandshakeError = func(ln *engine.Listener, peer string, err error) {
			p.logf("TLS handshake with %s on %s failed: %v", peer, ln, err)
		}
	}
	var stopLog func()
	opt.OnFinish, stopLog = requestLog(p.cfg, &p.logs)
	p.ending.Later(stopLog)
	if p.engine, err = engine.New(opt); err != nil {
		return err
	}
	p.ending.Later(func() {
		if err := p.engine.Close(); err != nil {
			p.logf("close: %v", err)
		}
	})
	p.sockets = &sockets{site: p.site, engine: p.engine, user: p.identity, vassal: p.vassal != nil, role: p.role, ending: p.ending, logf: p.logf}
	return p.sockets.bindAll(inherited)
}

// startWorkers imports the apps and starts the Python processes.
func (p *program) startWorkers(ctx context.Context) error {
	cfg := p.cfg
	from := ""
	wc := worker.Config{
		Exceptions: cfg.Exceptions, Affinity: cfg.Affinity,
		Imports: cfg.Imports, Optimize: cfg.Optimize, PasteLogger: cfg.PasteLogger, NoFileWrapper: cfg.NoFileWrapper,
		StartedIn: p.site.home, PythonPath: cfg.PythonPath, Argv: strings.Fields(cfg.PyArgv),
		Processes: cfg.Processes, Threads: cfg.Threads, Cheaper: cfg.Cheaper, LazyApps: cfg.LazyApps, ImportOnce: cfg.ImportOnce, NeedApp: cfg.NeedApp,
		Harakiri: cfg.Harakiri, HarakiriMercy: cfg.HarakiriMercy, HarakiriVerbose: cfg.HarakiriVerbose, Mercy: cfg.Mercy,
		HarakiriLeast: leastDeadline(cfg), HarakiriSignal: cfg.HarakiriSignal,
		WriteErrors:  worker.WriteErrors{Silent: cfg.NoWriteErrors, Tolerant: cfg.WriteErrors > 0, Thrown: cfg.ThrowErrors},
		PostFork:     p.stages().postFork(),
		QueueTimeout: cfg.QueueTimeout, NoLanes: !cfg.Lanes,
		Bodies: p.engine.SharedBodies(),
		Loops:  p.engine.Loops(), Stderr: p.logs.Printed(), Version: version,
		Log: func(line string) { p.logf("%s", line) },
	}
	wc.Anew = p.app.findAnew
	if cfg.Stdin {
		wc.Stdin = os.Stdin
	}
	var err error
	if wc.Python, from, err = p.app.interpreter(); err != nil {
		return err
	}
	wc.PythonFrom = from
	wc.Env = p.app.environ()
	wc.Names = workerNames(cfg)
	if wc.Queue = cfg.QueueSize; wc.Queue == 0 {
		wc.Queue = -1
	}
	wc.LimitAS = cfg.LimitAS
	wc.Limits = worker.Limits{
		MaxRequests: uint64(cfg.MaxRequests), MaxRequestsDelta: uint64(cfg.MaxRequestsDelta),
		MaxLifetime: cfg.MaxLifetime, MaxLifetimeDelta: cfg.MaxLifetimeDelta,
		RSS: cfg.ReloadOnRSS, AS: cfg.ReloadOnAS, EvilRSS: cfg.EvilRSS, EvilAS: cfg.EvilAS,
	}
	if wc.Limits != (worker.Limits{}) {
		wc.Limits.MinLifetime = cfg.MinLifetime
	}
	if cfg.AutoReload {
		if p.code, err = life.NewCodeWatch(p.logf); err != nil {
			return err
		}
		p.ending.Later(p.code.Close)
		wc.Imported, wc.Unwatched = p.code.Add, cfg.AutoReloadIgnore
	}
	if err := p.openStores(); err != nil {
		return err
	}
	wc.Control, wc.Module = p.services(), p.module()
	wc.Apps = p.app.list()
	if p.pool, err = worker.Start(ctx, wc); err != nil {
		p.pool = nil
		return err
	}
	p.told.Store(p.pool)
	p.ending.Later(func() { p.withMercy(func(ctx context.Context) { _ = p.pool.Stop(ctx) }) })
	s := p.pool.Snapshot()
	p.logf("Python %s at %s (from %s)", s.Python, s.Path, from)
	p.app.checkPlugins(s.Python, s.Path)
	for i, app := range s.Apps {
		if app.Reason == "" {
			p.logf("app %d: %s loaded in %v", i, app.App, time.Duration(app.Seconds*float64(time.Second)).Round(time.Millisecond))
		}
	}
	return nil
}

// handler returns what answers requests: the apps, or 404 where there are none, behind the chain.
func (p *program) handler() (engine.Handler, error) {
	cfg := p.cfg
	c := &chain{site: p.site, logf: p.logf, secure: p.sockets.secure, ready: p.takesRequests}
	if needsPool(cfg) {
		c.rules.Pool = engine.NewPool(runtime.NumCPU(), 256, p.logf)
		p.ending.Later(c.rules.Pool.Close)
	}
	if p.pool == nil {
		return c.before(engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(404, "Not Found\n") }))
	}
	apps, err := wsgi.New(p.pool, wsgi.Options{ManageScriptName: cfg.ManageScriptName, NoDefaultApp: cfg.NoDefaultApp, Logf: p.logf})
	if err != nil {
		return nil, err
	}
	c.rules.Paths = apps.Paths
	return c.before(apps)
}

// takesRequests is the answer at ready-path.
func (p *program) takesRequests() (bool, string) {
	switch {
	case p.stopping.Load():
		return false, "stopping"
	case p.pool != nil && !p.pool.Serving():
		return false, "no worker"
	}
	return true, "ready"
}

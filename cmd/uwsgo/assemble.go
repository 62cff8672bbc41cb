package main

import (
	"runtime"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker/control"
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
	p.services = &services{
		workers: &p.workers, listeners: p.engine.Listeners, paused: p.paused.Load, logf: p.logf,
		metric: func(_ *control.Peer, args []any) (any, error) { return changeMetric(p.metrics.Load(), args) },
		alarm:  p.raise,
	}
	p.sockets = &sockets{site: p.site, engine: p.engine, user: p.identity, vassal: p.vassal != nil, role: p.role, ending: p.ending, logf: p.logf}
	return p.sockets.bindAll(inherited)
}

// handler returns what answers requests: the apps, or 404 where there are none, behind the chain.
func (p *program) handler() (engine.Handler, error) {
	cfg := p.cfg
	c := &chain{site: p.site, logf: p.logf, secure: p.sockets.secure, ready: p.takesRequests, server: p.engine}
	defer func() { p.cache.Store(c.cache) }()
	if needsPool(cfg) {
		c.rules.Pool = engine.NewPool(runtime.NumCPU(), 256, p.logf)
		p.ending.Later(c.rules.Pool.Close)
	}
	up := &upstreams{cfg: cfg, logf: p.logf}
	p.ending.Later(up.close)
	c.rules.Upstream = up.handler
	c.rules.Alarm = p.raise
	c.rules.Metric = func(name, how string, by int64) bool { return p.metrics.Load().Change(name, how, by) }
	h, err := p.answers(c)
	if err != nil {
		return nil, err
	}
	if h, err = up.router(h, p.sockets.routed); err != nil {
		return nil, err
	}
	return c.before(h)
}

// answers returns the apps, or 404 where there are none.
func (p *program) answers(c *chain) (engine.Handler, error) {
	cfg := p.cfg
	if p.workers.Pool == nil || !cfg.HasApp() {
		return engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(404, "Not Found\n") }), nil
	}
	apps, err := wsgi.New(p.workers.Pool, wsgi.Options{ManageScriptName: cfg.ManageScriptName, NoDefaultApp: cfg.NoDefaultApp, Logf: p.logf})
	if err != nil {
		return nil, err
	}
	c.rules.Paths = apps.Paths
	return apps, nil
}

// takesRequests is the answer at ready-path.
func (p *program) takesRequests() (bool, string) {
	switch {
	case p.stopping.Load():
		return false, "stopping"
	case p.workers.Pool != nil && !p.workers.Serving():
		return false, "no worker"
	}
	return true, "ready"
}

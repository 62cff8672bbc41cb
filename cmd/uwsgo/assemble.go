package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/certificate"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// sharedBodies returns up to which size bodies lie in memory shared with workers: as far as
// post-buffering has them in memory.
func sharedBodies(cfg *config.Config) int64 {
	if cfg.PostBuffering > 0 {
		return cfg.PostBuffering
	}
	return engine.DefaultSharedBodies
}

// listen makes the server, takes over the sockets that a service manager has passed,
// and binds the other addresses.
func (p *program) listen(inherited []succession.Socket) error {
	cfg := p.cfg
	idle := cfg.KeepAlive
	if idle == 0 {
		idle = -1
	}
	opt := engine.Options{
		Loops:  p.procs.loops,
		Limits: limitsOf(cfg), BodyMemory: int(cfg.PostBuffering), SharedBodies: int(sharedBodies(cfg)), IdleTimeout: idle, MaxMemory: cfg.LimitBuffers,
		// A worker and its successor have a stream for each thread and loop, and a channel.
		ReserveFiles: 128 + 2*cfg.Processes*(1+p.procs.loops*cfg.Threads),
		DiskThreads:  cfg.DiskThreads,
		HeadTimeout:  cfg.HTTPTimeout, BodyTimeout: cfg.HTTPTimeout, WriteTimeout: cfg.HTTPTimeout,
		Logf: p.logf, OnRefusal: p.logs.refused,
	}
	var stopLog func()
	opt.OnFinish, stopLog = requestLog(cfg, &p.logs)
	p.ending.Later(stopLog)
	if cfg.TLSErrors {
		opt.OnHandshakeError = func(ln *engine.Listener, peer string, err error) {
			p.logf("TLS handshake with %s on %s failed: %v", peer, ln, err)
		}
	}
	p.secure = certificate.HandlerOptions{
		Stores: map[*engine.Listener]*certificate.Store{}, Redirects: map[*engine.Listener]uint16{},
		ExportCert: cfg.ExportCert, StrictTransport: cfg.StrictTransport,
	}
	var err error
	if opt.Every, err = everyAnswer(cfg); err != nil {
		return err
	}
	if p.engine, err = engine.New(opt); err != nil {
		return err
	}
	p.ending.Later(func() {
		if err := p.engine.Close(); err != nil {
			p.logf("close: %v", err)
		}
	})
	listens := cfg.Listens
	for _, sock := range inherited {
		l := config.Listen{Addr: sock.Addr.String(), Protocol: cfg.Protocol, Where: "inherited socket"}
		if i := slices.IndexFunc(listens, func(l config.Listen) bool { return sock.IsOf(l.Addr) }); i >= 0 {
			l = listens[i]
			listens = slices.Delete(slices.Clone(listens), i, i+1)
		} else if !sock.Always {
			p.role.Before.Unwanted(sock)
			continue
		}
		err := p.bind(l, &sock, func(o engine.ListenOptions) (*engine.Listener, error) { return p.engine.Adopt(sock.FD, o) })
		if err != nil {
			return err
		}
	}
	for _, l := range listens {
		err := p.bind(l, nil, func(o engine.ListenOptions) (*engine.Listener, error) { return p.engine.Listen(l.Addr, o) })
		if err != nil {
			return err
		}
	}
	return nil
}

// limitsOf returns the limits of requests.
func limitsOf(cfg *config.Config) codec.Limits {
	limits := codec.Limits{Head: cfg.BufferSize, Target: cfg.BufferSize, Body: cfg.LimitPost}
	if limits.Body == 0 {
		limits.Body = -1
	}
	return limits
}

// bind makes one listener with open, of the socket that was inherited, if one was, and
// tells of it.
func (p *program) bind(l config.Listen, inherited *succession.Socket, open func(engine.ListenOptions) (*engine.Listener, error)) error {
	cfg := p.cfg
	o := engine.ListenOptions{Backlog: cfg.Backlog, Mode: cfg.ChmodSocket, Owner: cfg.ChownSocket, ReusePort: cfg.ReusePort}
	if o.Owner == "" {
		o.Owner = p.identity.Owner()
	}
	if o.Mode == 0 && cfg.Daemonize != "" && cfg.Umask < 0 && p.vassal == nil {
		o.Mode = 0o777 // as uWSGI's daemons have no umask: nginx may be another user
	}
	kind := "http"
	if l.Protocol == config.HTTP {
		o.ProxyProtocol = cfg.Proxy
	}
	if l.Protocol == config.Uwsgi {
		o.Protocol, o.Timeout, kind = engine.UWSGI, cfg.SocketTimeout, "uwsgi"
	}
	var store *certificate.Store
	if l.TLS != nil {
		var err error
		if store, err = p.certificates(l); err != nil {
			return fmt.Errorf("%s: %w", l.Where, err)
		}
		o.TLS, kind = store.Config(), kind+"s"
	}
	how := "bound to"
	if inherited != nil {
		how, o.Address = "inherited as", inherited.Address
	}
	number := len(p.engine.Listeners())
	ln, err := open(o)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Where, err)
	}
	if store != nil {
		p.secure.Stores[ln] = store
	}
	if l.ToHTTPS {
		p.secure.Redirects[ln] = l.HTTPSPort
	}
	p.sockets = append(p.sockets, openSocket{ln, l.Addr, inherited != nil && inherited.Always})
	p.ending.Later(func() { // a start that fails leaves nothing behind
		if !p.ending.Started && inherited == nil {
			_, _ = ln.Unlink()
		}
	})
	at := "TCP address"
	if ln.Unix() {
		at = "UNIX address"
	}
	p.logf("%s socket %d %s %s %s", kind, number, how, at, ln)
	if _, clamped := ln.Backlog(); clamped {
		p.logf("*** WARNING: listen = %d is more than this system allows (net.core.somaxconn): it holds fewer ***", cfg.Backlog)
	}
	return nil
}

// certificates reads those of an address, and those of the sites. As in uWSGI their files are
// named from where the server was started.
func (p *program) certificates(l config.Listen) (*certificate.Store, error) {
	cfg := p.cfg
	from := p.site.fromStart
	pair := func(c config.Certificate) certificate.Pair {
		authorities, must := strings.CutPrefix(c.ClientCA, "!")
		return certificate.Pair{
			Cert: from(c.Cert), Key: from(c.Key), Ciphers: c.Ciphers,
			ClientCA: from(authorities), ClientMust: must,
		}
	}
	o := certificate.Options{
		Pair: pair(*l.TLS), DirCiphers: cfg.SiteDirCiphers, HTTP2: cfg.HTTP2 && l.Protocol == config.HTTP,
		Depth: cfg.VerifyDepth, Logf: p.logf,
	}
	if cfg.SiteDir != "" {
		o.Dir = from(cfg.SiteDir)
	}
	for _, s := range cfg.Sites {
		o.Sites = append(o.Sites, certificate.Site{Name: s.Name, Pattern: s.Pattern, Pair: pair(s.Certificate)})
	}
	return certificate.New(o)
}

func (p *program) vacuum(ln *engine.Listener) {
	if !p.cfg.Vacuum || p.role.Shared() {
		return
	}
	if removed, err := ln.Unlink(); err != nil {
		p.logf("VACUUM: %v", err)
	} else if removed {
		p.logf("VACUUM: unix socket %s removed.", ln)
	}
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
	c := &chain{site: p.site, logf: p.logf, secure: p.secure, ready: p.takesRequests}
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

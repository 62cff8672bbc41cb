package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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
	"github.com/uwsgo/uwsgo/handler/compress"
	"github.com/uwsgo/uwsgo/handler/forwarded"
	"github.com/uwsgo/uwsgo/handler/route"
	"github.com/uwsgo/uwsgo/handler/static"
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
		Logf: p.log.Printf, OnFinish: p.onFinish(), OnRefusal: p.logRefusal,
	}
	if cfg.TLSErrors {
		opt.OnHandshakeError = func(ln *engine.Listener, peer string, err error) {
			p.log.Printf("TLS handshake with %s on %s failed: %v", peer, ln, err)
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
			p.log.Printf("close: %v", err)
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
		o.Owner = p.owner()
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
		if !p.ready && inherited == nil {
			_, _ = ln.Unlink()
		}
	})
	at := "TCP address"
	if ln.Unix() {
		at = "UNIX address"
	}
	p.log.Printf("%s socket %d %s %s %s", kind, number, how, at, ln)
	if _, clamped := ln.Backlog(); clamped {
		p.log.Printf("*** WARNING: listen = %d is more than this system allows (net.core.somaxconn): it holds fewer ***", cfg.Backlog)
	}
	return nil
}

// fromStart names a file from where the server was started, as uWSGI reads some options before it
// goes elsewhere.
func (p *program) fromStart(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(p.started, path)
}

// certificates reads those of an address, and those of the sites. As in uWSGI their files are
// named from where the server was started.
func (p *program) certificates(l config.Listen) (*certificate.Store, error) {
	cfg := p.cfg
	from := p.fromStart
	pair := func(c config.Certificate) certificate.Pair {
		authorities, must := strings.CutPrefix(c.ClientCA, "!")
		return certificate.Pair{
			Cert: from(c.Cert), Key: from(c.Key), Ciphers: c.Ciphers,
			ClientCA: from(authorities), ClientMust: must,
		}
	}
	o := certificate.Options{
		Pair: pair(*l.TLS), DirCiphers: cfg.SiteDirCiphers, HTTP2: cfg.HTTP2 && l.Protocol == config.HTTP,
		Depth: cfg.VerifyDepth, Logf: p.log.Printf,
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
		p.log.Printf("VACUUM: %v", err)
	} else if removed {
		p.log.Printf("VACUUM: unix socket %s removed.", ln)
	}
}

// startWorkers imports the apps and starts the Python processes.
func (p *program) startWorkers(ctx context.Context) error {
	cfg := p.cfg
	from := ""
	wc := worker.Config{
		Exceptions: cfg.Exceptions, Affinity: cfg.Affinity,
		Imports: cfg.Imports, Optimize: cfg.Optimize, PasteLogger: cfg.PasteLogger, NoFileWrapper: cfg.NoFileWrapper,
		StartedIn: p.home, PythonPath: cfg.PythonPath, Argv: strings.Fields(cfg.PyArgv),
		Processes: cfg.Processes, Threads: cfg.Threads, Cheaper: cfg.Cheaper, LazyApps: cfg.LazyApps, ImportOnce: cfg.ImportOnce, NeedApp: cfg.NeedApp,
		Harakiri: cfg.Harakiri, HarakiriMercy: cfg.HarakiriMercy, HarakiriVerbose: cfg.HarakiriVerbose, Mercy: cfg.Mercy,
		HarakiriLeast: leastDeadline(cfg), HarakiriSignal: cfg.HarakiriSignal,
		WriteErrors:  worker.WriteErrors{Silent: cfg.NoWriteErrors, Tolerant: cfg.WriteErrors > 0, Thrown: cfg.ThrowErrors},
		PostFork:     p.stages().postFork(),
		QueueTimeout: cfg.QueueTimeout, NoLanes: !cfg.Lanes,
		Bodies: p.engine.SharedBodies(),
		Loops:  p.engine.Loops(), Stderr: p.sink.Printed(), Version: version,
		Log: func(line string) { p.log.Printf("%s", line) },
	}
	wc.Anew = p.findAnew
	if cfg.Stdin {
		wc.Stdin = os.Stdin
	}
	var err error
	if wc.Python, from, err = p.interpreter(); err != nil {
		return err
	}
	wc.PythonFrom = from
	wc.Env = p.environ()
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
		if p.code, err = life.NewCodeWatch(p.log.Printf); err != nil {
			return err
		}
		p.ending.Later(p.code.Close)
		wc.Imported, wc.Unwatched = p.code.Add, cfg.AutoReloadIgnore
	}
	if err := p.openStores(); err != nil {
		return err
	}
	wc.Control, wc.Module = p.services(), p.module()
	wc.Apps = p.apps()
	if p.pool, err = worker.Start(ctx, wc); err != nil {
		p.pool = nil
		return err
	}
	p.told.Store(p.pool)
	p.ending.Later(func() { p.withMercy(func(ctx context.Context) { _ = p.pool.Stop(ctx) }) })
	s := p.pool.Snapshot()
	p.log.Printf("Python %s at %s (from %s)", s.Python, s.Path, from)
	p.checkPlugins(s.Python, s.Path)
	for i, app := range s.Apps {
		if app.Reason == "" {
			p.log.Printf("app %d: %s loaded in %v", i, app.App, time.Duration(app.Seconds*float64(time.Second)).Round(time.Millisecond))
		}
	}
	return nil
}

// apps lists what is to be imported.
func (p *program) apps() (apps []worker.App) {
	cfg := p.cfg
	// As in uWSGI, where several of these are given the first is the app.
	switch {
	case cfg.Module != "" || cfg.WSGIFile != "":
		apps = append(apps, worker.App{File: p.named(cfg.WSGIFile), Module: cfg.Module, Callable: cfg.Callable})
	case cfg.Pecan != "":
		apps = append(apps, worker.App{Pecan: p.named(cfg.Pecan)})
	case cfg.Paste != "":
		paste := cfg.Paste
		if cfg.PasteAtStart && !filepath.IsAbs(paste) {
			paste = filepath.Join(p.home, paste)
		}
		apps = append(apps, worker.App{Paste: paste, Callable: cfg.PasteName})
	case cfg.Eval != "":
		apps = append(apps, worker.App{Eval: cfg.Eval, Callable: cfg.Callable})
	}
	taken := map[string]bool{}
	for _, m := range cfg.Mounts {
		at := strings.TrimRight(m.Prefix, "/")
		if taken[at] { // as in uWSGI the first one counts
			p.log.Printf("*** WARNING: %s: mountpoint %s already configured. skip. ***", m.Where, m.Prefix)
			continue
		}
		taken[at] = true
		p.log.Printf("mounting %s on %s", m.App, m.Prefix)
		app := mountedApp(m, cfg.Callable)
		if app.Paste != "" {
			app.Callable = cfg.PasteName
		}
		app.File = p.named(app.File)
		apps = append(apps, app)
	}
	return apps
}

// mountedApp tells a file from a module. A file has a slash, or ends as one, as in uWSGI:
// mysite.wsgi:application is a module. Here a file may be followed by a callable, too, where
// there is such a file.
func mountedApp(m config.Mount, callable string) worker.App {
	app := worker.App{Mount: m.Prefix, Callable: callable}
	if file, _, _ := strings.Cut(m.App, "#"); filepath.Ext(file) == ".ini" {
		app.Paste = m.App
		return app
	}
	name, own, found := strings.Cut(m.App, ":")
	ext := filepath.Ext(name)
	file := ext == ".py" || ext == ".wsgi"
	if file && found {
		info, err := os.Stat(name)
		file = err == nil && !info.IsDir()
	}
	if file || strings.Contains(name, "/") {
		app.File = name
		if found {
			app.Callable = own
		}
		return app
	}
	app.Module = m.App
	return app
}

// handler puts together what answers requests: files first, then the apps, rules
// around both, compression around those. Headers are around all that the engine answers: see listen.
func (p *program) handler() (engine.Handler, error) {
	cfg := p.cfg
	var h engine.Handler = engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(404, "Not Found\n") })
	rules := route.Options{Rules: cfg.Routes, Collects: cfg.Collects, Logf: p.log.Printf}
	if cfg.Compress || cfg.HTTPGzip || len(cfg.Routes) > 0 {
		p.blocks = engine.NewPool(runtime.NumCPU(), 256, p.log.Printf)
		p.ending.Later(p.blocks.Close)
		rules.Pool = p.blocks
	}
	if p.pool != nil {
		apps, err := wsgi.New(p.pool, wsgi.Options{ManageScriptName: cfg.ManageScriptName, NoDefaultApp: cfg.NoDefaultApp, Logf: p.log.Printf})
		if err != nil {
			return nil, err
		}
		h, rules.Paths = apps, apps.Paths
	}
	return p.chain(h, rules, nil)
}

// chain puts what answers before the app in front of it. passed, where not nil, wraps what
// requests come to that rules let through.
func (p *program) chain(h engine.Handler, rules route.Options, passed func(engine.Handler) engine.Handler) (engine.Handler, error) {
	cfg := p.cfg
	if o := p.appFiles(); len(o.Folders)+len(o.Maps) > 0 {
		o.Logf = p.log.Printf
		var err error
		if h, err = static.NewSender(h, o); err != nil {
			return nil, err
		}
	}
	if cfg.HasFiles() {
		o := p.staticFiles()
		o.Logf = p.log.Printf
		for _, m := range cfg.StaticMaps {
			p.log.Printf("[uwsgi-static] added mapping for %s => %s", m.Prefix, m.Path)
			if _, err := os.Stat(m.Path); err != nil {
				p.log.Printf("*** WARNING: static-map %s: nothing is served from there until it exists: %v ***", m.Prefix, err)
			}
		}
		for _, name := range cfg.MimeFiles {
			if _, err := os.Stat(name); err != nil {
				p.log.Printf("*** WARNING: mimefile %s: no types are read from there: %v ***", name, err)
			}
		}
		var err error
		if h, err = static.New(h, o); err != nil {
			return nil, err
		}
	}
	if passed != nil {
		h = passed(h)
	}
	if len(cfg.Routes)+len(cfg.Collects) > 0 {
		rules.MimeFiles = p.under(cfg.MimeFiles...)
		var err error
		if h, err = route.New(h, rules); err != nil {
			return nil, err
		}
	}
	if cfg.Compress || cfg.HTTPGzip || slices.ContainsFunc(cfg.Routes, (*route.Rule).Compresses) {
		h = compress.New(h, compress.Options{Pool: rules.Pool, OnlyMarked: !cfg.Compress})
	}
	h = p.withReadiness(h)
	if len(p.secure.Stores)+len(p.secure.Redirects) > 0 {
		h = certificate.NewHandler(h, p.secure)
	}
	if len(cfg.TrustedProxies) > 0 {
		proxies, err := forwarded.Parse(cfg.TrustedProxies)
		if err != nil {
			return nil, err
		}
		if h, err = forwarded.New(h, proxies, cfg.TrustedHeaders); err != nil {
			return nil, err
		}
	}
	return h, nil
}

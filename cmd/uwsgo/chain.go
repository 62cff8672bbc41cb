package main

import (
	"os"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/cache"
	"github.com/uwsgo/uwsgo/handler/certificate"
	"github.com/uwsgo/uwsgo/handler/compress"
	"github.com/uwsgo/uwsgo/handler/forwarded"
	"github.com/uwsgo/uwsgo/handler/route"
	"github.com/uwsgo/uwsgo/handler/static"
)

// chain is the handlers in front of the apps, as the options ask for them: static files, rules
// around files and apps, compression around those. A start, "uwsgo check" and "uwsgo route"
// build the same chain. Headers for all answers are outside of it: see everyAnswer.
type chain struct {
	*site
	logf   func(format string, args ...any)
	secure certificate.HandlerOptions
	// ready answers at ready-path: whether the server takes requests, and a word for it. A nil
	// one is always ready.
	ready func() (bool, string)
	rules route.Options // beside the rules themselves
	// server fetches answers of its own for the cache; nil where nothing is served.
	server *engine.Server
	cache  *cache.Handler // set by before; nil without http-cache
	// passed wraps the handlers that get a request when the rules let it through; nil wraps nothing.
	passed func(engine.Handler) engine.Handler
}

// needsPool reports whether a handler of the chain runs work on a pool of goroutines.
func needsPool(cfg *config.Config) bool {
	return cfg.Compress || cfg.HTTPGzip || len(cfg.Routes) > 0
}

// before returns the chain in front of h.
func (c *chain) before(h engine.Handler) (engine.Handler, error) {
	cfg := c.cfg
	var err error
	if o := c.appFiles(); len(o.Folders)+len(o.Maps) > 0 {
		o.Logf = c.logf
		if h, err = static.NewSender(h, o); err != nil {
			return nil, err
		}
	}
	if cfg.HTTPCache.Size > 0 {
		if h, err = c.withCache(h); err != nil {
			return nil, err
		}
	}
	if cfg.HasFiles() {
		o := c.staticFiles()
		o.Logf = c.logf
		c.warnOfFiles()
		if h, err = static.New(h, o); err != nil {
			return nil, err
		}
	}
	if c.passed != nil {
		h = c.passed(h)
	}
	rules := c.rules
	if len(cfg.Routes)+len(cfg.Collects) > 0 {
		rules.Rules, rules.Collects, rules.Logf, rules.MimeFiles = cfg.Routes, cfg.Collects, c.logf, c.under(cfg.MimeFiles...)
		if h, err = route.New(h, rules); err != nil {
			return nil, err
		}
	}
	if cfg.Compress || cfg.HTTPGzip || slices.ContainsFunc(cfg.Routes, (*route.Rule).Compresses) {
		h = compress.New(h, compress.Options{Pool: rules.Pool, OnlyMarked: !cfg.Compress})
	}
	if cfg.ReadyPath != "" {
		h = c.withReadiness(h)
	}
	if slices.ContainsFunc(cfg.Listens, func(l config.Listen) bool { return l.TLS != nil || l.ToHTTPS }) {
		h = certificate.NewHandler(h, c.secure)
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

// withCache keeps the answers of h. They are kept compressed, so that this is done once.
func (c *chain) withCache(h engine.Handler) (engine.Handler, error) {
	if c.cfg.Compress {
		h = compress.New(h, compress.Options{Pool: c.rules.Pool})
	}
	o := c.cfg.HTTPCache
	o.Server = c.server
	kept, err := cache.New(h, o)
	if err != nil {
		return nil, err
	}
	c.cache = kept
	return kept, nil
}

// warnOfFiles logs the folders that are served, and what is missing of what options name.
func (c *chain) warnOfFiles() {
	for _, m := range c.cfg.StaticMaps {
		c.logf("[uwsgi-static] added mapping for %s => %s", m.Prefix, m.Path)
		if _, err := os.Stat(m.Path); err != nil {
			c.logf("*** WARNING: static-map %s: nothing is served from there until it exists: %v ***", m.Prefix, err)
		}
	}
	for _, name := range c.cfg.MimeFiles {
		if _, err := os.Stat(name); err != nil {
			c.logf("*** WARNING: mimefile %s: no types are read from there: %v ***", name, err)
		}
	}
}

// readyHeader is of the answers at ready-path, which hold for one moment.
var readyHeader = []codec.Header{
	{Name: []byte("Content-Type"), Value: []byte("text/plain; charset=utf-8")},
	{Name: []byte("Cache-Control"), Value: []byte("no-store")},
}

// withReadiness answers at ready-path, and lets next answer everywhere else.
func (c *chain) withReadiness(next engine.Handler) engine.Handler {
	path := c.cfg.ReadyPath
	return engine.HandlerFunc(func(x *engine.Exchange) {
		if string(x.Request().Path()) != path {
			next.Serve(x)
			return
		}
		ready, word := true, "ready"
		if c.ready != nil {
			ready, word = c.ready()
		}
		r := x.Response()
		if r.Status = 200; !ready {
			r.Status = 503
		}
		r.Header = append(r.Header, readyHeader...)
		x.Reply(r, []byte(word+"\n"))
	})
}

// staticFiles says which files are served.
func (c *chain) staticFiles() static.Options {
	cfg := c.cfg
	o := static.Options{
		Check: c.under(cfg.CheckStatic...), DocumentRoot: cfg.DocRoot, Index: cfg.StaticIndex, Listing: cfg.StaticList,
		SkipExt: cfg.StaticSkip, Safe: c.under(cfg.StaticSafe...), Siblings: cfg.Siblings, Expires: cfg.Expires,
		Immutable: cfg.Immutable, MimeFiles: c.under(cfg.MimeFiles...),
	}
	o.Maps, o.Fallback = c.fileMaps(cfg.StaticMaps), c.fileMaps(cfg.Fallbacks)
	if cfg.Static404 != "" {
		o.NotFound = c.under(cfg.Static404)[0]
	}
	for _, m := range cfg.Mounts {
		if strings.Trim(m.Prefix, "/") != "" {
			o.FallbackExcept = append(o.FallbackExcept, m.Prefix)
		}
	}
	return o
}

// appFiles says which files apps may name.
func (c *chain) appFiles() static.SenderOptions {
	return static.SenderOptions{Folders: c.under(c.cfg.XSendfile...), Maps: c.fileMaps(c.cfg.XAccel), MimeFiles: c.under(c.cfg.MimeFiles...)}
}

func (c *chain) fileMaps(list []config.StaticMap) (maps []static.Map) {
	for _, m := range list {
		maps = append(maps, static.Map{Prefix: m.Prefix, Path: c.under(m.Path)[0], KeepPrefix: m.KeepPrefix})
	}
	return maps
}

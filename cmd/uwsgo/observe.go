package main

import (
	"fmt"
	"net"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/metrics"
	"github.com/uwsgo/uwsgo/cmd/internal/stats"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/observe"
	"github.com/uwsgo/uwsgo/handler/cache"
)

// observe makes the observer, once the server has its addresses, and the stats server.
func (p *program) observe() (err error) {
	p.observer = &observe.Server{
		// uwsgitop and the exporters read the version, and know uWSGI's numbers.
		Version: ini.UWSGIVersion + "-uwsgo-" + version,
		Engine:  p.engine.Stats,
		Listeners: func() (list []observe.Listener) {
			for _, ln := range p.engine.Listeners() {
				list = append(list, ln)
			}
			return list
		},
		Workers:    p.workers.snapshot,
		Companions: p.beside.companions, Crons: p.beside.crons,
		Signals: p.services.waiting, Caches: p.workers.shared, Spoolers: p.services.spools,
		HTTPCache: func() (cache.Stats, bool) {
			if c := p.cache.Load(); c != nil {
				return c.Stats(), true
			}
			return cache.Stats{}, false
		},
		Metrics: func() []metrics.Sample { return p.metrics.Load().Samples() },
		Paused:  p.paused.Load, Cwd: func() string { return *p.site.cwd.Load() }, Dropped: p.logs.Dropped,
	}
	cfg := p.cfg
	inherited := p.role.Before.Stats(cfg.Stats)
	if cfg.Stats == "" {
		return nil
	}
	o := stats.Options{Mode: cfg.ChmodSocket, Owner: p.identity.Owner(), Inherited: inherited, HTTP: cfg.StatsHTTP, Minified: cfg.StatsMin, NoCores: cfg.StatsNoCores, Hosts: cfg.StatsHosts}
	if p.stats, err = stats.New(cfg.Stats, p.observer.Snapshot, o); err != nil {
		return fmt.Errorf("stats: %w", err)
	}
	p.stats.KeepFile(inherited != nil)
	p.role.KeepFiles = p.stats.KeepFile
	p.ending.Later(func() { _ = p.stats.Close() })
	p.logf("*** Stats server enabled on %s ***", p.stats.Addr())
	if a, ok := p.stats.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		p.logf("*** WARNING: everybody who reaches this machine can read the stats: prefer stats = 127.0.0.1:%d, or a unix socket ***", a.Port)
	}
	return nil
}

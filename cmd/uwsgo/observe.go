package main

import (
	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/observe"
)

// makeObserver makes what tells of the server, once it has its addresses.
func (p *program) makeObserver() {
	p.observer = &observe.Server{
		// uwsgitop and the exporters look at it, and know uWSGI's numbers.
		Version: ini.UWSGIVersion + "-uwsgo-" + version,
		Engine:  p.engine.Stats,
		Listeners: func() (list []observe.Listener) {
			for _, ln := range p.engine.Listeners() {
				list = append(list, ln)
			}
			return list
		},
		Workers: p.workers.snapshot,
		Companions: func() []companion.State {
			if g := p.companions.Load(); g != nil {
				return g.Snapshot()
			}
			return nil
		},
		Crons: func() []cron.State {
			if r := p.crons.Load(); r != nil {
				return r.Snapshot()
			}
			return nil
		},
		Signals: p.services.waiting, Caches: p.workers.shared,
		Paused: p.paused.Load, Cwd: func() string { return *p.site.cwd.Load() }, Dropped: p.logs.Dropped,
	}
}

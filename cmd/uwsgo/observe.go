package main

import (
	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/stores"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/observe"
	"github.com/uwsgo/uwsgo/engine/worker"
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
		Workers: func() (worker.Snapshot, bool) {
			if pool := p.told.Load(); pool != nil {
				return pool.Snapshot(), true
			}
			return worker.Snapshot{}, false
		},
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
		Signals: func(worker int) (waiting int, taken uint64) {
			if r := p.signals.Load(); r != nil {
				return r.Waiting(), r.Taken(worker)
			}
			return 0, 0
		},
		Caches: func() []stores.Stats {
			if p.told.Load() == nil { // they are made before the workers are
				return nil
			}
			return p.stores.Stats()
		},
		Paused: p.paused.Load, Cwd: func() string { return *p.site.cwd.Load() }, Dropped: p.logs.Dropped,
	}
}

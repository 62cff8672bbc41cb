package main

import (
	"slices"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/stores"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/signals"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// module is what the apps' uwsgi module tells without asking.
func (p *program) module() worker.Module {
	m := worker.Module{
		Version: ini.UWSGIVersion, BufferSize: p.cfg.BufferSize, Started: p.start,
		PIDFile: p.cfg.PidFile, Locks: p.cfg.Locks,
	}
	for _, e := range p.cfg.Entries {
		m.Options = append(m.Options, worker.Option{Name: e.Key, Value: e.Value, Flag: !e.HasValue})
		if e.Key == "mode" {
			m.Mode = e.Value
		}
	}
	if p.stores != nil {
		m.Stores = p.stores.Stores()
	}
	return m
}

// openStores makes what apps share, once for all that the server starts.
func (p *program) openStores() (err error) {
	cfg := p.cfg
	if len(cfg.Caches)+len(cfg.Areas) == 0 && cfg.Queue.Slots == 0 {
		return nil
	}
	caches := slices.Clone(cfg.Caches)
	for i := range caches {
		caches[i].Store = p.site.fromStart(caches[i].Store)
	}
	queue := cfg.Queue
	queue.Store = p.site.fromStart(queue.Store)
	if p.stores, err = stores.Open(caches, queue, cfg.Areas, p.logf); err != nil {
		return err
	}
	p.ending.Later(p.stores.Close)
	return nil
}

// services are what the uwsgi module asks the server.
func (p *program) services() *control.Hub {
	h := control.NewHub(p.logf)
	router := signals.New(h, p.cfg.Processes, p.logf)
	p.signals.Store(router)
	done := make(chan struct{})
	go router.Run(done)
	p.ending.Later(func() { close(done) })
	h.Handle("workers", func(*control.Peer, []any) (any, error) { return p.workersForApps(), nil })
	h.Handle("requests", func(peer *control.Peer, _ []any) (any, error) { return p.requestsOf(peer.Worker), nil })
	h.Handle("listen queue", func(_ *control.Peer, args []any) (any, error) {
		list := p.engine.Listeners()
		if n, ok := args[0].(int); ok && 0 <= n && n < len(list) {
			waiting := max(list[n].Waiting(), 0)
			return waiting, nil
		}
		return nil, control.Refuse("unable to find socket %v", args[0])
	})
	return h
}

// requestsOf returns how many requests have been answered: by all workers, and by each core
// of one.
func (p *program) requestsOf(number int) []any {
	pool := p.told.Load()
	if pool == nil {
		return []any{0, 0}
	}
	total, cores := 0, []any{}
	for _, w := range pool.Snapshot().Workers {
		total += int(w.Requests)
		if w.ID == number {
			for _, c := range w.Cores {
				cores = append(cores, int(c.Requests))
			}
		}
	}
	if len(cores) == 0 {
		cores = []any{0}
	}
	return append([]any{total}, cores...)
}

// workersForApps is what uwsgi.workers() returns, but for the kinds of texts.
func (p *program) workersForApps() []any {
	var s worker.Snapshot
	if pool := p.told.Load(); pool != nil {
		s = pool.Snapshot()
	}
	list := []any{}
	for _, w := range s.Workers {
		status := "idle"
		switch {
		case w.Cheap:
			status = "cheap"
		case w.Busy():
			status = "busy"
		case p.paused.Load():
			status = "pause"
		}
		apps := []any{}
		for i, a := range s.Apps {
			if i < len(w.Apps) {
				apps = append(apps, map[string]any{
					"id": i, "modifier1": 0, "mountpoint": a.App.Mount, "startup_time": int(a.Seconds), "interpreter": 0, "callable": 0,
					"requests": int(w.Apps[i].Requests), "exceptions": int(w.Apps[i].Exceptions), "chdir": "",
				})
			}
		}
		spawned := 0
		if !w.LastSpawn.IsZero() {
			spawned = int(w.LastSpawn.Unix())
		}
		list = append(list, map[string]any{
			"id": w.ID, "pid": w.PID, "requests": int(w.Requests), "delta_requests": int(w.Delta), "signals": int(p.signals.Load().Taken(w.ID)),
			"exceptions": int(w.Exceptions), "status": status, "rss": int(w.RSS), "vsz": int(w.VSZ),
			"running_time": int(w.RunningTime.Microseconds()), "last_spawn": spawned, "respawn_count": max(0, int(w.Respawns)-1),
			"tx": int(w.Tx), "avg_rt": int(w.AvgRT.Microseconds()), "apps": apps,
		})
	}
	return list
}

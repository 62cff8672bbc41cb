package main

import (
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/stores"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/signals"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/spool"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// moduleFacts is what the apps' uwsgi module knows without asking the server. shared may be nil.
func moduleFacts(cfg *config.Config, started time.Time, shared *stores.Set, queues []worker.Queue) worker.Module {
	m := worker.Module{
		Version: ini.UWSGIVersion, BufferSize: cfg.BufferSize, Started: started,
		PIDFile: cfg.PidFile, Locks: cfg.Locks,
	}
	for _, e := range cfg.Entries {
		m.Options = append(m.Options, worker.Option{Name: e.Key, Value: e.Value, Flag: !e.HasValue})
		if e.Key == "mode" {
			m.Mode = e.Value
		}
	}
	if shared != nil {
		m.Stores = shared.Stores()
	}
	m.Mules, m.Queues = len(cfg.Mules), queues
	for _, f := range cfg.Farms {
		m.Farms = append(m.Farms, worker.Farm{Name: f.Name, Mules: f.Mules})
	}
	return m
}

// services answer what the apps' uwsgi module asks. Any goroutine may call the methods.
type services struct {
	workers   *workers
	listeners func() []*engine.Listener
	paused    func() bool
	logf      func(format string, args ...any)

	alarm    func(name string, message []byte) bool // raises one; false where there is none
	metric   control.Service
	signals  atomic.Pointer[signals.Router] // of the uwsgi module; nil before open
	spoolers atomic.Pointer[spool.Spoolers] // nil without
}

// open returns the hub that answers, and what ends it.
func (s *services) open(cfg *config.Config, spools *worker.Spooler) (h *control.Hub, stop func()) {
	h = control.NewHub(s.logf)
	router := signals.New(h, cfg.Processes, s.logf)
	router.Beside("mule", len(cfg.Mules))
	var farms []signals.Farm
	for _, f := range cfg.Farms {
		farms = append(farms, signals.Farm{Name: f.Name, Mules: f.Mules})
	}
	router.Farms(farms)
	if spools != nil {
		found := spool.New(h, spools.Directories)
		s.spoolers.Store(found)
		router.Beside(spool.Kind, found.Processes())
	}
	s.signals.Store(router)
	done := make(chan struct{})
	go router.Run(done)
	if s.metric != nil {
		h.Handle("metric", s.metric)
	}
	h.Handle("alarm", func(_ *control.Peer, args []any) (any, error) {
		if len(args) != 2 {
			return nil, control.Refuse("this takes a name and a message")
		}
		name, _ := args[0].(string)
		message, _ := args[1].([]byte)
		if s.alarm != nil && !s.alarm(name, message) {
			return nil, control.Refuse("there is no alarm named %.64q: add alarm = %.64s log:, for one that writes to the log", name, name)
		}
		return nil, nil
	})
	h.Handle("workers", func(*control.Peer, []any) (any, error) { return s.workersForApps(), nil })
	h.Handle("requests", func(peer *control.Peer, _ []any) (any, error) { return s.requestsOf(peer.Worker), nil })
	h.Handle("listen queue", func(_ *control.Peer, args []any) (any, error) {
		list := s.listeners()
		if n, ok := args[0].(int); ok && 0 <= n && n < len(list) {
			return max(list[n].Waiting(), 0), nil
		}
		return nil, control.Refuse("unable to find socket %v", args[0])
	})
	return h, func() { close(done) }
}

// spools returns all spoolers.
func (s *services) spools() []spool.State {
	if found := s.spoolers.Load(); found != nil {
		return found.Snapshot()
	}
	return nil
}

// waiting returns how many signals wait, and how many a worker has handled.
func (s *services) waiting(worker int) (waiting int, taken uint64) {
	if r := s.signals.Load(); r != nil {
		return r.Waiting(), r.Taken(worker)
	}
	return 0, 0
}

// send sends a signal of uWSGI's as the code that serves would.
func (s *services) send(number int) {
	if r := s.signals.Load(); r != nil {
		r.SendNow(byte(number))
	}
}

// requestsOf returns the number of requests that all workers have answered, then that of each core
// of one worker.
func (s *services) requestsOf(number int) []any {
	now, _ := s.workers.snapshot()
	total, cores := 0, []any{}
	for _, w := range now.Workers {
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

// workersForApps is what uwsgi.workers() returns. The module turns texts into bytes.
func (s *services) workersForApps() []any {
	now, _ := s.workers.snapshot()
	list := []any{}
	for _, w := range now.Workers {
		status := "idle"
		switch {
		case w.Cheap:
			status = "cheap"
		case w.Busy():
			status = "busy"
		case s.paused():
			status = "pause"
		}
		apps := []any{}
		for i, a := range now.Apps {
			if i < len(w.Apps) {
				apps = append(apps, map[string]any{
					"id": i, "modifier1": 0, "mountpoint": a.App.Mount, "startup_time": int(a.Seconds), "interpreter": 0, "callable": 0,
					"requests": int(w.Apps[i].Requests), "exceptions": int(w.Apps[i].Exceptions), "chdir": "",
				})
			}
		}
		_, signals := s.waiting(w.ID)
		spawned := 0
		if !w.LastSpawn.IsZero() {
			spawned = int(w.LastSpawn.Unix())
		}
		list = append(list, map[string]any{
			"id": w.ID, "pid": w.PID, "requests": int(w.Requests), "delta_requests": int(w.Delta), "signals": int(signals),
			"exceptions": int(w.Exceptions), "status": status, "rss": int(w.RSS), "vsz": int(w.VSZ),
			"running_time": int(w.RunningTime.Microseconds()), "last_spawn": spawned, "respawn_count": max(0, int(w.Respawns)-1),
			"tx": int(w.Tx), "avg_rt": int(w.AvgRT.Microseconds()), "apps": apps,
		})
	}
	return list
}

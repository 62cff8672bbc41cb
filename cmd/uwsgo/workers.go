package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/stores"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// workers are the Python processes of the server. The goroutine of serve starts and ends them.
type workers struct {
	*worker.Pool                 // nil before the start, and where there are only files to serve
	code         *life.CodeWatch // nil without py-autoreload
	stores       *stores.Set     // what apps share; nil for nothing
	queues       []worker.Queue  // of messages to mules; never changed once it is set

	told atomic.Pointer[worker.Pool] // the pool, for other goroutines
}

// snapshot returns the state of the workers; false before they run. Any goroutine.
func (w *workers) snapshot() (worker.Snapshot, bool) {
	if pool := w.told.Load(); pool != nil {
		return pool.Snapshot(), true
	}
	return worker.Snapshot{}, false
}

// owns reports whether a process is the server or one of its workers. Any goroutine.
func (w *workers) owns(pid int) bool {
	pool := w.told.Load()
	return pid == os.Getpid() || pool != nil && pool.Owns(pid)
}

// shared returns the counters of what apps share, once workers run. Any goroutine.
func (w *workers) shared() []stores.Stats {
	if w.told.Load() == nil { // the stores are opened before the workers run
		return nil
	}
	return w.stores.Stats()
}

// stop ends the workers, by force when ctx ends.
func (w *workers) stop(ctx context.Context) error {
	if w.Pool == nil {
		return nil
	}
	return w.Pool.Stop(ctx)
}

// workerConfig returns the settings of the pool, as far as options, app and engine decide them.
func workerConfig(a *app, e *engine.Server) (worker.Config, error) {
	cfg := a.cfg
	wc, err := a.imports()
	if err != nil {
		return wc, err
	}
	wc.Anew = a.findAnew
	wc.Exceptions, wc.Affinity, wc.NoFileWrapper = cfg.Exceptions, cfg.Affinity, cfg.NoFileWrapper
	wc.LazyApps, wc.ImportOnce, wc.Names = cfg.LazyApps, cfg.ImportOnce, workerNames(cfg)
	wc.Harakiri, wc.HarakiriMercy, wc.HarakiriVerbose = cfg.Harakiri, cfg.HarakiriMercy, cfg.HarakiriVerbose
	wc.HarakiriLeast, wc.HarakiriSignal, wc.Mercy = leastDeadline(cfg), cfg.HarakiriSignal, cfg.Mercy
	wc.WriteErrors = worker.WriteErrors{Silent: cfg.NoWriteErrors, Tolerant: cfg.WriteErrors > 0, Thrown: cfg.ThrowErrors}
	wc.WebSockets = cfg.WebSockets
	wc.QueueTimeout, wc.NoLanes = cfg.QueueTimeout, !cfg.Lanes
	wc.Bodies, wc.Loops = e.SharedBodies(), e.Loops()
	if wc.Queue = cfg.QueueSize; wc.Queue == 0 {
		wc.Queue = -1
	}
	if cfg.Stdin {
		wc.Stdin = os.Stdin
	}
	wc.Limits = worker.Limits{
		MaxRequests: uint64(cfg.MaxRequests), MaxRequestsDelta: uint64(cfg.MaxRequestsDelta),
		MaxLifetime: cfg.MaxLifetime, MaxLifetimeDelta: cfg.MaxLifetimeDelta,
		RSS: cfg.ReloadOnRSS, AS: cfg.ReloadOnAS, EvilRSS: cfg.EvilRSS, EvilAS: cfg.EvilAS,
	}
	if wc.Limits != (worker.Limits{}) {
		wc.Limits.MinLifetime = cfg.MinLifetime
	}
	return wc, nil
}

// startWorkers imports the apps and starts the Python processes.
func (p *program) startWorkers(ctx context.Context) error {
	w := &p.workers
	wc, err := workerConfig(p.app, p.engine)
	if err != nil {
		return err
	}
	wc.Stderr, wc.Log = p.logs.Printed(), func(line string) { p.logf("%s", line) }
	if p.vassal != nil {
		wc.Code = p.vassal.code
	}
	wc.PostFork = p.hooks.postFork()
	if p.cfg.AutoReload {
		if w.code, err = life.NewCodeWatch(p.logf); err != nil {
			return err
		}
		p.ending.Later(w.code.Close)
		wc.Imported, wc.Unwatched = w.code.Add, p.cfg.AutoReloadIgnore
	}
	if w.stores, err = openStores(p.site, p.logf); err != nil {
		return err
	}
	if w.stores != nil {
		p.ending.Later(w.stores.Close)
	}
	sp, err := spoolers(p.site)
	if err != nil {
		return err
	}
	wc.Backgrounds = mules(p.cfg, p.hooks.steps("as-mule"), p.logf)
	var stop func()
	wc.Control, stop = p.services.open(p.cfg, sp)
	p.ending.Later(stop)
	if found := p.services.spoolers.Load(); found != nil {
		wc.Backgrounds = append(wc.Backgrounds, found.Backgrounds(p.cfg.Procnames.Name)...)
	}
	wc.Module = moduleFacts(p.cfg, p.start, w.stores, w.queues)
	wc.Module.Spooler = sp
	if w.Pool, err = worker.Start(ctx, wc); err != nil {
		w.Pool = nil
		return err
	}
	w.told.Store(w.Pool)
	p.ending.Later(func() { p.ending.Within(p.cfg.Mercy, func(ctx context.Context) { _ = w.stop(ctx) }) })
	s := w.Snapshot()
	p.logf("Python %s at %s (from %s)", s.Python, s.Path, wc.PythonFrom)
	p.app.checkPlugins(s.Python, s.Path)
	for i, app := range s.Apps {
		if app.Reason == "" {
			p.logf("app %d: %s loaded in %v", i, app.App, time.Duration(app.Seconds*float64(time.Second)).Round(time.Millisecond))
		}
	}
	return nil
}

// openStores makes what apps share; nil for nothing. All that the server starts uses the same.
func openStores(s *site, logf func(format string, args ...any)) (*stores.Set, error) {
	cfg := s.cfg
	if len(cfg.Caches)+len(cfg.Areas) == 0 && cfg.Queue.Slots == 0 {
		return nil, nil
	}
	caches := slices.Clone(cfg.Caches)
	for i := range caches {
		caches[i].Store = s.fromStart(caches[i].Store)
	}
	queue := cfg.Queue
	queue.Store = s.fromStart(queue.Store)
	return stores.Open(caches, queue, cfg.Areas, logf)
}

// workerNames returns what ps shows for the zygote and the workers.
func workerNames(cfg *config.Config) []string {
	names := []string{cfg.Procnames.Name("uWSGI zygote", false)}
	for n := range cfg.Processes {
		names = append(names, cfg.Procnames.Name(fmt.Sprintf("uWSGI worker %d", n+1), false))
	}
	return names
}

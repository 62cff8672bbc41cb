package zygote

import (
	"os"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
	"github.com/uwsgo/uwsgo/engine/worker/shim"
)

// module returns the part of a zygote's configuration that shim/module.py uses. The files of
// stores and queues are descriptors from next on.
func module(c *launch.Config, reload bool, next int) (map[string]any, error) {
	decorators, err := shim.Decorators()
	if err != nil {
		return nil, err
	}
	m := c.Module
	if m.Version == "" {
		m.Version = "2.0.31"
	}
	if m.Started.IsZero() {
		m.Started = time.Now()
	}
	given := make([]any, 0, len(m.Options))
	for _, o := range m.Options {
		var value any = []byte(o.Value)
		if o.Flag {
			value = true
		}
		given = append(given, []any{o.Name, value})
	}
	stores := make([]any, 0, len(m.Stores))
	for i, s := range m.Stores {
		stores = append(stores, []any{s.Kind, s.Name, next + i, s.Shape})
	}
	next += len(m.Stores)
	queues, farms := make([]any, 0, len(m.Queues)), make([]any, 0, len(m.Farms))
	for i, q := range m.Queues {
		queues = append(queues, []any{q.Name, next + 2*i, next + 2*i + 1})
	}
	for _, f := range m.Farms {
		mules := make([]any, 0, len(f.Mules))
		for _, n := range f.Mules {
			mules = append(mules, n)
		}
		farms = append(farms, []any{f.Name, mules})
	}
	return map[string]any{
		"mules": m.Mules, "farms": farms, "queues": queues,
		"stores": stores, "version": m.Version, "opt": given, "buffer_size": m.BufferSize, "started_on": int(m.Started.Unix()),
		"mode": []byte(m.Mode), "pidfile": []byte(m.PIDFile), "server": os.Getpid(), "locks": m.Locks,
		"is_a_reload": reload, "decorators": decorators, "spooler": spooler(m.Spooler),
	}, nil
}

// spooler is what shim/spooler.py has of the configuration.
func spooler(s *launch.Spooler) any {
	if s == nil {
		return nil
	}
	directories := make([]any, 0, len(s.Directories))
	for _, d := range s.Directories {
		directories = append(directories, map[string]any{"name": d.Name, "path": d.Path, "processes": d.Processes})
	}
	return map[string]any{
		"directories": directories, "ordered": s.Ordered, "quiet": s.Quiet, "sync": !s.NoSync, "frequency": s.Frequency, "max_tasks": s.MaxTasks,
		"chdir": s.Chdir, "harakiri": s.Harakiri, "signals": s.Signals, "imports": words(s.Imports),
	}
}

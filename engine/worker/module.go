package worker

import (
	"os"
	"time"
)

// Module is what the uwsgi module of the apps tells of the server. Zero values are sensible.
type Module struct {
	Version    string   // uwsgi.version, of the uWSGI that is followed; default 2.0.31
	Options    []Option // uwsgi.opt, in the order in which they were given
	BufferSize int
	Started    time.Time
	Mode       string // uwsgi.mode; empty: there is none
	PIDFile    string // uwsgi.pidfile, likewise
	Locks      int    // that uwsgi.lock has besides the first
}

// Option is an option as it was given.
type Option struct {
	Name, Value string
	Flag        bool // it had no value
}

// module returns the part of a zygote's configuration that shim/module.py uses.
func (g *supervisor) module(c *Config) (map[string]any, error) {
	decorators, err := shim.ReadFile("shim/decorators.py")
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
	return map[string]any{
		"version": m.Version, "opt": given, "buffer_size": m.BufferSize, "started_on": int(m.Started.Unix()),
		"mode": []byte(m.Mode), "pidfile": []byte(m.PIDFile), "server": os.Getpid(), "locks": m.Locks,
		"is_a_reload": g.served, "decorators": string(decorators),
	}, nil
}

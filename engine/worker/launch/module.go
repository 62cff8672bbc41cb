package launch

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
	Stores     []Store
}

// Store is memory that the apps of all workers share by the module: a cache, the queue or a
// shared area. Who has made it keeps File open.
type Store struct {
	Kind, Name string
	File       *os.File
	Shape      map[string]any // as shim/stores.py takes it
}

// Option is an option as it was given.
type Option struct {
	Name, Value string
	Flag        bool // it had no value
}

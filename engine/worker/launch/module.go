package launch

import "time"

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

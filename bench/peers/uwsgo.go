package peers

import (
	"github.com/uwsgo/uwsgo/bench/proctree"
)

// uwsgo is the server of this repository with its usual listener.
func uwsgo() Peer {
	p := uwsgoOn("--http")
	p.Name = "uwsgo"
	p.About = "uwsgo answering HTTP itself."
	p.Protocol, p.KeepAlive = HTTP, true
	return p
}

// uwsgoSocket is uwsgo as it stands behind a web server, asked by the harness.
func uwsgoSocket() Peer {
	p := uwsgoOn("--socket")
	p.Name = "uwsgo-socket"
	p.About = "uwsgo speaking the uwsgi protocol, without a web server in front."
	p.Protocol = UWSGI
	return p
}

func uwsgoOn(listen string) Peer {
	return Peer{
		Runs:    Apps | Static,
		Needs:   func(t Tools) string { return missing(t.Uwsgo, "the uwsgo binary (make build)", t.Env, "a virtualenv") },
		Version: func(t Tools) string { return firstLine(t.Uwsgo, "--version") },
		Shape:   asAsked,
		Command: func(p *Plan) ([]string, error) { return uwsgoCommand(p, listen), nil },
		Reload:  hangUp,
		Workers: func(s *Server) ([]int, error) {
			// The server's children are zygotes that have the app and answer
			// nothing; theirs are the workers.
			return s.descendants(2, func(string) bool { return true })
		},
	}
}

func uwsgoCommand(p *Plan, listen string) []string {
	args := append([]string{p.Uwsgo}, sharedOptions(p, listen)...)
	// The option for nodelay that uWSGI needs is not one of uwsgo: it is always on.
	return append(args, "--http-keepalive="+idleSeconds)
}

// sharedOptions are those that uwsgo has from uWSGI.
func sharedOptions(p *Plan, listen string) []string {
	args := []string{
		listen, p.Listen(), "--listen", backlog, "--master",
		"--processes", count(p.Processes), "--threads", count(p.Threads),
		"--virtualenv", p.Env, "--wsgi-file", p.App,
		"--need-app",    // uWSGI would start without the app and answer 500
		"--die-on-term", // uWSGI would reload
	}
	if !p.Log {
		args = append(args, "--disable-logging")
	}
	if p.Static != "" {
		args = append(args, "--static-map", "/static="+p.Static)
	}
	return args
}

// descendants returns the processes a number of generations below the server's master with a
// matching command line.
func (s *Server) descendants(generations int, fits func(commandLine string) bool) ([]int, error) {
	master, err := s.master()
	if err != nil {
		return nil, err
	}
	pids := []int{master}
	for range generations {
		var next []int
		for _, pid := range pids {
			children, err := proctree.Children(pid)
			if err != nil {
				return nil, err
			}
			next = append(next, children...)
		}
		pids = next
	}
	var fitting []int
	for _, pid := range pids {
		if fits(commandLine(pid)) {
			fitting = append(fitting, pid)
		}
	}
	return fitting, nil
}

package peers

import "strings"

// The shapes in which people run the reference server. Each option follows its manual. A shape
// that is slow by itself is measured as it is. The router of --http sets TCP_NODELAY on no
// connection, whatever it is told, and so waits for acknowledgements within larger answers.

// uwsgiHTTP is what most manuals of other projects begin with.
func uwsgiHTTP() Peer {
	p := uwsgiOn("--http")
	p.Name = "uwsgi-http"
	p.About = "uWSGI with its HTTP router in a process of its own, which closes each connection."
	p.Protocol = HTTP
	return p
}

// uwsgiHTTPKeepAlive lets the router keep connections.
func uwsgiHTTPKeepAlive() Peer {
	// With "true" for a number the option would be off. Answers without
	// Content-Length need the second option, or the client waits for their end.
	p := uwsgiOn("--http", "--http-keepalive="+idleSeconds, "--http-auto-chunked")
	p.Name = "uwsgi-http-keepalive"
	p.About = "uWSGI with its HTTP router in a process of its own, which keeps connections alive."
	p.Protocol, p.KeepAlive = HTTP, true
	return p
}

// uwsgiHTTPSocket has the workers read HTTP.
func uwsgiHTTPSocket() Peer {
	p := uwsgiOn("--http-socket", patience...)
	p.Name = "uwsgi-http-socket"
	p.About = "uWSGI whose workers speak HTTP themselves, one request on each connection."
	p.Protocol = HTTP
	return p
}

// uwsgiHTTP11Socket has the workers read HTTP and keep connections. Each thread
// stays with one connection until that is closed or silent for 4 seconds, so
// there should not be more clients than threads. It is left at those 4 seconds:
// longer would only let others wait longer.
func uwsgiHTTP11Socket() Peer {
	p := uwsgiOn("--http11-socket")
	p.Name = "uwsgi-http11-socket"
	p.About = "uWSGI whose workers speak HTTP themselves and keep connections alive, each thread one at a time."
	p.Protocol, p.KeepAlive, p.IgnoresClose, p.NeedsLength = HTTP, true, true, true
	return p
}

// uwsgiSocket is uWSGI as it stands behind a web server.
func uwsgiSocket() Peer {
	p := uwsgiOn("--socket", patience...)
	p.Name = "uwsgi-socket"
	p.About = "uWSGI speaking its own protocol, without a web server in front."
	p.Protocol = UWSGI
	return p
}

// patience is for slow clients: a worker gives up a client that is silent for 4
// seconds if it is not told otherwise.
var patience = []string{"--socket-timeout", "60"}

func uwsgiOn(listen string, more ...string) Peer {
	return Peer{
		Runs:    Apps | Static,
		Install: []string{"uwsgi==2.0.31"},
		Needs:   func(t Tools) string { return missingPackage(t, "uwsgi") },
		Version: func(t Tools) string { return "uWSGI " + version(t.Env, "uwsgi") },
		Shape:   asAsked,
		Command: func(p *Plan) ([]string, error) {
			return append(uwsgiCommand(p, listen), more...), nil
		},
		// The master loads the app again and replaces itself with all workers.
		Reload: hangUp,
		Workers: func(s *Server) ([]int, error) {
			return s.descendants(1, func(line string) bool { return strings.HasPrefix(line, "uWSGI worker") })
		},
	}
}

func uwsgiCommand(p *Plan, listen string) []string {
	args := append([]string{p.Bin("uwsgi")}, sharedOptions(p, listen)...)
	// --thunder-lock, which its manual has for several processes with threads, was
	// tried and changes neither rate nor CPU time here.
	return append(args,
		"--tcp-nodelay",
		"--auto-procname", // tells workers from the router; costs nothing
	)
}

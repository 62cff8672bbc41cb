package peers

import "os"

// gunicornGthread is gunicorn with threads.
func gunicornGthread() Peer {
	p := gunicorn("gthread")
	p.About = "gunicorn with its threaded workers."
	p.Shape = asAsked
	p.Version = func(t Tools) string { return "gunicorn " + version(t.Env, "gunicorn") }
	return p
}

// gunicornGevent is gunicorn with greenlets: a worker runs any number of requests
// at once, one of them at a time.
func gunicornGevent() Peer {
	p := gunicorn("gevent")
	p.About = "gunicorn with gevent workers: greenlets in place of threads."
	p.Install = append(p.Install, "gevent==26.9.0", "greenlet==3.5.6", "zope.event==6.2", "zope.interface==8.7")
	p.Needs = func(t Tools) string { return missingPackage(t, "gunicorn", "gevent", "packaging") }
	p.Shape = withoutThreads("greenlets in place of threads")
	p.Version = func(t Tools) string {
		return "gunicorn " + version(t.Env, "gunicorn") + ", gevent " + version(t.Env, "gevent")
	}
	return p
}

func gunicorn(class string) Peer {
	return Peer{
		Name:     "gunicorn-" + class,
		Protocol: HTTP, KeepAlive: true,
		Runs:    Apps,
		Install: []string{"gunicorn==27.0.1", "packaging==26.3"},
		Needs:   func(t Tools) string { return missingPackage(t, "gunicorn") },
		Command: func(p *Plan) ([]string, error) {
			bind := p.Addr()
			if p.Socket != "" {
				bind = "unix:" + p.Socket
			}
			args := []string{
				p.Bin("gunicorn"), "--bind", bind, "--backlog", backlog,
				"--worker-class", class, "--workers", count(p.Processes),
				"--worker-connections", connections, // of each worker, kept ones too; 1000 otherwise
				"--keep-alive", idleSeconds, // 2 otherwise, for use without a proxy in front
				"--no-control-socket", // it would stand in the home directory, for all alike
				"--log-level", "warning",
			}
			if class == "gthread" {
				args = append(args, "--threads", count(p.Threads))
			}
			if _, err := os.Stat("/dev/shm"); err == nil {
				// Its FAQ: the workers' heartbeat must not wait for a disk.
				args = append(args, "--worker-tmp-dir", "/dev/shm")
			}
			if p.Log {
				args = append(args, "--access-logfile", "-")
			}
			return append(args, p.Module()+":application"), nil
		},
		// New workers load the app, old ones finish.
		Reload: hangUp,
		Workers: func(s *Server) ([]int, error) {
			return s.descendants(1, func(string) bool { return true })
		},
	}
}

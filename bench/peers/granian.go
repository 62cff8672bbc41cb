package peers

import "strings"

// granian is a server in Rust that calls the app from a pool of threads.
func granian() Peer {
	return Peer{
		Name:     "granian",
		About:    "Granian: a Rust server that calls the app in threads of the same process.",
		Protocol: HTTP, KeepAlive: true,
		Runs:    Apps | Static,
		Install: []string{"granian==2.8.7", "click==8.5.1"},
		Needs:   func(t Tools) string { return missingPackage(t, "granian") },
		Version: func(t Tools) string { return "granian " + version(t.Env, "granian") },
		Shape:   asAsked,
		Command: func(p *Plan) ([]string, error) {
			args := []string{
				p.Bin("granian"), "--interface", "wsgi",
				"--http", "1", // as its own benchmarks do: no look for HTTP/2 first
				"--workers", count(p.Processes), "--blocking-threads", count(p.Threads),
				"--backlog", backlog,
				// It counts connections, idle ones too, and would stop to accept at
				// the backlog divided by the workers.
				"--backpressure", connections,
				"--http1-header-read-timeout", "60000", // also for idle connections; the most it takes
				"--respawn-failed-workers", // as the others do by themselves
			}
			if p.Socket != "" {
				args = append(args, "--uds", p.Socket)
			} else {
				args = append(args, "--host", p.Host, "--port", p.Port)
			}
			if p.Log {
				args = append(args, "--access-log") // of the level info
			} else {
				args = append(args, "--log-level", "warning")
			}
			if p.Static != "" {
				args = append(args, "--static-path-route", "/static", "--static-path-mount", p.Static)
			}
			return append(args, p.Module()+":application"), nil
		},
		// One worker after the other is replaced, with a pause between.
		Reload: hangUp,
		Workers: func(s *Server) ([]int, error) {
			// Python's multiprocessing has a process of its own beside the workers.
			return s.descendants(1, func(line string) bool { return !strings.Contains(line, "resource_tracker") })
		},
	}
}

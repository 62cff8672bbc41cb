package peers

// waitress is a server in Python alone, with one process.
func waitress() Peer {
	return Peer{
		Name:     "waitress",
		About:    "waitress: an event loop in Python that hands requests to threads, all in one process.",
		Protocol: HTTP, KeepAlive: true,
		Runs:    Apps,
		Install: []string{"waitress==3.0.2"},
		Needs:   func(t Tools) string { return missingPackage(t, "waitress") },
		Version: func(t Tools) string { return "waitress " + version(t.Env, "waitress") },
		Shape: withoutLog(func(s Setup) Shape {
			shape := Shape{Processes: 1, Threads: s.Processes * s.Threads}
			if s.Processes > 1 {
				shape.Note = "has no processes"
			}
			return shape
		}),
		Command: func(p *Plan) ([]string, error) {
			return []string{
				p.Bin("waitress-serve"), "--listen", p.Addr(), "--backlog", backlog,
				"--threads", count(p.Processes * p.Threads),
				"--connection-limit", connections, // 100 otherwise
				"--asyncore-use-poll", // select fails above 1024 descriptors
				"--channel-timeout", idleSeconds,
				p.Module() + ":application",
			}, nil
		},
		NoReload:  "it has no reload",
		NoWorkers: "it is one process",
	}
}

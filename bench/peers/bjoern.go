package peers

import _ "embed"

//go:embed bjoern.py
var bjoernLauncher string

// bjoern is an event loop in C that calls the app between two events.
func bjoern() Peer {
	return Peer{
		Name:     "bjoern",
		About:    "bjoern: an event loop in C that calls the app itself, one process for each asked for on one shared socket.",
		Protocol: HTTP, KeepAlive: true,
		Runs:    Apps,
		Install: []string{"bjoern==3.2.2"},
		Needs:   func(t Tools) string { return missingPackage(t, "bjoern") },
		Version: func(t Tools) string { return "bjoern " + version(t.Env, "bjoern") },
		Shape:   withoutLog(withoutThreads("has no threads")),
		Command: func(p *Plan) ([]string, error) {
			launcher, err := p.File("bjoern_launcher.py", bjoernLauncher)
			return []string{p.Bin("python"), launcher, p.Host, p.Port, backlog, count(p.Processes), p.Module()}, err
		},
		NoReload:  "it has no reload",
		NoWorkers: "it has no supervisor: nobody replaces a process that died",
	}
}

// withoutLog adds to a shape that the server writes no log of requests, where
// the others do.
func withoutLog(shape func(Setup) Shape) func(Setup) Shape {
	return func(s Setup) Shape {
		sh := shape(s)
		switch {
		case s.Log && sh.Note != "":
			sh.Note += ", logs no requests"
		case s.Log:
			sh.Note = "logs no requests"
		}
		return sh
	}
}

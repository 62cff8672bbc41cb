package peers

import _ "embed"

//go:embed fastpysgi.py
var fastpysgiLauncher string

// fastpysgi is an event loop in C that calls the app between two events.
func fastpysgi() Peer {
	return Peer{
		Name:     "fastpysgi",
		About:    "FastPySGI: an event loop in C (libuv) that calls the app itself, in one process for each asked for.",
		Protocol: HTTP, KeepAlive: true,
		Runs:    Apps,
		Install: []string{"fastpysgi==0.6"},
		Needs:   func(t Tools) string { return missingPackage(t, "fastpysgi") },
		Version: func(t Tools) string { return "FastPySGI " + version(t.Env, "fastpysgi") },
		Shape:   withoutLog(withoutThreads("has no threads")),
		Command: func(p *Plan) ([]string, error) {
			// Its command line has neither workers nor TCP_NODELAY.
			launcher, err := p.File("fastpysgi_launcher.py", fastpysgiLauncher)
			return []string{p.Bin("python"), launcher, p.Host, p.Port, backlog, count(p.Processes), p.Module()}, err
		},
		NoReload:  "it has no reload",
		NoWorkers: "it has no supervisor: nobody replaces a process that died",
	}
}

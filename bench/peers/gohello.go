package peers

import (
	"runtime"
	"strings"
)

// goHello is hello world in Go without any Python: how fast a server could be at
// most that is built on it. The harness itself serves it.
func goHello(name, what string) Peer {
	return Peer{
		Name:     name,
		About:    "Hello world in Go on " + what + ", without Python.",
		Protocol: HTTP, KeepAlive: true,
		Runs:    Hello,
		Needs:   func(t Tools) string { return missing(t.Bench, "the uwsgo-bench binary (make build)") },
		Version: func(Tools) string { return runtime.Version() },
		Shape: withoutLog(func(s Setup) Shape {
			return Shape{Processes: 1, Threads: s.Processes * s.Threads, Note: "threads of Go"}
		}),
		Command: func(p *Plan) ([]string, error) {
			return []string{
				"env", "GOMAXPROCS=" + count(p.Processes*p.Threads),
				p.Bench, "serve", strings.TrimPrefix(name, "go-"), p.Addr(),
			}, nil
		},
		NoReload:  "it runs no app",
		NoWorkers: "it runs no app",
	}
}

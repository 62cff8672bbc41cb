package workload

import (
	"slices"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/peers"
)

// Metrics of throughput workloads.
var throughputMetrics = []Metric{{"cpu", "µs/req"}, {"rate", "req/s"}, {"p99", "ms"}, {"errors", ""}}

// All lists every workload, in the order of the report.
func All() []Workload {
	return []Workload{
		{
			Name: "hello",
			About: "Hello world, keep-alive, wrk -t1 -c64: CPU of the server's whole process tree per request. A " +
				"server that closes each connection unannounced has that counted as errors by wrk.",
			Entrants: shape(apps.Hello, 2, 1, "uwsgo", "prototype", "uwsgi-http11-socket", "uwsgi-http-socket", "uwsgi-http").
				and(apps.Hello, 2, 2, "uwsgo", "uwsgi-http11-socket"),
			Metrics: throughputMetrics,
			Goals: []Goal{
				{"cpu", "uwsgo 2×1", "prototype 2×1", 1.15},
				{"cpu", "uwsgo 2×1", "uwsgi-http11-socket 2×1", 0.85},
				{"cpu", "uwsgo 2×2", "uwsgo 2×1", 1.3},
			},
			Measure: throughput(64),
		},
		{
			Name:     "flask",
			About:    "A Flask app's hello world, keep-alive, wrk -t1 -c64.",
			Entrants: shape(apps.Flask, 2, 1, "uwsgo", "prototype", "uwsgi-http11-socket"),
			Metrics:  throughputMetrics,
			Goals:    []Goal{{"cpu", "uwsgo 2×1", "uwsgi-http11-socket 2×1", 1}},
			Measure:  throughput(64),
		},
		{
			Name:     "nginx",
			About:    "Hello world behind nginx over a unix socket, wrk -t1 -c64 to nginx: CPU of nginx and server together.",
			Entrants: shape(apps.Hello, 2, 1, "nginx+uwsgo", "nginx+uwsgi"),
			Metrics:  throughputMetrics,
			Goals:    []Goal{{"cpu", "nginx+uwsgo 2×1", "nginx+uwsgi 2×1", 1.25}},
			Measure:  throughput(64),
		},
		{
			Name:     "close",
			About:    "Hello world, 64 clients, a new connection for each request with Connection: close.",
			Entrants: shape(apps.Hello, 2, 1, "uwsgo", "prototype", "uwsgi-http-socket"),
			Metrics:  throughputMetrics,
			Goals:    []Goal{{"cpu", "uwsgo 2×1", "uwsgi-http-socket 2×1", 1.5}},
			Measure:  closing(64),
		},
		{
			Name: "idle",
			About: "5,000 keep-alive clients ask once and stay: how many were answered, what each costs in memory (PSS of the " +
				"process tree), how long one more client waits for its answer, how many are answered when they ask again.",
			Entrants: shape(apps.Hello, 2, 1, "uwsgo", "prototype"),
			Metrics:  []Metric{{"answered", ""}, {"memory", "KiB/client"}, {"fresh", "ms"}, {"again", ""}},
			Goals:    []Goal{{"memory", "uwsgo 2×1", "", 1}},
			Measure:  idle(5000),
		},
		{
			Name: "slow-readers",
			About: "200 clients read a 1 MiB answer at 5 KiB/s while wrk -t1 -c16 asks for hello world: rate with and without " +
				"them, memory they cost, how many got their whole answer in the end.",
			Entrants: shape(apps.Hello, 2, 1, "uwsgo"),
			Metrics:  slowMetrics,
			Goals:    []Goal{{"slowdown", "uwsgo 2×1", "", 1.25}},
			Measure:  slowReaders(200),
		},
		{
			Name:     "slow-uploads",
			About:    "200 clients send a 256 KiB body at 5 KiB/s while wrk -t1 -c16 asks for hello world.",
			Entrants: shape(apps.Hello, 2, 1, "uwsgo"),
			Metrics:  slowMetrics,
			Goals:    []Goal{{"slowdown", "uwsgo 2×1", "", 1.25}},
			Measure:  slowUploads(200),
		},
		{
			Name:     "go",
			About:    "A Go handler's hello world on the reactor and on net/http, keep-alive, wrk -t1 -c64.",
			Entrants: []Entrant{{Peer: "go-reactor"}, {Peer: "go-net-http"}},
			Metrics:  throughputMetrics,
			Goals:    []Goal{{"cpu", "go-reactor", "go-net-http", 0.75}},
			Measure:  throughput(64),
		},
		{
			Name:     "django-memory",
			About:    "Four Django workers after 10,000 requests: PSS of the process tree.",
			Entrants: shape(apps.Django, 4, 1, "uwsgo", "uwsgi-http-socket"),
			Metrics:  []Metric{{"memory", "MiB"}, {"errors", ""}},
			Goals:    []Goal{{"memory", "uwsgo 4×1", "uwsgi-http-socket 4×1", 1.15}},
			Measure:  memoryAfter(10_000),
		},
		{
			Name:     "start",
			About:    "From the command to the first answer, hello world; then the CPU of the server at rest.",
			Entrants: shape(apps.Hello, 2, 1, "uwsgo", "uwsgi-http-socket"),
			Metrics:  []Metric{{"start", "ms"}, {"rest", "µs/s"}},
			Goals:    []Goal{{"start", "uwsgo 2×1", "", 300}, {"rest", "uwsgo 2×1", "", 0}},
			Measure:  startAndRest,
		},
	}
}

type entrants []Entrant

// shape gives entrants that all run app with the same processes and threads.
func shape(app string, processes, threads int, names ...string) entrants {
	var es entrants
	for _, name := range names {
		es = append(es, Entrant{name, peers.Setup{App: app, Processes: processes, Threads: threads}})
	}
	return es
}

func (es entrants) and(app string, processes, threads int, names ...string) entrants {
	return slices.Concat(es, shape(app, processes, threads, names...))
}

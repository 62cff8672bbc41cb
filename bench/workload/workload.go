// Package workload defines the requests and measurements, and runs them: servers take turns,
// round after round.
//
// A workload is one short file with a function that describes it, and a line in
// All. docs/benchmarking.md shows how to add one.
package workload

import (
	"context"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

// Workload is the same work asked of several servers.
type Workload struct {
	Name  string
	Title string
	About string // the requests and the measurements, in full sentences
	Base  string // the base of ratios in its class; empty for the best uWSGI of a class
	// Closes says that every request has a connection of its own, whatever the
	// servers could do.
	Closes bool
	Setup  peers.Setup
	Own    *apps.Own // the app, where it is none of this program's
	// Cases are parts that are measured one after the other on the same server;
	// nil is one part without a name.
	Cases   []string
	Metrics []string // names of result metrics, the most telling first
	Chart   []string // those that are drawn as bars
	// Routes are the requests, without the right answers: these are found before the first
	// measurement.
	Routes []load.Route
	// Refuses says why a peer cannot take part, or nothing.
	Refuses func(peers.Peer) string
	// Takes guesses how long one measurement lasts beside start and stop, when a
	// case that runs for a time runs for d.
	Takes func(d time.Duration) time.Duration
	// Measure asks the work of a server that has given its first right answer. It
	// gives a sample for each case, without the round.
	Measure func(context.Context, *Rig) ([]result.Sample, error)
}

// All lists the workloads in the order of the report.
func All() []Workload {
	return []Workload{
		hello(),
		jsonAPI(),
		flask(),
		django(),
		large(),
		upload(),
		stream(),
		mix(),
		closing(),
		idle(),
		slowReaders(),
		slowUploads(),
		static(),
		reload(),
		kill(),
		start(),
		generator(),
	}
}

// Metrics of closed-loop workloads.
var (
	loadMetrics = []string{
		"rate", "cpu", "user", "system", "p50", "p90", "p99", "p999", "max", "errors", "served", "pss", "switches", "start", "client",
	}
	loadChart = []string{"rate", "cpu"}
)

// get asks for path.
func get(path string) load.Route {
	return load.Route{Request: load.Request{Name: path, Method: "GET", Path: path}, Weight: 1}
}

// needsApp refuses peers that do not run WSGI apps.
func needsApp(p peers.Peer) string {
	if p.Runs&peers.Apps != 0 {
		return ""
	}
	return "runs no WSGI app"
}

// needsKeepAlive refuses peers that close after each answer.
func needsKeepAlive(p peers.Peer) string {
	if p.KeepAlive {
		return ""
	}
	return "closes each connection after one answer"
}

// needsHTTP refuses peers that are spoken to in the uwsgi protocol.
func needsHTTP(p peers.Peer) string {
	if p.Protocol == peers.HTTP {
		return ""
	}
	return "speaks the uwsgi protocol, which has no such clients"
}

// firstOf gives the first reason to refuse a peer.
func firstOf(refusals ...func(peers.Peer) string) func(peers.Peer) string {
	return func(p peers.Peer) string {
		for _, refuse := range refusals {
			if why := refuse(p); why != "" {
				return why
			}
		}
		return ""
	}
}

// once is the time of a single case that runs for d.
func once(d time.Duration) time.Duration { return d }

// clients is how many clients ask at once in most workloads.
const clients = 64

// closedLoop asks the workload's routes from a number of clients, each as soon
// as it has its answer.
func closedLoop(clients int) func(context.Context, *Rig) ([]result.Sample, error) {
	return func(ctx context.Context, r *Rig) ([]result.Sample, error) {
		s, err := r.Measure(ctx, "", load.Options{Connections: clients, Routes: r.Routes})
		return []result.Sample{s}, err
	}
}

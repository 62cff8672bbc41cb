package workload

import (
	"bytes"
	"context"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

// transferMetrics have the bytes a second beside what all have.
var transferMetrics = append([]string{"rate", "bytes"}, loadMetrics[1:]...)

// large is an answer of 100 KB.
func large() Workload {
	return Workload{
		Name:  "large",
		Title: "100 KB response",
		About: "64 clients ask for 100 KB that a WSGI app gives as one piece with its length.",
		Setup: two(apps.Hello), Metrics: transferMetrics, Chart: loadChart,
		Routes: []load.Route{get("/large")}, Refuses: needsApp, Takes: once, Measure: closedLoop(clients),
	}
}

// stream is an answer in pieces, of unknown length.
func stream() Workload {
	return Workload{
		Name:  "stream",
		Title: "Streaming generator",
		About: "64 clients ask for 100 KB that a WSGI app yields in 20 pieces without telling the length: the server sends each piece when it has it, " +
			"and frames them by chunks or by closing the connection.",
		Setup: two(apps.Hello), Metrics: transferMetrics, Chart: loadChart,
		Routes: []load.Route{get("/stream")},
		Refuses: firstOf(needsApp, func(p peers.Peer) string {
			if p.NeedsLength {
				return "sends an answer of unknown length so that no client can see its end"
			}
			return ""
		}), Takes: once, Measure: closedLoop(clients),
	}
}

// Sizes of uploads, and how many clients send them at once.
var uploads = []struct {
	name    string
	size    int
	clients int
}{
	{"64 KB", 64 << 10, clients},
	{"5 MB", 5 << 20, 16},
}

// upload sends bodies, which the app reads to the end and answers with their
// length and checksum.
func upload() Workload {
	w := Workload{
		Name:  "upload",
		Title: "Uploads",
		About: "Clients send a body that the app reads to its end; the answer, its length and checksum, is checked. 64 clients send 64 KB at a time, 16 send 5 MB.",
		Setup: two(apps.Hello), Metrics: transferMetrics, Chart: loadChart,
		Refuses: needsApp,
		Takes:   func(d time.Duration) time.Duration { return 2 * d },
	}
	for _, u := range uploads {
		w.Cases = append(w.Cases, u.name)
		w.Routes = append(w.Routes, load.Route{Weight: 1, Request: load.Request{
			Name: u.name, Method: "POST", Path: "/upload", Body: bytes.Repeat([]byte("0123456789abcdef"), u.size/16),
		}})
	}
	w.Measure = routeByRoute(func(i int) int { return uploads[i].clients })
	return w
}

// routeByRoute runs a workload's routes one after the other, each as a case, in closed loops of
// that many clients.
func routeByRoute(clients func(route int) int) func(context.Context, *Rig) ([]result.Sample, error) {
	return func(ctx context.Context, r *Rig) ([]result.Sample, error) {
		var samples []result.Sample
		for i := range r.Routes {
			s, err := r.Measure(ctx, r.Cases[i], load.Options{Connections: clients(i), Routes: r.Routes[i : i+1]})
			if err != nil {
				return nil, err
			}
			samples = append(samples, s)
		}
		return samples, nil
	}
}

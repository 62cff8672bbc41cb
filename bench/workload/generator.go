package workload

import (
	"context"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

// Cases of the generator workload.
const (
	ours = "uwsgo-bench"
	wrk  = "wrk"
)

// generator holds the load generator against another one that many know.
func generator() Workload {
	return Workload{
		Name:  "generator",
		Title: "The load generator against wrk",
		About: "The same server is asked for hello world by this program and by wrk (-t1 -c64), one after the other: " +
			"if the server's CPU for a request or its rate differed much, this report would measure its own client.",
		Base: "go-net-http", Setup: two(apps.Hello), Cases: []string{ours, wrk},
		Metrics: []string{"rate", "cpu", "rate_to_wrk", "cpu_to_wrk", "user", "system", "p50", "p99", "errors", "client"}, Chart: loadChart,
		Routes: []load.Route{get("/")},
		Refuses: firstOf(needsHTTP, needsKeepAlive, func(p peers.Peer) string {
			if p.Name == "uwsgo" || p.Name == "go-net-http" {
				return ""
			}
			return "two servers are enough to compare generators"
		}),
		Takes:   func(d time.Duration) time.Duration { return 2*max(d, time.Second) + time.Second },
		Measure: measureGenerator,
	}
}

func measureGenerator(ctx context.Context, r *Rig) ([]result.Sample, error) {
	length := max(r.Duration.Truncate(time.Second), time.Second) // wrk knows whole seconds only
	var own, theirs result.Sample
	// Who asks second finds a server that is warmer, so they take turns too.
	steps := []func() error{
		func() (err error) {
			own, err = r.Measure(ctx, ours, load.Options{Connections: clients, Routes: r.Routes, Duration: length})
			return err
		},
		func() (err error) {
			theirs, err = r.observe(ctx, wrk, func() (load.Result, error) {
				return load.Wrk(ctx, "http://"+r.Server.Addr+"/", clients, length)
			})
			return err
		},
	}
	for i := range steps {
		if err := steps[(i+r.Round)%len(steps)](); err != nil {
			return nil, err
		}
	}
	if theirs.Values["rate"] > 0 && theirs.Values["cpu"] > 0 {
		own.Values["rate_to_wrk"] = own.Values["rate"] / theirs.Values["rate"]
		own.Values["cpu_to_wrk"] = own.Values["cpu"] / theirs.Values["cpu"]
	}
	return []result.Sample{own, theirs}, nil
}

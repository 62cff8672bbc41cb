package workload

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/result"
)

const (
	slowClients = 200
	slowSize    = 1 << 20
	slowRate    = 5 << 10 // bytes a second: a bad mobile line
	fastClients = 16
	// crowdLasts is how long the slow clients have something to read or send.
	crowdLasts = slowSize / slowRate * time.Second
)

var slowMetrics = []string{"slowdown", "rate", "p50", "p99", "max", "errors", "crowd", "whole", "cpu", "pss"}

// slowReaders is what slow lines cost the others when answers are large.
func slowReaders() Workload {
	return besideCrowd(Workload{
		Name:  "slow-readers",
		Title: "200 slow readers",
		About: "200 clients read an answer of 1 MB at 5 KB/s while 16 others ask for hello world: how much slower these are than alone, and what the crowd " +
			"costs in memory. In the end the crowd takes the rest at once, and each answer is checked.",
	}, get("/mega"), load.SlowReaders)
}

// slowUploads is what slow lines cost the others when bodies are sent.
func slowUploads() Workload {
	upload := load.Route{Weight: 1, Request: load.Request{
		Name: "/upload", Method: "POST", Path: "/upload", Body: bytes.Repeat([]byte("0123456789abcdef"), slowSize/16),
	}}
	return besideCrowd(Workload{
		Name:  "slow-uploads",
		Title: "200 slow uploaders",
		About: "200 clients send a body of 1 MB at 5 KB/s while 16 others ask for hello world: how much slower these are than alone, and what the crowd " +
			"costs in memory. In the end the crowd sends the rest at once, and each answer is checked.",
	}, upload, load.SlowWriters)
}

// A crowd of slow clients is started by one of these functions of load.
type startCrowd = func(ctx context.Context, t load.Target, q load.Request, n, bytesPerSecond int) (*load.Slow, error)

// besideCrowd completes a workload in which a slow crowd asks for slow, and
// disturbs, or does not, others who ask for hello world.
func besideCrowd(w Workload, slow load.Route, startSlow startCrowd) Workload {
	w.Setup = two(apps.Hello)
	w.Metrics, w.Chart = slowMetrics, []string{"slowdown", "p99"}
	w.Routes = []load.Route{get("/"), slow}
	w.Refuses = firstOf(needsApp, needsHTTP)
	w.Takes = func(d time.Duration) time.Duration { return 2*d + 3*time.Second }
	w.Measure = func(ctx context.Context, r *Rig) ([]result.Sample, error) {
		fast := load.Options{Connections: fastClients, Routes: r.Routes[:1], Duration: min(r.Duration, crowdLasts/2)}
		alone, err := r.Measure(ctx, "", fast)
		if err != nil {
			return nil, err
		}
		before, err := r.settledPSS(ctx)
		if err != nil {
			return nil, err
		}
		crowd, err := startSlow(ctx, r.Target(), r.Routes[1].Request, slowClients, slowRate)
		if err != nil {
			return nil, err
		}
		defer crowd.Finish()
		notes, err := awaitCrowd(ctx, crowd)
		if err != nil {
			return nil, err
		}
		s, err := r.Measure(ctx, "", fast)
		if err != nil {
			return nil, err
		}
		after, err := r.Server.PSS()
		if err != nil {
			return nil, err
		}
		s.Notes = append(s.Notes, notes...)
		// A server that drops the slow clients has none to be slowed by.
		if dropped := sum(crowd.Errors()); dropped > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%d of %d slow clients were dropped while the others were measured", dropped, slowClients))
		} else if s.Values["rate"] > 0 {
			s.Values["slowdown"] = alone.Values["rate"] / s.Values["rate"]
			s.Values["crowd"] = mebibytes(after - before)
		}
		s.Values["whole"] = float64(crowd.Finish())
		s.Asked += slowClients
		for kind, n := range crowd.Errors() {
			s.Errors["slow client: "+kind] = n
			s.Values["errors"] += float64(n)
		}
		return []result.Sample{s}, nil
	}
	return w
}

// awaitCrowd waits until all slow clients are in the middle of their exchange, at most five
// seconds, plus a second until the burst of their requests is over.
func awaitCrowd(ctx context.Context, crowd *load.Slow) (notes []string, err error) {
	for deadline := time.Now().Add(5 * time.Second); crowd.Started() < slowClients; {
		if time.Now().After(deadline) {
			notes = append(notes, fmt.Sprintf("only %d of %d slow clients could start", crowd.Started(), slowClients))
			break
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return notes, sleep(ctx, time.Second)
}

package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/result"
)

// idleClients is how many clients stay connected without asking.
const idleClients = 5000

// idleLimit is how long all of them may take to be answered.
const idleLimit = 4 * time.Second

// idle is what keep-alive costs when nobody asks: browsers keep connections
// open for minutes.
func idle() Workload {
	return Workload{
		Name:  "idle",
		Title: "5,000 idle clients",
		About: "5,000 keep-alive clients ask once and stay: how many are answered within four seconds, the memory that each costs, how long one more client " +
			"waits for its answer, and how many are answered when all ask again.",
		Setup:   two(apps.Hello),
		Metrics: []string{"served", "kib", "fresh", "again", "errors", "pss"},
		Chart:   []string{"served", "kib"},
		Routes:  []load.Route{get("/")},
		Refuses: firstOf(needsHTTP, needsKeepAlive),
		Takes:   func(time.Duration) time.Duration { return 4 * time.Second },
		Measure: measureIdle,
	}
}

func measureIdle(ctx context.Context, r *Rig) ([]result.Sample, error) {
	// Buffers and caches that the first requests make are there before the clients.
	if _, err := load.Run(ctx, r.Options(load.Options{Connections: clients, Routes: r.Routes, Duration: r.WarmUp})); err != nil {
		return nil, err
	}
	before, err := r.settledPSS(ctx)
	if err != nil {
		return nil, err
	}
	request := r.Routes[0].Request
	opening, cancel := context.WithTimeout(ctx, idleLimit)
	defer cancel()
	crowd, err := load.OpenIdle(opening, r.Target(), request, idleClients)
	if err != nil {
		return nil, err
	}
	defer crowd.Close()
	after, err := r.settledPSS(ctx)
	if err != nil {
		return nil, err
	}
	s := result.Sample{Values: map[string]float64{"served": float64(crowd.Answered()), "pss": mebibytes(after)}}
	if crowd.Answered() == idleClients { // a few would not tell what each costs
		s.Values["kib"] = float64(after-before) / 1024 / idleClients
	}
	if took, err := freshClient(ctx, r, request); err != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("one more client got no answer: %v", err))
	} else {
		s.Values["fresh"] = milliseconds(took)
	}
	again, cancel := context.WithTimeout(ctx, idleLimit)
	defer cancel()
	s.Values["again"] = float64(crowd.AskAgain(again))
	s.Asked = int64(idleClients + crowd.Answered())
	s.Errors = crowd.Errors()
	s.Values["errors"] = float64(sum(s.Errors))
	return []result.Sample{s}, nil
}

// freshClient gives how long one client, that connects and asks, waits for its
// answer. Another one before it pays for what this program opens the first time.
func freshClient(ctx context.Context, r *Rig, request load.Request) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, idleLimit)
	defer cancel()
	var took time.Duration
	for range 2 {
		asked := time.Now()
		one, err := load.OpenIdle(ctx, r.Target(), request, 1)
		if err != nil {
			return 0, err
		}
		took = time.Since(asked)
		answered := one.Answered()
		one.Close()
		if answered == 0 {
			return 0, fmt.Errorf("nothing came within %v", took.Round(time.Millisecond))
		}
	}
	return took, nil
}

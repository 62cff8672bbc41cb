package workload

import (
	"context"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/result"
)

// resting is how long a server without requests is watched.
const resting = 2 * time.Second

// start is what a server costs before and between requests.
func start() Workload {
	return Workload{
		Name:    "start",
		Title:   "Start-up and rest",
		About:   "From the command to the first right answer of hello world, then the memory and the processor time of the server while nobody asks for two seconds.",
		Closes:  true,
		Setup:   two(apps.Hello),
		Metrics: []string{"start", "pss", "rest"},
		Chart:   []string{"start", "pss"},
		Routes:  []load.Route{get("/")},
		Takes:   func(time.Duration) time.Duration { return resting + time.Second },
		Measure: func(ctx context.Context, r *Rig) ([]result.Sample, error) {
			pss, err := r.settledPSS(ctx) // what start-up left to do is done
			if err != nil {
				return nil, err
			}
			before, err := r.usage()
			if err != nil {
				return nil, err
			}
			if err := sleep(ctx, resting); err != nil {
				return nil, err
			}
			after, err := r.usage()
			if err != nil {
				return nil, err
			}
			return []result.Sample{{Values: map[string]float64{
				"start": milliseconds(r.Server.Started),
				"pss":   mebibytes(pss),
				"rest":  milliseconds(after.cpu()-before.cpu()) / resting.Seconds(),
			}}}, nil
		},
	}
}

package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

// mixRates are the requests a second that the mix is asked at. Four processes of
// two threads sleep or compute 2.3 ms for an average request, so that some 3,400
// are the most that any server can answer.
var mixRates = []int{500, 1000, 2000, 3000}

// overloaded is the p99 beyond which higher rates are not asked any more: the
// requests that pile up would only take longer still.
const overloaded = 1000.0 // ms

// mix is what sites really get: mostly fast requests, and a few slow ones that
// must not hold them up.
func mix() Workload {
	sleepy, busy, fast := get("/sleep"), get("/burn"), get("/")
	fast.Weight, sleepy.Weight, busy.Weight = 95, 4, 1
	w := Workload{
		Name:  "mix",
		Title: "Fast and slow requests mixed",
		About: "95 % hello world, 4 % that sleep for 50 ms, 1 % that compute for 30 ms, at fixed rates (open loop: latency counts from when a request was due), " +
			"to servers of four processes with two threads each. Once a server's p99 passes one second it is not asked for more.",
		Setup:   peers.Setup{App: apps.Hello, Processes: 4, Threads: 2},
		Metrics: []string{"p50", "p99", "p999", "fast_p50", "fast_p99", "cpu", "user", "system", "max", "errors", "pss", "switches", "client"},
		Chart:   []string{"fast_p99", "p99"},
		Routes:  []load.Route{fast, sleepy, busy},
		Refuses: needsApp,
		Takes:   func(d time.Duration) time.Duration { return time.Duration(len(mixRates)) * d },
		Measure: measureMix,
	}
	for _, rate := range mixRates {
		w.Cases = append(w.Cases, rateCase(rate))
	}
	return w
}

func rateCase(rate int) string { return fmt.Sprintf("%d req/s", rate) }

func measureMix(ctx context.Context, r *Rig) ([]result.Sample, error) {
	var samples []result.Sample
	for _, rate := range mixRates {
		s, err := r.Measure(ctx, rateCase(rate), load.Options{Connections: 256, Rate: float64(rate), Routes: r.Routes})
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
		if s.Values["p99"] > overloaded {
			last := &samples[len(samples)-1]
			last.Notes = append(last.Notes, "overloaded, and not asked for more in this round")
			break
		}
	}
	return samples, nil
}

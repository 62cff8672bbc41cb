package chaos

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
)

// TestLanes asks for the mix workload of the benchmarks: hello world, and a few
// requests that sleep or compute.
func TestLanes(t *testing.T) {
	hello, sleep, burn := route("/hello"), route("/sleep"), route("/burn")
	hello.Weight, sleep.Weight, burn.Weight = 95, 4, 1
	o := load.Options{Routes: []load.Route{hello, sleep, burn}, Connections: 256, Rate: 2000, Duration: lasting(30*time.Second, 3*time.Second)}
	f := newFinding(t, "Lanes", fmt.Sprintf(
		"%v each at %.0f requests a second on %d × %d workers: 95 %% hello world, 4 %% that sleep for 50 ms, 1 %% that compute for 30 ms; with lanes and without.",
		o.Duration, o.Rate, workers, threads))
	fast := map[string]time.Duration{}
	for _, lanes := range []string{"true", "false"} {
		s := start(t, append(slices.Clone(pool), "--lanes="+lanes)...)
		a := s.ask(t, o, allowed{})
		var times latencies
		for _, one := range a.outcomes {
			if one.Route == "/hello" {
				times.add(one.Took)
			}
		}
		fast[lanes] = times.percentile(99)
		a.clean(t)
		name := "with lanes"
		if lanes == "false" {
			name = "without"
		}
		f.figure(name+": p50, p99 of the fast ones", text(times.percentile(50))+", "+text(times.percentile(99)))
		f.figure(name+": p99 of all", a.kept.percentile(99))
	}
	f.bound(fast["true"] <= fast["false"], "p99 of the fast ones with lanes", fast["true"], "not above that without")
}

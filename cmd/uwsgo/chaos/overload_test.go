package chaos

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/proctree"
)

func TestOverload(t *testing.T) {
	const (
		service  = 10 * time.Millisecond
		waits    = 500 * time.Millisecond // queue-timeout
		capacity = 400.0                  // requests a second of 2 × 2 workers
	)
	s := start(t, "--processes", "2", "--threads", "2", "--queue-timeout", "0.5")
	o := load.Options{Routes: []load.Route{route("/ten")}, Connections: 2048, Rate: 3 * capacity, Duration: lasting(30*time.Second, 4*time.Second)}
	f := newFinding(t, "Overload", fmt.Sprintf(
		"%v at %.0f requests a second, three times what 2 × 2 workers can take of requests of 10 ms, queue-timeout=0.5; then a tenth of the capacity.",
		o.Duration, o.Rate))

	var mu sync.Mutex
	var sizes []int64
	stop := during(o.Duration/20, func() {
		if pss, err := proctree.PSS(s.pid()); err == nil {
			mu.Lock()
			defer mu.Unlock()
			sizes = append(sizes, pss)
		}
	})
	a := s.ask(t, o, allowed{refusals: true})
	stop()
	o.Rate, o.Duration = capacity/10, 3*time.Second
	after := s.ask(t, o, allowed{refusals: true})

	f.account(a)
	f.figure("answered a second, of 400 that are possible", float64(a.right)/lasting(30*time.Second, 4*time.Second).Seconds())
	refused := a.statuses[503]
	f.must(refused > 0, "refused with 503, never run", refused, "at least 1")
	f.must(a.right+refused == a.asked, "neither answered nor refused", a.asked-a.right-refused, "0")
	most := waits + service
	f.bound(a.kept.percentile(99) <= most, "p99 of the answered", a.kept.percentile(99), "queue-timeout and the time to run, 510 ms")
	f.bound(a.refused.percentile(99) <= 50*time.Millisecond, "p99 of the refusals", a.refused.percentile(99), "50 ms")
	if quick := a.refused.percentile(50); quick >= waits {
		t.Errorf("half of the refused had waited for %v before they were told", quick)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(sizes) < 4 {
		t.Fatalf("the memory was read %d times", len(sizes))
	}
	quarter, last := sizes[len(sizes)/4], sizes[len(sizes)-1]
	f.figure("memory after a quarter of the time", mib(quarter))
	f.bound(last <= quarter+quarter/10, "memory at the end", mib(last), "a tenth more")

	// Back to normal is when no request is refused any more, nor takes longer than
	// one would on an idle server, give or take a busy machine.
	var normal time.Duration
	for _, one := range after.outcomes {
		if one.Kind != "" || one.Took > 5*service {
			normal = max(normal, one.Due+one.Took)
		}
	}
	after.clean(t)
	f.bound(normal <= time.Second, "back to normal after", normal, "1,000 ms")
	if settled := after.outcomes[len(after.outcomes)-1]; settled.Kind != "" {
		t.Errorf("still not back to normal after %v: %+v", settled.Due, settled)
	}
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

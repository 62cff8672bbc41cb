package chaos

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// TestCheaper has the number of workers follow a load that comes and goes.
func TestCheaper(t *testing.T) {
	const bursts = 3
	s := start(t, append(slices.Clone(pool), "--cheaper", "1", "--cheaper-overload", "1", "--cheaper-step", "2")...)
	o := steady(20*time.Second, 3*time.Second, route("/ten")) // two threads can take 200 a second of it
	o.Rate = rate(500, 400)
	f := newFinding(t, "The number of workers follows the load", fmt.Sprintf(
		"%d times %s, cheaper=1, cheaper-step=2 and cheaper-overload=1; each request takes 10 ms. Between them nothing, until one worker is left.", bursts, under(o)))
	var most atomic.Int64
	stop := during(100*time.Millisecond, func() {
		if got, err := s.snapshot(); err == nil {
			most.Store(max(most.Load(), int64(got.serving())))
		}
	})
	defer stop()
	for range bursts {
		eventually(t, "one worker to be left", func() error {
			got, err := s.snapshot()
			if err == nil && got.serving() != 1 {
				err = fmt.Errorf("%d workers run", got.serving())
			}
			return err
		})
		most.Store(0)
		f.account(s.ask(t, o, allowed{}))
		f.must(most.Load() > 1, "workers that ran at most", most.Load(), "more than 1")
	}
}

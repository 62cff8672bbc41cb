package chaos

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
)

func TestHangs(t *testing.T) {
	const harakiri = 2 * time.Second
	s := start(t, append(slices.Clone(pool), "--harakiri", "2")...)
	fast := load.Options{Routes: []load.Route{route("/short")}, Connections: 256, Rate: 300, Duration: lasting(time.Minute, 5*time.Second)}
	hanging := load.Options{Routes: []load.Route{route("/hang")}, Connections: 32, Rate: 2, Duration: fast.Duration}
	f := newFinding(t, "Requests that hang", fmt.Sprintf(
		"%v: two requests a second that hang for ever beside 300 fast ones a second, harakiri=2, %d × %d workers; before that the fast ones alone, for half as long.",
		fast.Duration, workers, threads))

	alone := fast
	alone.Duration /= 2
	quiet := s.ask(t, alone, allowed{})
	quiet.clean(t)
	f.figure("p99 of the fast ones alone", quiet.kept.percentile(99))

	var running sync.WaitGroup
	var hung account
	running.Go(func() { hung = s.ask(t, hanging, allowed{hangs: true}) })
	a := s.ask(t, fast, allowed{})
	running.Wait()

	f.account(a)
	for _, fault := range hung.faults {
		t.Error(fault)
	}
	f.must(hung.statuses[504] == hung.asked, "hanging ones answered 504", fmt.Sprintf("%d of %d", hung.statuses[504], hung.asked), "all")
	f.bound(hung.late.most() <= harakiri+500*time.Millisecond, "the last 504 after", hung.late.most(), "2,500 ms")
	f.bound(a.kept.percentile(99) <= 3*quiet.kept.percentile(99), "p99 of the fast ones beside them", a.kept.percentile(99), "3 × that of the quiet run")
	if p99 := a.kept.percentile(99); p99 >= harakiri {
		t.Errorf("the fast ones waited for those that hang: p99 is %v", p99)
	}
	f.figure("workers replaced", s.respawns(t))
}

package main

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestMoreProcs(t *testing.T) {
	tests := []struct {
		name   string
		more   bool
		events uint64 // in a tenth of a second
		loops  int
		want   bool
	}{
		{"idle", true, 0, 1, true},
		{"some", true, 800, 1, true},
		{"busy", true, 1_200, 1, false},
		{"busy_for_one_loop_of_two", true, 1_200, 2, true},
		{"busy_still", false, 1_200, 1, false},
		{"between_stays_with_more", true, 900, 1, true},
		{"between_stays_without", false, 900, 1, false},
		{"quiet_again", false, 400, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := moreProcs(tt.more, tt.events, tt.loops); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// The processors follow the load, unless the environment says how many there are.
func TestProcsFollowTheLoad(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	wait := func(n int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); runtime.GOMAXPROCS(0) != n; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d processors, want %d", runtime.GOMAXPROCS(0), n)
			}
		}
	}
	t.Setenv("GOMAXPROCS", "")
	p := setProcs(true)
	wait(p.loops + 2) // the loops', one for compression, one more
	var events, each atomic.Uint64
	each.Store(1 << 20)
	stop := p.follow(func() uint64 { return events.Add(each.Load()) })
	wait(p.loops + 1) // there is much to do
	each.Store(0)
	wait(p.loops + 2)
	stop()

	t.Setenv("GOMAXPROCS", "3")
	fixed := setProcs(true)
	fixed.follow(nil)()
	if n := runtime.GOMAXPROCS(0); n != p.loops+2 {
		t.Errorf("%d processors: the environment has the last word", n)
	}
}

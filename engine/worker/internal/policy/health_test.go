package policy

import (
	"fmt"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	type look struct {
		state    byte
		progress string
		owed     int
	}
	times := func(n int, l look) (looks []look) {
		for range n {
			looks = append(looks, l)
		}
		return looks
	}
	busy := func(n int) (looks []look) {
		for i := range n {
			looks = append(looks, look{'S', fmt.Sprint(i), 1})
		}
		return looks
	}
	for _, c := range []struct {
		name  string
		looks []look
		stuck bool
	}{
		{"idle", times(1000, look{'S', "", 0}), false},
		{"imports for long", times(1000, look{'D', "", 0}), false},
		{"stopped for a moment", times(stoppedLooks-1, look{'T', "", 0}), false},
		{"stopped", times(stoppedLooks, look{'T', "", 0}), true},
		{"looked at by a debugger", times(1000, look{'t', "", 0}), false},
		{"goes on", append(times(10, look{'T', "", 0}), look{'S', "", 0}), false},
		{"owes for a moment", times(quietLooks-1, look{'S', "", 1}), false},
		{"owes and does nothing", times(quietLooks+1, look{'S', "", 1}), true},
		{"hangs in a page fault", times(quietLooks+1, look{'D', "", 1}), true},
		{"waits for a processor", times(overdueLooks-1, look{'R', "", 1}), false},
		{"is swapped in", busy(overdueLooks - 1), false},
		{"runs for ever", busy(overdueLooks), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Health
			for _, l := range c.looks {
				h.Owed = l.owed
				h.Look(l.state, l.progress)
			}
			if (h.Stuck != "") != c.stuck {
				t.Errorf("stuck: %q, want %v", h.Stuck, c.stuck)
			}
		})
	}
}

// Time in which everything stood still, as when a container is paused, is nobody's.
func TestPauses(t *testing.T) {
	var s Pauses
	at := time.Now()
	s.Tick(at)
	s.Tick(at.Add(time.Second))
	s.Tick(at.Add(31 * time.Second))
	for _, c := range []struct {
		since, want time.Duration
	}{{0, 30 * time.Second}, {time.Second, 30 * time.Second}, {11 * time.Second, 20 * time.Second}, {31 * time.Second, 0}, {40 * time.Second, 0}} {
		if got := s.Since(at.Add(c.since), at.Add(31*time.Second)); got != c.want {
			t.Errorf("since %v: %v, want %v", c.since, got, c.want)
		}
	}
	// One that has just ended counts, although nothing has ticked since.
	if got := s.Since(at.Add(40*time.Second), at.Add(61*time.Second)); got != 21*time.Second {
		t.Errorf("a pause that has just ended: %v, want 21s", got)
	}
	if got := s.Since(at.Add(32*time.Second), at.Add(32*time.Second+pauseLeast)); got != 0 {
		t.Errorf("a moment without a tick: %v, want none", got)
	}
	for i := range 2 * pausesMost {
		s.Tick(at.Add(time.Duration(i+2) * time.Minute))
	}
	if len(s.list) != pausesMost {
		t.Errorf("%d are remembered, want %d", len(s.list), pausesMost)
	}
}

// One that obeys no more is replaced at once, and tried again once in a while.
func TestHealthReplace(t *testing.T) {
	var h Health
	if h.Look('S', "") {
		t.Error("one that obeys has changed")
	}
	if !h.Distrust("is deaf") || h.Stuck != "is deaf" {
		t.Errorf("stuck: %q, want it to be deaf", h.Stuck)
	}
	if h.Distrust("again") || h.Look('S', "") {
		t.Error("one that is deaf has changed")
	}
	tries := 0
	for range 1 + 2*retryLooks {
		if h.Replace() {
			tries++
		}
	}
	if tries != 3 {
		t.Errorf("%d tries, want one at once and two later", tries)
	}
}

// Two that die young make the next wait, whatever was before.
func TestThrottle(t *testing.T) {
	for _, c := range []struct {
		name string
		ages []time.Duration
		want bool
	}{
		{"one", []time.Duration{0}, false},
		{"two", []time.Duration{0, Young - 1}, true},
		{"three", []time.Duration{0, 0, 0}, true},
		{"an old one between", []time.Duration{0, Young, 0}, false},
		{"old ones", []time.Duration{time.Hour, time.Hour}, false},
	} {
		var th Throttle
		got := false
		for _, age := range c.ages {
			got = th.Died(age)
		}
		if got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	var th Throttle
	if !th.Retry() || th.Retry() {
		t.Error("want one more try and no further")
	}
	if th = (Throttle{}); !func() bool { th.Exhaust(); return th.Died(0) }() {
		t.Error("what could not be forked does not wait")
	}
}

package reactor

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A wheel driven by hand: every timer fires once, in its tick or the next, and
// never early, however it was moved about before.
func TestWheelFiresOnTime(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var w wheel
	w.init()
	now := int64(time.Hour)
	fired := map[int]int64{}
	want := map[int]int64{}
	run := func(fn func()) { fn() }
	timers := make([]Timer, 500)
	for i := range timers {
		timers[i].Fn = func() { fired[i] = now }
		at := now + r.Int64N(int64(30*time.Second))
		w.arm(&timers[i], at, now)
		want[i] = at
	}
	for step := 0; step < 20_000 && len(fired) < len(want); step++ {
		now += r.Int64N(int64(5 * time.Millisecond))
		if step < 8_000 && step%3 == 0 { // then let those that were moved fire
			i := r.IntN(len(timers))
			if _, done := fired[i]; !done && want[i] != 0 {
				switch r.IntN(3) {
				case 0:
					want[i] = now + r.Int64N(int64(20*time.Second))
					w.arm(&timers[i], want[i], now)
				case 1:
					timers[i].at = 0
					delete(want, i)
				}
			}
		}
		if now >= w.due() {
			w.advance(now, run)
		}
	}
	for i, at := range want {
		got, ok := fired[i]
		if !ok {
			t.Fatalf("timer %d for %d never fired (now %d)", i, at, now)
		}
		if got < at || got > at+int64(2*Tick)+int64(5*time.Millisecond) {
			t.Errorf("timer %d: fired at %d, wanted %d", i, got, at)
		}
	}
	for i := range fired {
		if _, ok := want[i]; !ok {
			t.Errorf("timer %d fired after it was disarmed", i)
		}
	}
	if w.count != 0 && len(want) == len(fired) {
		for now += int64(time.Minute); w.count > 0; now += int64(time.Minute) {
			w.advance(now, run)
		}
	}
}

func TestWheelAfterLongSleep(t *testing.T) {
	var w wheel
	w.init()
	now := int64(time.Second)
	var got []int
	var timers [3]Timer
	for i := range timers {
		timers[i].Fn = func() { got = append(got, i) }
	}
	w.arm(&timers[0], now+int64(time.Millisecond), now)
	w.arm(&timers[1], now+int64(20*time.Second), now)
	w.arm(&timers[2], now+int64(time.Hour), now)
	now += int64(10 * time.Minute)
	w.advance(now, func(fn func()) { fn() })
	slices.Sort(got) // after a sleep of more than a turn, order is not promised
	if want := []int{0, 1}; !slices.Equal(got, want) {
		t.Fatalf("fired %v, want %v", got, want)
	}
	if !timers[2].Armed() || w.count != 1 {
		t.Fatalf("the hour's timer is gone: count %d", w.count)
	}
}

func TestWheelCallbackMayArmAndDisarmNeighbours(t *testing.T) {
	var w wheel
	w.init()
	now := int64(time.Second)
	at := now + int64(100*time.Millisecond)
	var a, b, c Timer
	var order string
	a.Fn = func() {
		order += "a"
		b.at = 0                                          // disarm the next of the same slot
		w.arm(&c, now+int64(wheelSlots)*int64(Tick), now) // move the last a turn on, into this slot
		w.arm(&a, now+int64(time.Millisecond), now)       // and itself
	}
	b.Fn = func() { order += "b" }
	c.Fn = func() { order += "c" }
	for _, tm := range []*Timer{&a, &b, &c} {
		w.arm(tm, at, now)
	}
	now = at + int64(2*Tick)
	w.advance(now, func(fn func()) { fn() })
	if order != "a" || !a.Armed() || b.Armed() || !c.Armed() {
		t.Fatalf("order %q, armed %v %v %v", order, a.Armed(), b.Armed(), c.Armed())
	}
}

func BenchmarkArmLater(b *testing.B) {
	var w wheel
	w.init()
	var t Timer
	now := int64(time.Second)
	b.ReportAllocs()
	for b.Loop() {
		now += 1000
		w.arm(&t, now+int64(time.Minute), now)
	}
}

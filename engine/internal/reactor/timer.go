package reactor

import (
	"math"
	"math/bits"
	"time"
)

// Tick is the resolution of timers.
const Tick = 8 * time.Millisecond

// wheelSlots ticks make one turn of the wheel, about 8 s; a timer further off
// stays in its slot for the turns in between.
const wheelSlots = 1024

// Timer is a deadline, embedded in an object that a loop owns. The owner sets Fn once; all
// other fields belong to the loop. The zero Timer is disarmed.
type Timer struct {
	Fn func() // runs on the loop, with the timer disarmed

	at         int64 // when to fire; 0 when disarmed
	slotted    int64 // the tick of the slot it is in, valid while linked
	linked     bool
	next, prev *Timer
}

// Armed reports whether t is set to fire.
func (t *Timer) Armed() bool { return t.at != 0 }

// At returns when t fires, on the loop's clock.
func (t *Timer) At() int64 { return t.at }

// wheel is a hashed timing wheel. A timer that is moved later, or disarmed, stays in its slot
// until the slot's turn. So a usual timeout, which each request moves and nobody reaches, costs
// one store.
type wheel struct {
	slots [wheelSlots]Timer // list heads
	used  [wheelSlots / 64]uint64
	tick  int64 // the last tick that has been handled
	count int   // timers linked
	// soonest is the tick of the first slot that holds timers, MaxInt64 for none.
	soonest int64
}

func (w *wheel) init() {
	for i := range w.slots {
		h := &w.slots[i]
		h.next, h.prev = h, h
	}
	w.soonest = math.MaxInt64
}

func (w *wheel) arm(t *Timer, at, now int64) {
	at = max(at, now, 1)
	t.at = at
	// The slot after at, so that a timer never fires early.
	tick := at/int64(Tick) + 1
	if t.linked {
		if t.slotted <= tick {
			return
		}
		w.unlink(t)
	}
	if w.count == 0 {
		w.tick = now / int64(Tick)
	}
	w.link(t, max(tick, w.tick+1))
}

func (w *wheel) link(t *Timer, tick int64) {
	i := tick % wheelSlots
	h := &w.slots[i]
	t.slotted, t.linked = tick, true
	t.prev, t.next = h.prev, h
	h.prev.next, h.prev = t, t
	w.used[i/64] |= 1 << (i % 64)
	w.count++
	w.soonest = min(w.soonest, tick)
}

func (w *wheel) unlink(t *Timer) {
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev, t.linked = nil, nil, false
	w.count--
	i := t.slotted % wheelSlots
	if h := &w.slots[i]; h.next == h {
		w.used[i/64] &^= 1 << (i % 64)
	}
}

// advance calls run for the timers due at now.
func (w *wheel) advance(now int64, run func(func())) {
	last := now / int64(Tick)
	// After a long sleep one turn visits every slot.
	for w.tick = max(w.tick, last-wheelSlots); w.tick < last && w.count > 0; {
		w.tick++
		w.empty(w.tick, last, run)
	}
	w.tick = max(w.tick, last)
	w.seek()
}

// empty handles the timers of one slot. It moves them to a list of their own first: their
// functions may arm and disarm any timer, in this slot too.
func (w *wheel) empty(tick, last int64, run func(func())) {
	h := &w.slots[tick%wheelSlots]
	if h.next == h {
		return
	}
	var list Timer
	list.next, list.prev = h.next, h.prev
	list.next.prev, list.prev.next = &list, &list
	h.next, h.prev = h, h
	for list.next != &list {
		t := list.next
		w.unlink(t)
		switch {
		case t.at == 0: // disarmed
		case t.at/int64(Tick) < last:
			t.at = 0
			run(t.Fn)
		default: // moved later
			w.link(t, t.at/int64(Tick)+1)
		}
	}
}

// seek sets soonest to the next slot that holds timers.
func (w *wheel) seek() {
	w.soonest = math.MaxInt64
	if w.count == 0 {
		return
	}
	for d := int64(1); d <= wheelSlots; {
		i := (w.tick + d) % wheelSlots
		if word := w.used[i/64] >> (i % 64); word != 0 {
			w.soonest = w.tick + d + int64(bits.TrailingZeros64(word))
			return
		}
		d += 64 - i%64
	}
}

// due returns when the next slot that holds timers is due.
func (w *wheel) due() int64 { return w.soonest * int64(Tick) }

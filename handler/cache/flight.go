package cache

import (
	"sync"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// flights are the fetches that clients wait for. All loops share them.
type flights struct {
	mu   sync.Mutex
	list map[string]*flight
}

// flight is one fetch, led by the exchange that asks the next handler.
type flight struct {
	key     string
	waiting []waiter // in the order in which they came
	timer   *time.Timer
	slow    bool // the time is up: nobody waits for it any more
}

// waiter is an exchange that waits. goOn is called on its loop, with the flight that it now leads, or
// nil if it need not wait any more.
type waiter struct {
	ref  engine.Ref
	goOn func(x *engine.Exchange, f *flight)
}

// join makes x the leader of a new flight at key and reports true, or makes it wait for the present
// flight.
func (l *flights) join(key string, x *engine.Exchange, limit time.Duration, goOn func(*engine.Exchange, *flight)) (f *flight, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, under := l.list[key]
	switch {
	case !under:
		return l.begin(key), true
	case f.slow:
		return nil, true
	}
	if f.timer == nil {
		f.timer = time.AfterFunc(limit, func() { l.giveUp(f) })
	}
	f.waiting = append(f.waiting, waiter{x.Ref(), goOn})
	return f, false
}

// lead makes a flight at key, unless there is one.
func (l *flights) lead(key string) (f *flight, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list[key] != nil {
		return nil, false
	}
	return l.begin(key), true
}

// begin makes a flight. The lock is held.
func (l *flights) begin(key string) *flight {
	f := &flight{key: key}
	l.list[key] = f
	return f
}

// giveUp releases the clients that wait for f.
func (l *flights) giveUp(f *flight) {
	l.mu.Lock()
	waiting := f.waiting
	f.waiting, f.slow = nil, true
	l.mu.Unlock()
	release(waiting)
}

// land ends a flight: its answer is stored, or is for one client only. It may be called again.
func (l *flights) land(f *flight) {
	if f == nil {
		return
	}
	l.mu.Lock()
	if l.list[f.key] == f {
		delete(l.list, f.key)
	}
	waiting := f.waiting
	f.waiting = nil
	if f.timer != nil {
		f.timer.Stop()
	}
	l.mu.Unlock()
	release(waiting)
}

func release(waiting []waiter) {
	for _, w := range waiting {
		_ = w.ref.Post(func(x *engine.Exchange) { w.goOn(x, nil) })
	}
}

// handOver makes the next waiting client the leader, because the leader's client has gone.
func (l *flights) handOver(f *flight) {
	l.mu.Lock()
	if len(f.waiting) == 0 {
		l.mu.Unlock()
		l.land(f)
		return
	}
	w := f.waiting[0]
	f.waiting = f.waiting[1:]
	l.mu.Unlock()
	if w.ref.PostOr(func(x *engine.Exchange) { w.goOn(x, f) }, func() { l.handOver(f) }) != nil {
		l.land(f) // the server has been closed
	}
}

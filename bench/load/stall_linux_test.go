package load

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A server that stops from time to time keeps each client of a closed loop from
// asking meanwhile, so that few requests of many meet the stall. An open loop
// goes on asking, and shows it.
func TestOpenLoopShowsAStallThatAClosedLoopHides(t *testing.T) {
	const every, stall = time.Second, 100 * time.Millisecond
	var gate sync.RWMutex
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(every - stall):
			}
			gate.Lock()
			time.Sleep(stall)
			gate.Unlock()
		}
	}()
	defer func() {
		close(stop)
		<-stopped
	}()
	s := raw(t, func(c net.Conn, r *http.Request, _ int64) bool {
		gate.RLock()
		defer gate.RUnlock()
		return regular(c, r)
	})
	o := Options{Target: s.target(), Routes: get("/", hello), Connections: 8, Duration: 2 * every}
	closed := mustRun(t, o)
	o.Rate, o.Connections = 500, 100
	open := mustRun(t, o)
	if got := open.Percentile(99); got < stall/2 {
		t.Errorf("open loop: p99 %v does not show stalls of %v", got, stall)
	}
	if got := closed.Percentile(99); got >= stall/2 {
		t.Errorf("closed loop: p99 %v of %d requests; it was expected to hide stalls of %v", got, closed.Requests, stall)
	}
	if got := closed.Percentile(100); got < stall/2 {
		t.Errorf("closed loop: max %v, one request of each client met a stall of %v", got, stall)
	}
}

// A server that stops shortly before the end of a closed loop answers after it.
// These requests do not count for the rate, and their latency does.
func TestStallAtTheEndIsNotForgotten(t *testing.T) {
	const stall = 500 * time.Millisecond
	var stopped sync.Once
	var gate sync.RWMutex
	s := raw(t, func(c net.Conn, r *http.Request, n int64) bool {
		if n > 200 {
			stopped.Do(func() {
				gate.Lock()
				time.AfterFunc(stall, gate.Unlock)
			})
		}
		gate.RLock()
		defer gate.RUnlock()
		return regular(c, r)
	})
	got := mustRun(t, Options{Target: s.target(), Routes: get("/", hello), Connections: 8, Duration: stall / 2})
	if got.Requests == 0 || got.Late == 0 || got.Late > 8 || len(got.Errors) > 0 {
		t.Errorf("%d in time and %d late, %v", got.Requests, got.Late, got.Errors)
	}
	if slowest := got.Percentile(100); slowest < stall/2 {
		t.Errorf("max %v does not show a stall of %v", slowest, stall)
	}
}

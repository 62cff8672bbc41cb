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
	const every, stall = 400 * time.Millisecond, 100 * time.Millisecond
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
	o := Options{Target: s.target(), Routes: get("/", hello), Connections: 8, Duration: 3 * every}
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

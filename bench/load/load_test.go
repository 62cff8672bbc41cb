package load

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const largeSize = 64 << 10

// serve answers GET with hello, GET /large with largeSize bytes, and POST when
// the whole body has come. It counts requests and new connections.
func serve(t *testing.T) (addr string, requests, conns *atomic.Int64) {
	t.Helper()
	requests, conns = new(atomic.Int64), new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		switch {
		case r.URL.Path == "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", largeSize))
		case r.Method == http.MethodPost:
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				panic(err)
			}
			fmt.Fprint(w, n)
		default:
			fmt.Fprint(w, "hello")
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), requests, conns
}

func TestClosingOpensAConnectionForEachRequest(t *testing.T) {
	addr, requests, conns := serve(t)
	r := Closing(addr, 4, 100*time.Millisecond, false)
	if r.Errors != 0 || r.Requests == 0 || int64(r.Requests) != requests.Load() || conns.Load() != requests.Load() {
		t.Errorf("%+v; the server saw %d requests on %d connections", r, requests.Load(), conns.Load())
	}
	if r.P99 <= 0 || r.Rate() <= 0 {
		t.Errorf("%+v has no p99 or no rate", r)
	}
}

func TestCountAsksExactly(t *testing.T) {
	addr, requests, _ := serve(t)
	if r := Count(addr, 3, 50); r.Requests != 50 || r.Errors != 0 || requests.Load() != 50 {
		t.Errorf("%+v; the server saw %d requests, want 50", r, requests.Load())
	}
}

func TestErrorsAreCounted(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	if r := Count(s.Listener.Addr().String(), 2, 5); r.Errors != 5 || r.Requests != 0 {
		t.Errorf("%+v of a server that answers 404, want 5 errors", r)
	}
}

func TestIdleKeepsConnectionsOpen(t *testing.T) {
	addr, requests, conns := serve(t)
	idle := OpenIdle(addr, 100)
	defer idle.Close()
	if idle.Answered() != 100 || idle.AskAgain() != 100 {
		t.Errorf("%d connections were answered, want 100, and all of them again", idle.Answered())
	}
	if requests.Load() != 200 || conns.Load() != 100 {
		t.Errorf("the server saw %d requests on %d connections, want 200 on 100", requests.Load(), conns.Load())
	}
}

func TestSlowClientsFinishWhole(t *testing.T) {
	addr, _, _ := serve(t)
	for name, s := range map[string]*Slow{
		"readers":   SlowReaders(addr, "/large", largeSize, 5),
		"uploaders": SlowUploaders(addr, largeSize, 5),
	} {
		for deadline := time.Now().Add(10 * time.Second); s.Started() < 5 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if whole := s.Finish(); whole != 5 {
			t.Errorf("%s: %d of 5 exchanges were whole", name, whole)
		}
	}
	short := SlowReaders(addr, "/", largeSize, 1)
	if whole := short.Finish(); whole != 0 {
		t.Error("a body of another length was taken for whole")
	}
}

package load

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// Each of these servers does one thing wrong for one request in a hundred, and
// the load must say so as often.
func TestBrokenServersAreReported(t *testing.T) {
	says := func(s string, keep bool) answerFunc {
		return func(c net.Conn, _ *http.Request, _ int64) bool {
			_, err := fmt.Fprint(c, s)
			return err == nil && keep
		}
	}
	drops := says("", false)
	silent := func(c net.Conn, _ *http.Request, _ int64) bool {
		_, _ = io.Copy(io.Discard, c) // until the client gives up
		return false
	}
	tests := []struct {
		name string
		give answerFunc
		want string
		per  int // requests on a connection
		// again says that the request is sent again, and answered right then.
		again   bool
		timeout time.Duration
	}{
		{"wrong_body_of_the_same_length", says(text([]byte("hallo")), true), KindBody, 0, false, 0},
		{"too_long", says(text([]byte("hello!")), true), KindLength, 0, false, 0},
		{"too_short", says(text([]byte("hell")), true), KindLength, 0, false, 0},
		{"other_status", says("HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nhello", true), KindStatus, 0, false, 0},
		{"drops", drops, KindNoAnswer, 1, false, 0},
		{"drops_kept_connections", drops, KindUnannounced, 0, true, 0},
		{"never_answers", silent, KindTimeout, 0, false, time.Second},
		{"closes_in_the_head", says("HTTP/1.1 200 OK\r\nContent-", false), KindClosedEarly, 0, false, 0},
		{"closes_in_the_body", says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", false), KindClosedEarly, 0, false, 0},
		{"closes_in_a_chunk", says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", false), KindClosedEarly, 0, false, 0},
		{"closes_too_early_without_length", says("HTTP/1.1 200 OK\r\n\r\nhel", false), KindLength, 0, false, 0},
		{"garbage", says("\x16\x03\x01 what is this?\r\n\r\n", true), KindMalformed, 0, false, 0},
		{"something_behind", says(text(hello)+"more", true), KindExtra, 0, false, 0},
		{"something_behind_the_last", says(text(hello)+"more", true), KindExtra, 1, false, 0},
		{"something_behind_what_ends", says(text(hello, "Connection: close")+"more", false), KindExtra, 0, false, 0},
	}
	for _, tt := range tests {
		for loop, rate := range map[string]float64{"open": 5000, "closed": 0} {
			t.Run(tt.name+"/"+loop, func(t *testing.T) {
				t.Parallel() // some wait for time to pass
				var broken atomic.Int64
				s := raw(t, func(c net.Conn, r *http.Request, n int64) bool {
					if n%100 == 50 {
						broken.Add(1)
						return tt.give(c, r, n)
					}
					return regular(c, r)
				})
				r, err := Run(t.Context(), Options{
					Target: s.target(), Routes: get("/", hello), Connections: 16, PerConnection: tt.per,
					Rate: rate, Duration: 100 * time.Millisecond, Timeout: tt.timeout,
				})
				if err != nil {
					t.Fatal(err)
				}
				got := r.Errors[tt.want]
				lost := r.Failed()
				switch {
				case tt.again: // but the first request of a connection that is dropped is lost
					got += r.Errors[KindNoAnswer]
					lost = r.Errors[KindNoAnswer]
				case tt.timeout > 0: // it can meet the first request of a client
					got += r.Errors[KindNoAnswer]
				}
				if got != broken.Load() && tt.timeout == 0 || got < broken.Load() || r.Failed() != got {
					t.Errorf("%v, want %q %d times", r.Errors, tt.want, broken.Load())
				}
				if r.Requests+r.Late == 0 || rate > 0 && r.Requests != 500-lost {
					t.Errorf("%d right answers and %v", r.Requests, r.Errors)
				}
			})
		}
	}
}

// A server that closes behind each answer without a word is asked again on
// another connection, and no request is lost. Whether a close comes before or
// under the next request is a race, so the count of errors is not known.
func TestServerThatClosesUnannounced(t *testing.T) {
	for loop, rate := range map[string]float64{"open": 5000, "closed": 0} {
		t.Run(loop, func(t *testing.T) {
			s := raw(t, func(c net.Conn, r *http.Request, _ int64) bool {
				regular(c, r)
				return false
			})
			r, err := Run(t.Context(), Options{
				Target: s.target(), Routes: get("/", hello), Connections: 4, Rate: rate, Duration: 200 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Failed() != r.Errors[KindUnannounced] || r.Requests+r.Late == 0 || rate > 0 && r.Requests != 1000 {
				t.Errorf("%d right, %v", r.Requests, r.Errors)
			}
			if r.Served != 4 && rate == 0 || r.Connects < r.Requests {
				t.Errorf("%d clients served on %d connections", r.Served, r.Connects)
			}
		})
	}
}

// Whatever a server does, and in whichever order, each request that is due has one
// outcome.
func TestEveryRequestHasOneOutcome(t *testing.T) {
	behaviours := []string{
		text(hello), text(hello), text(hello), text(hello, "Connection: close"), text([]byte("hallo")), "", "HTTP/1.1 2",
		"HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.1 200 OK\r\n\r\nhel", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "garbage\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n" + text(hello), "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	}
	random := rand.New(rand.NewPCG(1, 2))
	order := make([]int, 4096)
	for i := range order {
		order[i] = random.IntN(2 * len(behaviours))
	}
	for _, tt := range []struct {
		name          string
		rate          float64
		per, pipeline int
	}{
		{"open", 5000, 0, 0},
		{"open_one_each", 5000, 1, 0},
		{"open_mixed", 5000, 3, 0},
		{"closed", 0, 0, 0},
		{"closed_mixed", 0, 3, 0},
		{"closed_pipeline", 0, 0, 8},
		{"closed_pipeline_mixed", 0, 3, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := raw(t, func(c net.Conn, _ *http.Request, n int64) bool {
				do := order[n%int64(len(order))]
				_, err := io.WriteString(c, behaviours[do/2])
				return err == nil && do%2 == 0 && len(behaviours[do/2]) > 30 // closes, or goes on
			})
			r, err := Run(t.Context(), Options{
				Target: s.target(), Routes: get("/", hello), Connections: 8, Rate: tt.rate, PerConnection: tt.per,
				Pipeline: tt.pipeline, Duration: 100 * time.Millisecond, Tick: 50 * time.Millisecond, Timeout: 200 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			var ticked, failed int64
			for _, tick := range r.Ticks {
				ticked += tick.OK
				failed += tick.Errors
			}
			lost := r.Failed() - r.Errors[KindUnannounced] // which are asked again
			if tt.rate > 0 && r.Requests+lost != 500 {
				t.Errorf("%d right and %d wrong, %v: want 500 in all", r.Requests, lost, r.Errors)
			}
			if r.Requests+r.Late == 0 || r.Served == 0 || ticked != r.Requests+r.Late || failed != r.Failed() || r.Routes[""].Errors != failed {
				t.Errorf("%d right and %d late, %d of them in ticks, %d wrong in ticks, %d clients served, %v", r.Requests, r.Late, ticked, failed, r.Served, r.Errors)
			}
		})
	}
}

// An answer before the request is there is not the answer to it.
func TestEarlyAnswerIsReported(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, 100)); err == nil {
			_, _ = io.WriteString(c, text(hello))
			time.Sleep(50 * time.Millisecond) // closing at once would reset the connection
		}
	})
	upload := Request{Method: http.MethodPost, Path: "/", Body: make([]byte, 64<<20), Want: hello}
	r, err := Run(t.Context(), Options{
		Target: Target{Network: "tcp", Address: addr}, Routes: []Route{{Request: upload}}, Connections: 1, Duration: short,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 0 || r.Errors[KindEarly] == 0 || len(r.Errors) != 1 {
		t.Errorf("%d right, %v, want none and early answers", r.Requests, r.Errors)
	}
}

// A server that has room for some kept connections only, as uWSGI has with
// --http11-socket, leaves the other clients waiting in its backlog.
func TestClientsThatAreNeverServedShowUp(t *testing.T) {
	room := make(chan struct{}, 3)
	s := raw(t, func(c net.Conn, r *http.Request, _ int64) bool { return regular(c, r) })
	inner := s.addr
	addr := listen(t, func(c net.Conn) {
		if _, err := c.Read(nil); err != nil {
			return
		}
		room <- struct{}{}
		defer func() { <-room }()
		to, err := net.Dial("tcp", inner)
		if err != nil {
			return
		}
		defer to.Close()
		go func() {
			_, _ = io.Copy(to, c)
			to.Close()
		}()
		_, _ = io.Copy(c, to)
	})
	r, err := Run(t.Context(), Options{Target: Target{Network: "tcp", Address: addr}, Routes: get("/", hello), Connections: 8, Duration: short})
	if err != nil {
		t.Fatal(err)
	}
	if r.Served != 3 || r.Errors[KindNoAnswer] != 5 || r.Failed() != 5 {
		t.Errorf("%d clients served, %v, want 3 and 5 without an answer", r.Served, r.Errors)
	}
}

// While the server cannot be reached, clients do not spin.
func TestServerThatGoesAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c, err := l.Accept()
		if err == nil {
			c.Close()
		}
		l.Close()
	}()
	defer func() { <-closed }()
	for _, rate := range []float64{0, 100} {
		r, err := Run(t.Context(), Options{Target: Target{Network: "tcp", Address: l.Addr().String()}, Routes: get("/", hello), Connections: 2, Rate: rate, Duration: short})
		if rate > 0 {
			if err == nil {
				t.Error("a server that is not there was loaded")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Requests != 0 || r.Errors[KindConnect] == 0 || r.Errors[KindConnect] > 100 {
			t.Errorf("%d right, %v", r.Requests, r.Errors)
		}
	}
}

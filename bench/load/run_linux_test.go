package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// short is the duration of a load in a test that needs some hundred requests.
const short = 100 * time.Millisecond

func get(path string, want []byte) []Route {
	return []Route{{Request: Request{Path: path, Want: want}}}
}

// mustRun runs a load and fails the test if there was an error or no answer.
func mustRun(t *testing.T, o Options) Result {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed() != 0 || r.Requests+r.Late == 0 {
		t.Fatalf("%d right and %d late, %v", r.Requests, r.Late, r.Errors)
	}
	return r
}

func TestRunTakesWhatIsRight(t *testing.T) {
	upload := Request{Method: http.MethodPost, Path: "/", Body: make([]byte, 3<<20), Want: []byte("3145728")}
	tests := []struct {
		name string
		give Request
	}{
		{"hello", Request{Path: "/", Want: hello}},
		{"large", Request{Path: "/large", Want: large}},
		{"chunked", Request{Path: "/chunked", Want: hello}},
		{"until_close", Request{Path: "/rest", Want: hello}},
		{"http10", Request{Path: "/old", Want: hello}},
		{"no_content", Request{Path: "/empty", Status: http.StatusNoContent}},
		{"interim", Request{Path: "/interim", Want: hello}},
		{"head", Request{Method: http.MethodHead, Path: "/"}},
		{"upload", upload},
		{"empty_upload", Request{Method: http.MethodPost, Path: "/", Want: []byte("0")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			for _, rate := range []float64{0, 100} {
				r := mustRun(t, Options{Target: s.target(), Routes: []Route{{Request: tt.give}}, Connections: 4, Rate: rate, Duration: short})
				if got, want := r.BodyIn, r.Requests*int64(len(tt.give.Want)); got != want {
					t.Errorf("%d bytes of bodies came, want %d", got, want)
				}
				if got, want := r.BodyOut, r.Requests*int64(len(tt.give.Body)); got != want {
					t.Errorf("%d bytes of bodies went, want %d", got, want)
				}
			}
		})
	}
}

func TestConnectionsCarryWhatTheyShould(t *testing.T) {
	for _, tt := range []struct {
		name          string
		perConnection int
		pipeline      int
		threads       int
	}{
		{"kept_alive", 0, 0, 1},
		{"one_each", 1, 0, 1},
		{"mixed", 5, 0, 1},
		{"pipeline", 0, 8, 1},
		{"pipeline_mixed", 5, 8, 1},
		{"threads", 3, 0, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t)
			const clients = 4
			r := mustRun(t, Options{
				Target: s.target(), Routes: get("/", hello), Connections: clients, Duration: short,
				PerConnection: tt.perConnection, Pipeline: tt.pipeline, Threads: tt.threads,
			})
			least, most := int64(clients), int64(clients)
			if tt.perConnection > 0 {
				least = s.requests.Load() / int64(tt.perConnection)
				most = least + clients
			}
			if r.Connects < least || r.Connects > most || s.conns.Load() < least || s.conns.Load() > most {
				t.Errorf("%d connections made, the server saw %d with %d requests; want %d to %d",
					r.Connects, s.conns.Load(), s.requests.Load(), least, most)
			}
			if r.Served != clients {
				t.Errorf("%d of %d clients were served", r.Served, clients)
			}
			// At the end each client may be answered once more for each place in its pipeline.
			if late := s.requests.Load() - r.Requests; late != r.Late || late > int64(clients*max(1, tt.pipeline)) {
				t.Errorf("%d requests counted and %d late, the server saw %d", r.Requests, r.Late, s.requests.Load())
			}
			if r.Latency.TotalCount() != r.Requests+r.Late || r.Percentile(50) <= 0 || r.Rate() <= 0 || r.Elapsed < short {
				t.Errorf("%d latencies of %d requests and %d late, p50 %v, %g a second in %v",
					r.Latency.TotalCount(), r.Requests, r.Late, r.Percentile(50), r.Rate(), r.Elapsed)
			}
			if r.ClientCPU <= 0 {
				t.Error("the load took no processor time")
			}
		})
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stopped := answerAll(l)
	defer func() {
		l.Close()
		<-stopped
	}()
	for _, per := range []int{0, 1} {
		mustRun(t, Options{
			Target: Target{Network: "unix", Address: path}, Routes: get("/", hello), Connections: 8,
			Duration: short, PerConnection: per,
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "localhost:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("SKIP: nothing can listen on %s: %v", address, err)
			continue
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		stopped := answerAll(l)
		for _, per := range []int{0, 1} {
			mustRun(t, Options{
				Target: Target{Network: "tcp", Address: strings.TrimSuffix(address, "0") + port}, Routes: get("/", hello),
				Connections: 8, Duration: short / 2, PerConnection: per,
			})
		}
		l.Close()
		<-stopped
	}
}

func TestRoutesAreMixedByWeight(t *testing.T) {
	t.Parallel()
	s := serve(t)
	routes := []Route{
		{Request{Name: "often", Path: "/", Want: hello}, 95},
		{Request{Name: "rare", Path: "/chunked", Want: hello}, 4},
		{Request{Name: "rarest", Path: "/empty", Status: 204}, 1},
	}
	r := mustRun(t, Options{Target: s.target(), Routes: routes, Connections: 4, Rate: 2000, Duration: 550 * time.Millisecond})
	// 1,100 requests are one round of the order: the shares are exact.
	for name, want := range map[string]int64{"often": 1045, "rare": 44, "rarest": 11} {
		if got := r.Routes[name]; got.Requests != want || got.Latency.TotalCount() != want || got.Errors != 0 {
			t.Errorf("%s: %d requests with %d latencies and %d errors, want %d", name, got.Requests, got.Latency.TotalCount(), got.Errors, want)
		}
	}
	if r.Requests != 1100 || r.Latency.TotalCount() != 1100 {
		t.Errorf("%d requests in all, want 1100", r.Requests)
	}
}

func TestOrderDependsOnTheSeedAlone(t *testing.T) {
	routes := []Route{{Weight: 3}, {Weight: 1}, {Weight: 0}}
	a, b := newOrder(routes, 1), newOrder(routes, 1)
	if !slices.Equal(a, b) {
		t.Error("the same seed gave another order")
	}
	if slices.Equal(a, newOrder(routes, 2)) {
		t.Error("another seed gave the same order")
	}
	counts := map[uint16]int{}
	for _, i := range a {
		counts[i]++
	}
	if want := map[uint16]int{0: len(a) * 3 / 4, 1: len(a) / 4}; !maps.Equal(counts, want) {
		t.Errorf("%v, want %v", counts, want)
	}
}

func TestOpenLoopAsksForWhatIsDue(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, threads := range []int{1, 2} {
		r := mustRun(t, Options{
			Target: s.target(), Routes: get("/", hello), Connections: 16, Rate: 1000,
			Duration: 500 * time.Millisecond, Tick: 100 * time.Millisecond, Threads: threads,
		})
		if r.Requests != 500 {
			t.Errorf("%d requests, want 500", r.Requests)
		}
		if len(r.Ticks) != 5 {
			t.Fatalf("%d ticks, want 5", len(r.Ticks))
		}
		for i, tick := range r.Ticks {
			if tick.At != time.Duration(i)*100*time.Millisecond || tick.OK != 100 || tick.Errors != 0 || tick.P50 <= 0 || tick.Max < tick.P50/2 {
				t.Errorf("tick %d: %+v, want 100 right answers", i, tick)
			}
		}
	}
}

// Each answer takes 20 ms and there are two connections: of 400 requests a second
// 100 can be answered, and the others wait for their turn.
func TestOpenLoopCountsTheWaitForAConnection(t *testing.T) {
	t.Parallel()
	s := raw(t, func(c net.Conn, r *http.Request, _ int64) bool {
		time.Sleep(20 * time.Millisecond)
		return regular(c, r)
	})
	r := mustRun(t, Options{Target: s.target(), Routes: get("/", hello), Connections: 2, Rate: 400, Duration: 200 * time.Millisecond})
	if r.Requests != 80 || r.Connects != 2 {
		t.Errorf("%d answers on %d connections, want 80 on 2", r.Requests, r.Connects)
	}
	// The last was due at 200 ms and answered at 40 × 20 ms.
	if got := r.Percentile(100); got < 500*time.Millisecond {
		t.Errorf("the last request is said to have taken %v, it waited more than half a second", got)
	}
	if r.Elapsed < 700*time.Millisecond {
		t.Errorf("elapsed: %v, the last answer came later", r.Elapsed)
	}
}

func TestOpenLoopGivesUpWhatNobodyTakes(t *testing.T) {
	t.Parallel()
	s := raw(t, func(c net.Conn, _ *http.Request, _ int64) bool {
		_, _ = io.Copy(io.Discard, c) // until the client has gone
		return false
	})
	r, err := Run(t.Context(), Options{
		Target: s.target(), Routes: get("/", hello), Connections: 2, Rate: 50,
		Duration: 300 * time.Millisecond, Timeout: 200 * time.Millisecond, Tick: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 0 || r.Errors[KindTimeout] != 15 || r.Failed() != 15 || r.Latency.TotalCount() != 15 || r.Latency.Min() < 199_000 {
		t.Errorf("%d right, %v, the shortest wait %d µs; want 15 timeouts of 200 ms", r.Requests, r.Errors, r.Latency.Min())
	}
	for i, tick := range r.Ticks {
		if tick.OK != 0 || tick.Errors != 5 {
			t.Errorf("tick %d: %+v, want 5 errors", i, tick)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1000} {
		ctx, cancel := context.WithCancel(t.Context())
		s := raw(t, func(c net.Conn, r *http.Request, n int64) bool {
			if n == 50 {
				cancel()
			}
			return regular(c, r)
		})
		r, err := Run(ctx, Options{Target: s.target(), Routes: get("/", hello), Connections: 4, Rate: rate, Duration: time.Hour, Tick: time.Second})
		if !errors.Is(err, context.Canceled) || r.Requests < 40 || r.Elapsed > time.Minute || r.Failed() != 0 {
			t.Errorf("%v, %d requests in %v, %v", err, r.Requests, r.Elapsed, r.Errors)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	s := serve(t)
	good := func() Options {
		return Options{Target: s.target(), Routes: get("/", hello), Connections: 1, Duration: short}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		spy  func(*Options)
		want string
	}{
		{"no_connections", func(o *Options) { o.Connections = 0 }, "connections"},
		{"no_duration", func(o *Options) { o.Duration = 0 }, "duration"},
		{"rate_negative", func(o *Options) { o.Rate = -1 }, "rate"},
		{"rate_not_a_number", func(o *Options) { o.Rate = math.NaN() }, "rate"},
		{"timeout_too_long", func(o *Options) { o.Timeout = time.Hour }, "timeout"},
		{"ticks_too_many", func(o *Options) { o.Tick = time.Nanosecond }, "slices"},
		{"threads_too_many", func(o *Options) { o.Threads = 2 }, "threads"},
		{"pipeline_in_open_loop", func(o *Options) { o.Pipeline, o.Rate = 2, 1 }, "pipeline"},
		{"no_route", func(o *Options) { o.Routes = nil }, "route"},
		{"no_weight", func(o *Options) { o.Routes = append(o.Routes, o.Routes...) }, "weights"},
		{"network", func(o *Options) { o.Target.Network = "udp" }, "network"},
		{"no_address", func(o *Options) { o.Target.Address = "" }, "address"},
		{"path", func(o *Options) { o.Routes[0].Request.Path = "x" }, "path"},
		{"method", func(o *Options) { o.Routes[0].Request.Method = "G T" }, "method"},
		{"field", func(o *Options) { o.Routes[0].Request.Header = []Header{{"A", "b\r\nC: d"}} }, "field"},
		{"field_of_ours", func(o *Options) { o.Routes[0].Request.Header = []Header{{"host", "b"}} }, "host"},
		{"head_with_body", func(o *Options) { o.Routes[0].Request.Method = "HEAD" }, "HEAD"},
		{"nobody_there", func(o *Options) { o.Target.Address = "127.0.0.1:1" }, "is the server up?"},
		{"packet_too_large", func(o *Options) {
			o.Target.Protocol = UWSGI
			o.Routes[0].Request.Header = []Header{{"A", strings.Repeat("x", 70000)}}
		}, "65535"},
		{"descriptors", func(o *Options) { o.Connections = int(min(limit.Cur, maxClients)) }, "ulimit -n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good()
			tt.spy(&o)
			if tt.name == "descriptors" && limit.Cur >= maxClients {
				t.Skip("SKIP: more descriptors are allowed than connections")
			}
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want an error about %q", err, tt.want)
			}
		})
	}
}

// A loop allocates nothing for a request, or the collector would disturb what is
// measured. The server does not either, so that the two can be told apart.
func TestNoAllocationForEachRequest(t *testing.T) {
	l := startedLoop(t, Options{Target: fixed(t), Routes: get("/", hello), Connections: 4, Duration: time.Hour, Tick: time.Hour / maxTicks})
	for l.routes[0].requests < 100 { // everyone has connected
		if err := l.wait(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, func() {
		if err := l.wait(); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("%g allocations in each turn of the loop", n)
	}
	if len(l.errors) != 0 {
		t.Error(l.errors)
	}
}

// fixed is a server that answers everything that comes with hello, and allocates
// nothing.
func fixed(t testing.TB) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped := answerAll(l)
	t.Cleanup(func() {
		l.Close()
		<-stopped
	})
	return Target{Network: "tcp", Address: l.Addr().String()}
}

// answerAll answers on each connection to l. The channel is closed when l and all
// connections are.
func answerAll(l net.Listener) (stopped <-chan struct{}) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				in, out := make([]byte, 4096), []byte(text(hello))
				for {
					if _, err := c.Read(in); err != nil {
						return
					}
					if _, err := c.Write(out); err != nil {
						return
					}
				}
			})
		}
	})
	go func() {
		defer close(done)
		running.Wait()
	}()
	return done
}

// startedLoop is a closed loop whose turns the test makes.
func startedLoop(t testing.TB, o Options) *loop {
	t.Helper()
	o, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWire(o.Target, o.Routes[0].Request)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(o, []wire{w}, newOrder(o.Routes, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	l.begun = time.Now()
	for i := range l.clients {
		l.advance(&l.clients[i])
	}
	return l
}

// BenchmarkRun makes requests of 64 clients to a server in the same process. CPU
// is that of the load's thread alone.
func BenchmarkRun(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := startedLoop(b, Options{Target: fixed(b), Routes: get("/", hello), Connections: 64, Duration: time.Hour})
	before, err := threadCPU()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for l.routes[0].requests < int64(b.N) {
		if err := l.wait(); err != nil {
			b.Fatal(err)
		}
	}
	after, err := threadCPU()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((after-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func TestNumberedRequests(t *testing.T) {
	for _, tt := range []struct {
		name string
		give Options
	}{
		{"open", Options{Connections: 4, Rate: 500, Threads: 2}},
		{"closed", Options{Connections: 4}},
		{"pipeline", Options{Connections: 4, Pipeline: 8, PerConnection: 20}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			ran := map[string]int{}
			s := raw(t, func(c net.Conn, r *http.Request, _ int64) bool {
				mu.Lock()
				defer mu.Unlock()
				ran[r.URL.RawQuery]++
				answer := text([]byte("it is " + r.URL.RawQuery))
				if strings.HasSuffix(r.URL.RawQuery, "13") {
					answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
				}
				_, err := io.WriteString(c, answer)
				return err == nil
			})
			heard := map[int64]Outcome{}
			o := tt.give
			o.Target, o.Duration = s.target(), short
			o.Routes = []Route{{Request: Request{Name: "numbered", Path: "/?" + Number, Want: []byte("it is " + Number)}}}
			o.Heard = func(one Outcome) {
				mu.Lock()
				defer mu.Unlock()
				heard[one.Number] = one
			}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Requests < 13 || r.Errors[KindStatus] == 0 {
				t.Fatalf("%d right, %v", r.Requests, r.Errors)
			}
			mu.Lock()
			defer mu.Unlock()
			for number, one := range heard {
				kind, status := "", 200
				if number%100 == 13 {
					kind, status = KindStatus, 503
				}
				if one.Kind != kind || one.Status != status || one.Route != "numbered" || one.Took <= 0 {
					t.Errorf("heard %+v, want %q and %d", one, kind, status)
				}
				if n := ran[fmt.Sprintf("%010d", number)]; n != 1 && tt.give.Pipeline == 0 {
					t.Errorf("request %d ran %d times", number, n)
				}
			}
		})
	}
}

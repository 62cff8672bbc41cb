package workload

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

// What a workload names must exist: a column that names nothing stays empty, and
// a ratio to nobody is never shown.
func TestWorkloadsNameWhatExists(t *testing.T) {
	var servers []string
	for _, p := range peers.All() {
		servers = append(servers, p.Name)
	}
	names := map[string]bool{}
	for _, w := range All() {
		if names[w.Name] {
			t.Errorf("two workloads are named %s", w.Name)
		}
		names[w.Name] = true
		if w.Base != "" && !slices.Contains(servers, w.Base) {
			t.Errorf("%s: no server %q to make ratios to", w.Name, w.Base)
		}
		if w.About == "" || w.Title == "" || len(w.Routes) == 0 || w.Setup.Processes == 0 || w.Setup.Threads == 0 {
			t.Errorf("%s is not described", w.Name)
		}
		for _, name := range slices.Concat(w.Metrics, w.Chart) {
			if m := result.FindMetric(name); m.About == "" {
				t.Errorf("%s: no metric %q", w.Name, name)
			}
			if !slices.Contains(w.Metrics, name) {
				t.Errorf("%s: %s is drawn and is no column", w.Name, name)
			}
		}
		if took := w.Takes(time.Second); took < time.Second || took > time.Minute {
			t.Errorf("%s: a measurement of one second is said to take %v", w.Name, took)
		}
	}
}

// Each server is measured once a round, and each round begins with another.
func TestServersTakeTurns(t *testing.T) {
	var three []peers.Peer
	for _, name := range []string{"a", "b", "c"} {
		three = append(three, peers.Peer{Name: name, Runs: peers.Apps, Protocol: peers.HTTP, KeepAlive: name == "b", Shape: func(s peers.Setup) peers.Shape {
			return peers.Shape{Processes: s.Processes, Threads: s.Threads}
		}})
	}
	three = append(three, peers.Peer{Name: "raw", Runs: peers.Hello})
	var found result.Workload
	api := jsonAPI()
	turns := enter(&api, &found, Options{Peers: three, Rounds: 4})
	var order []string
	for _, turn := range turns {
		order = append(order, fmt.Sprintf("%d%s", turn.round, turn.peer.Name))
		if turn.entry.Peer != turn.peer.Name {
			t.Errorf("what %s gives would be noted for %s", turn.peer.Name, turn.entry.Peer)
		}
	}
	if got, want := strings.Join(order, " "), "1a 1b 1c 2b 2c 2a 3c 3a 3b 4a 4b 4c"; got != want {
		t.Errorf("turns: %s\nwant   %s", got, want)
	}
	if len(found.Absent) != 1 || found.Absent[0].Peer != "raw" || found.Absent[0].Reason == "" {
		t.Errorf("who runs no app is not said to be absent: %+v", found.Absent)
	}
	if found.Entries[0].Connection != "one per request" || found.Entries[1].Connection != "kept alive" {
		t.Errorf("connections: %+v", found.Entries)
	}
}

func TestClass(t *testing.T) {
	want := map[string]string{
		"uwsgo": "http", "uwsgi-http-socket": "http", "granian": "http",
		"uwsgo-socket": "uwsgi protocol", "uwsgi-socket": "uwsgi protocol",
		"nginx+uwsgo": "behind nginx", "nginx+uwsgo-http": "behind nginx", "nginx+granian": "behind nginx", "nginx+uwsgi": "behind nginx",
		"go-net-http": "baseline", "go-reactor": "baseline", "nginx-file": "baseline",
	}
	for _, p := range peers.All() {
		if w, ok := want[p.Name]; ok && class(p) != w {
			t.Errorf("%s is of the class %q, want %q", p.Name, class(p), w)
		}
	}
}

func latencies(ms ...int64) *hdrhistogram.Histogram {
	h := hdrhistogram.New(1, 120_000_000, 3)
	for _, v := range ms {
		_ = h.RecordValue(v * 1000)
	}
	return h
}

func TestSampleOf(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	s := sampleOf("case", load.Result{
		Requests: 100, Elapsed: 2 * time.Second, Served: 64, ClientCPU: 0.5, Latency: latencies(hundred...),
		Errors: map[string]int64{"status": 3, "timeout": 2},
		Routes: map[string]load.RouteResult{
			"/": {Latency: latencies(1, 1, 1)}, "/sleep": {Latency: latencies(50)},
		},
		Ticks: []load.Tick{{At: time.Second, OK: 7, Errors: 1, P50: time.Millisecond, Max: 9 * time.Millisecond}},
	})
	for metric, want := range map[string]float64{"rate": 50, "errors": 5, "served": 64, "client": 50, "p50": 50, "p99": 99, "max": 100, "fast_p99": 1} {
		if got := s.Values[metric]; got < want*0.99 || got > want*1.01 {
			t.Errorf("%s = %v, want %v", metric, got, want)
		}
	}
	if s.Asked != 105 {
		t.Errorf("%d requests, want 105", s.Asked)
	}
	last := s.Curve[len(s.Curve)-2:]
	if last[0].Percent != 99 || last[1].Percent != 100 {
		t.Errorf("of a hundred requests the curve tells %v", s.Curve)
	}
	if want := (result.Tick{At: 1, OK: 7, Errors: 1, P50: 1, Max: 9}); len(s.Ticks) != 1 || s.Ticks[0] != want {
		t.Errorf("ticks %+v, want %+v", s.Ticks, want)
	}
}

// A server that answered nothing has errors and no latencies.
func TestSampleOfNothing(t *testing.T) {
	s := sampleOf("", load.Result{Elapsed: time.Second, Latency: latencies(), Errors: map[string]int64{"no answer": 64}})
	if _, there := s.Values["p50"]; there || s.Values["rate"] != 0 || s.Values["errors"] != 64 || s.Curve != nil {
		t.Errorf("%+v", s)
	}
}

func TestDisturbedTime(t *testing.T) {
	tests := []struct {
		name string
		give []result.Tick
		want float64
	}{
		{"none", nil, 0},
		{"all_well", []result.Tick{{OK: 25, Max: 3}, {OK: 25, Max: 99}}, 0},
		{"slow", []result.Tick{{OK: 25, Max: 3}, {OK: 25, Max: 101}, {OK: 25, Max: 900}}, 100},
		{"errors", []result.Tick{{OK: 24, Errors: 1, Max: 3}}, 50},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := disturbedTime(tt.give); got != tt.want {
				t.Errorf("got %v ms, want %v", got, tt.want)
			}
		})
	}
}

func TestStalledShare(t *testing.T) {
	many := func(n int, ms ...int64) (all []int64) {
		for range n {
			all = append(all, ms...)
		}
		return all
	}
	tests := []struct {
		name     string
		ms       []int64
		from, to float64 // per cent
	}{
		{"nothing", nil, 0, 0},
		{"fast", many(1000, 1, 2), 0, 0},
		{"each_second_answer", many(8, 1, 44), 97, 98},
		{"first_answers_at_once", append(many(16, 1), many(9, 41)...), 95, 97},
		{"seldom_among_many", append(many(2000, 1), many(4, 44)...), 8, 9},
		{"twice_is_chance", append(many(300, 1), 44, 44), 0, 0},
		{"app_that_sleeps_for_50_ms", many(10, 51), 0, 0},
		{"app_that_computes_for_30_ms", many(10, 31), 0, 0},
		{"anything_from_20_to_70_ms", []int64{20, 26, 28, 30, 33, 36, 39, 42, 45, 48, 51, 54, 58, 60, 61, 66, 70}, 0, 0},
		{"stalls_twice_for_each_answer", many(10, 88), 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stalledShare(latencies(tt.ms...)); got < tt.from || got > tt.to {
				t.Errorf("%.1f %%, want %g to %g", got, tt.from, tt.to)
			}
		})
	}
}

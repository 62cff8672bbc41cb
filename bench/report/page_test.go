package report

import (
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/bench/result"
)

func values(v ...float64) map[int]float64 {
	m := map[int]float64{}
	for i, x := range v {
		m[i+1] = x
	}
	return m
}

func TestCompareKnowsZeros(t *testing.T) {
	less, more := result.Metric{Name: "lost"}, result.Metric{Name: "served", Higher: true}
	none, some, mixed := values(0, 0, 0, 0, 0), values(3, 4, 3, 5, 3), values(0, 1, 0, 2, 0)
	tests := []struct {
		name   string
		metric result.Metric
		a, b   map[int]float64
		want   result.Verdict
	}{
		{"both_none", less, none, none, result.NoDifference},
		{"none_is_better", less, none, some, result.Better},
		{"some_is_worse", less, some, none, result.Worse},
		{"none_is_worse_where_more_is_better", more, none, some, result.Worse},
		{"some_is_better_where_more_is_better", more, some, none, result.Better},
		{"now_and_then_is_unknown", less, mixed, none, result.Unknown},
		{"too_few_rounds", less, values(0, 0), values(3, 3), result.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := compare(tt.metric, tt.a, tt.b)
			if got.Verdict != tt.want {
				t.Errorf("got %+v, want %v", got, tt.want)
			}
			back := compare(tt.metric, tt.b, tt.a)
			if turned := invert(got); turned.Verdict != back.Verdict || turned.Value != back.Value && got.Verdict != result.Unknown {
				t.Errorf("turned round it is %+v, and computed %+v", turned, back)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name        string
		give        faults
		short, long string
	}{
		{"none", faults{asked: 10}, "", ""},
		{"one", faults{count: 1, kinds: map[string]int64{"status": 1}}, "1 error", "1 error: 1 status"},
		{"share", faults{1200, 100_000, map[string]int64{"timeout": 200, "status": 1000}}, "1.2 % errors", "1,200 errors in 100,000 requests (1.2 %): 1,000 status, 200 timeout"},
		{"few", faults{1, 100_000, nil}, "less than 0.01 % errors", "1 error in 100,000 requests (less than 0.01 %)"},
		{"nearly_all", faults{4988, 5000, nil}, "more than 99 % errors", "4,988 errors in 5,000 requests (more than 99 %)"},
		{"all", faults{5000, 5000, nil}, "100 % errors", "5,000 errors in 5,000 requests (100 %)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.give.short(); got != tt.short {
				t.Errorf("short: got %q, want %q", got, tt.short)
			}
			if got := tt.give.long(); got != tt.long {
				t.Errorf("long: got %q, want %q", got, tt.long)
			}
		})
	}
}

// server makes an entry with five rounds of one metric.
func server(peer, shape, metric string, v ...float64) result.Entry {
	e := result.Entry{Peer: peer, Shape: shape}
	for i, x := range v {
		e.Samples = append(e.Samples, result.Sample{Round: i + 1, Values: map[string]float64{metric: x}})
	}
	return e
}

func runOf(entries ...result.Entry) *result.Run {
	return &result.Run{Format: result.Format, Complete: true, Settings: result.Settings{Rounds: 5}, Workloads: []result.Workload{
		{Name: "hello", Title: "Hello", Base: "uwsgi", Cases: []string{""}, Metrics: []string{"rate"}, Entries: entries},
	}}
}

func TestServersAreComparedInTheSameShape(t *testing.T) {
	run := runOf(
		server("uwsgo", "2 × 1", "rate", 20, 20, 20, 20, 20), server("uwsgo", "2 × 2", "rate", 40, 40, 40, 40, 40),
		server("uwsgi", "2 × 1", "rate", 10, 10, 10, 10, 10), server("uwsgi", "2 × 2", "rate", 80, 80, 80, 80, 80),
	)
	p := pages(run)[0]
	for i, want := range []float64{2, 0.5} {
		r := p.tables[0].rows[i]
		if got := r.cells[0].ratio.Value; got != want {
			t.Errorf("%s: ratio %g, want %g", r.label, got, want)
		}
	}
	s := stand(pages(run))
	if s.with != 2 || s.ahead != 1 || len(s.losses) != 1 || s.losses[0].rival != "uwsgi, 2 × 2" {
		t.Errorf("got %+v", s)
	}
}

func TestTheBaseHasTheSameShapeBeforeTheSameConnections(t *testing.T) {
	with := func(e result.Entry, connection string) result.Entry {
		e.Connection = connection
		return e
	}
	p := pages(runOf(
		with(server("uwsgi", "2 × 1", "rate", 10, 10, 10, 10, 10), "kept alive"), with(server("uwsgi", "2 × 2", "rate", 80, 80, 80, 80, 80), "kept alive"),
		with(server("other", "2 × 2", "rate", 40, 40, 40, 40, 40), "one per request"), with(server("third", "1 × 1", "rate", 5, 5, 5, 5, 5), "kept alive"),
	))[0]
	for i, want := range map[int]float64{2: 0.5, 3: 0.5} {
		if got := p.tables[0].rows[i].cells[0].ratio.Value; got != want {
			t.Errorf("%s: ratio %g, want %g", p.tables[0].rows[i].label, got, want)
		}
	}
}

func TestStanding(t *testing.T) {
	mine := server("uwsgo", "", "rate", 20, 21, 20, 21, 20)
	tests := []struct {
		name string
		give *result.Run
		want string
	}{
		{"behind_in_one", runOf(mine, server("a", "", "rate", 40, 42, 41, 42, 40), server("b", "", "rate", 10, 10, 10, 10, 10)), "Of 2 comparisons it is ahead in 1, behind in 1; in 0 there is no difference."},
		{"behind_in_none", runOf(mine, server("b", "", "rate", 10, 10, 10, 10, 10)), "which does not mean that there is none"},
		{"one_round", runOf(server("uwsgo", "", "rate", 20), server("b", "", "rate", 10)), "Nothing can be concluded from this run"},
		{"alone", runOf(mine), "Nothing was measured that uwsgo could be compared in."},
		{"without_uwsgo", runOf(server("b", "", "rate", 10)), "Nothing was measured that uwsgo could be compared in."},
		{"nothing", &result.Run{}, "Nothing was measured that uwsgo could be compared in."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := stand(pages(tt.give)).sums(); !strings.Contains(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Behind nginx, a server is not to be compared with one that has no proxy, and
// none with a baseline that runs no Python.
func TestOnlyServersOfAClassCompare(t *testing.T) {
	run := runOf(
		server("nginx+uwsgo", "", "rate", 20, 20, 20, 20, 20), server("nginx+uwsgi", "", "rate", 30, 30, 30, 30, 30), server("bjoern", "", "rate", 90, 90, 90, 90, 90),
	)
	for i, class := range []string{"behind nginx", "behind nginx", "http"} {
		run.Workloads[0].Entries[i].Class = class
	}
	s := stand(pages(run))
	if s.with != 1 || len(s.losses) != 1 || s.losses[0].rival != "nginx+uwsgi" || s.losses[0].ratio.Value != 1.5 {
		t.Errorf("got %+v", s)
	}
}

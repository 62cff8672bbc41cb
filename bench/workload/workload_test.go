package workload

import (
	"slices"
	"testing"

	"github.com/uwsgo/uwsgo/bench/peers"
)

// What a workload names must exist: a goal that names nothing is never missed.
func TestWorkloadsNameWhatExists(t *testing.T) {
	known := map[string]bool{}
	for _, p := range peers.All() {
		if known[p.Name] {
			t.Errorf("two peers are named %s", p.Name)
		}
		known[p.Name] = true
	}
	names := map[string]bool{}
	for _, w := range All() {
		if names[w.Name] {
			t.Errorf("two workloads are named %s", w.Name)
		}
		names[w.Name] = true
		var labels, metrics []string
		for _, e := range w.Entrants {
			if !known[e.Peer] {
				t.Errorf("%s: no peer %q", w.Name, e.Peer)
			}
			labels = append(labels, e.Label())
		}
		for _, m := range w.Metrics {
			metrics = append(metrics, m.Name)
		}
		for _, g := range w.Goals {
			if !slices.Contains(labels, g.Of) || g.Against != "" && !slices.Contains(labels, g.Against) || !slices.Contains(metrics, g.Metric) {
				t.Errorf("%s: goal %+v names none of %q, %q", w.Name, g, labels, metrics)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	tests := []struct {
		name string
		give []float64
		want float64
	}{
		{"none", nil, 0},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 2, 100}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var row Row
			for _, v := range tt.give {
				row.Samples = append(row.Samples, Sample{"x": v})
			}
			if got := row.Median("x"); got != tt.want {
				t.Errorf("median of %v = %v, want %v", tt.give, got, tt.want)
			}
		})
	}
}

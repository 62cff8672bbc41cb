package report

import (
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/workload"
)

func outcome() workload.Outcome {
	shape := peers.Setup{App: "hello.py", Processes: 2, Threads: 1}
	row := func(name string, cpu ...float64) workload.Row {
		r := workload.Row{Entrant: workload.Entrant{Peer: name, Setup: shape}, Version: name + " 1.0", Command: []string{name, "--go"}}
		for _, v := range cpu {
			r.Samples = append(r.Samples, workload.Sample{"cpu": v})
		}
		return r
	}
	return workload.Outcome{
		Workload: workload.Workload{
			Name:    "hello",
			About:   "Hello world.",
			Metrics: []workload.Metric{{Name: "cpu", Unit: "µs/req"}},
		},
		Rows:    []workload.Row{row("fast", 19, 21, 500), row("slow", 40, 44)},
		Skipped: []string{"absent 2×1: needs something"},
	}
}

func TestVerdict(t *testing.T) {
	tests := []struct {
		name string
		give workload.Goal
		want string
	}{
		{"met", workload.Goal{Metric: "cpu", Of: "fast 2×1", Against: "slow 2×1", Max: 0.85}, "cpu of fast 2×1 ÷ slow 2×1 = 0.50 (at most 0.85): met"},
		{"missed", workload.Goal{Metric: "cpu", Of: "slow 2×1", Max: 41}, "cpu of slow 2×1 = 42.00 (at most 41): **missed**"},
		{"absent", workload.Goal{Metric: "cpu", Of: "fast 2×1", Against: "absent 2×1", Max: 1}, "cpu of fast 2×1 ÷ absent 2×1: not measured"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Verdict(outcome(), tt.give); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestMarkdownHoldsMediansAndHowTheyWereMade(t *testing.T) {
	var b strings.Builder
	run := Run{Command: []string{"uwsgo-bench", "-prototype", "/somewhere/proto", "hello"}, Rounds: 3, Duration: 3 * time.Second, Date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	if err := Markdown(&b, run, []workload.Outcome{outcome()}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2026-01-02", "    uwsgo-bench -prototype proto hello\n", "medians of 3 rounds", "- fast 1.0\n",
		"| server | cpu µs/req |\n", "| fast 2×1 | 21 |\n", "| slow 2×1 | 42 |\n",
		"Not measured: absent 2×1: needs something.", "    fast --go\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

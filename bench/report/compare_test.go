package report

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/bench/result"
)

func TestCompareGolden(t *testing.T) {
	older, newer := smallRun(), smallRun()
	newer.Machine.Kernel, newer.Peers[0].Version = "Linux 7.0.1", "0.2.0"
	scale := func(e *result.Entry, metric string, by float64) {
		for _, s := range e.Samples {
			s.Values[metric] *= by
		}
	}
	hello := &newer.Workloads[0]
	scale(&hello.Entries[0], "rate", 0.8)
	scale(&hello.Entries[0], "p99", 0.5)
	scale(&hello.Entries[1], "cpu", 1.02)
	hello.Entries[1].Samples[2].Errors = map[string]int64{"status": 3000}
	hello.Entries = append(hello.Entries[:3:3], hello.Entries[4])
	newer.Peers = append(newer.Peers, result.Peer{Name: "bjoern", Absent: "pip cannot build it"})
	var b bytes.Buffer
	if n, err := Compare(&b, older, newer, 0.1, ""); n != 3 || err != nil {
		t.Errorf("%d regressions, want 3: %v", n, err)
	}
	golden(t, "compare.txt", b.Bytes())
}

func TestCompareRegressions(t *testing.T) {
	base := func(v ...float64) result.Entry { return server("uwsgi", "", "rate", v...) }
	mine := func(v ...float64) result.Entry { return server("uwsgo", "", "rate", v...) }
	even := base(10, 10, 10, 10, 10)
	failed := mine(20, 20, 20, 20, 20)
	failed.Failed = "it died"
	renamed := runOf(even, mine(20, 20, 20, 20, 20))
	renamed.Workloads[0].Name = "other"
	twice := runOf(even, mine(20, 20, 20, 20, 20))
	twice.Workloads = append(twice.Workloads, renamed.Workloads[0])
	tests := []struct {
		name         string
		older, newer *result.Run
		base         string
		want         int
		says         string
	}{
		{"same", runOf(even, mine(20, 21, 20, 21, 20)), runOf(even, mine(20, 21, 20, 21, 20)), "", 0, "No regression."},
		{"worse", runOf(even, mine(20, 21, 20, 21, 20)), runOf(even, mine(10, 11, 10, 11, 10)), "", 1, "1 regression."},
		{"better", runOf(even, mine(10, 11, 10, 11, 10)), runOf(even, mine(20, 21, 20, 21, 20)), "", 0, "1 better"},
		{"within_the_threshold", runOf(even, mine(100, 100, 100, 100, 100)), runOf(even, mine(95, 95, 95, 95, 95)), "", 0, "1 changed by less"},
		{"noise", runOf(even, mine(20, 10, 30, 20, 15)), runOf(even, mine(10, 25, 12, 15, 20)), "", 0, "2 without a difference"},
		{"machine_twice_as_slow", runOf(even, mine(20, 21, 20, 21, 20)), runOf(base(5, 5, 5, 5, 5), mine(10, 10.5, 10, 10.5, 10)), "", 2, "2 regressions."},
		{"machine_twice_as_slow_with_base", runOf(even, mine(20, 21, 20, 21, 20)), runOf(base(5, 5, 5, 5, 5), mine(10, 10.5, 10, 10.5, 10)), "uwsgi", 0, "Compared are ratios to uwsgi"},
		{"worse_with_base", runOf(even, mine(20, 21, 20, 21, 20)), runOf(base(20, 20, 20, 20, 20), mine(20, 21, 20, 21, 20)), "uwsgi", 1, "throughput ÷ uwsgi"},
		{"more_errors", runOf(bad(mine(20, 21, 20, 21, 20), 1)), runOf(bad(mine(20, 21, 20, 21, 20), 90_000)), "", 1, "more errors: 450,000 errors in 500,000 requests (90 %): 450,000 no answer; before: 5"},
		{"errors_within_bounds", runOf(bad(mine(20, 21, 20, 21, 20), 0)), runOf(bad(mine(20, 21, 20, 21, 20), 99)), "", 0, "errors appeared, in too few answers to count"},
		{"clients_left_out", runOf(bad(mine(20, 21, 20, 21, 20), 60)), runOf(bad(mine(20, 21, 20, 21, 20), 60, "only 4 of 64 clients were served")), "", 1, "more errors: 4 of 64 clients served"},
		{"faster_with_errors", runOf(bad(mine(20, 21, 20, 21, 20), 0), even), runOf(bad(mine(90, 91, 90, 91, 90), 50_000), even), "", 1, "0 better"},
		{"slower_with_the_same_errors", runOf(bad(mine(20, 21, 20, 21, 20), 500)), runOf(bad(mine(10, 11, 10, 11, 10), 500)), "", 1, "1 worse"},
		{"zeros_before", runOf(mine(0, 1, 0, 0, 2)), runOf(mine(9, 9, 9, 9, 9)), "", 0, "1 better"},
		{"zeros_now", runOf(mine(9, 9, 9, 9, 9)), runOf(mine(0, 1, 0, 0, 2)), "", 1, "1 worse"},
		{"server_missing", runOf(even, mine(20, 20, 20, 20, 20)), runOf(even), "", 1, "hello: uwsgo: not measured any more"},
		{"server_without_samples", runOf(even, mine(20, 20, 20, 20, 20)), runOf(even, mine()), "", 1, "hello: uwsgo: not measured any more"},
		{"given_up", runOf(even, mine(20, 20, 20, 20, 20)), runOf(even, failed), "", 1, "given up: it died"},
		{"workload_missing", twice, renamed, "", 1, "hello: not measured any more"},
		{"new_server", runOf(even), runOf(even, mine(1, 1, 1, 1, 1)), "", 0, "No regression."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if got, err := Compare(&b, tt.older, tt.newer, 0.1, tt.base); got != tt.want || err != nil {
				t.Errorf("%d regressions, want %d: %v", got, tt.want, err)
			}
			if !strings.Contains(b.String(), tt.says) {
				t.Errorf("it does not say %q:\n%s", tt.says, b.String())
			}
		})
	}
}

func TestCompareRemarksOnConditions(t *testing.T) {
	older, newer := smallRun(), smallRun()
	newer.Machine.CPU, newer.Machine.Cores, newer.Settings.Logging, newer.Settings.Rounds, newer.Complete = "other", 64, true, 3, false
	var b strings.Builder
	if _, err := Compare(&b, older, newer, 0.1, ""); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"processors differ: AMD EPYC, now other", "numbers of processors differ: 2, now 64", "request logging differ: false, now true",
		"the newer run has too few rounds: 3, and a conclusion needs 5", "the newer run was interrupted",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	five := runOf(server("uwsgo", "", "rate", 20, 21, 20, 21, 20), server("uwsgi", "", "rate", 10, 10, 10, 10, 10))
	renamed := runOf(server("uwsgo", "", "rate", 20, 21, 20, 21, 20))
	renamed.Workloads[0].Name = "other"
	tests := []struct {
		name         string
		older, newer *result.Run
		threshold    float64
		base         string
		want         string
	}{
		{"threshold_not_a_number", five, five, math.NaN(), "", "the threshold must be"},
		{"threshold_infinite", five, five, inf, "", "the threshold must be"},
		{"threshold_negative", five, five, -0.01, "", "the threshold must be"},
		{"base_misspelled", five, five, 0.1, "uwsgj", `the base "uwsgj" was not measured in the older run, which has uwsgo, uwsgi`},
		{"base_in_one_run_only", five, runOf(server("uwsgo", "", "rate", 20, 21, 20, 21, 20)), 0.1, "uwsgi", `the base "uwsgi" was not measured in the newer run, which has uwsgo`},
		{"too_few_rounds", runOf(server("uwsgo", "", "rate", 20, 20)), runOf(server("uwsgo", "", "rate", 1, 1)), 0.1, "", "nothing could be compared: both runs need 5 rounds"},
		{"only_the_base", runOf(server("uwsgi", "", "rate", 2, 2, 2, 2, 2)), runOf(server("uwsgi", "", "rate", 2, 2, 2, 2, 2)), 0.1, "uwsgi", "nothing could be compared"},
		{"two_empty_runs", &result.Run{}, &result.Run{}, 0.1, "", "nothing could be compared: the older run measured nothing"},
		{"empty_newer_run", five, &result.Run{}, 0.1, "", "nothing could be compared: the newer run measured nothing"},
		{"no_common_workload", five, renamed, 0.1, "", "nothing could be compared: the runs have no workload in common"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Compare(io.Discard, tt.older, tt.newer, tt.threshold, tt.base)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%d regressions and %v, want an error with %q", n, err, tt.want)
			}
		})
	}
}

package report

import (
	"bytes"
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
	hello.Entries[1].Samples[2].Errors = map[string]int64{"status": 3}
	hello.Entries = append(hello.Entries[:3:3], hello.Entries[4])
	newer.Peers = append(newer.Peers, result.Peer{Name: "bjoern", Absent: "pip cannot build it"})
	var b bytes.Buffer
	if n := Compare(&b, older, newer, 0.1, ""); n != 3 {
		t.Errorf("%d regressions, want 3", n)
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
		{"base_missing", runOf(even, mine(20, 21, 20, 21, 20)), runOf(even, mine(10, 11, 10, 11, 10)), "nobody", 0, "the base nobody was not measured in both runs"},
		{"server_missing", runOf(even, mine(20, 20, 20, 20, 20)), runOf(even), "", 1, "hello: uwsgo: not measured any more"},
		{"server_without_samples", runOf(even, mine(20, 20, 20, 20, 20)), runOf(even, mine()), "", 1, "hello: uwsgo: not measured any more"},
		{"given_up", runOf(even, mine(20, 20, 20, 20, 20)), runOf(even, failed), "", 1, "given up: it died"},
		{"workload_missing", runOf(even, mine(20, 20, 20, 20, 20)), renamed, "", 1, "hello: not measured any more"},
		{"too_few_rounds", runOf(mine(20, 20)), runOf(mine(10, 10)), "", 0, "Nothing could be compared"},
		{"new_server", runOf(even), runOf(even, mine(1, 1, 1, 1, 1)), "", 0, "No regression."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if got := Compare(&b, tt.older, tt.newer, 0.1, tt.base); got != tt.want {
				t.Errorf("%d regressions, want %d", got, tt.want)
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
	Compare(&b, older, newer, 0.1, "")
	for _, want := range []string{
		"processors differ: AMD EPYC, now other", "numbers of processors differ: 2, now 64", "request logging differ: false, now true",
		"the newer run has too few rounds: 3, and a conclusion needs 5", "the newer run was interrupted",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, b.String())
		}
	}
}

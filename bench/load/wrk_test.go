package load

import (
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseWrk(t *testing.T) {
	const head = `Running 3s test @ http://127.0.0.1:9090/
  1 threads and 64 connections
  168000 requests in 3.00s, 20.00MB read
`
	tests := []struct {
		name       string
		give       string
		wantOK     int64
		wantErrors map[string]int64
	}{
		{"all_good", head + "uwsgo-bench 3000000 168000 0 0 0 0 0\nuwsgo-bench-latency 1000 167999\nuwsgo-bench-latency 2000 1\n", 168000, map[string]int64{}},
		{
			"errors_are_not_requests", head + "uwsgo-bench 3000000 168000 1 2 3 4 1000\nuwsgo-bench-latency 2000 1\n", 167000,
			map[string]int64{KindConnect: 1, KindRead: 2, KindWrite: 3, KindTimeout: 4, KindStatus: 1000},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseWrk([]byte(tt.give))
			if err != nil {
				t.Fatal(err)
			}
			if got.Requests != tt.wantOK || got.Elapsed != 3*time.Second || got.Latency.Max() < 2000 {
				t.Errorf("%d requests in %v, slowest %d µs", got.Requests, got.Elapsed, got.Latency.Max())
			}
			if diff := cmp.Diff(tt.wantErrors, got.Errors); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := parseWrk([]byte("unable to connect")); err == nil {
		t.Error("output without totals was taken")
	}
}

func TestWrkRuns(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("SKIP: no wrk here: apt-get install wrk, or make testenv as root")
	}
	s := serve(t)
	var got Result
	// On a busy machine a second may be over before wrk has its first answer.
	for d := time.Second; got.Requests == 0 && d <= 16*time.Second; d *= 2 {
		var err error
		if got, err = Wrk(t.Context(), "http://"+s.addr+"/", 4, d); err != nil {
			t.Fatal(err)
		}
	}
	if got.Requests == 0 || got.Failed() != 0 || got.Latency.TotalCount() == 0 || got.Percentile(50) <= 0 {
		t.Errorf("%d right, %v, p50 %v", got.Requests, got.Errors, got.Percentile(50))
	}
}

package load

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseWrk(t *testing.T) {
	const head = `Running 3s test @ http://127.0.0.1:9090/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20ms  500.00us  21.00ms   90.00%
    Req/Sec    56.00k     2.00k   60.00k    70.00%
  Latency Distribution
     50%    1.10ms
     75%    1.30ms
     90%    1.60ms
     99%    2.25ms
  168000 requests in 3.00s, 20.00MB read
`
	tests := []struct {
		name string
		give string
		want Result
	}{
		{"all_good", head, Result{Requests: 168000, Elapsed: 3 * time.Second, P99: 2250 * time.Microsecond}},
		{
			"errors_are_not_requests",
			head + "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 1000\n",
			Result{Requests: 167000, Errors: 1010, Elapsed: 3 * time.Second, P99: 2250 * time.Microsecond},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseWrk([]byte(tt.give))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	if _, err := parseWrk([]byte("unable to connect")); err == nil {
		t.Error("output without totals was taken")
	}
}

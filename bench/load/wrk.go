// Package load asks servers for answers: as fast as it can through wrk, on a new
// connection for each request, or slowly on many connections at once.
package load

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// Result is what a generator saw.
type Result struct {
	Requests int           // answered with 200
	Errors   int           // answered otherwise, or not at all
	Elapsed  time.Duration // from the first connection to the last answer
	P99      time.Duration
}

// Rate is the answered requests a second.
func (r Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Requests) / r.Elapsed.Seconds()
}

var (
	wrkTotal  = regexp.MustCompile(`(\d+) requests in ([\d.]+)(us|ms|s|m),`)
	wrkP99    = regexp.MustCompile(`(?m)^\s+99%\s+([\d.]+)(us|ms|s|m)$`)
	wrkSocket = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// Wrk runs wrk with one thread on connections kept alive, for d (whole seconds,
// at least one).
func Wrk(ctx context.Context, url string, connections int, d time.Duration) (Result, error) {
	seconds := max(1, int(d.Seconds()))
	cmd := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(connections),
		"-d"+strconv.Itoa(seconds)+"s", "--latency", url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Result{}, fmt.Errorf("running wrk (apt-get install wrk): %w\n%s", err, out)
	}
	return parseWrk(out)
}

func parseWrk(out []byte) (Result, error) {
	total := wrkTotal.FindSubmatch(out)
	p99 := wrkP99.FindSubmatch(out)
	if total == nil || p99 == nil {
		return Result{}, fmt.Errorf("wrk printed no totals:\n%s", out)
	}
	var r Result
	var err error
	if r.Elapsed, err = wrkDuration(total[2], total[3]); err != nil {
		return Result{}, err
	}
	if r.P99, err = wrkDuration(p99[1], p99[2]); err != nil {
		return Result{}, err
	}
	sum := func(fields ...[]byte) (n int) {
		for _, field := range fields {
			v, _ := strconv.Atoi(string(field)) // digits, by the expressions above
			n += v
		}
		return n
	}
	all := sum(total[1])
	if m := wrkStatus.FindSubmatch(out); m != nil {
		r.Errors = sum(m[1])
		all -= r.Errors
	}
	if m := wrkSocket.FindSubmatch(out); m != nil {
		r.Errors += sum(m[1:]...)
	}
	r.Requests = all
	return r, nil
}

func wrkDuration(number, unit []byte) (time.Duration, error) {
	d, err := time.ParseDuration(string(bytes.Join([][]byte{number, unit}, nil)))
	if err != nil {
		return 0, fmt.Errorf("wrk printed a time that is none: %w", err)
	}
	return d, nil
}

package load

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// Kinds of errors that only wrk tells of: it does not know why.
const (
	KindRead  = "read"
	KindWrite = "write"
)

// wrkScript makes wrk print what its own report leaves out, after the run.
const wrkScript = `
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format("uwsgo-bench %d %d %d %d %d %d %d", summary.duration, summary.requests,
    e.connect, e.read, e.write, e.timeout, e.status))
  for i = 1, #latency do
    local value, count = latency(i)
    print(string.format("uwsgo-bench-latency %d %d", value, count))
  end
end
`

var (
	wrkTotals  = regexp.MustCompile(`(?m)^uwsgo-bench (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$`)
	wrkLatency = regexp.MustCompile(`(?m)^uwsgo-bench-latency (\d+) (\d+)$`)
)

// Wrk runs wrk with one thread on connections kept alive, for d (whole seconds, at least one).
// The result has Requests, Errors, Elapsed and Latency; wrk checks only the status, and accepts
// any below 400.
func Wrk(ctx context.Context, url string, connections int, d time.Duration) (Result, error) {
	script, err := os.CreateTemp("", "wrk-*.lua")
	if err != nil {
		return Result{}, fmt.Errorf("load: a script for wrk: %w", err)
	}
	defer os.RemoveAll(script.Name())
	_, err = script.WriteString(wrkScript)
	if closed := script.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return Result{}, fmt.Errorf("load: a script for wrk: %w", err)
	}
	seconds := max(1, int(d.Seconds()))
	cmd := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(connections),
		"-d"+strconv.Itoa(seconds)+"s", "-s", script.Name(), url)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Result{}, fmt.Errorf("load: running wrk (apt-get install wrk): %w\n%s", err, out)
	}
	return parseWrk(out)
}

func parseWrk(out []byte) (Result, error) {
	m := wrkTotals.FindSubmatch(out)
	if m == nil {
		return Result{}, fmt.Errorf("load: wrk printed no totals:\n%s", out)
	}
	var totals [7]int64
	for i := range totals {
		n, err := strconv.ParseInt(string(m[i+1]), 10, 64)
		if err != nil {
			return Result{}, fmt.Errorf("load: wrk printed a number that is none: %w", err)
		}
		totals[i] = n
	}
	r := Result{
		Elapsed: time.Duration(totals[0]) * time.Microsecond,
		Errors:  map[string]int64{},
		Latency: newHistogram(3),
	}
	for i, kind := range []string{KindConnect, KindRead, KindWrite, KindTimeout, KindStatus} {
		if n := totals[2+i]; n > 0 {
			r.Errors[kind] = n
		}
	}
	r.Requests = totals[1] - r.Errors[KindStatus]
	for line := range bytes.Lines(out) {
		m := wrkLatency.FindSubmatch(bytes.TrimSpace(line))
		if m == nil {
			continue
		}
		value, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return Result{}, fmt.Errorf("load: wrk printed a number that is none: %w", err)
		}
		count, err := strconv.ParseInt(string(m[2]), 10, 64)
		if err != nil {
			return Result{}, fmt.Errorf("load: wrk printed a number that is none: %w", err)
		}
		_ = r.Latency.RecordValues(min(max(1, value), MaxTimeout.Microseconds()), count) // within its range
	}
	return r, nil
}

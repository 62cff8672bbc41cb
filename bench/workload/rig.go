package workload

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

// Rig is one running server with its requests.
type Rig struct {
	Server   *peers.Server
	Peer     peers.Peer
	Routes   []load.Route  // with the wanted answers
	Duration time.Duration // of what runs for a time
	WarmUp   time.Duration
	Threads  int      // of the load generator
	Closes   bool     // as the workload says, and so
	Cases    []string // are these
	Round    int      // from 1
}

// patience is how long an answer may take. Work that takes seconds is not asked.
const patience = 3 * time.Second

// Target is where and how the server is asked.
func (r *Rig) Target() load.Target {
	t := load.Target{Network: "tcp", Address: r.Server.Addr}
	if r.Peer.Protocol == peers.UWSGI {
		t.Protocol = load.UWSGI
	}
	return t
}

// Options completes o for this server. A server that closes after each answer gets "Connection:
// close", or it would close unannounced.
func (r *Rig) Options(o load.Options) load.Options {
	o.Target = r.Target()
	o.Threads = r.Threads
	if r.Closes || !r.Peer.KeepAlive {
		o.PerConnection = 1
	}
	o.Threads = min(o.Threads, o.Connections)
	if o.Duration == 0 {
		o.Duration = r.Duration
	}
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	return o
}

// Measure runs o against the server, after a warm-up, and returns the result and the server's
// resource usage.
func (r *Rig) Measure(ctx context.Context, name string, o load.Options) (result.Sample, error) {
	o = r.Options(o)
	warm := o
	warm.Duration = r.WarmUp
	if _, err := load.Run(ctx, warm); err != nil {
		return result.Sample{}, err
	}
	stalled, err := r.lone(ctx, o)
	if err != nil {
		return result.Sample{}, err
	}
	s, err := r.observe(ctx, name, func() (load.Result, error) { return load.Run(ctx, o) })
	if served := int(s.Values["served"]); o.Rate == 0 && served < o.Connections {
		s.Notes = append(s.Notes, fmt.Sprintf("only %d of %d clients were served", served, o.Connections))
	}
	if err == nil && stalled >= 0 {
		s.Values["stalled"] = stalled
	}
	return s, err
}

// lonely is how long one client asks alone: some ten stalls, and a good many
// answers before them, as Linux acknowledges at once in a connection's beginning.
const lonely = 500 * time.Millisecond

// lone runs the same with one client alone. It returns the share of time, in per cent, spent
// waiting for acknowledgements, or -1 if unknown. Of many clients the waits of one could be
// those for the others.
func (r *Rig) lone(ctx context.Context, o load.Options) (stalled float64, err error) {
	if o.Rate > 0 || o.PerConnection == 1 || r.Peer.Protocol != peers.HTTP {
		return -1, nil
	}
	o.Connections, o.Threads, o.Duration, o.Tick = 1, 1, min(lonely, o.Duration), 0
	got, err := load.Run(ctx, o)
	if err != nil {
		return 0, err
	}
	return stalledShare(got.Latency), nil
}

// An acknowledgement that Linux delays comes after 40 ms or a little later.
const (
	delayedFrom = 38_000 // µs
	delayedTo   = 50_000
	leastDelays = 3 // fewer may be chance
)

// stalledShare returns the share of time in a histogram of latencies, in per cent, of answers
// that took as long as a delayed acknowledgement. It is 0 where the times about that are as
// frequent: those are no cluster, but the app's own.
func stalledShare(h *hdrhistogram.Histogram) float64 {
	var all, delayed float64
	var within, beside int64
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		at := (bar.From + bar.To) / 2
		all += float64(at) * float64(bar.Count)
		switch {
		case at >= delayedFrom && at < delayedTo:
			within += bar.Count
			delayed += float64(at) * float64(bar.Count)
		case at >= delayedFrom-12_000 && at < delayedTo+12_000:
			beside += bar.Count
		}
	}
	if within < leastDelays || within < 2*beside {
		return 0
	}
	return 100 * delayed / all
}

// observe runs a load and reads, before, meanwhile and afterwards, what the
// server uses.
func (r *Rig) observe(ctx context.Context, name string, run func() (load.Result, error)) (result.Sample, error) {
	before, err := r.usage()
	if err != nil {
		return result.Sample{}, err
	}
	peak := r.watchMemory(ctx)
	got, err := run()
	pss := peak()
	if err != nil {
		return result.Sample{}, err
	}
	after, err := r.usage()
	if err != nil {
		return result.Sample{}, err
	}
	s := sampleOf(name, got)
	s.Values["start"] = milliseconds(r.Server.Started)
	if pss > 0 {
		s.Values["pss"] = mebibytes(pss)
	}
	if got.Requests > 0 {
		n := float64(got.Requests + got.Late)
		s.Values["user"] = float64((after.user - before.user).Microseconds()) / n
		s.Values["system"] = float64((after.system - before.system).Microseconds()) / n
		s.Values["cpu"] = s.Values["user"] + s.Values["system"]
		s.Values["switches"] = float64(after.switches-before.switches) / n
	}
	return s, nil
}

// usage is what a server's process tree has used so far.
type usage struct {
	user, system time.Duration
	switches     int64
}

func (u usage) cpu() time.Duration { return u.user + u.system }

func (r *Rig) usage() (u usage, err error) {
	if u.user, u.system, err = r.Server.CPU(); err != nil {
		return u, err
	}
	u.switches, err = r.Server.Switches()
	return u, err
}

// Memory is read only a few times in each measurement: the kernel walks the server's page
// tables for it, which must not disturb the rest.
const (
	pssReadings = 4
	pssEvery    = 500 * time.Millisecond // at most this seldom
	pssLeast    = 50 * time.Millisecond
)

// watchMemory reads the server's memory from now on. The returned function ends that, reads
// once more, and returns the highest value.
func (r *Rig) watchMemory(ctx context.Context) (peak func() int64) {
	ctx, stop := context.WithCancel(ctx)
	var most int64
	var reading sync.WaitGroup
	look := func() {
		if pss, err := r.Server.PSS(); err == nil {
			most = max(most, pss)
		}
	}
	reading.Go(func() {
		for sleep(ctx, min(pssEvery, max(pssLeast, r.Duration/pssReadings))) == nil {
			look()
		}
	})
	return func() int64 {
		stop()
		reading.Wait()
		look()
		return most
	}
}

// percents are the points of latency curves.
var percents = []float64{0, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.9, 99.95, 99.99, 100}

// fastRoute is the route of mixed work with its own latency.
const fastRoute = "/"

// sampleOf turns what the generator saw into values.
func sampleOf(name string, got load.Result) result.Sample {
	s := result.Sample{Case: name, Values: map[string]float64{}, Errors: got.Errors}
	s.Asked = got.Requests + got.Late + got.Failed()
	s.Values["errors"] = float64(got.Failed())
	s.Values["rate"] = got.Rate()
	s.Values["bytes"] = mebibytes(max(got.BodyIn, got.BodyOut)) / got.Elapsed.Seconds()
	s.Values["client"] = 100 * got.ClientCPU
	if got.Served > 0 {
		s.Values["served"] = float64(got.Served)
	}
	if got.Latency != nil && got.Latency.TotalCount() > 0 {
		for metric, percent := range map[string]float64{"p50": 50, "p90": 90, "p99": 99, "p999": 99.9, "max": 100} {
			s.Values[metric] = milliseconds(got.Percentile(percent))
		}
		for _, percent := range percents {
			// A percentile that no request stands for would only repeat the slowest.
			if percent == 100 || float64(got.Latency.TotalCount())*(100-percent) >= 100 {
				s.Curve = append(s.Curve, result.Percentile{Percent: percent, Ms: milliseconds(got.Percentile(percent))})
			}
		}
	}
	if fast, ok := got.Routes[fastRoute]; ok && len(got.Routes) > 1 && fast.Latency.TotalCount() > 0 {
		s.Values["fast_p50"] = micros(fast.Latency.ValueAtQuantile(50))
		s.Values["fast_p99"] = micros(fast.Latency.ValueAtQuantile(99))
	}
	for _, t := range got.Ticks {
		s.Ticks = append(s.Ticks, result.Tick{
			At: t.At.Seconds(), OK: t.OK, Errors: t.Errors, P50: milliseconds(t.P50), Max: milliseconds(t.Max),
		})
	}
	return s
}

// settledPSS waits until the server has used no CPU for half a second, at most
// five, and gives its memory.
func (r *Rig) settledPSS(ctx context.Context) (int64, error) {
	last := time.Duration(-1)
	for range 10 {
		used, err := r.usage()
		if err != nil {
			return 0, err
		}
		if used.cpu() == last {
			break
		}
		last = used.cpu()
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return r.Server.PSS()
}

// sum adds up errors of all kinds.
func sum(errors map[string]int64) (n int64) {
	for _, count := range errors {
		n += count
	}
	return n
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func micros(us int64) float64 { return float64(us) / 1000 }

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// sleep waits for d, or until ctx ends, and then gives its error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

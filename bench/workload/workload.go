// Package workload says what is asked of which servers, what is measured
// meanwhile, and which figures are wanted.
package workload

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/bench/peers"
)

// Workload is one table: the same work asked of several entrants in turn.
type Workload struct {
	Name     string
	About    string // one sentence: what is asked, what is measured
	Entrants []Entrant
	Metrics  []Metric
	Goals    []Goal
	// Measure asks the work of a server that has just answered its first
	// request, and gives a value for each of Metrics.
	Measure func(ctx context.Context, srv *peers.Server, d time.Duration) (Sample, error)
}

// Entrant is a server in one shape.
type Entrant struct {
	Peer  string
	Setup peers.Setup
}

// Label names the entrant in tables, as "uwsgo 2×1".
func (e Entrant) Label() string {
	if e.Setup.Processes == 0 {
		return e.Peer
	}
	return fmt.Sprintf("%s %d×%d", e.Peer, e.Setup.Processes, e.Setup.Threads)
}

// Metric is a column.
type Metric struct {
	Name string
	Unit string
}

// Sample is what one measurement gave, by metric name.
type Sample map[string]float64

// Goal is a bound on the median of one metric of an entrant: at most Max times
// that of Against or, without Against, at most Max itself.
type Goal struct {
	Metric  string
	Of      string // label
	Against string // label, or empty
	Max     float64
}

// Outcome is everything measured for one workload.
type Outcome struct {
	Workload Workload
	Rows     []Row
	Skipped  []string // entrants that could not run, with the reason
}

// Row is the samples of one entrant, one for each round.
type Row struct {
	Entrant Entrant
	Version string
	Command []string // as started in the last round
	Samples []Sample
}

// Median is the median of a metric over the rounds.
func (r Row) Median(metric string) float64 {
	var values []float64
	for _, s := range r.Samples {
		values = append(values, s[metric])
	}
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 1 {
		return values[mid]
	}
	return (values[mid-1] + values[mid]) / 2
}

// Row gives the row with a label.
func (o Outcome) Row(label string) (Row, bool) {
	for _, r := range o.Rows {
		if r.Entrant.Label() == label {
			return r, true
		}
	}
	return Row{}, false
}

// Options says how long and how often to measure.
type Options struct {
	Tools    peers.Tools
	Rounds   int
	Duration time.Duration // of each measurement that runs for a time
	Progress io.Writer     // a line for each measurement
}

// Run measures w: in each round every entrant once, from a fresh start, each
// round beginning with another one so that none always runs first.
func Run(ctx context.Context, w Workload, o Options) (Outcome, error) {
	out := Outcome{Workload: w}
	byName := map[string]peers.Peer{}
	for _, p := range peers.All() {
		byName[p.Name] = p
	}
	for _, e := range w.Entrants {
		p, ok := byName[e.Peer]
		if !ok {
			return out, fmt.Errorf("workload %s: no peer %q", w.Name, e.Peer)
		}
		if need := p.Needs(o.Tools); need != "" {
			out.Skipped = append(out.Skipped, e.Label()+": needs "+need)
			continue
		}
		out.Rows = append(out.Rows, Row{Entrant: e, Version: p.Version(o.Tools)})
	}
	for round := range o.Rounds {
		for i := range out.Rows {
			row := &out.Rows[(i+round)%len(out.Rows)]
			sample, err := one(ctx, w, byName[row.Entrant.Peer], o, row)
			if err != nil {
				return out, fmt.Errorf("workload %s, %s: %w", w.Name, row.Entrant.Label(), err)
			}
			row.Samples = append(row.Samples, sample)
			fmt.Fprintf(o.Progress, "%s round %d: %-28s", w.Name, round+1, row.Entrant.Label())
			for _, m := range w.Metrics {
				fmt.Fprintf(o.Progress, "  %s %.4g %s", m.Name, sample[m.Name], m.Unit)
			}
			fmt.Fprintln(o.Progress)
		}
	}
	return out, nil
}

func one(ctx context.Context, w Workload, p peers.Peer, o Options, row *Row) (Sample, error) {
	srv, err := peers.Start(ctx, p, o.Tools, row.Entrant.Setup)
	if err != nil {
		return nil, err
	}
	defer srv.Stop()
	row.Command = srv.Command
	return w.Measure(ctx, srv, o.Duration)
}

package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/result"
)

// Options say how workloads are run.
type Options struct {
	Tools    peers.Tools
	Python   string        // that the apps' wanted answers are asked from
	Static   string        // empty directory for static files
	Peers    []peers.Peer  // that can be started here
	Rounds   int           // how often each server is measured, from a fresh start
	Duration time.Duration // of what runs for a time
	WarmUp   time.Duration // of the same load before it, not counted
	Logging  bool          // request logs of the servers
	Threads  int           // of the load generator
	// Progress is told of each measurement that begins, and of the end.
	Progress func(Step)
	// Keep is called after each round, when out of Run is worth keeping.
	Keep func() error
}

// Step is a measurement that begins.
type Step struct {
	Workload, Peer string
	Round          int
	Done, Left     time.Duration // of the whole run; the remaining time is a guess
}

// Run measures the workloads one after the other and adds the results to out. Each round
// measures every server once, from a fresh start, and begins with another one, so that changes
// on the machine affect all of them. A server that cannot be measured is noted and left out of
// the rounds that follow. When ctx ends, the results so far stay in out.
func Run(ctx context.Context, out *result.Run, workloads []Workload, o Options) error {
	if err := writeStatic(o.Static); err != nil {
		return fmt.Errorf("writing static files: %w", err)
	}
	var turns []turn
	out.Workloads = make([]result.Workload, len(workloads))
	for i := range workloads {
		if err := prepare(ctx, &workloads[i], o); err != nil {
			return fmt.Errorf("workload %s: %w", workloads[i].Name, err)
		}
		turns = append(turns, enter(&workloads[i], &out.Workloads[i], o)...)
	}
	begun := time.Now()
	took := map[*result.Entry]time.Duration{} // by the measurement before, where there was one
	for i, t := range turns {
		if t.entry.Failed != "" {
			continue
		}
		left := time.Duration(0)
		for _, next := range turns[i:] {
			if last, ok := took[next.entry]; ok {
				left += last
			} else {
				left += next.guess(o)
			}
		}
		o.Progress(Step{Workload: t.workload.Name, Peer: t.peer.Name, Round: t.round, Done: time.Since(begun), Left: left})
		started := time.Now()
		err := t.measure(ctx, o)
		took[t.entry] = time.Since(started)
		if ctx.Err() != nil {
			t.forgetRound()
			return ctx.Err()
		}
		if err != nil {
			t.entry.Failed, t.entry.Crashed = err.Error(), errors.Is(err, errEnded)
		}
		if err := o.Keep(); err != nil {
			return err
		}
	}
	return nil
}

// turn is one measurement: one server in one round of a workload.
type turn struct {
	workload *Workload
	found    *result.Workload
	peer     peers.Peer
	round    int // from 1
	entry    *result.Entry
}

// forgetRound drops the incomplete round of t, if there are others: it allows no comparison.
func (t turn) forgetRound() {
	if t.round == 1 {
		return
	}
	for i := range t.found.Entries {
		e := &t.found.Entries[i]
		e.Samples = slices.DeleteFunc(e.Samples, func(s result.Sample) bool { return s.Round == t.round })
	}
}

// enter lists the peers of a workload in found, and gives their turns.
func enter(w *Workload, found *result.Workload, o Options) []turn {
	*found = result.Workload{Name: w.Name, Title: w.Title, About: w.About, Base: w.Base, Cases: w.Cases, Metrics: w.Metrics, Chart: w.Chart}
	if found.Cases == nil {
		found.Cases = []string{""}
	}
	var entrants []peers.Peer
	for _, p := range o.Peers {
		if w.Refuses != nil {
			if why := w.Refuses(p); why != "" {
				found.Absent = append(found.Absent, result.Absent{Peer: p.Name, Reason: why})
				continue
			}
		}
		entry := result.Entry{Peer: p.Name, Class: class(p), Shape: p.Shape(w.Setup).String(), Connection: "kept alive"}
		if w.Closes || !p.KeepAlive {
			entry.Connection = "one per request"
		}
		entrants, found.Entries = append(entrants, p), append(found.Entries, entry)
	}
	var turns []turn
	for round := range o.Rounds {
		for i := range entrants {
			i := (i + round) % len(entrants)
			turns = append(turns, turn{w, found, entrants[i], round + 1, &found.Entries[i]})
		}
	}
	return turns
}

// class says with whom a peer can be compared as an equal.
func class(p peers.Peer) string {
	switch {
	case p.Runs&peers.Apps == 0:
		return "baseline"
	case strings.HasPrefix(p.Name, "nginx+"):
		return "behind nginx"
	case p.Protocol == peers.UWSGI:
		return "uwsgi protocol"
	default:
		return "http"
	}
}

// guess is how long a turn takes, as long as none of its kind was measured.
func (t turn) guess(o Options) time.Duration {
	const startAndStop = time.Second
	return startAndStop + (o.WarmUp+min(lonely, o.Duration))*time.Duration(max(1, len(t.workload.Cases))) + t.workload.Takes(o.Duration)
}

// errEnded is why a server that crashed under the load could not be measured.
var errEnded = errors.New("it ended while it was measured")

// measure starts the server, asks the work of it, and stops it.
func (t turn) measure(ctx context.Context, o Options) error {
	srv, err := peers.Start(ctx, t.peer, o.Tools, t.workload.Setup)
	if err != nil {
		return err
	}
	defer srv.Stop()
	t.entry.Command, t.entry.Files, t.entry.NoDelay = srv.Command, srv.Files, srv.NoDelay
	samples, err := t.workload.Measure(ctx, &Rig{
		Server: srv, Peer: t.peer, Routes: t.workload.Routes, Duration: o.Duration, WarmUp: o.WarmUp, Threads: o.Threads,
		Closes: t.workload.Closes, Cases: t.workload.Cases, Round: t.round,
	})
	if err != nil && !srv.Alive() {
		return srv.Explain(fmt.Errorf("%w: %w", errEnded, err))
	}
	if err != nil {
		return err
	}
	for _, s := range samples {
		s.Round = t.round
		t.entry.Samples = append(t.entry.Samples, s)
	}
	return nil
}

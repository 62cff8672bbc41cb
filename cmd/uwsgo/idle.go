package main

import (
	"context"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/engine"
)

// idleness knows how long nobody has asked for anything. It belongs to one goroutine.
type idleness struct {
	after    time.Duration // how long that may be
	requests uint64        // that had come at the last look
	since    time.Time     // of the last that came or ran
	idle     bool
}

// look gets the number of requests so far and of those that run. It returns 1 when the server has
// just become idle, -1 when it no longer is, and else 0.
func (i *idleness) look(now time.Time, requests uint64, running int64) int {
	if requests != i.requests || running > 0 || i.since.IsZero() {
		i.requests, i.since = requests, now
		if i.idle {
			i.idle = false
			return -1
		}
		return 0
	}
	if !i.idle && now.Sub(i.since) > i.after {
		i.idle = true
		return 1
	}
	return 0
}

// idleEach is how often it is looked at.
const idleEach = time.Second

// watchIdle calls rest when no request has come for so long, and again when one comes, until ctx
// ends. It looks at stats whenever looks sends.
func watchIdle(ctx context.Context, after time.Duration, looks <-chan time.Time, stats func() engine.Stats, rest func(idle bool)) {
	i := idleness{after: after}
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-looks:
		}
		s := stats()
		if change := i.look(now, s.Requests, s.InFlight); change != 0 {
			rest(change > 0)
		}
	}
}

// whenIdle returns what idle and die-on-idle ask for.
func whenIdle(cfg *config.Config, w *workers, v *vassal, e *life.Ending, logf func(format string, args ...any)) func(idle bool) {
	return func(idle bool) {
		if idle {
			logf("workers have been inactive for more than %d seconds", int(cfg.Idle/time.Second))
		}
		switch {
		case idle && !cfg.DieOnIdle:
			w.Scale(1 - cfg.Processes)
		case !cfg.DieOnIdle:
			w.Scale(cfg.Processes)
		case idle && v != nil: // the emperor starts the server again when somebody asks
			v.tell(emperor.Leaving)
		case idle:
			e.Ask(request("die-on-idle"))
		}
	}
}

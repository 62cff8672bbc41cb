package main

import (
	"context"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
)

// idleness tells since when nobody has asked for anything. It belongs to one goroutine.
type idleness struct {
	after    time.Duration // how long that may be
	requests uint64        // that had come at the last look
	since    time.Time     // of the last that came or ran
	idle     bool
}

// look is told how many requests have come so far and how many run. It returns 1 when it
// has just become idle, -1 when it is idle no more, and else 0.
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

// watchIdle does what idle and die-on-idle ask for, until ctx ends.
func (p *program) watchIdle(ctx context.Context) {
	cfg := p.cfg
	if cfg.Idle == 0 || p.workers.Pool == nil {
		return
	}
	i := idleness{after: cfg.Idle}
	t := time.NewTicker(idleEach)
	defer t.Stop()
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return
		case now = <-t.C:
		}
		s := p.engine.Stats()
		switch i.look(now, s.Requests, s.InFlight) {
		case 1:
			p.logf("workers have been inactive for more than %d seconds", int(cfg.Idle/time.Second))
			switch {
			case !cfg.DieOnIdle:
				p.workers.Scale(1 - cfg.Processes)
			case p.vassal != nil: // the emperor has to know that it may be started again
				p.vassal.tell(emperor.Leaving)
			default:
				p.ending.Ask(request("die-on-idle"))
			}
		case -1:
			if !cfg.DieOnIdle {
				p.workers.Scale(cfg.Processes)
			}
		}
	}
}

package main

import (
	"context"
	"sync"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
)

// startCompanions starts what runs beside the server. It ends after the workers, which
// may need it, with as much time as requests have.
func (p *program) startCompanions() error {
	if specs := p.cfg.Companions; len(specs) > 0 {
		g, err := companion.Start(specs, companion.Server{With: p.command, Owns: p.workers.owns, Stop: p.askStop, Logf: p.logf})
		if err != nil {
			return err
		}
		p.companions.Store(g)
		p.besidesEndBy(g.Stop)
	}
	if jobs := p.cfg.Crons; len(jobs) > 0 {
		r := cron.Start(jobs, p.command, p.logf)
		p.crons.Store(r)
		p.besidesEndBy(r.Stop)
	}
	return nil
}

// askStop has the server stop as by a signal. Any goroutine.
func (p *program) askStop() {
	p.ending.Ask(request("end of a daemon"))
}

// besidesEndBy has stop called once, at the end or before a successor starts its own.
func (p *program) besidesEndBy(stop func(context.Context)) {
	once := sync.OnceFunc(func() { p.withMercy(stop) })
	p.ending.Later(once)
	p.role.Besides(once)
}

func (p *program) withMercy(stop func(context.Context)) { p.ending.Within(p.cfg.Mercy, stop) }

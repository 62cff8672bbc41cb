package main

import (
	"context"
	"time"
)

// reloads asks the pool for reloads when files change, until ctx ends.
func (p *program) reloads(ctx context.Context) {
	if p.pool == nil {
		return
	}
	all, chain := newTouched(p.cfg.TouchReload), newTouched(p.cfg.TouchChainReload)
	var tick <-chan time.Time
	if len(all.paths)+len(chain.paths) > 0 {
		t := time.NewTicker(touchEach)
		defer t.Stop()
		tick = t.C
	}
	var code <-chan string
	if p.code != nil {
		code = p.code.changed
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if path := all.look(); path != "" {
				p.log.Printf("*** %s has been touched... grace them all !!! ***", path)
				p.reload(ctx)
			}
			if path := chain.look(); path != "" {
				p.log.Printf("*** %s has been touched... chain reload !!! ***", path)
				_ = p.pool.ChainReload(ctx) // it logs what fails
			}
		case path := <-code:
			p.log.Printf("[uwsgi-python-reloader] module/file %s has been modified", path)
			p.reload(ctx)
		}
	}
}

// reload has new workers with new code take over; what fails leaves the old ones.
func (p *program) reload(ctx context.Context) {
	if p.pool == nil {
		p.log.Printf("there are no workers to reload")
		return
	}
	start := time.Now()
	if p.pool.Reload(ctx) == nil { // else it logs why not
		p.log.Printf("*** uwsgo has reloaded after %v ***", time.Since(start).Round(time.Millisecond))
	}
}

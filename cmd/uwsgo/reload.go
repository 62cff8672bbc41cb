package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// reloads are those that were asked for, and what watches for a reason for more.
type reloads struct {
	ctx context.Context // ends when the server stops; set once requests are served
	all sync.WaitGroup

	mu      sync.Mutex // held while systemd is told
	running int
}

// beside runs fn on a goroutine of its own, with a context that ends when the server
// stops. Only the goroutine of serve calls it.
func (p *program) beside(fn func(context.Context)) {
	p.reloads.all.Go(func() { fn(p.reloads.ctx) })
}

// watch reloads when files change, until ctx ends.
func (p *program) watch(ctx context.Context) {
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
				p.chainReload(ctx)
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
	p.tellReload(1, "loading new code")
	status := "serving requests"
	if p.pool.Reload(ctx) == nil { // else it logs why not
		p.log.Printf("*** uwsgo has reloaded after %v ***", time.Since(start).Round(time.Millisecond))
	} else {
		status = "serving requests with the old code, as the new one could not be loaded"
	}
	p.tellReload(-1, status)
}

// chainReload replaces the workers one by one, as far as they load the app themselves.
func (p *program) chainReload(ctx context.Context) {
	if p.pool == nil {
		p.log.Printf("there are no workers to reload")
		return
	}
	_ = p.pool.ChainReload(ctx) // it logs what fails
}

// tellReload tells systemd that a reload begins (by is 1) or is over (-1). Several
// that overlap are one to it.
func (p *program) tellReload(by int, status string) {
	r := &p.reloads
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running += by
	switch {
	case by > 0 && r.running == 1:
		p.notify(daemon.SdNotifyReloading+"\n"+strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), status)
	case r.running == 0:
		p.notify(daemon.SdNotifyReady, status)
	}
}

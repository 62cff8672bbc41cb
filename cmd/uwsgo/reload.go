package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// reloads are those that were asked for, and what watches for a reason for more.
type reloads struct {
	running sync.WaitGroup // what ends with the server
	whole   *repeated
	chain   *repeated

	mu   sync.Mutex // held while systemd is told
	told int        // reloads that are under way
}

// startReloads takes what asks for reloads, until ctx ends.
func (p *program) startReloads(ctx context.Context) {
	r := &p.reloads
	r.whole, r.chain = newRepeated(p.reload), newRepeated(p.chainReload)
	for _, run := range []func(context.Context){r.whole.serve, r.chain.serve, p.watch} {
		r.running.Go(func() { run(ctx) })
	}
}

// askReload has the workers load the app anew. why is for the log.
func (p *program) askReload(why string) {
	if p.pool != nil {
		if pid := p.pool.Loading(); pid != 0 {
			why += fmt.Sprintf(", after the one that is under way; if that hangs, kill -9 %d gives it up", pid)
		}
	}
	p.reloads.whole.ask(p.log.Printf, why)
}

// repeated is something that may be asked for faster than it can be done. One is under
// way and one waits, and that one is for all who have asked meanwhile.
type repeated struct {
	do   func(context.Context)
	next chan struct{} // one that waits
	more atomic.Bool   // others have asked since, of which the log says so once
}

func newRepeated(do func(context.Context)) *repeated {
	return &repeated{do: do, next: make(chan struct{}, 1)}
}

// ask logs why and has it done. Any goroutine.
func (r *repeated) ask(logf func(string, ...any), why string) {
	select {
	case r.next <- struct{}{}:
		r.more.Store(false)
		logf("%s", why)
	default:
		if !r.more.Swap(true) {
			logf("%s: once more, for all that ask until then, after the one that is under way", why)
		}
	}
}

// serve does it whenever it has been asked for, until ctx ends.
func (r *repeated) serve(ctx context.Context) {
	for {
		select {
		case <-r.next:
			r.do(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// watch reloads when files change, until ctx ends.
func (p *program) watch(ctx context.Context) {
	if p.pool == nil {
		return
	}
	all, chain := newTouched(p.under(p.cfg.TouchReload...)), newTouched(p.under(p.cfg.TouchChainReload...))
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
				p.askReload(fmt.Sprintf("*** %s has been touched... grace them all !!! ***", path))
			}
			if path := chain.look(); path != "" {
				p.reloads.chain.ask(p.log.Printf, fmt.Sprintf("*** %s has been touched... chain reload !!! ***", path))
			}
		case path := <-code:
			p.askReload(fmt.Sprintf("[uwsgi-python-reloader] module/file %s has been modified", path))
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
		p.log.Printf("*** uwsgo has reloaded after %v, in %s ***", time.Since(start).Round(time.Millisecond), p.enter())
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
	r.told += by
	switch {
	case by > 0 && r.told == 1:
		p.notify(daemon.SdNotifyReloading+"\n"+strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), status)
	case r.told == 0:
		p.notify(daemon.SdNotifyReady, status)
	}
}

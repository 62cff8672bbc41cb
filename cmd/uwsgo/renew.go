package main

import (
	"bytes"
	"context"
	"os"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
)

// renew reads the configuration again, for a reload.
func (p *program) renew() {
	next, waiting, err := p.cfg.Renew(os.Args[1:], os.Environ(), ini.OS(bytes.NewReader(p.stdin)).In(p.site.started))
	if err != nil {
		p.logf("*** WARNING: the configuration cannot be read again, so options stay as they are: %v ***", err)
		return
	}
	p.app.renewed.Store(next)
	if p.vassal.restart(waiting, p.ending, p.logf) {
		return
	}
	if len(waiting) > 0 {
		p.logf("*** WARNING: these options have changed and wait for a restart, or for SIGUSR2: %s ***", strings.Join(waiting, ", "))
	}
}

// makeReloads makes p.reloads, once the server knows whether it has workers.
func (p *program) makeReloads() {
	p.reloads = &life.Reloads{Logf: p.logf, Notify: p.manager.notify, Renew: p.renew, Enter: p.reloaded, Asked: p.logs.Follow} // logrotate may have moved the log before it asks
	if p.workers.Pool != nil {
		p.reloads.Pool = p.workers.Pool
	}
	if p.cfg.ExitOnReload {
		p.reloads.Instead = func(why string) {
			p.logf("%s", why)
			p.ending.Ask(request("exit-on-reload: a reload was asked for"))
		}
	}
}

// causes are the files, and the code, whose changes reload.
func (p *program) causes() life.Causes {
	under := p.site.under
	c := life.Causes{
		Touch: under(p.cfg.TouchReload...), TouchChain: under(p.cfg.TouchChainReload...), TouchWorkers: under(p.cfg.TouchWorkers...),
		Contents: under(p.cfg.FSReload...),
	}
	if p.workers.code != nil {
		c.Code = p.workers.code.Changed
	}
	return c
}

// runAccepting starts the hooks of workers that take requests, at the start or after a reload, and
// does not wait for them.
func (p *program) runAccepting(ctx context.Context, again bool) {
	if p.workers.Pool != nil {
		go p.hooks.accepting(ctx, p.cfg.Processes, again)
	}
}

// reloaded follows the app to its directory of now, tells those beside the server, and returns the
// name of that directory.
func (p *program) reloaded() string {
	p.vassal.tell(emperor.Spawned, emperor.Accepting)
	p.runAccepting(p.ending.Patience, true)
	p.beside.reload()
	return p.site.enter(p.sockets.relative() || p.stats != nil && relativeSocket(p.stats.Addr().String()))
}

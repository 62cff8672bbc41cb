package main

import (
	"bytes"
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
	if p.restartForEmperor(waiting) {
		return
	}
	if len(waiting) > 0 {
		p.logf("*** WARNING: these options have changed and wait for a restart, or for SIGUSR2: %s ***", strings.Join(waiting, ", "))
	}
}

// makeReloads makes what reloads the apps, once it is known whether there are any.
func (p *program) makeReloads() {
	p.reloads = &life.Reloads{Logf: p.logf, Notify: p.notify, Renew: p.renew, Enter: p.reloaded, Asked: p.logs.Follow} // logrotate may have moved the log before it asks
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

// causes are what reloads are made for by themselves.
func (p *program) causes() life.Causes {
	c := life.Causes{Touch: p.site.under(p.cfg.TouchReload...), TouchChain: p.site.under(p.cfg.TouchChainReload...), TouchWorkers: p.site.under(p.cfg.TouchWorkers...), Contents: p.site.under(p.cfg.FSReload...)}
	if p.workers.code != nil {
		c.Code = p.workers.code.Changed
	}
	return c
}

// reloaded follows the app to where it is now, of which it returns the name, and tells
// those beside the server that want to know.
func (p *program) reloaded() string {
	p.vassal.tell(emperor.Spawned, emperor.Accepting)
	p.runAccepting(p.ending.Patience, true)
	if g := p.companions.Load(); g != nil {
		g.Reload()
	}
	return p.site.enter(p.sockets.relative() || p.stats != nil && relativeSocket(p.stats.Addr().String()))
}

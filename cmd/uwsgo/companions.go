package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
)

// beside is what runs beside the server: companions always, cron jobs at their times.
type beside struct {
	command func(line string) command.Command
	owns    func(pid int) bool // whether a process is the server's own
	role    *succession.Role
	ending  *life.Ending
	mercy   time.Duration // how long the end may take
	logf    func(format string, args ...any)

	group  atomic.Pointer[companion.Group] // nil before start, as is
	runner atomic.Pointer[cron.Runner]
}

// start starts everything. It ends after the workers, which may need it.
func (b *beside) start(specs []companion.Spec, jobs []cron.Job) error {
	if len(specs) > 0 {
		stop := func() { b.ending.Ask(request("end of a daemon")) }
		g, err := companion.Start(specs, companion.Server{With: b.command, Owns: b.owns, Stop: stop, Logf: b.logf})
		if err != nil {
			return err
		}
		b.group.Store(g)
		b.endBy(g.Stop)
	}
	if len(jobs) > 0 {
		r := cron.Start(jobs, b.command, b.logf)
		b.runner.Store(r)
		b.endBy(r.Stop)
	}
	return nil
}

// endBy has stop called once, at the end or before a successor starts its own.
func (b *beside) endBy(stop func(context.Context)) {
	once := sync.OnceFunc(func() { b.ending.Within(b.mercy, stop) })
	b.ending.Later(once)
	b.role.Besides(once)
}

// reload tells companions of a reload. Any goroutine.
func (b *beside) reload() {
	if g := b.group.Load(); g != nil {
		g.Reload()
	}
}

// companions returns their state. Any goroutine.
func (b *beside) companions() []companion.State {
	if g := b.group.Load(); g != nil {
		return g.Snapshot()
	}
	return nil
}

// crons returns the state of the cron jobs. Any goroutine.
func (b *beside) crons() []cron.State {
	if r := b.runner.Load(); r != nil {
		return r.Snapshot()
	}
	return nil
}

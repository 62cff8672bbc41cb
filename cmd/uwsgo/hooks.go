package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/hook"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// command is what a shell command of an option runs with: the log, and what env has
// for the app.
func (p *program) command(line string) command.Command {
	return command.Command{Line: line, Env: p.app.environ(), Output: p.logs.Printed()}
}

// stages runs the hooks of the options. What one does is up to do.
type stages struct {
	hooks []config.Hook
	work  string // the directory that workers go to first (chdir2); empty for none
	logf  func(format string, args ...any)
	do    func(context.Context, config.Hook) error
}

// of returns the hooks of a stage, in their order.
func (s *stages) of(stage string) []config.Hook {
	return slices.DeleteFunc(slices.Clone(s.hooks), func(h config.Hook) bool { return h.Stage != stage })
}

// run does what the options say for stages, one after another. The first that fails
// ends it, and the start.
func (s *stages) run(ctx context.Context, names ...string) error {
	for _, stage := range names {
		for _, h := range s.of(stage) {
			s.logf("running %q (%s)...", h.Text, stage)
			err := s.do(ctx, h)
			switch {
			case err == nil:
			case h.Safe && ctx.Err() == nil:
				s.logf("%s: %v", h.Where, err)
			default:
				return fmt.Errorf("%s: %w", h.Where, err)
			}
		}
	}
	return nil
}

// atExit does what they say for the end. One that fails does not keep the others from running.
func (s *stages) atExit(ctx context.Context) {
	for _, h := range s.of("as-user-atexit") {
		s.logf("running \"%s\" (atexit)...", h.Text)
		if err := s.do(ctx, h); err != nil {
			s.logf("%s: %v", h.Where, err)
		}
	}
}

// accepting does what they say for so many workers that take requests, at the start, or
// again at a reload. One that fails is logged.
func (s *stages) accepting(ctx context.Context, workers int, again bool) {
	for _, a := range config.AcceptingStages() {
		if again && !a.Again {
			continue
		}
		times := 1
		if a.Each {
			times = workers
		}
		for range times {
			for _, h := range s.of(a.Stage) {
				s.logf("running %q (%s)...", h.Text, h.Stage)
				if err := s.do(ctx, h); err != nil && ctx.Err() == nil {
					s.logf("%s: %v", h.Where, err)
				}
			}
		}
	}
}

// postFork returns what each worker process does before it serves.
func (s *stages) postFork() (steps []worker.Step) {
	if s.work != "" {
		steps = append(steps, worker.Step{Chdir: s.work})
	}
	for _, h := range s.of("post-fork") {
		switch {
		case h.Kind == hook.Chdir:
			steps = append(steps, worker.Step{Chdir: h.Name})
		case h.Kind == hook.Setenv:
			steps = append(steps, worker.Step{Setenv: h.Name + "=" + h.Value})
		case h.Kind == hook.Unsetenv:
			steps = append(steps, worker.Step{Setenv: h.Name})
		case h.Safe:
			steps = append(steps, worker.Step{Command: "( " + h.Line + "\n) || true"})
		default:
			steps = append(steps, worker.Step{Command: h.Line})
		}
	}
	return steps
}

// exitError is a hook that asks for the end with a code of its own.
type exitError int

func (e exitError) Error() string {
	return fmt.Sprintf("the hook ends the start with exit code %d", int(e))
}

// stages returns what runs hooks.
func (p *program) stages() *stages {
	return &stages{hooks: p.cfg.Hooks, work: p.cfg.Chdir2, logf: p.logf, do: p.runHook}
}

// runHooks runs those of some stages.
func (p *program) runHooks(ctx context.Context, names ...string) error {
	return p.stages().run(ctx, names...)
}

// runHook does what one hook says.
func (p *program) runHook(ctx context.Context, h config.Hook) error {
	switch h.Kind {
	case hook.Chdir:
		return p.site.changeDir(h.Name)
	case hook.Setenv, hook.Unsetenv:
		p.app.setEnv(config.Env{Name: h.Name, Value: h.Value, Unset: h.Kind == hook.Unsetenv})
		return nil
	case hook.Exit:
		return exitError(h.Number)
	case hook.Signal:
		p.orders.setTask(syscall.Signal(h.Number), h.Name)
		return nil
	case hook.Hostname:
		return setHostname(h.Name)
	case hook.Wait:
		return waitForSocket(ctx, h.Name)
	}
	return p.command(h.Line).Run(ctx)
}

// socketTime is how long a hook waits for somebody to listen, as in uWSGI.
const socketTime = 60 * time.Second

// waitForSocket waits until addr takes connections.
func waitForSocket(ctx context.Context, addr string) error {
	network := "tcp"
	if !strings.Contains(addr, ":") {
		network = "unix"
	}
	ctx, cancel := context.WithTimeout(ctx, socketTime)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody listens on %s after %v: %w", addr, socketTime, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// runAccepting runs the hooks of workers that take requests, of the start or after a
// reload, without waiting for them.
func (p *program) runAccepting(ctx context.Context, again bool) {
	if p.workers.Pool != nil {
		s := p.stages()
		go s.accepting(ctx, p.cfg.Processes, again)
	}
}

// watchTouched runs the hooks of files that are touched, until ctx ends. One that fails
// is logged; two run at a time where both are touched.
func (p *program) watchTouched(ctx context.Context) {
	var watched []life.Watched
	for _, h := range p.cfg.TouchHooks {
		watched = append(watched, life.Watched{Paths: p.site.under(h.Path), Do: func() {
			p.logf("*** %s has been touched... running \"%s\" ***", h.Path, h.Text)
			go func() {
				if err := p.runHook(ctx, h.Hook); err != nil && ctx.Err() == nil {
					p.logf("%s: %v", h.Where, err)
				}
			}()
		}})
	}
	life.Watch(ctx, watched...)
}

// runAtExit runs the commands for the end, unless another server goes on in the place of
// this one. They have as long as requests have; one that fails does not keep the others
// from running.
func (p *program) runAtExit() {
	if p.role.Shared() {
		return
	}
	p.withMercy(p.stages().atExit)
}

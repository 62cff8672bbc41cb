package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/home"
	"github.com/uwsgo/uwsgo/cmd/internal/hook"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// command is what a shell command of an option runs with: the log, and what env has
// for the app.
func (p *program) command(line string) command.Command {
	return command.Command{Line: line, Env: p.environ(), Output: p.sink.Printed()}
}

// environ returns the environment of what the server starts: its own and what the
// options of env add, but not the way to systemd, which is for the server alone.
func (p *program) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "NOTIFY_SOCKET=") || strings.HasPrefix(kv, home.PythonEnv+"=")
	})
	for _, e := range slices.Concat(p.options().Env, p.hookEnv) {
		if e.Unset {
			env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, e.Name+"=") })
			continue
		}
		env = append(env, e.Name+"="+e.Value)
	}
	return env
}

// hooks returns the commands of a stage, in their order.
func (p *program) hooks(stage string) []config.Hook {
	return slices.DeleteFunc(slices.Clone(p.cfg.Hooks), func(h config.Hook) bool { return h.Stage != stage })
}

// runHooks does what the options say for stages, one after another. The first that fails
// ends it, and the start.
func (p *program) runHooks(ctx context.Context, stages ...string) error {
	for _, stage := range stages {
		for _, h := range p.hooks(stage) {
			p.log.Printf("running %q (%s)...", h.Text, stage)
			err := p.runHook(ctx, h)
			switch {
			case err == nil:
			case h.Safe && ctx.Err() == nil:
				p.log.Printf("%s: %v", h.Where, err)
			default:
				return fmt.Errorf("%s: %w", h.Where, err)
			}
		}
	}
	return nil
}

// exitError is a hook that asks for the end with a code of its own.
type exitError int

func (e exitError) Error() string {
	return fmt.Sprintf("the hook ends the start with exit code %d", int(e))
}

// runHook does what one hook says.
func (p *program) runHook(ctx context.Context, h config.Hook) error {
	switch h.Kind {
	case hook.Chdir:
		return p.changeDir(h.Name)
	case hook.Setenv, hook.Unsetenv:
		p.hookEnv = append(p.hookEnv, config.Env{Name: h.Name, Value: h.Value, Unset: h.Kind == hook.Unsetenv})
		return nil
	case hook.Exit:
		return exitError(h.Number)
	case hook.Signal:
		p.setTask(syscall.Signal(h.Number), h.Name)
		return nil
	case hook.Hostname:
		return setHostname(h.Name)
	case hook.Wait:
		return waitForSocket(ctx, h.Name)
	}
	return p.command(h.Line).Run(ctx)
}

// changeDir has the server, and all that it starts from then on, work in another
// directory.
func (p *program) changeDir(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	now, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	if p.dir == "" { // chdir comes later, and starts from here
		p.home = now
		return nil
	}
	p.dir = now
	p.cwd.Store(&now)
	return nil
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

// postFork returns what each worker process does before it serves.
func (p *program) postFork() (steps []worker.Step) {
	if p.cfg.Chdir2 != "" {
		steps = append(steps, worker.Step{Chdir: p.cfg.Chdir2})
	}
	for _, h := range p.hooks("post-fork") {
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

// watchTouched runs the hooks of files that are touched, until ctx ends. One that fails
// is logged; two run at a time where both are touched.
func (p *program) watchTouched(ctx context.Context) {
	var watched []life.Watched
	for _, h := range p.cfg.TouchHooks {
		watched = append(watched, life.Watched{Paths: p.under(h.Path), Do: func() {
			p.log.Printf("*** %s has been touched... running \"%s\" ***", h.Path, h.Text)
			go func() {
				if err := p.runHook(ctx, h.Hook); err != nil && ctx.Err() == nil {
					p.log.Printf("%s: %v", h.Where, err)
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
	p.withMercy(func(ctx context.Context) {
		for _, h := range p.hooks("as-user-atexit") {
			p.log.Printf("running \"%s\" (atexit)...", h.Text)
			if err := p.runHook(ctx, h); err != nil {
				p.log.Printf("%s: %v", h.Where, err)
			}
		}
	})
}

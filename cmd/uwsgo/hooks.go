package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
)

// command is what a shell command of an option runs with: the log, and what env has
// for the app.
func (p *program) command(line string) command.Command {
	return command.Command{Line: line, Env: p.environ(), Output: p.sink.File()}
}

// environ returns the environment of what the server starts: its own and what the
// options of env add, but not the way to systemd, which is for the server alone.
func (p *program) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "NOTIFY_SOCKET=") })
	for _, e := range p.options().Env {
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

// runHooks runs the commands of stages, one after another. The first that fails ends
// it, and the start.
func (p *program) runHooks(ctx context.Context, stages ...string) error {
	for _, stage := range stages {
		for _, h := range p.hooks(stage) {
			p.log.Printf("running %q (%s)...", h.Command, stage)
			err := p.command(h.Command).Run(ctx)
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

// postFork returns the commands that each worker process runs before it serves.
func (p *program) postFork() (lines []string) {
	for _, h := range p.hooks("post-fork") {
		if h.Safe {
			h.Command = "( " + h.Command + "\n) || true"
		}
		lines = append(lines, h.Command)
	}
	return lines
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
			p.log.Printf("running \"%s\" (atexit)...", h.Command)
			if err := p.command(h.Command).Run(ctx); err != nil {
				p.log.Printf("%s: %v", h.Where, err)
			}
		}
	})
}

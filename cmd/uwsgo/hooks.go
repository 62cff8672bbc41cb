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

// actions do what hooks ask for, and run the shell commands of other options.
type actions struct {
	app  *app
	logs *logs
	// setTask has a signal ask for another task.
	setTask func(sig syscall.Signal, task string)
	// raise raises an alarm; false where there is none.
	raise func(name string, message []byte) bool
}

// command returns a shell command of an option: it runs with the environment of the app, and
// prints into the log.
func (a *actions) command(line string) command.Command {
	return command.Command{Line: line, Env: a.app.environ(), Output: a.logs.Printed()}
}

// do does what one hook says.
func (a *actions) do(ctx context.Context, h config.Hook) error {
	switch h.Kind {
	case hook.Chdir:
		return a.app.changeDir(h.Name)
	case hook.Setenv, hook.Unsetenv:
		a.app.setEnv(config.Env{Name: h.Name, Value: h.Value, Unset: h.Kind == hook.Unsetenv})
		return nil
	case hook.Exit:
		return exitError(h.Number)
	case hook.Signal:
		a.setTask(syscall.Signal(h.Number), h.Name)
		return nil
	case hook.Hostname:
		return setHostname(h.Name)
	case hook.Wait:
		return waitForSocket(ctx, h.Name)
	case hook.Alarm:
		if !a.raise(h.Name, []byte(h.Value)) {
			a.logs.printf("%s: alarm %s is not raised: it is not there, or not yet: alarms begin after hook-pre-app", h.Where, h.Name)
		}
		return nil
	}
	return a.command(h.Line).Run(ctx)
}

// stages runs the hooks of the options, stage by stage. do does what one hook says.
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

// run runs the hooks of some stages, one after another. The first failure ends it, and the start.
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

// atExit runs the hooks of the end. All of them run, also when one fails.
func (s *stages) atExit(ctx context.Context) {
	for _, h := range s.of("as-user-atexit") {
		s.logf("running \"%s\" (atexit)...", h.Text)
		if err := s.do(ctx, h); err != nil {
			s.logf("%s: %v", h.Where, err)
		}
	}
}

// accepting runs the hooks for so many workers that take requests, at the start or (again) after a
// reload. It logs failures.
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
	return append(steps, s.steps("post-fork")...)
}

// steps returns the hooks of a stage that processes of Python run themselves.
func (s *stages) steps(stage string) (steps []worker.Step) {
	for _, h := range s.of(stage) {
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

// exitError is the exit code that a hook asks for.
type exitError int

func (e exitError) Error() string {
	return fmt.Sprintf("the hook ends the start with exit code %d", int(e))
}

// socketTime is how long a hook waits for a listener, as in uWSGI.
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

// watch runs the hooks of touched files until ctx ends. It logs failures. The hooks of two files
// may run at the same time.
func (s *stages) watch(ctx context.Context, touched []config.TouchHook, under func(...string) []string) {
	var watched []life.Watched
	for _, h := range touched {
		watched = append(watched, life.Watched{Paths: under(h.Path), Do: func() {
			s.logf("*** %s has been touched... running \"%s\" ***", h.Path, h.Text)
			go func() {
				if err := s.do(ctx, h.Hook); err != nil && ctx.Err() == nil {
					s.logf("%s: %v", h.Where, err)
				}
			}()
		}})
	}
	life.Watch(ctx, watched...)
}

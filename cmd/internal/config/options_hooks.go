package config

import (
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// HookConfig has the commands that are run at the stages of the server's life, in the order
// in which those of one stage are run.
type HookConfig struct {
	Hooks []Hook
}

// Hook is a command that is run at a stage of the server's life.
type Hook struct {
	Stage   string // one of stages, post-fork or master-start
	Command string // for a shell
	Safe    bool   // it may fail
	Where   string // its origin for messages
}

// stages are the moments at which hook-STAGE and exec-STAGE run commands, in their
// order. when completes the help of both.
var stages = []struct{ name, when string }{
	{"asap", "as soon as the log is open"},
	{"pre-jail", "before the addresses are bound"},
	{"post-jail", "after pre-jail"},
	{"in-jail", "after post-jail"},
	{"as-root", "when the addresses are bound, before uid and chroot hold"},
	{"as-user", "when uid and chroot hold"},
	{"pre-app", "before the apps are loaded"},
	{"post-app", "when the apps are loaded"},
	{"as-user-atexit", "at the end, when the workers have ended"},
}

var hookRows = makeHookRows()

// makeHookRows makes the rows of hook-STAGE and exec-STAGE.
func makeHookRows() []row {
	var rows []row
	for _, s := range stages {
		o := option.Option{Name: "exec-" + s.name, Kind: option.List, Arg: "COMMAND", Status: option.Same, Help: "run this shell command " + s.when}
		switch s.name {
		case "post-jail", "in-jail":
			o.Status, o.Note = option.Differs, "There are no jails here, so it is run before the addresses are bound."
		case "pre-jail":
			o.Note = "A command that fails ends the start."
		case "as-root":
			o.Status, o.Note = option.Differs, "The addresses are bound by then; with `chroot` it still runs outside."
		}
		rows = append(rows, row{Option: o, set: func(r *resolver, e ini.Entry) error { return r.execute(s.name, e) }})
	}
	hook := func(stage, when, more string) {
		rows = append(rows, row{
			Option: option.Option{
				Name: "hook-" + stage, Kind: option.List, Arg: "exec:COMMAND", Status: option.Differs,
				Help: "run this shell command " + when + ", before those of exec-; with safeexec: it may fail",
				Note: "Only `exec:` and `safeexec:`; another action ends the start." + more,
			},
			set: func(r *resolver, e ini.Entry) error { return r.hook(stage, e) },
		})
	}
	for _, s := range stages {
		hook(s.name, s.when, "")
	}
	hook("post-fork", "in each worker process, before it serves", " A worker in which one fails ends, and another is tried.")
	hook("master-start", "when requests are served", " `unix_signal:15 gracefully_kill_them_all` is what SIGTERM does anyway.")
	return rows
}

// hook reads ACTION:ARGUMENT. uWSGI runs hooks before the commands of exec-STAGE.
func (r *resolver) hook(stage string, e ini.Entry) error {
	action, command, _ := strings.Cut(e.Value, ":")
	switch {
	case (action == "exec" || action == "safeexec") && command != "":
	case stage == "master-start" && e.Value == "unix_signal:15 gracefully_kill_them_all":
		return nil // what SIGTERM does here
	default:
		return e.Origin.Errorf(e.Key, "%q is not supported: exec:COMMAND and safeexec:COMMAND are", e.Value)
	}
	r.Hooks = slices.Insert(r.Hooks, r.hooks, Hook{Stage: stage, Command: command, Safe: action == "safeexec", Where: e.Origin.Name(e.Key)})
	r.hooks++
	return nil
}

func (r *resolver) execute(stage string, e ini.Entry) error {
	command, err := text(e, "a command")
	if err != nil {
		return err
	}
	r.Hooks = append(r.Hooks, Hook{Stage: stage, Command: command, Where: e.Origin.Name(e.Key)})
	return nil
}

package config

import (
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/hook"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// HookConfig has the hooks of the server's life. Those of one stage are in their order.
type HookConfig struct {
	Hooks      []Hook
	TouchHooks []TouchHook
}

// Hook is something to do at a stage of the server's life.
type Hook struct {
	Stage string // one of stages, post-fork, as-mule or master-start
	hook.Action
	Where string // its origin for messages
}

// TouchHook is something to do when a file is touched.
type TouchHook struct {
	Path string
	Hook
}

// stages are the moments of hook-STAGE and exec-STAGE, in their order. when completes the help of
// both.
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
	add := func(stage, when, more string) {
		rows = append(rows, row{
			Option: option.Option{
				Name: "hook-" + stage, Kind: option.List, Arg: "ACTION:ARGUMENT", Status: option.Differs,
				Help: "do this " + when + ", before the commands of exec-: exec, safeexec (may fail), chdir, mkdir, putenv, chmod, chown, write, append, create, unlink, " +
					"wait_for_file, print, exit and other actions of uWSGI",
				Note: "`mount`, `umount`, `call` and `rpc` end the start." + more,
			},
			set: func(r *resolver, e ini.Entry) error { return r.hook(stage, e) },
		})
	}
	for _, s := range stages {
		add(s.name, s.when, "")
	}
	add("post-fork", "in each worker process, before it serves", " A worker in which one fails ends, and another is tried.")
	add("as-mule", "in each mule, before it begins", " A mule in which one fails ends, and is started again.")
	add("master-start", "when requests are served", " `unix_signal:NUMBER FUNCTION` lets a signal stop or reload the server, log statistics or pause.")
	for _, s := range acceptingStages {
		rows = append(rows, row{
			Option: option.Option{
				Name: "hook-" + s.Stage, Kind: option.List, Arg: "ACTION:ARGUMENT", Status: option.Differs,
				Help: "do this " + s.when,
				Note: "The server does it, beside the workers, and logs failures. Actions that change a process, such as chdir and putenv, end the start: see `hook-post-fork`. The replacement of a single worker does not count.",
			},
			set: func(r *resolver, e ini.Entry) error { return r.accepting(s.Stage, e) },
		})
	}
	rows = append(rows,
		row{
			Option: option.Option{
				Name: "touch-exec", Kind: option.List, Arg: "FILE COMMAND", Status: option.Same,
				Help: "run this shell command when the file is touched",
			},
			set: func(r *resolver, e ini.Entry) error { return r.touch(e, "exec:") },
		},
		row{
			Option: option.Option{
				Name: "hook-touch", Kind: option.List, Arg: "FILE ACTION:ARGUMENT", Status: option.Differs,
				Help: "do this when the file is touched: an action as in the other hooks",
				Note: "Actions that change the server itself, such as chdir and putenv, end the start.",
			},
			set: func(r *resolver, e ini.Entry) error { return r.touch(e, "") },
		},
	)
	for _, w := range []struct{ name, what, action, stage string }{
		{"wait-for-fs", "this path is there", "wait_for_fs", "as-root"},
		{"wait-for-file", "this path is a file", "wait_for_file", "as-root"},
		{"wait-for-dir", "this path is a directory", "wait_for_dir", "as-root"},
		{"wait-for-socket", "this address takes connections", "wait_for_socket", "as-user"},
	} {
		arg := "PATH"
		if w.name == "wait-for-socket" {
			arg = "ADDR"
		}
		rows = append(rows, row{
			Option: option.Option{
				Name: w.name, Kind: option.List, Arg: arg, Status: option.Differs,
				Help: "wait until " + w.what + ", at most 60 seconds, before the apps are loaded",
				Note: "It is a hook of the stage " + w.stage + ". uWSGI accepts anything as a file or a directory.",
			},
			set: func(r *resolver, e ini.Entry) error {
				e.Value = w.action + ":" + e.Value
				return r.hook(w.stage, e)
			},
		})
	}
	return rows
}

// hook reads ACTION:ARGUMENT. uWSGI runs hooks before the commands of exec-STAGE.
func (r *resolver) hook(stage string, e ini.Entry) error {
	action, err := hook.Parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%q: %w", e.Value, err)
	}
	switch stage {
	case "post-fork", "as-mule":
		switch action.Kind {
		case hook.Run, hook.Chdir, hook.Setenv, hook.Unsetenv:
		default:
			return e.Origin.Errorf(e.Key, "%q is for the server itself: give it with hook-as-user, or hook-master-start for a signal or an alarm", e.Value)
		}
	}
	r.Hooks = slices.Insert(r.Hooks, r.hooks, Hook{Stage: stage, Action: action, Where: e.Origin.Name(e.Key)})
	r.hooks++
	return nil
}

// Accepting says when the hooks of a stage run, and how often.
type Accepting struct {
	Stage string
	Each  bool // once for each worker
	Again bool // also when new workers have taken over at a reload
	when  string
}

var acceptingStages = []Accepting{
	{"accepting", true, true, "for each worker that takes requests, also after a reload"},
	{"accepting1", false, true, "when the first worker takes requests, also after a reload"},
	{"accepting-once", true, false, "for each worker that takes requests, after the start alone"},
	{"accepting1-once", false, false, "when the first worker takes requests, after the start alone"},
}

// AcceptingStages are the stages at which workers take requests.
func AcceptingStages() []Accepting { return slices.Clone(acceptingStages) }

// accepting reads a hook of such a stage.
func (r *resolver) accepting(stage string, e ini.Entry) error {
	a, err := hook.Parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%q: %w", e.Value, err)
	}
	if a.Kind != hook.Run && a.Kind != hook.Alarm {
		return e.Origin.Errorf(e.Key, "%q would change a process: give it with hook-post-fork for workers, or with hook-as-user for the server", e.Value)
	}
	r.Hooks = append(r.Hooks, Hook{Stage: stage, Action: a, Where: e.Origin.Name(e.Key)})
	return nil
}

// touch reads a file and what to do when it is touched.
func (r *resolver) touch(e ini.Entry, action string) error {
	file, rest, ok := strings.Cut(strings.TrimSpace(e.Value), " ")
	if !ok {
		return e.Origin.Errorf(e.Key, "%q is not of the form FILE COMMAND", e.Value)
	}
	a, err := hook.Parse(action + strings.TrimSpace(rest))
	if err != nil {
		return e.Origin.Errorf(e.Key, "%q: %w", e.Value, err)
	}
	if a.Kind != hook.Run && a.Kind != hook.Alarm {
		return e.Origin.Errorf(e.Key, "%q would change the server itself, which a file that is touched cannot do", e.Value)
	}
	r.TouchHooks = append(r.TouchHooks, TouchHook{file, Hook{Stage: "touch", Action: a, Where: e.Origin.Name(e.Key)}})
	return nil
}

func (r *resolver) execute(stage string, e ini.Entry) error {
	command, err := text(e, "a command")
	if err != nil {
		return err
	}
	r.Hooks = append(r.Hooks, Hook{Stage: stage, Action: hook.Action{Text: command, Line: command}, Where: e.Origin.Name(e.Key)})
	return nil
}

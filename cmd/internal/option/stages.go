package option

// Stages are the moments at which hook-STAGE and exec-STAGE run commands, in their
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

// Stages lists the names of the stages that have a hook-STAGE and an exec-STAGE.
func Stages() []string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = s.name
	}
	return names
}

// stageRows are the rows of hook-STAGE and exec-STAGE.
func stageRows() []Option {
	var rows []Option
	for _, s := range stages {
		o := Option{Name: "exec-" + s.name, Kind: List, Arg: "COMMAND", Section: System, Status: Same, Help: "run this shell command " + s.when}
		switch s.name {
		case "post-jail", "in-jail":
			o.Status, o.Note = Differs, "There are no jails here, so it is run before the addresses are bound."
		case "pre-jail":
			o.Note = "A command that fails ends the start."
		case "as-root":
			o.Status, o.Note = Differs, "The addresses are bound by then; with `chroot` it still runs outside."
		}
		rows = append(rows, o)
	}
	hook := func(name, when string) Option {
		return Option{
			Name: "hook-" + name, Kind: List, Arg: "exec:COMMAND", Section: System, Status: Differs,
			Help: "run this shell command " + when + ", before those of exec-; with safeexec: it may fail",
			Note: "Only `exec:` and `safeexec:`; another action ends the start.",
		}
	}
	for _, s := range stages {
		rows = append(rows, hook(s.name, s.when))
	}
	fork := hook("post-fork", "in each worker process, before it serves")
	fork.Note += " A worker in which one fails ends, and another is tried."
	start := hook("master-start", "when requests are served")
	start.Note += " `unix_signal:15 gracefully_kill_them_all` is what SIGTERM does anyway."
	return append(rows, fork, start)
}

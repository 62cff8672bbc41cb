package config

import (
	"math"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// SpoolerConfig says which directories have tasks for the app, and how they are worked off.
type SpoolerConfig struct {
	Spoolers         []Spooler // the first is meant where an app names none
	SpoolerProcesses int       // of each directory
	SpoolerOrdered   bool
	SpoolerQuiet     bool
	SpoolerFrequency time.Duration // whole seconds
	SpoolerMaxTasks  int           // 0 for no limit
	SpoolerChdir     string        // empty for the directory of the task
	SpoolerHarakiri  time.Duration // 0 for no limit
	SpoolerSignals   bool          // signals count as tasks
	SpoolerImports   []string      // modules and files
	TouchSpoolers    []string      // files, relative to Chdir
	SpoolerSync      bool          // a task is on the disk before spool returns
}

// Spooler is a directory with tasks.
type Spooler struct {
	Dir      string
	External bool // another server works it off
}

var spoolerDefaults = SpoolerConfig{SpoolerProcesses: 1, SpoolerFrequency: 30 * time.Second, SpoolerSync: true}

const (
	maxSpoolers  = 64   // directories
	maxFrequency = 3600 // seconds
)

var spoolerRows = []row{
	{
		Option: option.Option{
			Name: "spooler", Short: 'Q', Kind: option.List, Arg: "DIR", Status: option.Differs,
			Help: "run the tasks that apps put into this directory with uwsgi.spool; uwsgo makes it if it is missing",
			Note: "The files are in uWSGI's format, and uWSGI may share the directory. A task that raises waits twice as long each time, up to 16 times spooler-frequency. A damaged file is renamed, not deleted. Tasks with a priority run without spooler-ordered, too. See [spooler.md](spooler.md).",
		},
		set: func(r *resolver, e ini.Entry) error { return r.spooler(e, false) },
	},
	{
		Option: option.Option{
			Name: "spooler-external", Kind: option.List, Arg: "DIR", Status: option.Same,
			Help: "let apps put tasks into this directory; another server runs them",
		},
		set: func(r *resolver, e ini.Entry) error { return r.spooler(e, true) },
	},
	{
		Option: option.Option{
			Name: "spooler-processes", Kind: option.Int, Arg: "N", Default: "1", Status: option.Same,
			Help: "run N tasks of each spooler at a time, each in a process of its own",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.SpoolerProcesses, e, maxProcesses) },
	},
	{
		Option: option.Option{
			Name: "spooler-ordered", Kind: option.Flag, Status: option.Same,
			Help: "run tasks in the order of their names, lower priority numbers first",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.SpoolerOrdered, e) },
	},
	{
		Option: option.Option{
			Name: "spooler-frequency", Aliases: []string{"spooler-freq"}, Kind: option.Seconds, Arg: "SECONDS", Default: "30", Status: option.Differs,
			Help: "look for tasks every N seconds, and retry those that ask for it",
			Note: "A task with `at` runs when it is due, not at the next look. New tasks run at once.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.SpoolerFrequency, e) },
	},
	{
		Option: option.Option{
			Name: "spooler-chdir", Kind: option.Text, Arg: "DIR", Status: option.Same,
			Help: "change to this directory before each task; by default a task runs in the directory of its file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.SpoolerChdir, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "spooler-max-tasks", Kind: option.Int, Arg: "N", Status: option.Same,
			Help: "replace a spooler process after N tasks",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.SpoolerMaxTasks, e, math.MaxInt32) },
	},
	{
		Option: option.Option{
			Name: "spooler-signal-as-task", Kind: option.Flag, Status: option.Same,
			Help: "count signals as tasks for --spooler-max-tasks",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.SpoolerSignals, e) },
	},
	{
		Option: option.Option{
			Name: "spooler-harakiri", Kind: option.Seconds, Arg: "SECONDS", Status: option.Same,
			Help: "kill the process of a task that runs longer; the task is run again",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.SpoolerHarakiri, e) },
	},
	{
		Option: option.Option{
			Name: "spooler-quiet", Kind: option.Flag, Status: option.Same,
			Help: "do not log each task",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.SpoolerQuiet, e) },
	},
	{
		Option: option.Option{
			Name: "spooler-sync", Kind: option.Flag, Arg: "BOOL", Optional: true, Default: "true", Status: option.Own,
			Help: "write a task to the disk before uwsgi.spool returns",
			Note: "`false` leaves that to the system, as uWSGI does: then a crash of the machine may lose tasks. A crash of a process never does.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.SpoolerSync, e) },
	},
	{
		Option: option.Option{
			Name: "spooler-cheap", Kind: option.Flag, Status: option.Differs,
			Help: "accepted, without effect",
			Note: "Idle spooler processes stay: they share the app's memory, and a new task runs at once.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "spooler-import", Aliases: []string{"spooler-python-import", "spooler-py-import", "spooler-pyimport"}, Kind: option.List, Arg: "MODULE|FILE", Status: option.Same,
			Help: "import this module, or run this file, in spooler processes",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.SpoolerImports, e, "a module or a file") },
	},
	{
		Option: option.Option{
			Name: "touch-spoolers-reload", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "replace the spooler processes when this file is touched",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.TouchSpoolers, e, "a file name") },
	},
}

func (r *resolver) spooler(e ini.Entry, external bool) error {
	dir, err := text(e, "a directory")
	switch {
	case err != nil:
		return err
	case dir == "":
		return nil
	case len(r.Spoolers) == maxSpoolers:
		return e.Origin.Errorf(e.Key, "there may be %d directories", maxSpoolers)
	}
	r.Spoolers = append(r.Spoolers, Spooler{Dir: dir, External: external})
	return nil
}

func (r *resolver) settleSpooler() error {
	r.SpoolerProcesses = max(r.SpoolerProcesses, 1)
	r.SpoolerFrequency = min(max(r.SpoolerFrequency, time.Second), maxFrequency*time.Second)
	return nil
}

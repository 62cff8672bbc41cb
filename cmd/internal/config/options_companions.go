package config

import (
	"errors"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// CompanionConfig is what runs beside the server, and who commands it.
type CompanionConfig struct {
	Fifos      []string // named pipes that take commands
	Companions []companion.Spec
	Crons      []cron.Job
}

var companionRows = []row{
	{
		Option: option.Option{
			Name: "master-fifo", Kind: option.List, Arg: "FILE", Status: option.Differs,
			Help: "take commands from this named pipe, one letter each: q stop, Q stop at once, r or w reload, c reload the workers one by one, f replace the binary, p pause or resume, P write the pid files again, l open logs anew, L rotate logs, s log statistics, 0 to 9 read that pipe instead",
			Note: "Letters for unsupported features are logged. uwsgo removes the pipe at the end; uWSGI leaves it, and a writer waits for ever.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Fifos, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "attach-daemon", Kind: option.List, Arg: "COMMAND", Status: option.Differs,
			Help: "run this shell command beside the server; start it again when it ends, until the server has stopped",
			Note: "It goes on through a reload. At a stop it ends after the workers, which may need it.",
		},
		set: (*resolver).attachDaemon,
	},
	{
		Option: option.Option{
			Name: "attach-daemon2", Kind: option.List, Arg: "KEY=VALUE,...", Status: option.Differs,
			Help: "the same with keys: " + companion.Keys,
			Note: "`daemonize=0` and its like switch a key off; in uWSGI any value switches it on. `uid` and `gid` may be names. At a reload daemons go on, and get `reloadsignal` if it is given.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.companion(e, companion.ParseKeys) },
	},
	{
		Option: option.Option{
			Name: "attach-control-daemon", Kind: option.List, Arg: "COMMAND", Status: option.Same,
			Help: "run this shell command beside the server, and stop the server when it ends",
		},
		set: func(r *resolver, e ini.Entry) error {
			return r.companion(e, func(value string) (companion.Spec, error) {
				s := companion.New(value)
				s.Control = true
				return s, needsCommand(value)
			})
		},
	},
	{
		Option: option.Option{
			Name: "smart-attach-daemon", Kind: option.List, Arg: "PIDFILE COMMAND", Status: option.Same,
			Help: "the same for a command that goes to the background and writes a pid file; if it already runs, that one is used",
		},
		set: func(r *resolver, e ini.Entry) error { return r.smartDaemon(e, false) },
	},
	{
		Option: option.Option{
			Name: "smart-attach-daemon2", Kind: option.List, Arg: "PIDFILE COMMAND", Status: option.Same,
			Help: "the same for a command that writes a pid file and stays in the foreground",
		},
		set: func(r *resolver, e ini.Entry) error { return r.smartDaemon(e, true) },
	},
	{
		Option: option.Option{
			Name: "cron", Kind: option.List, Arg: "MINUTE HOUR DAY MONTH WEEKDAY COMMAND", Status: option.Same,
			Help: "run this shell command at these times; -1 is any, -5 every fifth",
		},
		set: func(r *resolver, e ini.Entry) error { return r.cron(e, cron.Parse, false) },
	},
	{
		Option: option.Option{
			Name: "unique-cron", Kind: option.List, Arg: "MINUTE HOUR DAY MONTH WEEKDAY COMMAND", Status: option.Same,
			Help: "the same, but not while the previous run goes on",
		},
		set: func(r *resolver, e ini.Entry) error { return r.cron(e, cron.Parse, true) },
	},
	{
		Option: option.Option{
			Name: "cron2", Kind: option.List, Arg: "KEY=NUMBER,... COMMAND", Status: option.Same,
			Help: "the same with keys: minute, hour, day, month, week, unique, harakiri",
		},
		set: func(r *resolver, e ini.Entry) error { return r.cron(e, cron.Parse2, false) },
	},
	{
		Option: option.Option{
			Name: "cron-harakiri", Kind: option.Seconds, Arg: "SECONDS", Status: option.Same,
			Help: "kill a cron command that runs longer",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.cronHarakiri, e) },
	},
	{
		Option: option.Option{
			Name: "no-orphans", Kind: option.Flag, Default: "true", Status: option.Differs,
			Help: "end the workers when the server is killed",
			Note: "Always on (Linux), also for the commands of cron and attach-daemon.",
		},
		set: (*resolver).always,
	},
}

func (r *resolver) attachDaemon(e ini.Entry) error {
	command, err := text(e, "a command")
	if err == nil {
		r.Companions = append(r.Companions, companion.New(command))
	}
	return err
}

func needsCommand(value string) error {
	if value == "" {
		return errors.New("it needs a command")
	}
	return nil
}

func (r *resolver) smartDaemon(e ini.Entry, foreground bool) error {
	return r.companion(e, func(value string) (companion.Spec, error) { return companion.ParseSmart(value, foreground) })
}

func (r *resolver) companion(e ini.Entry, parse func(string) (companion.Spec, error)) error {
	s, err := parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	for _, key := range s.Unknown {
		r.list.Warnf("%s: %q is no key of it: there are %s", e.Origin.Name(e.Key), key, companion.Keys)
	}
	r.Companions = append(r.Companions, s)
	return nil
}

func (r *resolver) cron(e ini.Entry, parse func(string) (cron.Job, error), unique bool) error {
	j, err := parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	j.Unique = j.Unique || unique
	r.Crons = append(r.Crons, j)
	return nil
}

// settleCrons gives each job without a time of its own that of cron-harakiri.
func (r *resolver) settleCrons() error {
	for i := range r.Crons {
		if r.Crons[i].Harakiri == 0 {
			r.Crons[i].Harakiri = r.cronHarakiri
		}
	}
	return nil
}

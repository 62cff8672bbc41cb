package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// EmperorConfig says which files are servers of their own, and how they are kept.
type EmperorConfig struct {
	Emperor      emperor.Options
	EmperorStats string        // address of the emperor's statistics
	EmperorPid   string        // file for its process id
	EmperorName  string        // what ps shows of it
	Heartbeat    time.Duration // how often a vassal says that it lives; 0 for never
}

var emperorDefaults = EmperorConfig{Emperor: emperor.Options{Freq: 3 * time.Second, Policy: emperor.Policy{
	Throttle: time.Second, MaxThrottle: 3 * time.Minute, Heartbeat: 30 * time.Second, Curse: 70 * time.Second,
}}}

var emperorRows = []row{
	{
		Option: option.Option{
			Name: "emperor", Kind: option.List, Arg: "DIR", Status: option.Differs,
			Help: "run a server for each configuration file in this directory, or that matches this pattern, and keep it as the file is",
			Note: "Directories and patterns, with `dir://` and `glob://` too; zmq://, pg://, mongodb://, amqp:// and other plugins end the start. An emperor has no app of its own beside it. See emperor.md.",
		},
		set: func(r *resolver, e ini.Entry) error {
			err := addText(&r.Emperor.Monitors, e, "a directory, or a pattern")
			if err == nil {
				if err = emperor.CheckMonitor(e.Value); err != nil {
					err = e.Origin.Errorf(e.Key, "%v", err)
				}
			}
			return err
		},
	},
	{
		Option: option.Option{
			Name: "emperor-tyrant", Kind: option.Flag, Status: option.Differs,
			Help: "run each vassal as the user and group that own its file; those of root are not run",
			Note: "Needs root. With uid it also needs cap = setgid,setuid, as in uWSGI: then the emperor gives up root and keeps the right to become others, on Linux. Without that the start ends.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.Tyrant, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-tyrant-nofollow", Kind: option.Flag, Status: option.Same,
			Help: "of a symbolic link take its own owner, not that of the file it leads to",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.TyrantNofollow, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-tyrant-initgroups", Kind: option.Flag, Status: option.Same,
			Help: "give vassals the further groups of their user, too",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.Initgroups, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-nofollow", Kind: option.Flag, Status: option.Same,
			Help: "of a symbolic link take its own time of change and owner, not those of the file it leads to",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.Nofollow, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-extra-extension", Aliases: []string{"emperor-extra-ext"}, Kind: option.List, Arg: "EXT", Status: option.Differs,
			Help: "take files whose name ends so for vassals, too",
			Note: "Beside .ini .yml .yaml .json .js .xml. The file is read as by `config`.",
		},
		set: func(r *resolver, e ini.Entry) error {
			return addText(&r.Emperor.Extensions, e, "the end of a name, such as .conf")
		},
	},
	{
		Option: option.Option{
			Name: "emperor-freq", Kind: option.Seconds, Arg: "SECONDS", Default: "3", Status: option.Same,
			Help: "how often the emperor looks for files that are new, touched or gone",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Emperor.Freq, e) },
	},
	{
		Option: option.Option{
			Name: "vassals-set", Aliases: []string{"vassal-set"}, Kind: option.List, Arg: "KEY=VALUE", Status: option.Same,
			Help: "set this option in every vassal, before its file is read",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.Set, e, "KEY=VALUE") },
	},
	{
		Option: option.Option{
			Name: "vassals-include", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "have every vassal read this file after its own, by include",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.Include, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-include-before", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "have every vassal read this file before its own, by include",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.IncludeBefore, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-inherit", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "have every vassal read this file after its own, by inherit",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.Inherit, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-inherit-before", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "have every vassal read this file before its own, by inherit",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.InheritBefore, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-start-hook", Kind: option.Text, Arg: "PROGRAM", Status: option.Differs,
			Help: "run this program, with the vassal's name as its argument, before each start of a vassal",
			Note: "It has a minute. In tyrant mode it runs as the vassal's user, as in uWSGI. UWSGI_VASSALS_DIR has the directory of the file.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.StartHook, e, "a program") },
	},
	{
		Option: option.Option{
			Name: "vassals-stop-hook", Kind: option.Text, Arg: "PROGRAM", Status: option.Differs,
			Help: "run this program, with the vassal's name as its argument, after each end of a vassal",
			Note: "It has a minute, and runs as the emperor's user.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.StopHook, e, "a program") },
	},
	{
		Option: option.Option{
			Name: "emperor-on-demand-extension", Aliases: []string{"emperor-on-demand-ext"}, Kind: option.Text, Arg: "EXT", Status: option.Same,
			Help: "start a vassal at its first connection, where a file with its name and this ending holds the address to wait at",
		},
		set: func(r *resolver, e ini.Entry) error {
			return setText(&r.Emperor.DemandExtension, e, "the end of a name, such as .socket")
		},
	},
	{
		Option: option.Option{
			Name: "emperor-on-demand-directory", Aliases: []string{"emperor-on-demand-dir"}, Kind: option.Text, Arg: "DIR", Status: option.Same,
			Help: "start a vassal at its first connection to DIR/NAME.socket",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.DemandDirectory, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "emperor-on-demand-exec", Kind: option.Text, Arg: "COMMAND", Status: option.Same,
			Help: "start a vassal at its first connection to the address that this command prints, which gets its name",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.DemandExec, e, "a command") },
	},
	{
		Option: option.Option{
			Name: "emperor-stats", Aliases: []string{"emperor-stats-server"}, Kind: option.Text, Arg: "ADDR", Status: option.Same,
			Help: "send the emperor's statistics as JSON to whoever connects to this address",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.EmperorStats, e, "an address") },
	},
	{
		Option: option.Option{
			Name: "emperor-pidfile", Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "write the process id of the emperor to this file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.EmperorPid, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "emperor-procname", Kind: option.Text, Arg: "TEXT", Status: option.Same,
			Help: "have ps show this for the emperor",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.EmperorName, e, "a name") },
	},
	{
		Option: option.Option{
			Name: "emperor-throttle", Kind: option.Plain, Arg: "MILLISECONDS", Default: "1000", Status: option.Differs,
			Help: "how much longer each time the emperor waits before it starts a vassal that dies at once",
			Note: "The first time it is started again at once, as is one whose file has changed: uWSGI lets that wait.",
		},
		set: func(r *resolver, e ini.Entry) error { return setMillis(&r.Emperor.Throttle, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-max-throttle", Kind: option.Plain, Arg: "MILLISECONDS", Default: "180000", Status: option.Differs,
			Help: "how long it waits at most",
			Note: "uWSGI halves the pause when it is reached; here it stays.",
		},
		set: func(r *resolver, e ini.Entry) error { return setMillis(&r.Emperor.MaxThrottle, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-no-blacklist", Kind: option.Flag, Status: option.Differs,
			Help: "start a vassal that dies at once again without a growing pause",
			Note: "A second passes between two starts.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.NoBlacklist, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-required-heartbeat", Kind: option.Seconds, Arg: "SECONDS", Default: "30", Status: option.Same,
			Help: "kill and restart a vassal with heartbeat that has not been heard of for so long",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Emperor.Heartbeat, e) },
	},
	{
		Option: option.Option{
			Name: "heartbeat", Kind: option.Seconds, Arg: "SECONDS", Status: option.Differs,
			Help: "of a vassal: tell the emperor so often that all is well",
			Note: "Only while every event loop does its work.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.EmperorConfig.Heartbeat, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-curse-tolerance", Kind: option.Seconds, Arg: "SECONDS", Default: "70", Status: option.Differs,
			Help: "how long a vassal that is to stop may take before it is killed",
			Note: "uWSGI has 30: less than requests may take to finish (worker-reload-mercy).",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Emperor.Curse, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-graceful-shutdown", Kind: option.Flag, Default: "true", Status: option.Differs,
			Help: "have vassals finish their requests when they are stopped",
			Note: "Always so here.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "emperor-wrapper", Kind: option.Text, Arg: "PROGRAM", Status: option.Differs,
			Help: "run this program for each vassal, with uwsgo's options",
			Note: "A script that ends in `exec uwsgo \"$@\"`; with uWSGI itself a vassal is one of uWSGI's.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.Wrapper, e, "a program") },
	},
	{
		Option: option.Option{
			Name: "emperor-magic-exec", Kind: option.Flag, Status: option.Same,
			Help: "run files that may be executed, and take what they print for the configuration of the vassal",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.MagicExec, e) },
	},
}

// setMillis reads a number of milliseconds.
func setMillis(to *time.Duration, e ini.Entry) error {
	n, err := plain(e, maxSeconds)
	if err == nil {
		*to = time.Duration(n) * time.Millisecond
	}
	return err
}

// settleEmperor refuses what an emperor cannot be beside.
func (r *resolver) settleEmperor() error {
	o := &r.Emperor
	if len(o.Monitors) == 0 {
		return nil
	}
	if o.Freq == 0 {
		o.Freq = time.Second
	}
	for _, e := range r.list.Entries {
		known := r.list.Lookup(e.Key)
		if known == nil || e.Value == "" {
			continue
		}
		switch known.Section {
		case option.Application:
			switch known.Name {
			case "wsgi-file", "module", "mount":
				return e.Origin.Errorf(e.Key, "an emperor runs no app of its own: put the app into a file in %s, and start the emperor with emperor alone", o.Monitors[0])
			}
		case option.Listening:
			switch known.Name {
			case "http", "http-socket", "http11-socket", "socket", "uwsgi-socket":
				r.list.Warnf("%s: an emperor listens nowhere itself: put the address into the files of its vassals", e.Origin.Name(e.Key))
			}
		}
	}
	// Vassals are programs of their own, which have none of the emperor's capabilities. So
	// these are of use to the emperor alone.
	var rights []string
	for _, e := range r.list.Entries {
		if known := r.list.Lookup(e.Key); known != nil && known.Name == "cap" {
			rights = append(rights, strings.Split(e.Value, ",")...)
		}
	}
	r.doors = slices.DeleteFunc(r.doors, func(d door) bool { return d.name == "cap" })
	if !o.Tyrant || r.UID == "" {
		return nil
	}
	o.KeepRights = holdsRight(rights, "setuid", 7) && holdsRight(rights, "setgid", 6)
	if !o.KeepRights {
		return r.errTyrant()
	}
	return nil
}

// holdsRight reports whether a capability is among rights, by its name or number.
func holdsRight(rights []string, name string, number int) bool {
	return slices.ContainsFunc(rights, func(s string) bool {
		s = strings.TrimSpace(s)
		return strings.TrimPrefix(strings.ToLower(s), "cap_") == name || s == strconv.Itoa(number)
	})
}

func (r *resolver) errTyrant() error {
	for _, e := range r.list.Entries {
		if o := r.list.Lookup(e.Key); o != nil && o.Name == "emperor-tyrant" {
			return e.Origin.Errorf(e.Key, "with uid the emperor is not root any more, and cannot become the owner of each file: add cap = setgid,setuid, or leave out uid and gid; vassals never run as root")
		}
	}
	return nil
}

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
			Help: "run a server for each configuration file in this directory, or for each that matches this pattern; follow changes of the file",
			Note: "Directories and patterns, also as `dir://` and `glob://`. zmq://, pg://, mongodb://, amqp:// and other plugins end the start. An emperor runs no app itself. See [emperor.md](emperor.md).",
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
			Help: "run each vassal as the user and group that own its file; files of root are not run",
			Note: "It needs root. With uid it also needs cap = setgid,setuid, as in uWSGI, else the start ends. Then the emperor gives up root and keeps the right to become other users (Linux).",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.Tyrant, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-tyrant-nofollow", Kind: option.Flag, Status: option.Same,
			Help: "for a symbolic link use the owner of the link, not of its target",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.TyrantNofollow, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-tyrant-initgroups", Kind: option.Flag, Status: option.Same,
			Help: "give vassals the supplementary groups of their user, too",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.Initgroups, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-nofollow", Kind: option.Flag, Status: option.Same,
			Help: "for a symbolic link use the time of change and owner of the link, not of its target",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.Nofollow, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-extra-extension", Aliases: []string{"emperor-extra-ext"}, Kind: option.List, Arg: "EXT", Status: option.Differs,
			Help: "also run a vassal for each file whose name ends so",
			Note: "Besides .ini .yml .yaml .json .js .xml. The file is read as by `config`.",
		},
		set: func(r *resolver, e ini.Entry) error {
			return addText(&r.Emperor.Extensions, e, "the end of a name, such as .conf")
		},
	},
	{
		Option: option.Option{
			Name: "emperor-freq", Kind: option.Seconds, Arg: "SECONDS", Default: "3", Status: option.Same,
			Help: "how often the emperor looks for new, touched and removed files",
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
			Help: "make every vassal include this file after its own",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.Include, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-include-before", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "make every vassal include this file before its own",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.IncludeBefore, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-inherit", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "make every vassal inherit this file after its own",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.Inherit, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-inherit-before", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "make every vassal inherit this file before its own",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Emperor.InheritBefore, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "vassals-start-hook", Kind: option.Text, Arg: "PROGRAM", Status: option.Differs,
			Help: "run this program before each start of a vassal, with the vassal's name as its argument",
			Note: "It may run for a minute. In tyrant mode it runs as the vassal's user, as in uWSGI. UWSGI_VASSALS_DIR has the directory of the file.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.StartHook, e, "a program") },
	},
	{
		Option: option.Option{
			Name: "vassals-stop-hook", Kind: option.Text, Arg: "PROGRAM", Status: option.Differs,
			Help: "run this program after each end of a vassal, with the vassal's name as its argument",
			Note: "It may run for a minute, as the emperor's user.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.StopHook, e, "a program") },
	},
	{
		Option: option.Option{
			Name: "emperor-on-demand-extension", Aliases: []string{"emperor-on-demand-ext"}, Kind: option.Text, Arg: "EXT", Status: option.Same,
			Help: "start a vassal at its first connection; a file with its name and this ending holds the address",
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
			Help: "start a vassal at its first connection; this command gets the vassal's name and prints the address",
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
			Help: "the name that ps shows for the emperor",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.EmperorName, e, "a name") },
	},
	{
		Option: option.Option{
			Name: "emperor-throttle", Kind: option.Plain, Arg: "MILLISECONDS", Default: "1000", Status: option.Differs,
			Help: "wait N milliseconds longer each time before a vassal that dies at once is started again",
			Note: "The first restart, and one after a change of the file, come at once. In uWSGI they wait.",
		},
		set: func(r *resolver, e ini.Entry) error { return setMillis(&r.Emperor.Throttle, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-max-throttle", Kind: option.Plain, Arg: "MILLISECONDS", Default: "180000", Status: option.Differs,
			Help: "wait at most N milliseconds",
			Note: "The pause stays there; uWSGI halves it.",
		},
		set: func(r *resolver, e ini.Entry) error { return setMillis(&r.Emperor.MaxThrottle, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-no-blacklist", Kind: option.Flag, Status: option.Differs,
			Help: "start a vassal that dies at once again after a constant pause",
			Note: "The pause is a second.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Emperor.NoBlacklist, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-required-heartbeat", Kind: option.Seconds, Arg: "SECONDS", Default: "30", Status: option.Same,
			Help: "kill and restart a vassal whose heartbeat has stopped for N seconds",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Emperor.Heartbeat, e) },
	},
	{
		Option: option.Option{
			Name: "heartbeat", Kind: option.Seconds, Arg: "SECONDS", Status: option.Differs,
			Help: "in a vassal: tell the emperor every N seconds that all is well",
			Note: "It stops when an event loop hangs.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.EmperorConfig.Heartbeat, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-curse-tolerance", Kind: option.Seconds, Arg: "SECONDS", Default: "70", Status: option.Differs,
			Help: "how long a vassal may take to stop before it is killed",
			Note: "uWSGI's default is 30, which is less than requests may take to finish (worker-reload-mercy).",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Emperor.Curse, e) },
	},
	{
		Option: option.Option{
			Name: "emperor-graceful-shutdown", Kind: option.Flag, Default: "true", Status: option.Differs,
			Help: "let vassals finish their requests at a stop",
			Note: "Always so here.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "emperor-wrapper", Kind: option.Text, Arg: "PROGRAM", Status: option.Differs,
			Help: "run this program as each vassal, with uwsgo's options",
			Note: "A script that ends in `exec uwsgo \"$@\"`, or uWSGI itself.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Emperor.Wrapper, e, "a program") },
	},
	{
		Option: option.Option{
			Name: "emperor-magic-exec", Kind: option.Flag, Status: option.Same,
			Help: "run executable files, and use what they print as the configuration of the vassal",
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

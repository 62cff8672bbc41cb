package config

import (
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// SystemConfig is the process as the system sees it: user, pid files, daemon.
type SystemConfig struct {
	UID, GID      string // names or numbers; empty leaves them
	AddGID        []string
	NoInitgroups  bool
	ImmediateDrop bool   // become UID and GID before anything else
	Umask         int    // -1 leaves it
	Chroot        string // empty for none
	PidFile       string // written when the addresses are bound,
	PidFile2      string // when UID and GID hold,
	SafePidFile   string // and when the apps are loaded
	SafePidFile2  string
	Daemonize     string // the log of a server in the background; empty for the foreground
	DaemonShow    bool   // show the log of the start

	// For the actions Signal and Read.
	Signal string // stop, reload or pause
	Target string // a pid file, or an address
}

var systemDefaults = SystemConfig{Umask: -1}

var systemRows = []row{
	{
		Option: option.Option{
			Name: "uid", Aliases: []string{"immediate-uid"}, Kind: option.Text, Arg: "USER", Status: option.Differs,
			Help: "run as this user, a name or a number, once the addresses are bound; the app is loaded as that user",
			Note: "uWSGI drops root before it binds, unless `chown-socket` is given. Unix sockets belong to the user unless `chown-socket` says otherwise. `immediate-uid` drops root before anything else. Without `gid` the user's own group is taken; uWSGI keeps root's.",
		},
		set: (*resolver).uid,
	},
	{
		Option: option.Option{
			Name: "gid", Aliases: []string{"immediate-gid"}, Kind: option.Text, Arg: "GROUP", Status: option.Same,
			Help: "run as this group, a name or a number",
		},
		set: (*resolver).gid,
	},
	{
		Option: option.Option{
			Name: "add-gid", Kind: option.List, Arg: "GROUP", Status: option.Same,
			Help: "be a member of this group too",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.AddGID, e, "a group, by name or number") },
	},
	{
		Option: option.Option{
			Name: "no-initgroups", Kind: option.Flag, Status: option.Same,
			Help: "leave out the supplementary groups of the user of uid",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.NoInitgroups, e) },
	},
	{
		Option: option.Option{
			Name: "umask", Kind: option.Text, Arg: "MODE", Immediate: true, Status: option.Same,
			Help: "remove these permissions, in octal digits, from every new file",
		},
		set: (*resolver).umask,
	},
	{
		Option: option.Option{
			Name: "pidfile", Kind: option.Text, Arg: "FILE", Status: option.Differs,
			Help: "write the process id to this file once the addresses are bound",
			Note: "uWSGI writes it earlier, even over the file of a running server.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.PidFile, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "pidfile2", Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "write the process id to this file as the user of uid",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.PidFile2, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "safe-pidfile", Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "write the process id to this file when the apps are loaded",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.SafePidFile, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "safe-pidfile2", Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "the same as safe-pidfile, for a second file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.SafePidFile2, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "daemonize", Short: 'd', Kind: option.Text, Arg: "LOG", Status: option.Differs,
			Help: "run in the background and log to this file; the command returns when the server serves, or with the exit code of a failed start",
			Note: "uWSGI returns at once, with 0. The umask stays; uWSGI sets it to 0.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.daemonize(e, false) },
	},
	{
		Option: option.Option{
			Name: "daemonize2", Kind: option.Text, Arg: "LOG", Status: option.Differs,
			Help: "the same, and show the log of the start",
			Note: "As for `daemonize`. The terminal gets a copy of the log.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.daemonize(e, true) },
	},
	{
		Option: option.Option{
			Name: "stop", Kind: option.Text, Arg: "PIDFILE", Immediate: true, Status: option.Same,
			Help: "send SIGINT to the process of this pid file: finish requests and stop",
		},
		set: func(r *resolver, e ini.Entry) error { return r.signal(e, "stop") },
	},
	{
		Option: option.Option{
			Name: "reload", Kind: option.Text, Arg: "PIDFILE", Immediate: true, Status: option.Same,
			Help: "send SIGHUP to the process of this pid file: load the app again",
		},
		set: func(r *resolver, e ini.Entry) error { return r.signal(e, "reload") },
	},
	{
		Option: option.Option{
			Name: "pause", Aliases: []string{"suspend", "resume"}, Kind: option.Text, Arg: "PIDFILE", Immediate: true, Status: option.Same,
			Help: "send SIGTSTP to the process of this pid file: stop accepting connections, or accept them again",
		},
		set: func(r *resolver, e ini.Entry) error { return r.signal(e, "pause") },
	},
	{
		Option: option.Option{
			Name: "connect-and-read", Kind: option.Text, Arg: "ADDR", Immediate: true, Status: option.Same,
			Help: "print what this address sends, such as that of stats",
		},
		set: (*resolver).connectAndRead,
	},
	{
		Option: option.Option{
			Name: "chroot", Kind: option.Text, Arg: "DIR", Status: option.Differs,
			Help: "make this directory the root of all paths once the addresses are bound; it must hold Python and all its files",
			Note: "Sockets, log and pid file are outside; `chdir` and the app are inside. In uWSGI the sockets are inside, too.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Chroot, e, "a directory") },
	},
}

func (r *resolver) uid(e ini.Entry) error {
	r.ImmediateDrop = r.ImmediateDrop || e.Key == "immediate-uid"
	return setText(&r.UID, e, "a user, by name or number")
}

func (r *resolver) gid(e ini.Entry) error {
	r.ImmediateDrop = r.ImmediateDrop || e.Key == "immediate-gid"
	return setText(&r.GID, e, "a group, by name or number")
}

func (r *resolver) umask(e ini.Entry) (err error) {
	r.Umask, err = umask(e)
	return err
}

func (r *resolver) daemonize(e ini.Entry, show bool) error {
	r.DaemonShow = show
	return setText(&r.Daemonize, e, "a file name for the log")
}

func (r *resolver) signal(e ini.Entry, what string) error {
	r.Action, r.Signal = Signal, what
	return setText(&r.Target, e, "the name of a pid file")
}

func (r *resolver) connectAndRead(e ini.Entry) error {
	r.Action = Read
	return setText(&r.Target, e, "an address")
}

// settleSystem lets a daemon log to its own file.
func (r *resolver) settleSystem() error {
	if r.Daemonize != "" {
		r.LogTo = r.Daemonize
	}
	return nil
}

package config

import (
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// LifeConfig says when the server reloads, and how it stops.
type LifeConfig struct {
	Mercy            time.Duration // how long requests may go on at a reload or a stop
	TouchReload      []string      // files, relative to Chdir
	TouchChainReload []string
	TouchWorkers     []string // the same for the workers alone
	FSReload         []string // files and directories whose contents count
	ExitOnReload     bool
	Vacuum           bool
	DrainDelay       time.Duration // the server serves as usual for so long before it stops
	ReadyPath        string        // where the server says whether it takes requests
}

var lifeDefaults = LifeConfig{Mercy: 60 * time.Second}

var lifeRows = []row{
	{
		Option: option.Option{
			Name: "worker-reload-mercy", Kind: option.Seconds, Arg: "SECONDS", Default: "60", Status: option.Differs,
			Help: "how long requests may go on at a reload or a stop before their worker is killed",
			Note: "It holds for a stop, too; in uWSGI a stop cuts requests off.",
		},
		set: (*resolver).mercy,
	},
	{
		Option: option.Option{
			Name: "reload-mercy", Kind: option.Seconds, Arg: "SECONDS", Status: option.Differs,
			Help: "the same as --worker-reload-mercy, if that is not given",
			Note: "In uWSGI it holds only for vassals and daemons.",
		},
		set: (*resolver).reloadMercy,
	},
	{
		Option: option.Option{
			Name: "touch-reload", Kind: option.List, Arg: "FILE", Status: option.Differs,
			Help: "reload when this file is touched",
			Note: "It loads the app again, with new values of env, pythonpath and their kin. The log names other changed options, which need a restart. The file may be missing at first.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.TouchReload, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "touch-chain-reload", Kind: option.List, Arg: "FILE", Status: option.Same,
			Help: "replace the workers one by one when this file is touched; needs --lazy-apps",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.TouchChainReload, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "touch-workers-reload", Kind: option.List, Arg: "FILE", Status: option.Differs,
			Help: "reload the workers when this file is touched, also with --exit-on-reload",
			Note: "It loads the app again, as touch-reload does.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.TouchWorkers, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "fs-reload", Aliases: []string{"fs-brutal-reload"}, Kind: option.List, Arg: "PATH", Status: option.Differs,
			Help: "reload when this file, or a file in this directory, changes",
			Note: "uwsgo looks once a second, and not into subdirectories. fs-brutal-reload finishes requests, too.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.FSReload, e, "a path") },
	},
	{
		Option: option.Option{
			Name: "exit-on-reload", Kind: option.Flag, Status: option.Same,
			Help: "end the server with exit code 0 instead of a reload; a service manager starts it again",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.ExitOnReload, e) },
	},
	{
		Option: option.Option{
			Name: "die-on-term", Kind: option.Flag, Default: "true", Status: option.Differs,
			Help: "stop on SIGTERM",
			Note: "Always on. The server finishes running requests first.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "vacuum", Kind: option.Flag, Status: option.Same,
			Help: "remove the unix sockets and the pid files at the end",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Vacuum, e) },
	},
	{
		Option: option.Option{
			Name: "drain-delay", Kind: option.Seconds, Arg: "SECONDS", Status: option.Own,
			Help: "serve as usual for N seconds after a signal to stop, until a load balancer has noticed",
			Note: "A second signal ends the delay.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.DrainDelay, e) },
	},
	{
		Option: option.Option{
			Name: "ready-path", Kind: option.Text, Arg: "PATH", Status: option.Own,
			Help: "answer at this path, such as /-/ready, whether requests should come here: 200, or 503 with the reason",
			Note: "It is for the health checks of a load balancer, and needs no worker. 503 says `stopping` after the signal to stop, and `no worker` while none serves.",
		},
		set: (*resolver).readyPath,
	},
}

func (r *resolver) mercy(e ini.Entry) error {
	r.mercySet = true
	return setSeconds(&r.Mercy, e)
}

// reloadMercy holds unless worker-reload-mercy is given, before it or after it.
func (r *resolver) reloadMercy(e ini.Entry) error {
	d, err := seconds(e)
	if err == nil && !r.mercySet {
		r.Mercy = d
	}
	return err
}

func (r *resolver) readyPath(e ini.Entry) error {
	err := setText(&r.ReadyPath, e, "a path")
	if err == nil && !strings.HasPrefix(r.ReadyPath, "/") {
		err = e.Origin.Errorf(e.Key, "%q does not begin with a slash, as /-/ready does", r.ReadyPath)
	}
	return err
}

func (r *resolver) settleLife() error {
	if r.Mercy == 0 {
		r.Mercy = lifeDefaults.Mercy
	}
	return nil
}

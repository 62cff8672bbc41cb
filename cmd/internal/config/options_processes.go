package config

import (
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// ProcessConfig is how many workers there are.
type ProcessConfig struct {
	Processes int // at least 1
	Threads   int // per process, at least 1
}

var processDefaults = ProcessConfig{Processes: 1, Threads: 1}

// maxProcesses and maxThreads refuse a typing error before it forks.
const (
	maxProcesses = 10_000
	maxThreads   = 10_000
)

var processRows = []row{
	{
		Option: option.Option{
			Name: "master", Short: 'M', Kind: option.Flag, Status: option.Differs,
			Help: "supervise the workers",
			Note: "Always so here, in one process.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "processes", Aliases: []string{"workers"}, Short: 'p', Kind: option.Int, Arg: "N", Default: "1", Status: option.Same,
			Help: "run this many worker processes",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Processes, e, maxProcesses) },
	},
	{
		Option: option.Option{
			Name: "threads", Kind: option.Int, Arg: "N", Default: "1", Status: option.Same,
			Help: "run requests in this many threads of each worker",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Threads, e, maxThreads) },
	},
	{
		Option: option.Option{
			Name: "enable-threads", Short: 'T', Kind: option.Flag, Default: "true", Status: option.Differs,
			Help: "let the app start threads of its own",
			Note: "Always so, as in uWSGI since 2.0.27.",
		},
		set: (*resolver).always,
	},
}

func (r *resolver) settleProcesses() error {
	if r.Processes == 0 {
		r.Processes = 1
		r.list.Warnf("processes: 0 is too few, so one is run")
	}
	r.Threads = max(1, r.Threads)
	return nil
}

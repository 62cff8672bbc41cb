package config

import (
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// HarakiriConfig says how long requests may run.
type HarakiriConfig struct {
	Harakiri        time.Duration // 0 for no limit
	HarakiriVerbose bool
	HarakiriMercy   time.Duration  // for the other requests of a worker; 0 for Mercy
	HarakiriSignal  syscall.Signal // that the worker gets first; 0 for none
}

// maxSignal is the largest number of a signal.
const maxSignal = 64

var harakiriRows = []row{
	{
		Option: option.Option{
			Name: "harakiri", Short: 't', Kind: option.Seconds, Arg: "SECONDS", Status: option.Differs,
			Help: "end a request that takes longer, and replace its worker",
			Note: "The client gets 504. The time is each request's own, also with threads: those of other threads finish. The log has the request, its age and the Python stack of its thread.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Harakiri, e) },
	},
	{
		Option: option.Option{
			Name: "harakiri-verbose", Kind: option.Flag, Status: option.Same,
			Help: "log the system call, too, that a request is in when --harakiri ends it",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.HarakiriVerbose, e) },
	},
	{
		Option: option.Option{
			Name: "harakiri-graceful-timeout", Kind: option.Seconds, Arg: "SECONDS", Default: "worker-reload-mercy", Status: option.Differs,
			Help: "let the other requests of a worker finish for so long after --harakiri",
			Note: "In uWSGI the time between a first signal and SIGKILL; no signal is sent here unless --harakiri-graceful-signal asks for one.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.HarakiriMercy, e) },
	},
	{
		Option: option.Option{
			Name: "harakiri-graceful-signal", Kind: option.Plain, Arg: "N", Status: option.Differs,
			Help: "send this signal to the worker of a late request, and let that request, too, end within --harakiri-graceful-timeout",
			Note: "Not sent unless given (uWSGI: 15), nor without --harakiri-graceful-timeout. An app that does not handle it is ended by it, but for 1, 2, 3, 15 and 20, which workers ignore.",
		},
		set: (*resolver).harakiriSignal,
	},
}

func (r *resolver) harakiriSignal(e ini.Entry) error {
	n, err := plain(e, maxSignal)
	r.HarakiriSignal = syscall.Signal(n)
	return err
}

func (r *resolver) settleHarakiri() error {
	if r.HarakiriSignal != 0 && r.HarakiriMercy == 0 {
		r.HarakiriSignal = 0
		r.list.Warnf("harakiri-graceful-signal: no signal is sent without harakiri-graceful-timeout, as in uWSGI")
	}
	return nil
}

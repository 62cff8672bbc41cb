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
			Note: "The client gets 504. The requests of other threads finish. The log has the request, its age and the Python stack of its thread.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Harakiri, e) },
	},
	{
		Option: option.Option{
			Name: "harakiri-verbose", Kind: option.Flag, Status: option.Same,
			Help: "also log the system call of a request that --harakiri ends",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.HarakiriVerbose, e) },
	},
	{
		Option: option.Option{
			Name: "harakiri-graceful-timeout", Kind: option.Seconds, Arg: "SECONDS", Default: "worker-reload-mercy", Status: option.Differs,
			Help: "let the other requests of a worker go on for N seconds after --harakiri",
			Note: "In uWSGI it is the time between a first signal and SIGKILL. uwsgo sends a signal only if --harakiri-graceful-signal asks for one.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.HarakiriMercy, e) },
	},
	{
		Option: option.Option{
			Name: "harakiri-graceful-signal", Kind: option.Plain, Arg: "N", Status: option.Differs,
			Help: "send this signal to the worker of a late request, and give that request --harakiri-graceful-timeout to end",
			Note: "No signal is sent by default (uWSGI: 15), nor without --harakiri-graceful-timeout. It ends an app that does not handle it, except 1, 2, 3, 15 and 20, which workers ignore.",
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

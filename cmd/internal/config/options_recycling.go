package config

import (
	"fmt"
	"math"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// RecyclingConfig says when workers are replaced; 0 for never.
type RecyclingConfig struct {
	MaxRequests, MaxRequestsDelta              int64
	MaxLifetime, MaxLifetimeDelta, MinLifetime time.Duration
	ReloadOnRSS, ReloadOnAS, EvilRSS, EvilAS   int64 // bytes
	LimitAS                                    int64 // bytes of address space of a worker; 0 for no limit
	// Exceptions also say whether clients get tracebacks.
	Exceptions worker.Exceptions
}

var recyclingDefaults = RecyclingConfig{MinLifetime: 10 * time.Second}

// maxRequests is more than a worker ever answers.
const maxRequests = 1_000_000_000_000

var recyclingRows = []row{
	{
		Option: option.Option{
			Name: "reload-on-exception", Kind: option.Flag, Status: option.Differs,
			Help: "replace a worker after the app has raised an exception",
			Note: "The worker finishes its other requests, and the new one is ready first.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Exceptions.Any, e) },
	},
	{
		Option: option.Option{
			Name: "reload-on-exception-type", Kind: option.List, Arg: "CLASS", Status: option.Differs,
			Help: "replace a worker after the app has raised an exception of this class, such as OperationalError or django.db.utils.OperationalError",
			Note: "uWSGI compares the text of the exception with it.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Exceptions.Types, e, "a class") },
	},
	{
		Option: option.Option{
			Name: "reload-on-exception-value", Kind: option.List, Arg: "TEXT", Status: option.Same,
			Help: "replace a worker after the app has raised an exception with this text",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Exceptions.Values, e, "a text") },
	},
	{
		Option: option.Option{
			Name: "reload-on-exception-repr", Kind: option.List, Arg: "CLASS: TEXT", Status: option.Differs,
			Help: "replace a worker after the app has raised this exception, by class and text",
			Note: "uWSGI compares the text alone with it.",
		},
		set: func(r *resolver, e ini.Entry) error { return addText(&r.Exceptions.Traces, e, "CLASS: TEXT") },
	},
	{
		Option: option.Option{
			Name: "catch-exceptions", Kind: option.Flag, Status: option.Differs,
			Help: "show the traceback of an exception to the client; for development",
			Note: "The variables of the request are not shown. The traceback shows the app's code to any client that makes it fail.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Exceptions.Tell, e) },
	},
	{
		Option: option.Option{
			Name: "max-requests", Short: 'R', Kind: option.Int, Arg: "N", Status: option.Differs,
			Help: "replace a worker after N requests",
			Note: "A random part, up to a tenth, is added. One worker is replaced at a time, and the new one is ready first. uwsgo looks twice a second.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.MaxRequests, e, maxRequests) },
	},
	{
		Option: option.Option{
			Name: "max-requests-delta", Kind: option.Int, Arg: "N", Status: option.Same,
			Help: "add N to --max-requests for worker 2, 2 × N for worker 3, and so on",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.MaxRequestsDelta, e, math.MaxInt32) },
	},
	{
		Option: option.Option{
			Name: "max-worker-lifetime", Kind: option.Seconds, Arg: "SECONDS", Status: option.Differs,
			Help: "replace a worker that has run for N seconds",
			Note: "As for max-requests.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.MaxLifetime, e) },
	},
	{
		Option: option.Option{
			Name: "max-worker-lifetime-delta", Kind: option.Seconds, Arg: "SECONDS", Status: option.Same,
			Help: "add N to --max-worker-lifetime for worker 2, 2 × N for worker 3, and so on",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.MaxLifetimeDelta, e) },
	},
	{
		Option: option.Option{
			Name: "min-worker-lifetime", Kind: option.Seconds, Arg: "SECONDS", Default: "10", Status: option.Same,
			Help: "replace no worker that has run for less, whatever the other limits say",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.MinLifetime, e) },
	},
	{
		Option: option.Option{
			Name: "reload-on-rss", Kind: option.Megabytes, Arg: "MB", Status: option.Differs,
			Help: "replace a worker with N megabytes of resident memory",
			Note: "uwsgo looks twice a second. The new worker is ready first.",
		},
		set: func(r *resolver, e ini.Entry) error { return setMegabytes(&r.ReloadOnRSS, e) },
	},
	{
		Option: option.Option{
			Name: "reload-on-as", Kind: option.Megabytes, Arg: "MB", Status: option.Differs,
			Help: "replace a worker with N megabytes of address space",
			Note: "As for reload-on-rss.",
		},
		set: func(r *resolver, e ini.Entry) error { return setMegabytes(&r.ReloadOnAS, e) },
	},
	{
		Option: option.Option{
			Name: "evil-reload-on-rss", Kind: option.Megabytes, Arg: "MB", Status: option.Same,
			Help: "kill a worker with N megabytes of resident memory",
		},
		set: func(r *resolver, e ini.Entry) error { return setMegabytes(&r.EvilRSS, e) },
	},
	{
		Option: option.Option{
			Name: "evil-reload-on-as", Kind: option.Megabytes, Arg: "MB", Status: option.Same,
			Help: "kill a worker with N megabytes of address space",
		},
		set: func(r *resolver, e ini.Entry) error { return setMegabytes(&r.EvilAS, e) },
	},
	{
		Option: option.Option{
			Name: "limit-as", Kind: option.Megabytes, Arg: "MB", Status: option.Differs,
			Help: "limit the address space of each worker to N megabytes",
			Note: "It limits the Python processes, not the server itself.",
		},
		set: func(r *resolver, e ini.Entry) error { return setMegabytes(&r.LimitAS, e) },
	},
}

func (r *resolver) settleRecycling() error {
	if r.MaxLifetime > 0 && r.MaxLifetime <= r.MinLifetime {
		return fmt.Errorf("max-worker-lifetime: %d seconds must be more than min-worker-lifetime, which is %d", r.MaxLifetime/time.Second, r.MinLifetime/time.Second)
	}
	return nil
}

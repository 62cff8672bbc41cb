package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// CheaperConfig says how many of the workers run.
type CheaperConfig struct {
	Cheaper   worker.Cheaper
	Idle      time.Duration // time without a request after which workers or the server end; 0 for never
	DieOnIdle bool          // the server ends
}

// maxCheaper bounds the numbers of cheaper and its kin.
const maxCheaper = 100_000

var algorithms = map[string]worker.CheaperAlgorithm{
	"spare":    worker.CheaperSpare,
	"backlog":  worker.CheaperBacklog,
	"busyness": worker.CheaperBusyness,
	"manual":   worker.CheaperManual,
}

var cheaperRows = []row{
	{
		Option: option.Option{
			Name: "cheaper", Kind: option.Int, Arg: "N", Status: option.Same,
			Help: "run as many workers as the load needs, between N and --processes",
			Note: "It must be lower than processes. A worker finishes its requests before it ends; then its status is cheap.",
		},
		set: (*resolver).cheaper,
	},
	{
		Option: option.Option{
			Name: "cheaper-initial", Kind: option.Int, Arg: "N", Status: option.Same,
			Help: "start with N workers instead of those of --cheaper",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Cheaper.Initial, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-step", Kind: option.Int, Arg: "N", Default: "1", Status: option.Same,
			Help: "start N workers at a time when there are too few",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Cheaper.Step, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-overload", Kind: option.Int, Arg: "N", Default: "3", Status: option.Same,
			Help: "change the number of workers after N seconds of too much or too little to do; for backlog, when more or fewer than N requests wait",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Cheaper.Overload, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-rss-limit-soft", Kind: option.Size, Arg: "BYTES", Status: option.Same,
			Help: "start no more workers while all together have N bytes of resident memory",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.Cheaper.SoftRSS, e) },
	},
	{
		Option: option.Option{
			Name: "cheaper-rss-limit-hard", Kind: option.Size, Arg: "BYTES", Status: option.Same,
			Help: "end a worker without a request while all together have N bytes of resident memory",
			Note: "It needs cheaper-rss-limit-soft, which must be lower. The last worker stays.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSize(&r.Cheaper.HardRSS, e) },
	},
	{
		Option: option.Option{
			Name: "idle", Kind: option.Seconds, Arg: "SECONDS", Status: option.Differs,
			Help: "end all workers but one after N seconds without a request; the next request starts them again",
			Note: "In uWSGI no worker stays, and the first request waits for one.",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Idle, e) },
	},
	{
		Option: option.Option{
			Name: "die-on-idle", Kind: option.Flag, Status: option.Same,
			Help: "end the server after --idle seconds without a request; systemd or an emperor starts it on demand",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.DieOnIdle, e) },
	},
	{
		Option: option.Option{
			Name: "cheaper-algo", Kind: option.Text, Arg: "NAME", Default: "spare", Status: option.Differs,
			Help: "how the number of workers is decided: spare, backlog, busyness or manual",
			Note: "As many requests as a worker has threads count as one busy worker; in uWSGI one request does. `backlog` counts the requests that wait for a worker. `manual` leaves it to + and - of master-fifo.",
		},
		set: (*resolver).algorithm,
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-max", Kind: option.Percent, Arg: "PERCENT", Default: "50", Status: option.Same,
			Help: "busyness: start workers when those that run are busy more than this",
		},
		set: func(r *resolver, e ini.Entry) error { return setPercent(&r.Cheaper.Busyness.Max, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-min", Kind: option.Percent, Arg: "PERCENT", Default: "25", Status: option.Same,
			Help: "busyness: end a worker when they are busy less than this",
		},
		set: func(r *resolver, e ini.Entry) error { return setPercent(&r.Cheaper.Busyness.Min, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-multiplier", Kind: option.Int, Arg: "N", Default: "10", Status: option.Same,
			Help: "busyness: end no worker before N times --cheaper-overload seconds have passed",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Cheaper.Busyness.Multiplier, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-penalty", Kind: option.Int, Arg: "N", Default: "2", Status: option.Same,
			Help: "busyness: add N to the multiplier when a worker was needed again within that time",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Cheaper.Busyness.Penalty, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-backlog-alert", Kind: option.Int, Arg: "N", Default: "33", Status: option.Same,
			Help: "busyness: start emergency workers at once when more than N requests wait",
		},
		set: func(r *resolver, e ini.Entry) error {
			return setNumber(&r.Cheaper.Busyness.BacklogAlert, e, maxCheaper)
		},
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-backlog-step", Kind: option.Int, Arg: "N", Default: "1", Status: option.Same,
			Help: "busyness: start N emergency workers at a time",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Cheaper.Busyness.BacklogStep, e, maxCheaper) },
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-backlog-multiplier", Kind: option.Int, Arg: "N", Default: "3", Status: option.Same,
			Help: "busyness: the multiplier while there are emergency workers",
		},
		set: func(r *resolver, e ini.Entry) error {
			return setNumber(&r.Cheaper.Busyness.BacklogMultiplier, e, maxCheaper)
		},
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-backlog-nonzero", Kind: option.Seconds, Arg: "SECONDS", Default: "60", Status: option.Same,
			Help: "busyness: start an emergency worker when requests have waited for N seconds without a break",
		},
		set: func(r *resolver, e ini.Entry) error { return setSeconds(&r.Cheaper.Busyness.BacklogNonzero, e) },
	},
	{
		Option: option.Option{
			Name: "cheaper-busyness-verbose", Kind: option.Flag, Status: option.Same,
			Help: "busyness: log each measurement",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Cheaper.Busyness.Verbose, e) },
	},
}

// cheaper reads the least number of workers. uWSGI takes true and false for 0: all workers run.
func (r *resolver) cheaper(e ini.Entry) error {
	switch strings.ToLower(strings.TrimSpace(e.Value)) {
	case "true":
		r.list.Warnf("%s: %q is no number of workers: as in uWSGI all workers run; write cheaper = N for the least number of them, or leave it out",
			e.Origin.Name(e.Key), e.Value)
	case "false":
	default:
		return setNumber(&r.Cheaper.Min, e, maxCheaper)
	}
	r.Cheaper.Min = 0
	return nil
}

// algorithm reads cheaper-algo. As in uWSGI an unknown one is spare.
func (r *resolver) algorithm(e ini.Entry) error {
	name := strings.TrimSpace(e.Value)
	a, ok := algorithms[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(algorithms)), ", ")
		r.list.Warnf("%s: there is no algorithm %q, so spare is taken; there are %s", e.Origin.Name(e.Key), name, known)
	}
	r.Cheaper.Algorithm = a
	return nil
}

// settleCheaper compares the numbers of workers with each other.
func (r *resolver) settleCheaper() error {
	c := &r.Cheaper
	switch {
	case c.HardRSS > 0 && c.SoftRSS == 0:
		return fmt.Errorf("cheaper-rss-limit-hard: it needs cheaper-rss-limit-soft, which has to be lower")
	case c.HardRSS > 0 && c.HardRSS <= c.SoftRSS:
		return fmt.Errorf("cheaper-rss-limit-hard: %d has to be more than cheaper-rss-limit-soft, which is %d", c.HardRSS, c.SoftRSS)
	case c.SoftRSS > 0 && c.Min == 0:
		r.list.Warnf("cheaper-rss-limit-soft: it does nothing without cheaper")
	case r.DieOnIdle && r.Idle == 0:
		r.list.Warnf("die-on-idle: it does nothing without idle = SECONDS")
	}
	switch {
	case c.Min == 0 && r.Idle > 0 && !r.DieOnIdle && r.Processes > 1:
		// Who watches for idleness decides how many run.
		*c = worker.Cheaper{Min: 1, Initial: r.Processes, Algorithm: worker.CheaperManual}
		return nil
	case c.Min == 0:
		return nil
	case c.Min >= r.Processes:
		return fmt.Errorf("cheaper: %d must be lower than processes, which is %d", c.Min, r.Processes)
	case c.Initial == 0:
	case c.Initial < c.Min:
		r.list.Warnf("cheaper-initial: %d is lower than cheaper, so %d workers are started", c.Initial, c.Min)
		c.Initial = c.Min
	case c.Initial > r.Processes:
		r.list.Warnf("cheaper-initial: %d is more than processes, so %d workers are started", c.Initial, r.Processes)
		c.Initial = r.Processes
	}
	return nil
}

package config

import (
	"errors"
	"fmt"
	"math"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// ProcessConfig is the number of workers and what each one has.
type ProcessConfig struct {
	Processes int  // at least 1
	Threads   int  // per process, at least 1
	Affinity  int  // processors of each worker; 0 for all
	MaxFD     int  // descriptors of the server and of each worker; 0 leaves the limit
	Stdin     bool // workers have the server's
	Locks     int  // locks of uwsgi.lock besides the first

	WebSockets worker.WebSockets // of the uwsgi module
	Greenlets  int               // requests at a time of each worker, by gevent; 0 for threads
	Gevent     Gevent            // how gevent is used then
}

// Gevent is an alias for what the worker pool is told.
type Gevent = worker.Gevent

var processDefaults = ProcessConfig{Processes: 1, Threads: 1}

// maxProcesses and maxThreads refuse a typing error before it forks.
const (
	maxProcesses = 10_000
	maxThreads   = 10_000
	maxLocks     = 10_000

	// maxGreenlets bounds what a worker has at a time: a loop has that many slots for requests.
	maxGreenlets = 10_000
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
			Name: "gevent", Kind: option.Int, Arg: "N", Status: option.Differs,
			Help: "run the requests of each worker in greenlets of gevent, N at a time",
			Note: "The app's Python needs the package gevent. Each worker has one thread. See [gevent.md](gevent.md).",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Greenlets, e, maxGreenlets) },
	},
	{
		Option: option.Option{
			Name: "gevent-monkey-patch", Kind: option.Flag, Status: option.Same,
			Help: "call gevent.monkey.patch_all() in each worker, once the app is loaded",
			Note: "gevent-early-monkey-patch patches before the app is loaded, which is safer.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Gevent.Patch, e) },
	},
	{
		Option: option.Option{
			Name: "gevent-early-monkey-patch", Kind: option.Flag, Status: option.Same,
			Help: "call gevent.monkey.patch_all() before the app is loaded",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Gevent.Early, e) },
	},
	{
		Option: option.Option{
			Name: "gevent-wait-for-hub", Kind: option.Flag, Status: option.Same,
			Help: "make a worker that ends wait for all greenlets, not only for its requests",
			Note: "At most as long as worker-reload-mercy.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Gevent.Wait, e) },
	},
	{
		Option: option.Option{
			Name: "websocket-max-size", Aliases: []string{"websockets-max-size"}, Kind: option.Int, Arg: "KIB", Default: "1024", Status: option.Same,
			Help: "the largest message of a WebSocket, in KiB",
			Note: "The pieces of a message count together. Libraries on simple-websocket have limits of their own.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.WebSockets.MaxSize, e, 1<<20) },
	},
	{
		Option: option.Option{
			Name: "websocket-ping-freq", Aliases: []string{"websockets-ping-freq"}, Kind: option.Int, Arg: "SECONDS", Default: "30", Status: option.Same,
			Help: "ping the client of a WebSocket after N seconds of silence",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.WebSockets.PingFreq, e, 1<<20) },
	},
	{
		Option: option.Option{
			Name: "websocket-pong-tolerance", Aliases: []string{"websockets-pong-tolerance"}, Kind: option.Int, Arg: "SECONDS", Default: "3", Status: option.Same,
			Help: "close a WebSocket if the client does not answer a ping within N seconds",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.WebSockets.PongTolerance, e, 1<<20) },
	},
	{
		Option: option.Option{
			Name: "http-websockets", Kind: option.Flag, Default: "true", Status: option.Differs,
			Help: "let apps take WebSockets over HTTP",
			Note: "Always so.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "loop", Kind: option.Text, Arg: "ENGINE", Status: option.Differs,
			Help: "with gevent and async = N: the same as gevent = N",
			Note: "Any other engine ends the start.",
		},
		set: (*resolver).loopEngine,
	},
	{
		Option: option.Option{
			Name: "async", Kind: option.Int, Arg: "N", Status: option.Differs,
			Help: "how many requests a worker runs at a time, with loop = gevent",
			Note: "Without loop = gevent it ends the start: write gevent = N or threads = N instead.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.async, e, maxGreenlets) },
	},
	{
		Option: option.Option{
			Name: "locks", Kind: option.Int, Arg: "N", Default: "0", Status: option.Same,
			Help: "give apps the locks 0 to N of uwsgi.lock",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Locks, e, maxLocks) },
	},
	{
		Option: option.Option{
			Name: "enable-threads", Short: 'T', Kind: option.Flag, Default: "true", Status: option.Differs,
			Help: "let the app start threads of its own",
			Note: "Always so, as in uWSGI since 2.0.27.",
		},
		set: (*resolver).always,
	},
	{
		Option: option.Option{
			Name: "cpu-affinity", Kind: option.Int, Arg: "N", Status: option.Differs,
			Help: "run each worker on N processors of its own, in turn (Linux)",
			Note: "uwsgo counts the processors that the server may use, as in a container; uWSGI counts all from 0.",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Affinity, e, maxProcesses) },
	},
	{
		Option: option.Option{
			Name: "max-fd", Kind: option.Int, Arg: "N", Status: option.Differs,
			Help: "let the server and each worker have N open descriptors; root alone may exceed the system's limit",
			Note: "At least 256. If it cannot be set, the log says so, and the limit stays.",
		},
		set: (*resolver).maxFD,
	},
	{
		Option: option.Option{
			Name: "honour-stdin", Kind: option.Flag, Status: option.Differs,
			Help: "give the app the server's standard input, for breakpoint() and pdb",
			Note: "Run one worker with one thread. Without it standard input is /dev/null.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.Stdin, e) },
	},
}

// leastFD is the least number of descriptors for a server.
const leastFD = 256

func (r *resolver) maxFD(e ini.Entry) error {
	if err := setNumber(&r.MaxFD, e, math.MaxInt32); err != nil {
		return err
	}
	if r.MaxFD > 0 && r.MaxFD < leastFD {
		r.list.Warnf("%s: %d is too few for clients, files and workers, so the limit is %d", e.Origin.Name(e.Key), r.MaxFD, leastFD)
		r.MaxFD = leastFD
	}
	return nil
}

func (r *resolver) settleProcesses() error {
	if r.Processes == 0 {
		r.Processes = 1
		r.list.Warnf("processes: 0 is too few, so one is run")
	}
	r.Threads = max(1, r.Threads)
	return r.settleGreenlets()
}

func (r *resolver) loopEngine(e ini.Entry) error {
	if e.Value != "gevent" {
		return fmt.Errorf("%s: there is no loop engine %q: give gevent = N or threads = N", e.Origin.Name(e.Key), e.Value)
	}
	r.loop = true
	return nil
}

// settleGreenlets puts together what gevent, async and loop say.
func (r *resolver) settleGreenlets() error {
	switch {
	case r.loop && r.Greenlets == 0 && r.async == 0:
		return errors.New("loop = gevent: how many requests at a time is missing: give gevent = N in its place")
	case r.loop && r.Greenlets == 0:
		r.Greenlets = r.async
	case r.async > 0 && r.Greenlets == 0:
		return errors.New("async: requests take turns by gevent here, or by threads: give gevent = N or threads = N in its place")
	}
	if r.Greenlets == 0 {
		if r.Gevent != (Gevent{}) {
			r.list.Warnf("gevent-monkey-patch, gevent-early-monkey-patch and gevent-wait-for-hub do nothing without gevent = N")
		}
		return nil
	}
	if r.Threads > 1 {
		r.list.Warnf("threads: with gevent each worker has one thread, whose greenlets take %d requests at a time", r.Greenlets)
		r.Threads = 1
	}
	return nil
}

package worker

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/worker/control"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/supervisor"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
)

// Loop is an event loop of the engine, for packages that cannot import its own.
type Loop = reactor.Handle

// Pool is a number of Python processes and threads, fixed or as many as the load needs, that
// run WSGI apps. Any
// goroutine may call its methods; Ports belong to their loops.
type Pool struct {
	config   Config
	sup      *supervisor.Supervisor
	plane    *plane
	stopping atomic.Bool
	drained  chan struct{} // holds a token when a Port may have become idle
	stopped  chan struct{} // closed at the end of the first Stop
	stop     atomic.Bool
	lanes    laneCounts
	late     lateCount
}

// Start imports the apps and starts the workers. It returns when requests can be sent; loops
// need not run yet. Apps that cannot be loaded give a *[LoadError] if NeedApp is set, an
// interpreter that cannot be run a *[PythonError]. When ctx ends first, all processes are
// killed and ctx's error is returned.
func Start(ctx context.Context, c Config) (*Pool, error) {
	w := &c.WebSockets
	w.MaxSize, w.PingFreq, w.PongTolerance = cmp.Or(w.MaxSize, 1024), cmp.Or(w.PingFreq, 30), cmp.Or(w.PongTolerance, 3)
	c.Processes, c.Threads, c.Slots = max(c.Processes, 1), max(c.Threads, 1), max(c.Slots, 1)
	var err error
	if c.Cheaper, err = c.Cheaper.WithDefaults(c.Processes); err != nil {
		return nil, err
	}
	if c.Queue == 0 {
		c.Queue = 16 << 10
	}
	if c.Mercy <= 0 {
		c.Mercy = time.Minute
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if len(c.Loops) == 0 || len(c.Loops) > MaxLoops {
		return nil, fmt.Errorf("a worker pool needs 1 to %d event loops, not %d", MaxLoops, len(c.Loops))
	}
	if !proc.HasQueue {
		c.StreamMode = true
	}
	if c.Python == "" {
		if c.Python, err = FindPython(""); err != nil {
			return nil, err
		}
	}
	if c.Control == nil {
		log := c.Log
		c.Control = control.NewHub(func(format string, args ...any) {
			if log != nil {
				log(fmt.Sprintf(format, args...))
			}
		})
	}
	p := &Pool{config: c, drained: make(chan struct{}, 1), stopped: make(chan struct{})}
	p.late.waits = make([]atomic.Bool, len(c.Loops))
	if p.sup, err = supervisor.New(c); err != nil {
		return nil, err
	}
	p.plane = newPlane(p, p.sup)
	if err := p.sup.Start(ctx, p.plane); err != nil {
		return nil, err
	}
	return p, nil
}

// Port returns the access for the loop with the given place in Config.Loops.
func (p *Pool) Port(loop int) *Port { return p.plane.ports[loop] }

// Config returns what the pool was started with, defaults filled in.
func (p *Pool) Config() Config { return p.config }

// Stop ends the pool: requests that were begun are still answered, then workers run their exit
// handlers and go. When ctx ends it kills the rest; their clients get [ErrWorkerDied]. It
// returns ctx's error in that case. No process is left when it returns, but what a zygote left
// behind that was killed goes a moment later. Loops should go on running until then.
func (p *Pool) Stop(ctx context.Context) error {
	if p.stop.Swap(true) {
		select {
		case <-p.stopped:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx) // the first one goes on
		}
	}
	defer close(p.stopped)
	p.stopping.Store(true)
	p.sup.Drain()
	for p.plane.Active() > 0 {
		select {
		case <-p.drained:
			continue
		case <-ctx.Done():
		}
		break
	}
	return p.sup.Stop(ctx)
}

// idle says that a Port has no requests left while the pool stops.
func (p *Pool) idle() {
	select {
	case p.drained <- struct{}{}:
	default:
	}
}

func (p *Pool) log(line string) { p.config.Say(line) }

// Reload loads the apps and their changed code again. It returns when new workers have replaced
// all others. Those finish the requests that they have, within [Config].Mercy, and go; requests
// that wait are for the new ones. When an app cannot be loaded everything stays as it was, and
// the error is returned as by [Start]. Calls while one is under way share one further reload,
// and have that one [Pool.GiveWay]. When ctx ends first, Reload returns its error and the
// reload goes on. Any goroutine.
func (p *Pool) Reload(ctx context.Context) error { return p.sup.Reload(ctx) }

// ReloadBackgrounds has the processes of a kind beside the workers go, and others take their
// place. They are of the same code, but for what they import for themselves. It does not
// wait. Any goroutine.
func (p *Pool) ReloadBackgrounds(kind string) { p.sup.ReloadBackgrounds(kind) }

// GiveWay announces a reload after the one under way. The present one is given up if its code
// hangs: when it takes more than a second plus twice the time of the last successful one. Any
// goroutine.
func (p *Pool) GiveWay() { p.sup.GiveWay() }

// ChainReload replaces the workers one after another, each when the one before is ready, which
// needs less memory at a time than Reload. For that each worker must import the apps for
// itself: without [Config].LazyApps it is Reload. It returns when all have been replaced, or as
// Reload does; when a successor does not start the workers that are left stay as they are. One
// that begins while another is under way starts it from the beginning. When all workers are
// replaced at once meanwhile, by Reload or as the zygote has died, it returns what becomes of
// that. Any goroutine.
func (p *Pool) ChainReload(ctx context.Context) error { return p.sup.ChainReload(ctx) }

// Loading returns the id of the process that loads the apps for a reload, 0 for none. To kill
// it gives that reload up. Any goroutine.
func (p *Pool) Loading() int { return p.sup.Loading() }

// Scale has that many more workers run, or fewer when n is negative, within 1 and
// [Config].Processes and until the algorithm wants something else. It does nothing
// without [Config].Cheaper. Workers that go finish their requests. Any goroutine.
func (p *Pool) Scale(n int) { p.sup.Scale(n) }

// TryImport imports the apps as [Start] does, in a process of its own that is killed when they
// are loaded, with all that they have started. No worker is forked, nothing is served, and no
// bytecode is written. as is whom the process becomes; nil for the caller. It returns the
// errors of Start, or ctx's error when ctx ends first.
func TryImport(ctx context.Context, c Config, as *syscall.Credential) (*Trial, error) {
	return zygote.Try(ctx, c, as)
}

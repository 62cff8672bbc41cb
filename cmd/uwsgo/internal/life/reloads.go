package life

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Pool is what is reloaded: that of the workers.
type Pool interface {
	Reload(context.Context) error      // it logs what fails
	ChainReload(context.Context) error // likewise
	Loading() int                      // the process that loads the apps; 0 for none
	GiveWay()                          // another reload is to follow the one that is under way
}

// Reloads are those that were asked for, and what watches for a reason for more.
type Reloads struct {
	Pool Pool // nil: there are no workers
	Logf func(format string, args ...any)
	// Notify tells the service manager how things are.
	Notify func(state, status string)
	// Asked is called when a reload is asked for; nil for nothing.
	Asked func()
	// Instead is called in place of a reload of the whole server, which is exit-on-reload;
	// nil where there is none.
	Instead func(why string)
	// Renew is called before each reload, to find out what holds for it.
	Renew func()
	// Enter is called when one is over; it returns the directory of the app.
	Enter func() string

	whole, chain *repeated

	mu   sync.Mutex // held while the service manager is told
	told int        // reloads that are under way
}

// Causes are what reloads are made for by themselves.
type Causes struct {
	Touch, TouchChain []string      // files, looked at each Every
	TouchWorkers      []string      // the same for the workers alone
	Contents          []string      // files, and directories whose contents count
	Every             time.Duration // 0: a second
	Code              <-chan string // tells which file of the app has changed; nil for nobody
}

// Start has reloads done that are asked for, or that have a cause, until ctx ends. Before,
// nothing may be asked for. wait returns when what was under way has ended.
func (r *Reloads) Start(ctx context.Context, c Causes) (wait func()) {
	r.whole, r.chain = newRepeated(r.reload), newRepeated(r.chainReload)
	var running sync.WaitGroup
	running.Go(func() { r.whole.serve(ctx) })
	running.Go(func() { r.chain.serve(ctx) })
	if r.Pool != nil {
		running.Go(func() { r.watch(ctx, c) })
	}
	return running.Wait
}

// Ask has the server reload. why is for the log.
func (r *Reloads) Ask(why string) {
	if r.Instead != nil {
		r.Instead(why)
		return
	}
	r.AskWorkers(why)
}

// AskWorkers has the workers load the app anew, whatever a reload of the server is.
func (r *Reloads) AskWorkers(why string) {
	if r.Asked != nil {
		r.Asked()
	}
	if r.Pool != nil {
		if pid := r.Pool.Loading(); pid != 0 {
			why += fmt.Sprintf(", after the one that is under way (process %d), which is given up if it hangs", pid)
		}
		r.Pool.GiveWay()
	}
	r.whole.ask(r.Logf, why)
}

// AskChain has the workers replaced one by one.
func (r *Reloads) AskChain(why string) { r.chain.ask(r.Logf, why) }

// repeated is something that may be asked for faster than it can be done. One is under
// way and one waits, and that one is for all who have asked meanwhile.
type repeated struct {
	do   func(context.Context)
	next chan struct{} // one that waits
	more atomic.Bool   // others have asked since, of which the log says so once
}

func newRepeated(do func(context.Context)) *repeated {
	return &repeated{do: do, next: make(chan struct{}, 1)}
}

// ask logs why and has it done. Any goroutine.
func (r *repeated) ask(logf func(string, ...any), why string) {
	select {
	case r.next <- struct{}{}:
		r.more.Store(false)
		logf("%s", why)
	default:
		if !r.more.Swap(true) {
			logf("%s: once more, for all that ask until then, after the one that is under way", why)
		}
	}
}

// serve does it whenever it has been asked for, until ctx ends.
func (r *repeated) serve(ctx context.Context) {
	for {
		select {
		case <-r.next:
			r.do(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// watch reloads when files change, until ctx ends.
func (r *Reloads) watch(ctx context.Context, c Causes) {
	all, chain := newTouched(c.Touch, false), newTouched(c.TouchChain, false)
	workers, contents := newTouched(c.TouchWorkers, false), newTouched(c.Contents, true)
	var tick <-chan time.Time
	if len(all.paths)+len(chain.paths)+len(workers.paths)+len(contents.paths) > 0 {
		if c.Every == 0 {
			c.Every = touchEach
		}
		t := time.NewTicker(c.Every)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if path := all.look(); path != "" {
				r.Ask(fmt.Sprintf("*** %s has been touched... grace them all !!! ***", path))
			}
			if path := contents.look(); path != "" {
				r.Ask(fmt.Sprintf("*** %s has changed... grace them all !!! ***", path))
			}
			if path := workers.look(); path != "" {
				r.AskWorkers(fmt.Sprintf("*** %s has been touched... workers reload !!! ***", path))
			}
			if path := chain.look(); path != "" {
				r.AskChain(fmt.Sprintf("*** %s has been touched... chain reload !!! ***", path))
			}
		case path := <-c.Code:
			r.Ask(fmt.Sprintf("[uwsgi-python-reloader] module/file %s has been modified", path))
		}
	}
}

// reload has new workers with new code take over; what fails leaves the old ones.
func (r *Reloads) reload(ctx context.Context) {
	if r.Pool == nil {
		r.Logf("there are no workers to reload")
		return
	}
	start := time.Now()
	r.Tell(1, "loading new code")
	r.Renew()
	status := "serving requests"
	if r.Pool.Reload(ctx) == nil { // else it logs why not
		r.Logf("*** uwsgo has reloaded after %v, in %s ***", time.Since(start).Round(time.Millisecond), r.Enter())
	} else {
		status = "serving requests with the old code, as the new one could not be loaded"
	}
	r.Tell(-1, status)
}

// chainReload replaces the workers one by one, as far as they load the app themselves.
func (r *Reloads) chainReload(ctx context.Context) {
	if r.Pool == nil {
		r.Logf("there are no workers to reload")
		return
	}
	_ = r.Pool.ChainReload(ctx) // it logs what fails
}

// Tell tells the service manager that a reload begins (by is 1) or is over (-1). Several
// that overlap are one to it.
func (r *Reloads) Tell(by int, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told += by
	switch {
	case by > 0 && r.told == 1:
		r.Notify(daemon.SdNotifyReloading+"\n"+strings.TrimSpace(daemon.SdNotifyMonotonicUsec()), status)
	case r.told == 0:
		r.Notify(daemon.SdNotifyReady, status)
	}
}

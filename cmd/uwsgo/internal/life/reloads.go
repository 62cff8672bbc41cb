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

// Pool is the pool of workers that reloads.
type Pool interface {
	Reload(context.Context) error      // it logs what fails
	ChainReload(context.Context) error // likewise
	Loading() int                      // the process that loads the apps; 0 for none
	GiveWay()                          // another reload follows the one under way
}

// Reloads does the reloads that somebody asks for, and watches for reasons to reload.
type Reloads struct {
	Pool Pool // nil: there are no workers
	Logf func(format string, args ...any)
	// Notify tells the service manager a state.
	Notify func(state, status string)
	// Asked is called when somebody asks for a reload; nil does nothing.
	Asked func()
	// Instead is called in place of a reload of the whole server: exit-on-reload. It may be nil.
	Instead func(why string)
	// Renew is called before each reload, and reads what holds for it.
	Renew func()
	// Enter is called after a reload; it returns the directory of the app.
	Enter func() string

	whole, chain *repeated

	mu   sync.Mutex // also held while the service manager is told
	told int        // reloads that are under way
}

// Causes are reasons to reload by itself.
type Causes struct {
	Touch, TouchChain []string      // files, looked at after each Every
	TouchWorkers      []string      // the same for the workers alone
	Contents          []string      // files and directories; their contents count
	Every             time.Duration // 0: a second
	Code              <-chan string // gets the name of a changed file of the app; may be nil
}

// Start does the reloads that somebody asks for, or that have a cause, until ctx ends. Nobody may
// ask before. wait returns when the last reload has ended.
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

// Ask asks for a reload of the server. why is for the log.
func (r *Reloads) Ask(why string) {
	if r.Instead != nil {
		r.Instead(why)
		return
	}
	r.AskWorkers(why)
}

// AskWorkers asks for workers with new code, whatever a reload of the server means.
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

// AskChain asks for the workers to be replaced one by one.
func (r *Reloads) AskChain(why string) { r.chain.ask(r.Logf, why) }

// repeated is work that may be asked for faster than it is done. One run is under way and one
// waits. The one that waits serves everybody who has asked meanwhile.
type repeated struct {
	do   func(context.Context)
	next chan struct{} // the run that waits
	more atomic.Bool   // others have asked since; the log says so once
	// asking is held by who sends on next, so that the send never blocks.
	asking sync.Mutex
}

func newRepeated(do func(context.Context)) *repeated {
	return &repeated{do: do, next: make(chan struct{}, 1)}
}

// ask logs why and asks for a run. Any goroutine.
func (r *repeated) ask(logf func(string, ...any), why string) {
	r.asking.Lock()
	defer r.asking.Unlock()
	if len(r.next) > 0 {
		if !r.more.Swap(true) {
			logf("%s: a reload is under way; one more follows, for everybody who asks until then", why)
		}
		return
	}
	r.more.Store(false)
	logf("%s", why) // before what the run logs
	r.next <- struct{}{}
}

// serve does the runs until ctx ends.
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

// reload lets new workers with new code take over. When that fails the old ones stay.
func (r *Reloads) reload(ctx context.Context) {
	if r.Pool == nil {
		r.Logf("there are no workers to reload")
		return
	}
	start := time.Now()
	r.Tell(1, "loading new code")
	r.Renew()
	status := "serving requests"
	if r.Pool.Reload(ctx) == nil { // a failure is in the log
		r.Logf("*** uwsgo has reloaded after %v, in %s ***", time.Since(start).Round(time.Millisecond), r.Enter())
	} else {
		status = "serving requests with the old code, as the new one could not be loaded"
	}
	r.Tell(-1, status)
}

// chainReload replaces the workers one by one, if they load the app themselves.
func (r *Reloads) chainReload(ctx context.Context) {
	if r.Pool == nil {
		r.Logf("there are no workers to reload")
		return
	}
	_ = r.Pool.ChainReload(ctx) // it logs what fails
}

// Tell tells the service manager that a reload begins (by is 1) or is over (-1). It sees several
// that overlap as one.
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

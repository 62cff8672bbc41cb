package main

import (
	"os"
	"runtime"
	"time"
)

// Everything but the loops runs for moments only, so the Go runtime needs no processors
// beside theirs, except one for compression. What the scheduler does with one more
// depends on the load. While a loop is busy it wakes threads that find nothing to do, a
// fifteenth of a small request's CPU. While loops sleep between requests it saves half:
// without an idle processor the runtime takes a loop's away each time that it sleeps for
// 20 µs, and gives it back, at the price of five switches between threads. So one more is
// there while loops have less than so many events a second.
const (
	procsEach = 100 * time.Millisecond
	eventsFew = 7_000  // a second and loop: one more below
	eventsMay = 10_000 // none above
)

// setProcs decides on the number of event loops. The environment's GOMAXPROCS has the
// last word on that of processors.
func (p *program) setProcs() {
	p.loops = max(1, runtime.GOMAXPROCS(0)/8)
	if os.Getenv("GOMAXPROCS") != "" {
		p.procs = -1
		return
	}
	if p.cfg.Compress || p.cfg.HTTPGzip {
		p.procs = 1
	}
	runtime.GOMAXPROCS(p.loops + p.procs + 1)
}

// startProcs has the number of processors follow the load until the end.
func (p *program) startProcs() {
	if p.procs < 0 {
		return
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	p.ending.Later(func() {
		close(stop)
		<-ended
	})
	go func() {
		defer close(ended)
		tick := time.NewTicker(procsEach)
		defer tick.Stop()
		before, more := p.wakeups(), true
		for {
			select {
			case <-tick.C:
			case <-stop:
				return
			}
			now := p.wakeups()
			had := more
			more = moreProcs(had, now-before, p.loops)
			if before = now; more == had {
				continue
			}
			procs := p.loops + p.procs
			if more {
				procs++
			}
			runtime.GOMAXPROCS(procs)
		}
	}()
}

// moreProcs reports whether there is to be one more processor, as there is or is not,
// after so many events of all loops within procsEach.
func moreProcs(more bool, events uint64, loops int) bool {
	limit := eventsFew
	if more {
		limit = eventsMay
	}
	return events < uint64(limit)*uint64(loops)*uint64(procsEach)/uint64(time.Second)
}

// wakeups returns how many events the loops have had.
func (p *program) wakeups() (n uint64) {
	for _, l := range p.engine.Loops() {
		n += l.Wakeups()
	}
	return n
}

package main

import (
	"os"
	"runtime"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// Everything but the loops runs for moments only, so the Go runtime needs no processors
// beside theirs, except one for compression. What the scheduler does with one more
// depends on the load. While a loop is busy it wakes threads that find nothing to do, a
// fifteenth of a small request's CPU. While loops sleep between requests it saves half:
// without an idle processor the runtime takes a loop's away each time that it sleeps for
// 20 µs, and gives it back, at the price of five switches between threads. So one more is
// there while loops have less than so many events a second.
const (
	procsEach = 100 * time.Millisecond // how often the load is looked at
	procsIdle = time.Second            // while there is none: hundreds of vassals may have nothing to do
	eventsFew = 7_000                  // a second and loop: one more below
	eventsMay = 10_000                 // none above
	// eventsSome within procsEach are a load, however small.
	eventsSome = 10
)

// procs are the processors of the Go runtime, as the server sets them.
type procs struct {
	loops  int // event loops, each with a processor
	beside int // processors beside theirs
	fixed  bool
}

// setProcs decides on the number of event loops and of processors. The environment's
// GOMAXPROCS has the last word on that of processors.
func setProcs(compress bool) procs {
	p := procs{loops: max(1, runtime.GOMAXPROCS(0)/8)}
	if os.Getenv("GOMAXPROCS") != "" {
		p.fixed = true
		return p
	}
	if compress {
		p.beside = 1
	}
	runtime.GOMAXPROCS(p.loops + p.beside + 1)
	return p
}

// follow has the number of processors follow the load until stop is called. wakeups returns
// how many events the loops have had.
func (p procs) follow(wakeups func() uint64) (stop func()) {
	if p.fixed {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		pause := procsEach
		timer := time.NewTimer(pause)
		defer timer.Stop()
		before, more := wakeups(), true
		for {
			select {
			case <-timer.C:
			case <-over:
				return
			}
			now := wakeups()
			had, events := more, (now-before)*uint64(procsEach)/uint64(pause)
			more = moreProcs(had, events, p.loops)
			if pause = min(2*pause, procsIdle); events >= eventsSome || !more {
				pause = procsEach
			}
			timer.Reset(pause)
			if before = now; more == had {
				continue
			}
			n := p.loops + p.beside
			if more {
				n++
			}
			runtime.GOMAXPROCS(n)
		}
	}()
	return func() {
		close(over)
		<-ended
	}
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
func wakeups(loops []*engine.Loop) (n uint64) {
	for _, l := range loops {
		n += l.Wakeups()
	}
	return n
}

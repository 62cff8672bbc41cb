package main

import (
	"os"
	"runtime"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// Everything but the loops runs for moments only. So the Go runtime needs the loops' processors,
// and one for compression. Whether one more pays off depends on the load. While a loop is busy the
// scheduler wakes threads that find nothing to do: a fifteenth of a small request's CPU. While
// loops sleep between requests one more saves half: without an idle processor the runtime takes a
// loop's away after a sleep of 20 µs and gives it back, which takes five switches between threads.
// So there is one more while the loops have few events.
const (
	procsEach = 100 * time.Millisecond // how often the load is looked at
	procsIdle = time.Second            // without load: hundreds of vassals may idle
	eventsFew = 7_000                  // events a second and loop; below: one more
	eventsMay = 10_000                 // above: none
	// eventsSome is the least number of events within procsEach that counts as load.
	eventsSome = 10
)

// procs are the processors of the Go runtime, as the server sets them.
type procs struct {
	loops  int // event loops, each with a processor
	beside int // processors beside theirs
	fixed  bool
}

// setProcs sets the number of event loops and of processors. GOMAXPROCS in the environment decides
// the latter, if it is set.
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

// follow lets the number of processors follow the load until stop is called. wakeups returns the
// number of events so far.
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

// moreProcs reports whether one more processor is to run after so many events of all loops within
// procsEach. more says whether it runs now.
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

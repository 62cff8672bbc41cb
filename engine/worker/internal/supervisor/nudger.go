package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// How long after each other threads that wait for a request are woken while one of them
// is to finish: at first, and after several rounds in which all of them were.
const (
	nudgeFirst = time.Millisecond
	nudgeLast  = 20 * time.Millisecond
)

// nudger wakes the threads that wait in the queue, so that those that are to finish
// see it.
type nudger struct {
	g       *Supervisor
	pending bool // a nudge will follow
	woken   int  // how many threads were woken since a process was retired
}

// begin nudges now, and then as long as something drains.
func (n *nudger) begin() {
	n.woken = 0
	n.nudge()
}

// nudge wakes one of the threads that wait in the queue, by an empty datagram. The kernel
// wakes them in turn. The next is woken when this one has taken its datagram: several at
// once would be taken by those that run first, and the same threads would be left without
// one each time.
func (n *nudger) nudge() {
	g := n.g
	if n.pending || g.stopping {
		return
	}
	waiting, draining, left := 0, false, false
	for _, p := range g.fleet.places {
		if !p.alive || !p.Is(shared.Serving, shared.Draining) {
			continue
		}
		draining = draining || p.Is(shared.Draining)
		for _, t := range p.threads {
			if id, _ := g.Memory.Claim(t.index); id == 0 && !g.Memory.Finished(t.index) {
				waiting++
				left = left || p.Is(shared.Draining)
			}
		}
	}
	if !draining {
		return
	}
	pause := nudgeLast
	if left { // else all of them are busy, and see it when they have finished
		if !proc.Queued(g.Queue) && unix.Sendto(g.Queue, nil, unix.MSG_DONTWAIT, nil) == nil {
			n.woken++
		}
		pause = min(nudgeFirst<<min(n.woken/waiting, 10), nudgeLast)
	}
	n.pending = true
	g.after(pause, func() {
		n.pending = false
		n.nudge()
	})
}

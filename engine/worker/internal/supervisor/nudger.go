package supervisor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// The time between two wake-ups of waiting threads while a process is retired: at first, and
// after several full rounds.
const (
	nudgeFirst = time.Millisecond
	nudgeLast  = 20 * time.Millisecond
)

// nudger wakes threads that wait in the queue, so that retired ones notice.
type nudger struct {
	g       *Supervisor
	pending bool // another nudge follows
	woken   int  // how many threads were woken since a process was retired
}

// begin nudges now, and then as long as a process drains.
func (n *nudger) begin() {
	n.woken = 0
	n.nudge()
}

// nudge wakes one thread that waits in the queue, by an empty datagram. The kernel wakes them
// in turn. The next datagram follows when this one has been taken: several at once would go to
// the threads that run first, and the same threads would miss out each time.
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
	if left { // else all threads are busy; they notice after their requests
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

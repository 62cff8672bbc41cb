package supervisor

import (
	"os"
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// orphansEnd is how long the killed workers of a zygote that has exited may take to exit. One
// that takes longer hangs in the kernel.
const orphansEnd = time.Second

// orphan is a process whose zygote has exited.
type orphan struct {
	*process
	handle *os.Process // nil when its id was never known
	since  time.Time
}

// graves holds the processes of zygotes that have exited. They were killed and may not have
// exited yet.
type graves struct {
	g       *Supervisor
	orphans []orphan
	burying bool // another look follows
}

// add kills the processes of a zygote that has exited.
func (s *graves) add(z *generation) {
	for _, p := range s.g.fleet.places {
		if !p.alive || p.generation != z {
			continue
		}
		for _, t := range p.threads {
			s.g.Memory.Retire(t.index) // if it lives on it begins nothing more
		}
		p.endHook()
		s.orphans = append(s.orphans, orphan{p, p.handle, time.Now()})
		p.Set(shared.Dead)
		p.PID.Store(0)
		p.kill()
		p.worker.Present.CompareAndSwap(p.Process, nil)
	}
	s.bury()
}

// bury detaches orphans that have exited, and looks at the others again soon. Their unclaimed
// requests run elsewhere, so they must have exited first. The supervisor goes on meanwhile.
func (s *graves) bury() {
	s.orphans = slices.DeleteFunc(s.orphans, func(o orphan) bool {
		sure := o.streams == nil || o.exited(s.g.Memory, o.handle)
		if !sure && time.Since(o.since) < orphansEnd {
			return false
		}
		if o.streams != nil { // else it was detached before
			s.g.fleet.detach(o.process, sure)
		}
		return true
	})
	if len(s.orphans) > 0 && !s.burying {
		s.burying = true
		s.g.after(time.Millisecond, func() {
			s.burying = false
			s.bury()
		})
	}
}

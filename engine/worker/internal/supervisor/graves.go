package supervisor

import (
	"os"
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
)

// orphansEnd is how long the workers of a zygote that has exited may take to be gone. They
// have been killed: what takes longer hangs in the kernel.
const orphansEnd = time.Second

// orphan is a process whose zygote has exited.
type orphan struct {
	*process
	handle *os.Process // its own, nil where its id was never known
	since  time.Time
}

// graves are the processes whose zygotes have exited: they have been killed, and perhaps
// are not gone yet.
type graves struct {
	g       *Supervisor
	orphans []orphan
	burying bool // a look at them will follow
}

// add kills the processes of a zygote that has exited.
func (s *graves) add(z *generation) {
	for _, p := range s.g.fleet.places {
		if !p.alive || p.generation != z {
			continue
		}
		for _, t := range p.threads {
			s.g.Memory.Retire(t.index) // should it live on, it begins nothing more
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

// bury detaches the orphans that are gone, and looks at the others again soon: what they
// have not claimed is run elsewhere, so they must be gone. The supervisor goes on meanwhile.
func (s *graves) bury() {
	s.orphans = slices.DeleteFunc(s.orphans, func(o orphan) bool {
		sure := o.streams == nil || o.exited(s.g.Memory, o.handle)
		if !sure && time.Since(o.since) < orphansEnd {
			return false
		}
		if o.streams != nil { // else its end has been dealt with before
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

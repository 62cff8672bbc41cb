package worker

import (
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/internal/supervisor"
)

// plane is what the Ports of a pool have in common, and what the supervisor knows of them:
// it is that one's Loops. All of it is immutable.
type plane struct {
	sup    *supervisor.Supervisor
	shared *shared.Memory
	queue  int // where requests are sent to; -1 in stream mode
	ports  []*Port
	cores  []*Core // of all places, by the place of their claims
}

func newPlane(p *Pool, sup *supervisor.Supervisor) *plane {
	l := &plane{sup: sup, shared: sup.Memory, queue: sup.Queue}
	for _, one := range sup.Processes {
		for t := range one.Threads {
			l.cores = append(l.cores, &Core{
				process: one, id: t, index: one.Thread(t), counts: &one.Worker.Threads[t],
				name: fmt.Sprintf("%d core %d", one.Worker.Number, t),
			})
		}
	}
	for i := range p.config.Loops {
		l.ports = append(l.ports, newPort(p, l, i))
	}
	return l
}

// of returns the cores of a process.
func (l *plane) of(p *shared.Process) []*Core {
	return l.cores[p.Thread(0):p.Thread(p.Threads)]
}

// Attach is one of [supervisor.Loops].
func (l *plane) Attach(p *shared.Process, fds [][]int) supervisor.Streams {
	s := &streams{plane: l, loops: make([][]*stream, len(l.ports))}
	slots := len(l.of(p)) / len(fds)
	for t := range fds {
		cores := l.of(p)[t*slots : (t+1)*slots]
		for _, core := range cores {
			core.retiring.Store(false)
			// In stream mode it is given nothing before it can take it.
			core.busy.Store(l.queue < 0)
		}
		for i, port := range l.ports {
			if l.queue < 0 {
				proc.GrowBuffer(fds[t][i], 2*MaxRequest)
			}
			answers := l.shared.Answers((p.Place*len(fds)+t)*len(l.ports) + i)
			s.loops[i] = append(s.loops[i], &stream{port: port, cores: cores, fd: fds[t][i], answers: answers})
		}
	}
	for i, port := range l.ports {
		if port.loop.Post(func() { port.attach(s.loops[i]) }) != nil {
			s.drop(i)
		}
	}
	return s
}

// Serve is one of [supervisor.Loops].
func (l *plane) Serve(p *shared.Process) {
	for _, core := range l.of(p) {
		core.busy.Store(false)
	}
	for _, port := range l.ports {
		_ = port.loop.Post(port.pump)
	}
}

// Retire is one of [supervisor.Loops].
func (l *plane) Retire(p *shared.Process) {
	cores := l.of(p)
	for _, port := range l.ports {
		_ = port.loop.Post(func() { port.apart(cores) })
	}
}

// Resize is one of [supervisor.Loops].
func (l *plane) Resize(threads int) {
	for _, port := range l.ports {
		_ = port.loop.Post(func() { port.size(threads, port.loop.Now()); port.pump() })
	}
}

// Late is one of [supervisor.Loops].
func (l *plane) Late(p *shared.Process, core int, claim supervisor.Claim, age time.Duration) {
	port := l.ports[0]
	if claim.ID < finishing {
		port = l.portOf(claim.ID)
	}
	c := l.of(p)[core]
	_ = port.loop.Post(func() { port.harakiri(c, claim, age) })
}

// Deadline is one of [supervisor.Loops].
func (l *plane) Deadline(id uint64) int64 { return l.portOf(id).deadlines.of(id) }

// Active is one of [supervisor.Loops].
func (l *plane) Active() (n int64) {
	for _, port := range l.ports {
		n += port.active.Load()
	}
	return n
}

// Quit is one of [supervisor.Loops].
func (l *plane) Quit() {
	port := l.ports[0]
	_ = port.loop.Post(func() {
		for _, st := range port.streams {
			st.tell(tagQuit, 0)
		}
	})
}

// Close is one of [supervisor.Loops].
func (l *plane) Close(done func()) {
	one := after(len(l.ports), done)
	for _, port := range l.ports {
		if port.loop.Post(func() { port.shut(); one() }) != nil {
			one()
		}
	}
}

// portOf returns the port of a claim's request.
func (l *plane) portOf(id uint64) *Port {
	return l.ports[min(int(id>>loopShift), len(l.ports)-1)]
}

// streams are those of one process, by loop and thread. Those of a loop belong to it.
type streams struct {
	plane *plane
	loops [][]*stream
}

// Detach is one of [supervisor.Streams].
func (s *streams) Detach(sure bool, done func()) {
	one := after(len(s.loops), done)
	for i, port := range s.plane.ports {
		if port.loop.Post(func() { port.detach(s.loops[i], sure); one() }) != nil {
			s.drop(i) // the loop has stopped; nobody waits there
			one()
		}
	}
}

// Retire is one of [supervisor.Streams].
func (s *streams) Retire() {
	list := s.loops[0]
	for _, st := range list {
		for _, c := range st.cores {
			c.retiring.Store(true)
		}
	}
	_ = s.plane.ports[0].loop.Post(func() {
		for _, st := range list {
			for _, c := range st.cores {
				st.quit(c)
			}
		}
	})
}

// drop closes the streams of a loop that has stopped.
func (s *streams) drop(loop int) {
	for _, st := range s.loops[loop] {
		if !st.closed {
			st.closed = true
			_ = unix.Close(st.fd)
		}
	}
}

// after returns a function that calls done on its n-th call. Any goroutine.
func after(n int, done func()) func() {
	left := new(atomic.Int64)
	left.Store(int64(n))
	return func() {
		if left.Add(-1) == 0 {
			done()
		}
	}
}

package supervisor

import (
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/control"
	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
)

// worker is the supervisor's part of a worker.
type worker struct {
	*shared.Worker
	places   []*process
	throttle policy.Throttle
	delayed  bool   // its next process must wait
	due      string // why it must be replaced; empty for no reason
}

// process is a place for one process of a worker. The next process uses it again.
type process struct {
	*shared.Process
	worker     *worker
	threads    []*thread
	generation *generation // its zygote forks it
	streams    Streams     // nil once detached
	handle     *os.Process // nil until its id is known; see kill
	alive      bool        // it was spawned, and its place is not vacated
	retired    time.Time   // since when it drains
	why        string      // it was replaced; empty for a reload
	err        error       // why it could not load its app
	luck       float64     // 0 to 1; see policy.Vitals
	hung       bool        // a request was late: it must go
	doing      zygote.Stage
	peer       *control.Peer // its channel; nil while there is none
	line       int           // a descriptor that shows whether it still has its own; -1 for none
}

// thread is the supervisor's part of one thread of a process.
type thread struct {
	index     int   // among all of the pool: the place of its claim
	condemned Claim // the last claim that was late
	began     int64 // when the last seen request began,
	limit     int64 // and how long it may run in nanoseconds; 0 or less: for ever
	own       userHarakiri
}

func newWorker(number, threads int) *worker {
	w := &worker{Worker: shared.NewWorker(number, threads)}
	for _, one := range w.Processes {
		p := &process{Process: one, worker: w, line: -1}
		for t := range threads {
			p.threads = append(p.threads, &thread{index: one.Thread(t)})
		}
		w.places = append(w.places, p)
	}
	return w
}

// present returns the process that serves, nil while there is none.
func (w *worker) present() *process {
	now := w.Present.Load()
	if now == nil {
		return nil
	}
	return w.places[now.Place-w.places[0].Place]
}

// setPresent notes which process serves, nil for none.
func (w *worker) setPresent(p *process) {
	if p == nil {
		w.Present.Store(nil)
		return
	}
	w.Present.Store(p.Process)
}

// free returns a place that no process has, nil when there is none.
func (w *worker) free() *process {
	for _, p := range w.places {
		if !p.alive {
			return p
		}
	}
	return nil
}

// of returns the process of w that a generation has and that starts or serves, if any.
func (w *worker) of(z *generation) *process {
	for _, p := range w.places {
		if p.alive && p.generation == z && p.Is(shared.Starting, shared.Serving) {
			return p
		}
	}
	return nil
}

// starting returns the process of w that a generation has and that is not ready yet.
func (w *worker) starting(z *generation) *process {
	for _, p := range w.places {
		if p.alive && p.generation == z && p.Is(shared.Starting) {
			return p
		}
	}
	return nil
}

// pid returns the process id, 0 while it is unknown.
func (p *process) pid() int { return int(p.PID.Load()) }

// kill kills the process without its zygote. On Linux the handle refers to that process only;
// its id may be another's by now.
func (p *process) kill() {
	if p.handle == nil {
		return
	}
	_ = p.handle.Kill()
	// If this process is its container's init it inherits the zygote's children, and must reap
	// them. Elsewhere this fails at once.
	h := p.handle
	p.handle = nil
	go func() { _, _ = h.Wait() }()
}

// signal makes the zygote signal a process, or signals it itself when the zygote does not
// respond.
func (p *process) signal(sig unix.Signal) {
	if p.generation.health.Stuck != "" && p.handle != nil {
		_ = p.handle.Signal(sig)
		return
	}
	p.generation.Signal(p.Place, sig)
}

// endHook kills the commands that a process runs for hook-post-fork.
func (p *process) endHook() {
	if p.Is(shared.Starting, shared.Draining) && p.doing.Group > 1 {
		_ = unix.Kill(-p.doing.Group, unix.SIGKILL)
	}
}

// hangUp closes the descriptor that shows whether the process lives.
func (p *process) hangUp() {
	if p.line >= 0 {
		_ = unix.Close(p.line)
		p.line = -1
	}
}

// lost reports whether it has closed its descriptors: it never serves then.
func (p *process) lost() bool {
	if p.line < 0 {
		return false
	}
	fds := []unix.PollFd{{Fd: int32(p.line)}} // poll always reports a hang-up
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1
}

// exited reports whether a killed process has exited. handle is nil when its id was never
// known: such a process has begun nothing unless one of its threads says so.
func (p *process) exited(m *shared.Memory, handle *os.Process) bool {
	if handle == nil {
		return !slices.ContainsFunc(p.threads, func(t *thread) bool { return m.Thread(t.index) != 0 })
	}
	if handle.Signal(syscall.Signal(0)) != nil {
		return true
	}
	// A zombie may wait for a parent to reap it. Its id stays its own until then.
	state, _ := proc.State(handle.Pid)
	return state == 'Z' || state == 'X'
}

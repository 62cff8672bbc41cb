package supervisor

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

const sigKill = unix.SIGKILL

// errNoPlace says that a worker has no vacant place: a draining process exits soon.
var errNoPlace = errors.New("no vacant place for another process")

// fleet has the processes. A process is spawned, is ready, serves, is retired, exits, is
// detached from the loops, and its place is vacated.
type fleet struct {
	g       *Supervisor
	workers []*worker
	places  []*process // of all workers
}

// place returns the process at a place, nil if it is not that zygote's.
func (f *fleet) place(z *generation, i int) *process {
	if p := f.places[i]; p.generation == z {
		return p
	}
	return nil
}

// anyAlive reports whether a process is left. It leaves out those that only wait for the loops
// to detach: the loops never run when the start fails.
func (f *fleet) anyAlive() bool {
	return slices.ContainsFunc(f.places, func(p *process) bool { return p.alive && p.streams != nil })
}

// spawn starts a process for w. It returns an error when none can be started now.
func (f *fleet) spawn(w *worker, z *generation) error {
	p := w.free()
	if p == nil {
		return errNoPlace
	}
	g := f.g
	for _, t := range p.threads {
		// A process of a dead zygote may have written it since.
		g.Memory.ClearClaim(t.index)
	}
	born := reactor.Clock()
	peer, calls, err := g.config.Control.Open(w.Number, z.number, func() { f.faultAt(p.Place, born) })
	if err != nil {
		return f.cannot(w, err)
	}
	defer calls.Close()
	ours, theirs, err := f.pairs(g.config.Threads)
	if err != nil {
		peer.Close()
		return f.cannot(w, err)
	}
	defer closeAll(theirs)
	p.peer = peer
	p.generation, p.alive, p.why, p.err = z, true, "", nil
	z.processes++
	p.Born(born)
	p.luck, p.hung = rand.Float64(), false
	p.doing = zygote.NewStage("in the fork")
	p.hangUp()
	if fd, err := unix.FcntlInt(uintptr(ours[0][0]), unix.F_DUPFD_CLOEXEC, 3); err == nil {
		p.line = fd
	}
	p.streams = g.loops.Attach(p.Process, ours)
	z.health.Owed++
	z.Spawn(p.Place, w.Number, append(slices.Clip(theirs), int(calls.Fd())))
	return nil
}

// cannot logs why no process can be started now, and returns the reason.
func (f *fleet) cannot(w *worker, err error) error {
	f.g.say("cannot spawn worker %d: %v", w.Number, err)
	f.delay(w)
	return err
}

// pairs makes the streams between threads and loops: ours by thread and loop, theirs in the
// same order.
func (f *fleet) pairs(threads int) (ours [][]int, theirs []int, err error) {
	for range threads {
		var one []int
		for range f.g.config.Loops {
			fds, err := proc.Socketpair(unix.SOCK_STREAM)
			if err != nil {
				closeAll(append(ours, one, theirs)...)
				return nil, nil, err
			}
			_ = unix.SetNonblock(fds[0], true)
			one, theirs = append(one, fds[0]), append(theirs, fds[1])
		}
		ours = append(ours, one)
	}
	return ours, theirs, nil
}

func closeAll(lists ...[]int) {
	for _, fd := range slices.Concat(lists...) {
		_ = unix.Close(fd)
	}
}

// spawned notes that a process has been forked.
func (f *fleet) spawned(p *process, pid int) {
	if p.PID.Load() != 0 {
		return
	}
	p.PID.Store(int64(pid))
	p.peer.SetPID(pid)
	p.handle, _ = os.FindProcess(pid)
	p.SpawnedAt.Store(time.Now().UnixNano())
	w := p.worker
	if w.Spawns.Add(1) == 1 {
		only := ""
		if len(f.workers) == 1 {
			only = " (and the only)"
		}
		f.g.say("spawned uWSGI worker %d%s (pid: %d, cores: %d)", w.Number, only, pid, len(p.threads))
	} else {
		f.g.say("Respawned uWSGI worker %d (new pid: %d)", w.Number, pid)
	}
}

// ready lets a process serve and retires its predecessor.
func (f *fleet) ready(p *process) {
	w := p.worker
	p.Set(shared.Serving)
	p.peer.Serving()
	p.doing = zygote.Stage{}
	p.hangUp()
	if f.g.Queue < 0 {
		// The loops have its streams: they were attached before.
		f.g.loops.Serve(p.Process)
	}
	before := w.present()
	if p.generation == f.g.generations.next {
		if before == nil {
			w.Present.Store(p.Process)
		}
		f.g.generations.takeOver()
		return
	}
	if before != nil && before != p {
		f.takeNoMore(before)
	}
	w.Present.Store(p.Process)
	if before != nil && before != p {
		f.retire(before, w.due)
	}
	w.due = ""
	f.fill()
}

// fill spawns a missing process for each worker. The next zygote forks it while one loads, else
// the present one.
func (f *fleet) fill() {
	s := &f.g.generations
	z := s.present
	if s.next != nil && s.next.forking {
		z = s.next
	}
	if f.g.stopping || z == nil || z.health.Stuck != "" {
		return
	}
	starting, any := false, false
	var failed error
	for _, w := range f.workers {
		if w.of(z) == nil && !w.delayed && !w.Cheap.Load() {
			if err := f.spawn(w, z); err != nil && err != errNoPlace {
				failed = err
			}
		}
		starting = starting || w.starting(z) != nil
		any = any || w.of(z) != nil
	}
	if failed != nil && z == s.next {
		if !any {
			s.failed(&launch.StartError{Reason: fmt.Sprintf("no worker can be started: %v", failed)})
			return
		}
		s.takeOver()
		return
	}
	if !starting && z == s.present {
		f.g.turns.next()
	}
}

// takeNoMore retires the threads of a process. It comes before the successor is known to serve,
// so the successor gets all requests sent after that.
func (f *fleet) takeNoMore(p *process) {
	if f.g.Queue < 0 {
		return
	}
	for _, t := range p.threads {
		f.g.Memory.Retire(t.index)
	}
}

// retire tells a process to finish its requests and exit. why is for the log.
func (f *fleet) retire(p *process, why string) {
	if !p.Is(shared.Starting, shared.Serving) {
		return
	}
	g := f.g
	starting := p.Is(shared.Starting)
	p.Set(shared.Draining)
	p.retired, p.why = time.Now(), why
	p.peer.Retiring()
	p.worker.Present.CompareAndSwap(p.Process, nil)
	g.loops.Retire(p.Process)
	g.say("Gracefully killing worker %d (pid: %d)...", p.worker.Number, p.pid())
	mercy := g.config.Mercy
	if p.hung && g.config.HarakiriMercy > 0 {
		mercy = g.config.HarakiriMercy
	}
	at := p.retired
	g.afterAwake(at, mercy, func() { f.mercyOver(p, at) })
	if g.Queue >= 0 {
		// A thread announces its start before it reads the retire word. If no thread has
		// announced itself, none takes a request any more. A thread may start before the
		// supervisor hears that the process is ready.
		f.takeNoMore(p)
		began := slices.ContainsFunc(p.threads, func(t *thread) bool { return g.Memory.Thread(t.index) != 0 })
		if starting && !began {
			p.signal(sigKill)
			return
		}
		g.nudger.begin()
		return
	}
	if starting {
		p.signal(sigKill) // it gets no request before it is ready
		return
	}
	p.streams.Retire()
}

// mercyOver kills a process that was retired at that time and has had its mercy.
func (f *fleet) mercyOver(p *process, at time.Time) {
	if !p.alive || !p.Is(shared.Draining) || !p.retired.Equal(at) {
		return
	}
	f.g.say("worker %d (pid: %d) did not finish within the mercy time: killing it", p.worker.Number, p.pid())
	p.signal(sigKill)
}

// exited deals with the exit of a process. pid is 0 when it could not be forked.
func (f *fleet) exited(p *process, pid, code int) {
	g, w := f.g, p.worker
	starts := p.generation == g.generations.next && p.Is(shared.Starting)
	p.PID.Store(0)
	switch {
	case g.stopping:
	case p.Is(shared.Draining):
		switch {
		case code != 0:
			g.say("worker %d (pid: %d) exited%s", w.Number, pid, how(code))
		case w.Cheap.Load():
			g.say("uWSGI worker %d cheaped.", w.Number)
		case p.why != "":
			g.say("...The work of process %d is done (%s). Seeya!", pid, p.why)
		default:
			g.say("worker %d buried after %d seconds", w.Number, int(time.Since(p.retired).Seconds()))
		}
	case starts && pid == 0:
		f.unforked(p)
		return
	case starts && p.err == nil && code < 0 && p.doing.App < 0 && p.doing.Group == 0 && w.throttle.Retry():
		// It ran no code of the app, so somebody has killed it.
		g.say("DAMN ! worker %d (pid: %d) died%s :( trying respawn ...", w.Number, pid, how(code))
		f.detach(p, true)
		f.fill() // in another place
		return
	case starts:
		err := p.err // why it could not load its app
		if err == nil {
			err = p.doing.ExitError(&g.config, fmt.Sprintf("worker %d", w.Number), status(code))
		}
		f.detach(p, true)
		g.generations.failed(err)
		return
	default:
		f.died(p, pid, code)
	}
	f.detach(p, true)
}

// died handles the exit of a process that was not told to exit.
func (f *fleet) died(p *process, pid, code int) {
	g, w := f.g, p.worker
	if p.err != nil {
		g.say("%s", p.err)
	}
	age := p.Age(time.Now())
	if pid == 0 { // the next fork would fail too
		w.throttle.Exhaust()
		age = 0
	} else {
		g.say("DAMN ! worker %d (pid: %d) died%s :( trying respawn ...", w.Number, pid, how(code))
	}
	if w.throttle.Died(age) {
		f.delay(w)
	}
	if now := w.present(); now != nil && now != p {
		w.due = "" // its successor did not start; recycle tries again
		g.turns.broken(fmt.Errorf("the successor of worker %d did not start", w.Number))
	}
}

// unforked handles a process that the next zygote could not fork. The system may have room once
// the present zygote's processes have exited. Until then the others serve.
func (f *fleet) unforked(p *process) {
	s := &f.g.generations
	f.detach(p, true)
	if !slices.ContainsFunc(f.workers, func(w *worker) bool { return w.of(s.next) != nil }) {
		s.failed(&launch.StartError{Reason: "no worker could be forked: the reason is above, or in the log of the app; look at the limits of processes (ulimit -u, TasksMax=, pids.max), of file descriptors (ulimit -n) and of memory"})
		return
	}
	f.delay(p.worker)
	s.takeOver()
}

// detach makes each loop read the last frames of a process and fail its requests. When all
// loops have done so its place is vacated; the claims must stay until then. sure says that the
// process has exited; otherwise it was killed and may live on.
func (f *fleet) detach(p *process, sure bool) {
	streams := p.streams
	p.streams = nil
	p.endHook()
	p.doing = zygote.Stage{}
	p.hangUp()
	p.Set(shared.Dead)
	if p.peer != nil {
		p.peer.Close()
		p.peer = nil
	}
	if p.handle != nil {
		_ = p.handle.Release()
		p.handle = nil
	}
	p.worker.Present.CompareAndSwap(p.Process, nil)
	if streams == nil {
		return
	}
	// Not on the loop: it must not wait for the supervisor.
	streams.Detach(sure, func() { go f.g.post(func() { f.vacate(p) }) })
	if f.g.stopping {
		p.alive = false // nobody needs the claims any more
	}
}

// vacate frees the place of a process after all loops have detached from it.
func (f *fleet) vacate(p *process) {
	if !p.alive || p.streams != nil {
		return
	}
	p.alive = false
	for _, t := range p.threads {
		f.g.Memory.ClearClaim(t.index)
	}
	f.g.generations.leave(p.generation)
	f.fill()
}

// delay makes the next process of a worker wait, so that a crash loop does not eat the machine.
func (f *fleet) delay(w *worker) {
	w.delayed = true
	f.sleep()
	f.g.after(policy.RespawnDelay, func() {
		w.delayed = false
		f.fill()
	})
}

func (f *fleet) sleep() {
	f.g.say("worker respawning too fast !!! i have to sleep a bit (%d seconds)...", int(policy.RespawnDelay/time.Second))
}

// how says how a process ended.
func how(code int) string {
	if code < 0 {
		return fmt.Sprintf(", killed by signal %d", -code)
	}
	return ""
}

func status(code int) string {
	if code < 0 {
		return fmt.Sprintf("killed by signal %d", -code)
	}
	return fmt.Sprintf("exit status %d", code)
}

// faultAt kills the process at a place, if it is still the one born then. Its id may be unknown
// yet. Any goroutine.
func (f *fleet) faultAt(place int, born int64) {
	go f.g.post(func() {
		if p := f.places[place]; p.alive && p.BornAt.Load() == born {
			p.signal(sigKill) // its zygote forks it first, if necessary
		}
	})
}

// ifSame posts fn for a process. It does nothing if another process has the place by then.
func (f *fleet) ifSame(one *shared.Process, fn func(*process)) {
	pid := one.PID.Load()
	go f.g.post(func() {
		if p := f.places[one.Place]; p.alive && pid != 0 && p.PID.Load() == pid {
			fn(p)
		}
	})
}

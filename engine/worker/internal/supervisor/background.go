package supervisor

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine/worker/control"
	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// backgrounds are the processes beside the workers: mules, spoolers. The zygote that serves
// forks them, when its workers serve. Each has one process at a time, so that what must run
// once does: at a reload it is told to go, and the next one is forked when it has gone.
type backgrounds struct {
	g     *Supervisor
	all   []*background
	first int // place of the first; the places of workers are before it
}

// background is one of them.
type background struct {
	*shared.Background
	config     *launch.Background
	place      int
	generation *generation // whose zygote has forked its process
	peer       *control.Peer
	handle     *os.Process // nil until its id is known
	alive      bool        // it was spawned, and its end is not dealt with
	born       int         // counts its processes
	told       time.Time   // since when it is to go; zero: it is not
	backoff    policy.Backoff
	delayed    bool // its next process has to wait
	doing      zygote.Stage
	deadlines  map[string]deadline
}

// deadline is when something that the process does has lasted for too long.
type deadline struct {
	since time.Time
	limit time.Duration
	what  string // for the log
}

// mostDeadlines bounds how many a process may have at a time, and longestDeadline how long
// one may be.
const (
	mostDeadlines   = 16
	longestDeadline = 1000 * time.Hour
)

func newBackgrounds(g *Supervisor) backgrounds {
	s := backgrounds{g: g, first: g.config.Processes * shared.Places}
	for i := range g.config.Backgrounds {
		c := g.config.Backgrounds[i]
		if c.Mercy <= 0 {
			c.Mercy = g.config.Mercy
		}
		s.all = append(s.all, &background{Background: &shared.Background{}, config: &c, place: s.first + i})
	}
	return s
}

// fill forks what is missing, by the zygote that serves.
func (s *backgrounds) fill() {
	z := s.g.generations.present
	if s.g.stopping || z == nil || z.health.Stuck != "" || z.Retired() {
		return
	}
	for _, b := range s.all {
		if !b.alive && !b.delayed {
			s.spawn(b, z)
		}
	}
}

func (s *backgrounds) spawn(b *background, z *generation) {
	g := s.g
	b.born++
	born := b.born
	peer, calls, err := g.config.Control.OpenBackground(b.config.Kind, b.config.Number, z.number, func() {
		go g.post(func() { // it has sent what cannot be right
			if b.alive && b.born == born {
				s.kill(b)
			}
		})
	})
	if err != nil {
		g.say("cannot spawn %s: %v", b.config.Name(), err)
		s.wait(b, b.backoff.Died(0))
		return
	}
	defer calls.Close()
	b.peer, b.generation, b.alive, b.told, b.deadlines = peer, z, true, time.Time{}, nil
	b.doing = zygote.NewStage("in the fork")
	b.SpawnedAt.Store(time.Now().UnixNano())
	z.processes++
	z.health.Owed++
	z.Spawn(b.place, b.config.Number, []int{int(calls.Fd())})
}

// report acts on what a zygote says of a process beside the workers. It returns false when
// that is about something else.
func (s *backgrounds) report(z *generation, report zygote.Report) bool {
	place := -1
	switch r := report.(type) {
	case zygote.Doing:
		place = r.Place
	case zygote.Spawned:
		place = r.Place
	case zygote.Ready:
		place = r.Place
	case zygote.Exit:
		place = r.Place
	}
	if place < s.first {
		return false
	}
	b := s.all[place-s.first]
	if !b.alive || b.generation != z {
		return true
	}
	switch r := report.(type) {
	case zygote.Doing:
		b.doing = zygote.Stage{App: r.App, Text: r.Text, Since: time.Now(), Group: r.Group}
	case zygote.Spawned:
		z.health.Answered()
		s.spawned(b, r.PID)
	case zygote.Ready:
		s.spawned(b, r.PID)
		s.ready(b, r)
	case zygote.Exit:
		if r.PID == 0 {
			z.health.Answered() // it could not be forked
		}
		if pid := int(b.PID.Load()); r.PID == 0 || pid == 0 || pid == r.PID {
			s.exited(b, r.PID, r.Code)
		}
	}
	return true
}

func (s *backgrounds) spawned(b *background, pid int) {
	if b.PID.Load() != 0 {
		return
	}
	b.PID.Store(int64(pid))
	b.peer.SetPID(pid)
	b.handle, _ = os.FindProcess(pid)
	b.SpawnedAt.Store(time.Now().UnixNano())
	if b.Spawns.Add(1) == 1 {
		s.g.say("spawned uWSGI %s (pid: %d)", b.config.Name(), pid)
	} else {
		s.g.say("Respawned uWSGI %s (new pid: %d)", b.config.Name(), pid)
	}
}

// ready has what the process is for begin: signals go to it from now on.
func (s *backgrounds) ready(b *background, r zygote.Ready) {
	b.doing = zygote.Stage{}
	for _, a := range r.Apps {
		if a.Reason != "" {
			s.g.say("%s has not loaded %s: %s", b.config.Name(), a.App, a.Reason)
		}
	}
	if !b.told.IsZero() {
		return
	}
	b.Ready.Store(true)
	b.peer.Serving()
}

// dismiss tells a process to go when it has done what it has begun.
func (s *backgrounds) dismiss(b *background) {
	if !b.alive || !b.told.IsZero() {
		return
	}
	ready := b.Ready.Swap(false)
	b.told = time.Now()
	b.peer.Retiring()
	if !ready || b.peer.Tell("go", s.g.stopping) != nil {
		list := s.g.fleet.strays(int(b.PID.Load())) // it may import
		s.kill(b)
		killStrays(list)
		return
	}
	at := b.told
	s.g.afterAwake(at, b.config.Mercy, func() {
		if b.alive && b.told.Equal(at) {
			s.g.say("%s (pid: %d) is taking too much time to die...NO MERCY !!!", b.config.Name(), b.PID.Load())
			s.kill(b)
		}
	})
}

// takeOver has those of other generations go, and the others be forked.
func (s *backgrounds) takeOver(z *generation) {
	for _, b := range s.all {
		if b.generation != z {
			b.backoff = policy.Backoff{} // the code is another
			s.dismiss(b)
		}
	}
	s.fill()
}

// reload replaces all of a kind by processes of the same zygote.
func (s *backgrounds) reload(kind string) {
	for _, b := range s.all {
		if b.config.Kind == kind {
			s.dismiss(b)
		}
	}
}

// replace is a service: a process beside the workers wants to go, and another to follow at
// once.
func (g *Supervisor) replace(peer *control.Peer, _ []any) (any, error) {
	if peer.Kind == "" {
		return nil, control.Refuse("this is for a process beside the workers")
	}
	g.post(func() {
		for _, b := range g.backgrounds.all {
			if b.alive && b.peer == peer {
				g.backgrounds.dismiss(b)
			}
		}
	})
	return nil, nil
}

// reloadAll replaces all of them.
func (s *backgrounds) reloadAll() {
	for _, b := range s.all {
		s.dismiss(b)
	}
}

// quit tells all of them to go.
func (s *backgrounds) quit() {
	for _, b := range s.all {
		s.dismiss(b)
	}
}

// exited deals with the end of a process. pid is 0 when it could not be forked.
func (s *backgrounds) exited(b *background, pid, code int) {
	g := s.g
	told := !b.told.IsZero()
	var wait time.Duration
	switch {
	case g.stopping:
	case told && pid != 0:
		g.say("%s (pid: %d) has gone", b.config.Name(), pid)
	case pid == 0:
		wait = max(b.backoff.Died(0), policy.RespawnDelay)
		g.say("cannot fork %s: it is tried again in %d seconds", b.config.Name(), int(wait/time.Second))
	default:
		wait = b.backoff.Died(time.Since(time.Unix(0, b.SpawnedAt.Load())))
		again := "trying respawn ..."
		if wait > 0 {
			again = fmt.Sprintf("it ends again and again: trying respawn in %d seconds", int(wait/time.Second))
		}
		how := how(code)
		if code > 0 {
			how = fmt.Sprintf(", exit status %d", code)
		}
		if b.doing.Text != "" {
			how += ", while it was " + b.doing.Text
		}
		g.say("OOOPS %s (pid: %d) crippled%s ... %s", b.config.Name(), pid, how, again)
	}
	s.vacate(b)
	s.wait(b, wait)
}

// vacate forgets about a process that has ended.
func (s *backgrounds) vacate(b *background) {
	if b.doing.Group > 1 {
		_ = unix.Kill(-b.doing.Group, unix.SIGKILL)
	}
	b.alive, b.deadlines, b.doing = false, nil, zygote.Stage{}
	b.PID.Store(0)
	b.Ready.Store(false)
	b.peer.Close()
	if b.handle != nil {
		_ = b.handle.Release()
		b.handle = nil
	}
	s.g.generations.leave(b.generation)
}

// wait has the next process be forked after that time.
func (s *backgrounds) wait(b *background, d time.Duration) {
	if d <= 0 {
		s.fill()
		return
	}
	b.delayed = true
	s.g.after(d, func() {
		b.delayed = false
		s.fill()
	})
}

// kill kills a process.
func (s *backgrounds) kill(b *background) {
	z := b.generation
	if b.handle != nil && (z.health.Stuck != "" || z.Exited()) {
		_ = b.handle.Kill()
		return
	}
	z.Signal(b.place, sigKill)
}

// orphaned kills the processes of a zygote that has exited, and waits for their end: the
// next one must not run beside them.
func (s *backgrounds) orphaned(z *generation) {
	for _, b := range s.all {
		if b.alive && b.generation == z {
			if b.handle != nil {
				_ = b.handle.Kill()
			}
			s.bury(b, b.born, time.Now())
		}
	}
}

func (s *backgrounds) bury(b *background, born int, since time.Time) {
	if !b.alive || b.born != born {
		return
	}
	if !b.ended() && time.Since(since) < orphansEnd {
		s.g.after(time.Millisecond, func() { s.bury(b, born, since) })
		return
	}
	s.vacate(b)
	s.fill()
}

// ended reports whether a process that nobody reaps has ended.
func (b *background) ended() bool {
	if b.handle == nil {
		return true
	}
	if b.handle.Signal(syscall.Signal(0)) != nil {
		return true
	}
	state, _ := proc.State(b.handle.Pid)
	return state == 'Z' || state == 'X'
}

// lookAfter deals with the ends of the processes of a zygote that obeys no more, and reports
// whether one is left.
func (s *backgrounds) lookAfter(z *generation) (left bool) {
	for _, b := range s.all {
		if !b.alive || b.generation != z || b.handle == nil {
			continue
		}
		if b.ended() {
			s.exited(b, int(b.PID.Load()), 0)
		} else {
			left = true
		}
	}
	return left
}

// pids adds the ids of all processes to a set.
func (s *backgrounds) pids(to map[int]bool) {
	for _, b := range s.all {
		to[int(b.PID.Load())] = true
	}
}

func (s *backgrounds) anyAlive() bool {
	return slices.ContainsFunc(s.all, func(b *background) bool { return b.alive })
}

// deadline is a service: a process beside the workers says how long what it does may take
// from now on, in seconds, or 0 at its end. It is killed when it takes longer. name tells
// several such times apart, what is for the log, such as HANDLING SIGNAL 17.
func (g *Supervisor) deadline(peer *control.Peer, args []any) (any, error) {
	if len(args) != 3 {
		return nil, control.Refuse("this takes a name, seconds and what is done")
	}
	name, isName := args[0].(string)
	what, isText := args[2].(string)
	var seconds float64
	switch n := args[1].(type) {
	case int:
		seconds = float64(n)
	case float64:
		seconds = n
	}
	if !isName || !isText || peer.Kind == "" || math.IsNaN(seconds) {
		return nil, control.Refuse("this takes a name, seconds and what is done, of a process beside the workers")
	}
	limit := time.Duration(min(max(seconds, 0), longestDeadline.Seconds()) * float64(time.Second))
	g.post(func() { g.backgrounds.setDeadline(peer, name, deadline{time.Now(), limit, what}) })
	return nil, nil
}

func (s *backgrounds) setDeadline(peer *control.Peer, name string, d deadline) {
	i := slices.IndexFunc(s.all, func(b *background) bool { return b.alive && b.peer == peer })
	if i < 0 {
		return
	}
	b := s.all[i]
	if d.limit <= 0 {
		delete(b.deadlines, name)
		return
	}
	if len(b.deadlines) >= mostDeadlines {
		return
	}
	if b.deadlines == nil {
		b.deadlines = make(map[string]deadline)
	}
	b.deadlines[name] = d
	born := b.born
	s.g.afterAwake(d.since, d.limit, func() {
		if !b.alive || b.born != born || b.deadlines[name] != d {
			return
		}
		delete(b.deadlines, name)
		what := ""
		if d.what != "" {
			what = " " + d.what
		}
		s.g.say("*** HARAKIRI ON %s%s (pid: %d) ***", strings.ToUpper(b.config.Name()), what, b.PID.Load())
		s.kill(b)
	})
}

package companion

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
)

// Group is the companions of a server, each with a goroutine of its own. Any goroutine
// may call its methods.
type Group struct {
	members []*member
	server  func(pid int) bool
	control func() // a companion with control has ended
	logf    func(format string, args ...any)
	ctx     context.Context // of Stop, set before stop is closed
	stop    chan struct{}
	running sync.WaitGroup
}

type member struct {
	Spec
	command command.Command
	met     met // owned by the goroutine that watches it

	mu       sync.Mutex
	pid      int
	respawns int
}

// State is the state of a companion at one moment.
type State struct {
	Command  string
	PID      int // 0 for none
	Respawns int
}

// Server is what companions need of the server.
type Server struct {
	With func(line string) command.Command // gives a command its environment and output
	Owns func(pid int) bool                // the server's own processes, which no pid file may name
	Stop func()                            // a companion with control has ended
	Logf func(format string, args ...any)
}

// Start starts all companions. It fails if a user or group that one needs does not exist.
func Start(specs []Spec, server Server) (*Group, error) {
	g := &Group{server: server.Owns, control: server.Stop, logf: server.Logf, stop: make(chan struct{})}
	for _, s := range specs {
		m := &member{Spec: s, command: server.With(s.Command)}
		if s.Dir != "" {
			m.command.Dir = s.Dir
		}
		m.command.NewPIDs = s.NewPIDs
		if s.Stdin {
			m.command.Stdin = os.Stdin
		}
		var err error
		if m.command.User, err = credential(s); err != nil {
			return nil, fmt.Errorf("daemon %q: %w", s.Command, err)
		}
		m.command.Lasting = s.PidFile != "" // the next server finds it by its pid file
		g.members = append(g.members, m)
	}
	for _, m := range g.members {
		if m.PidFile == "" {
			g.running.Go(func() { g.keep(m) })
		} else {
			g.running.Go(func() { g.watch(m) })
		}
		if len(m.Touch) > 0 {
			g.running.Go(func() { g.lookAt(m) })
		}
	}
	return g, nil
}

// credential returns the user that a companion runs as; nil for the server's.
func credential(s Spec) (*syscall.Credential, error) {
	if s.UID == "" && s.GID == "" {
		return nil, nil
	}
	id, err := privilege.Lookup(privilege.Request{User: s.UID, Group: s.GID})
	if err != nil {
		return nil, err
	}
	c := &syscall.Credential{Uid: uint32(max(id.UID, 0)), Gid: uint32(max(id.GID, 0)), NoSetGroups: os.Geteuid() != 0}
	if id.UID < 0 {
		c.Uid = uint32(os.Geteuid())
	}
	if id.GID < 0 {
		c.Gid = uint32(os.Getegid())
	}
	for _, group := range id.Groups {
		c.Groups = append(c.Groups, uint32(group))
	}
	return c, nil
}

// touchFreq is the time between looks at the files of touch, as in uWSGI.
const touchFreq = time.Second

// lookAt ends m when one of its files changes; then it starts again.
func (g *Group) lookAt(m *member) {
	last := map[string]time.Time{}
	for _, path := range m.Touch {
		last[path] = changed(path)
	}
	for g.wait(touchFreq) {
		for _, path := range m.Touch {
			now := changed(path)
			if now.Equal(last[path]) {
				continue
			}
			last[path] = now
			if pid := m.current(); pid > 0 && !now.IsZero() {
				g.logf("*** %s has been touched... reloading daemon \"%s\" (pid: %d) !!! ***", path, m.Command, pid)
				signalGroup(pid, m.StopSignal)
			}
		}
	}
}

// changed returns when a file was written; zero without a file.
func changed(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// signalGroup signals the group of pid, or pid alone if it leads none.
func signalGroup(pid int, sig syscall.Signal) {
	if syscall.Kill(-pid, sig) != nil {
		_ = syscall.Kill(pid, sig)
	}
}

// Reload tells the companions that ask for it that the server has reloaded.
func (g *Group) Reload() {
	for _, m := range g.members {
		if pid := m.current(); pid > 0 && m.ReloadSignal != 0 {
			g.logf("[uwsgi-daemons] signal %d to \"%s\" (pid: %d)", m.ReloadSignal, m.Command, pid)
			signalGroup(pid, m.ReloadSignal)
		}
	}
}

// keep runs m again and again until Stop.
func (g *Group) keep(m *member) {
	verb, pause := "spawning", time.Duration(0)
	for {
		g.logf("[uwsgi-daemons] %s \"%s\"", verb, m.Command)
		begun := time.Now()
		p, err := m.command.Start()
		if err != nil {
			g.logf("[uwsgi-daemons] %v", err)
		} else {
			m.set(p.PID)
			select {
			case <-p.Done():
				g.logf("[uwsgi-daemons] \"%s\" (pid: %d) has ended: %v", m.Command, p.PID, outcome(p.Err()))
			case <-g.stop:
				g.logf("[uwsgi-daemons] stopping daemon (pid: %d): %s", p.PID, m.Command)
				p.Stop(g.ctx, m.StopSignal)
				m.set(0)
				return
			}
		}
		if m.Control && err == nil {
			g.logf("[uwsgi-daemons] the server stops, as \"%s\" has ended (control)", m.Command)
			m.set(0)
			g.control()
			return
		}
		m.died()
		if pause = throttle(time.Since(begun), pause, m.MaxThrottle); pause > 0 {
			g.logf("[uwsgi-daemons] throttling \"%s\" for %d seconds", m.Command, int(pause.Seconds()))
		}
		if !g.wait(pause) {
			return
		}
		verb = "respawning"
	}
}

func outcome(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// wait waits for d and reports whether Stop has not been called.
func (g *Group) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-g.stop:
		return false
	}
}

// watch starts m whenever its pid file names no living process, until Stop.
func (g *Group) watch(m *member) {
	verb := "spawning"
	var own *command.Process // set for one in the foreground
	for {
		pid := g.living(m)
		if pid == 0 && own != nil && own.Running() {
			pid = own.PID // whatever the file says
		}
		if pid == 0 {
			g.logf("[uwsgi-daemons] %s \"%s\"", verb, m.Command)
			if verb == "respawning" {
				m.died()
			}
			if p, err := m.command.Start(); err != nil {
				g.logf("[uwsgi-daemons] %v", err)
			} else if m.Foreground {
				own = p
			} else {
				select {
				case <-p.Done(): // it has gone to the background
				case <-g.stop:
					p.Stop(g.ctx, m.StopSignal)
				}
			}
			pid = g.appears(m)
			verb = "respawning"
		} else if verb == "spawning" {
			g.logf("[uwsgi-daemons] found running daemon \"%s\" (pid: %d)", m.Command, pid)
			verb = "respawning"
		}
		m.set(pid)
		if g.wait(m.Freq) {
			continue
		}
		if pid = g.living(m); pid != 0 {
			g.logf("[uwsgi-daemons] stopping daemon (pid: %d): %s", pid, m.Command)
			g.end(m, pid)
		}
		if own != nil {
			own.Stop(g.ctx, m.StopSignal)
		}
		m.set(0)
		return
	}
}

// look is the time between looks at a pid file, or at its process, while something is expected.
const look = 20 * time.Millisecond

// appears waits for m to write its pid file, at most for m.Freq.
func (g *Group) appears(m *member) int {
	for begun := time.Now(); time.Since(begun) < m.Freq; {
		if pid := g.living(m); pid != 0 {
			return pid
		}
		if !g.wait(look) {
			return 0
		}
	}
	return 0
}

// end ends a process that need not be a child of the server.
func (g *Group) end(m *member, pid int) {
	_ = syscall.Kill(pid, m.StopSignal)
	for g.living(m) == pid {
		select {
		case <-g.ctx.Done():
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return
		case <-time.After(look):
		}
	}
}

// living returns the process in the pid file of m, if it lives; else 0. The file of a machine that
// was switched off, or of a daemon that was killed, may name any process. A process that was met
// before is known without a clock, which may have been set.
func (g *Group) living(m *member) int {
	pid, written := readPID(m.PidFile)
	if pid == 0 || !alive(pid) {
		return 0
	}
	now := met{pid, birth(pid)}
	if now != m.met || now.born == 0 {
		if g.server(pid) || startedAfter(now.born, written) {
			return 0
		}
		m.met = now
	}
	return pid
}

// met is a process that is known to be a companion.
type met struct {
	pid  int
	born int64 // see birth
}

// mtimeSlack is more than the error of file times (whole seconds on some file systems) and of
// process starts.
const mtimeSlack = 2 * time.Second

// startedAfter reports whether a process born then started after its pid file was written: then it
// is another with the same number.
func startedAfter(born int64, written time.Time) bool {
	begun := started(born)
	return !begun.IsZero() && begun.After(written.Add(mtimeSlack))
}

// readPID returns the number in a pid file, 0 for none, and when it was written.
func readPID(path string) (int, time.Time) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold it up
	if err != nil {
		return 0, time.Time{}
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, time.Time{}
	}
	text := make([]byte, 64)
	n, _ := f.Read(text)
	pid, err := strconv.ParseInt(strings.TrimSpace(string(text[:n])), 10, 32)
	info, statErr := f.Stat()
	if err != nil || statErr != nil || pid <= 1 {
		return 0, time.Time{}
	}
	return int(pid), info.ModTime()
}

// Stop asks the companions to end, and waits. When ctx ends it kills what is left. Call it once.
func (g *Group) Stop(ctx context.Context) {
	g.ctx = ctx
	close(g.stop)
	g.running.Wait()
}

// Snapshot returns the companions as they are now.
func (g *Group) Snapshot() []State {
	states := make([]State, 0, len(g.members))
	for _, m := range g.members {
		m.mu.Lock()
		states = append(states, State{m.Command, m.pid, m.respawns})
		m.mu.Unlock()
	}
	return states
}

func (m *member) current() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pid
}

func (m *member) set(pid int) {
	m.mu.Lock()
	m.pid = pid
	m.mu.Unlock()
}

// died counts a start that another follows.
func (m *member) died() {
	m.mu.Lock()
	m.pid = 0
	m.respawns++
	m.mu.Unlock()
}

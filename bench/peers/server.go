package peers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// Server is a running peer. Its methods are safe for use by several goroutines,
// but Stop must be the last.
type Server struct {
	Peer    Peer
	Setup   Setup
	Addr    string            // host:port it answers on
	Command []string          // the started process
	Files   map[string]string // of its configuration, by name
	Started time.Duration     // from the start of the process to the first right answer
	// NoDelay is TCP_NODELAY as found on a connection that the server accepted:
	// "on", "off", or "unknown" where it cannot be found out.
	NoDelay string

	cmd   *exec.Cmd
	dir   string
	ended chan struct{} // closed when the first process was waited for; cmd.ProcessState is set then
}

// Limits of a start and a stop; tests shorten them.
var (
	startLimit = 30 * time.Second // until the first answer
	wrongLimit = 10 * time.Second // from the first wrong answer until a right one: nginx has 502 while the app loads
	stopLimit  = 5 * time.Second  // then what still runs is killed
)

// portTries is how often a start is tried when another program takes its port.
const portTries = 3

// masterFile is where a command that starts several programs leaves the process
// id of the app server.
const masterFile = "master.pid"

// errPortTaken is what a start ends with when the server could not listen.
var errPortTaken = errors.New("another program took the port in between")

// Start runs p with s and returns once it has given its first right answer to
// GET /. It chooses a free port. The error of a server that does not come up holds
// the last lines of its log.
func Start(ctx context.Context, p Peer, t Tools, s Setup) (*Server, error) {
	if need := p.Needs(t); need != "" {
		return nil, fmt.Errorf("%s needs %s", p.Name, need)
	}
	if s.Static != "" && p.Runs&Static == 0 {
		return nil, fmt.Errorf("%s serves no static files", p.Name)
	}
	s.Processes, s.Threads = max(s.Processes, 1), max(s.Threads, 1)
	for try := 1; ; try++ {
		srv, err := start(ctx, p, t, s)
		if err == nil || !errors.Is(err, errPortTaken) || try == portTries {
			return srv, err
		}
	}
}

func start(ctx context.Context, p Peer, t Tools, s Setup) (*Server, error) {
	dir, err := os.MkdirTemp("", "uwsgo-bench-")
	if err != nil {
		return nil, err
	}
	srv := &Server{Peer: p, Setup: s, dir: dir, ended: make(chan struct{})}
	if err := srv.start(ctx, t); err != nil {
		srv.Stop()
		return nil, fmt.Errorf("starting %s: %w", p.Name, err)
	}
	return srv, nil
}

func (srv *Server) start(ctx context.Context, t Tools) error {
	host, port, err := freePort()
	if err != nil {
		return err
	}
	plan := &Plan{Tools: t, Setup: srv.Setup, Host: host, Port: port, Dir: srv.dir}
	srv.Addr = plan.Addr()
	if srv.Command, err = srv.Peer.Command(plan); err != nil {
		return err
	}
	srv.Files = plan.Files
	output, err := os.Create(srv.logFile())
	if err != nil {
		return err
	}
	defer output.Close() // the server has its own descriptor of it
	cmd := exec.Command(srv.Command[0], srv.Command[1:]...)
	cmd.Dir = t.Apps
	cmd.Env = environ(t)
	cmd.Stdout, cmd.Stderr = output, output
	// A group of its own: Ctrl-C must not reach it, and Stop finds in it what lost
	// its parent.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begun := time.Now()
	if err := startPinned(cmd, t.Servers); err != nil {
		return err
	}
	srv.cmd = cmd
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(srv.ended)
	}()
	if err := srv.probe(ctx, begun); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return srv.Explain(err)
	}
	srv.Started = time.Since(begun)
	srv.NoDelay = srv.noDelay()
	return nil
}

// environ is this program's environment without what would change a server's
// settings behind the back of its command, and with the virtualenv's programs first.
func environ(t Tools) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch prefix, _, _ := strings.Cut(name, "_"); prefix {
		case "UWSGI", "GUNICORN", "GRANIAN", "GEVENT", "WEB", "FORWARDED", "GOMAXPROCS", "GOGC", "GODEBUG", "PATH":
			continue
		}
		if strings.HasPrefix(name, "PYTHON") {
			continue
		}
		env = append(env, variable)
	}
	path := os.Getenv("PATH")
	if t.Env != "" {
		path = filepath.Join(t.Env, "bin") + ":" + path
	}
	return append(env, "PATH="+path)
}

// Explain adds to an error of asking the server, or of its start, what its log says.
func (srv *Server) Explain(err error) error {
	log, _ := os.ReadFile(srv.logFile())
	lower := strings.ToLower(string(log))
	if strings.Contains(lower, "address already in use") || strings.Contains(lower, "connection in use") { // the latter is gunicorn's
		err = fmt.Errorf("%s is in use: %w", srv.Addr, errPortTaken)
	}
	const most = 20
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	lines = lines[max(0, len(lines)-most):]
	if lines[0] == "" {
		return fmt.Errorf("%w; it logged nothing", err)
	}
	return fmt.Errorf("%w; its log ends with\n    %s", err, strings.Join(lines, "\n    "))
}

func (srv *Server) logFile() string { return filepath.Join(srv.dir, "output") }

// CPU is what the server's whole process tree has used so far.
func (srv *Server) CPU() (user, system time.Duration, err error) {
	used, err := proctree.CPU(srv.root())
	return used.User, used.System, err
}

// PSS is the memory of the server's whole process tree, in bytes.
func (srv *Server) PSS() (int64, error) { return proctree.PSS(srv.root()) }

// Switches is how often the threads that the server has now were switched away
// from, as waiting or as preempted, so far.
func (srv *Server) Switches() (int64, error) { return proctree.Switches(srv.root()) }

// Alive says whether the server's first process still runs.
func (srv *Server) Alive() bool {
	select {
	case <-srv.ended:
		return false
	default:
		return true
	}
}

// root is the first process.
func (srv *Server) root() int { return srv.cmd.Process.Pid }

// master is the first process of the app server itself.
func (srv *Server) master() (int, error) {
	text, err := os.ReadFile(filepath.Join(srv.dir, masterFile))
	if errors.Is(err, os.ErrNotExist) {
		return srv.root(), nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// hangUp is how servers are asked to reload that take SIGHUP for it.
func hangUp(srv *Server) error {
	master, err := srv.master()
	if err != nil {
		return err
	}
	return syscall.Kill(master, syscall.SIGHUP)
}

// Stop ends the server with every process it started and removes its files. What
// does not end by itself in 5 seconds is killed.
func (srv *Server) Stop() {
	defer os.RemoveAll(srv.dir)
	if srv.cmd == nil {
		return
	}
	known := srv.processes(nil)
	_ = srv.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-srv.ended:
	case <-time.After(stopLimit):
	}
	// A killed process is gone a little later, and a worker that was being forked
	// meanwhile must be found too.
	for deadline := time.Now().Add(stopLimit); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		known = srv.processes(known)
		if len(known) == 0 {
			break
		}
		for _, pid := range known {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	<-srv.ended
}

// processes returns the running processes of the server: its tree, its process group, and known
// ones that still run.
func (srv *Server) processes(known []int) []int {
	tree, _ := proctree.PIDs(srv.root()) // fails when the root has ended
	group, err := proctree.Group(srv.root())
	if err != nil { // no /proc: at least the first process
		group = []int{srv.root()}
		if !srv.Alive() {
			return nil
		}
		return group
	}
	found := map[int]bool{}
	var alive []int
	for _, pids := range [][]int{tree, group, known} {
		for _, pid := range pids {
			if !found[pid] && proctree.Alive(pid) {
				found[pid] = true
				alive = append(alive, pid)
			}
		}
	}
	return alive
}

// given are the ports that were given to servers of this process. None is given
// twice, or the probe of a server might be answered by another that was faster.
var given sync.Map

// freePort gives an address of the loopback that nobody listens on.
func freePort() (host, port string, err error) {
	for {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		addr := ln.Addr().String()
		ln.Close()
		if _, before := given.LoadOrStore(addr, true); !before {
			return net.SplitHostPort(addr)
		}
	}
}

// commandLine returns the command line of a process, joined by spaces.
func commandLine(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " "))
}

// missing gives the name of the first empty value of (value, name) pairs.
func missing(pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "" {
			return pairs[i+1]
		}
	}
	return ""
}

// firstLine runs a program and gives the first line it prints.
func firstLine(name string, args ...string) string {
	out, err := exec.Command(name, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || line == "" {
		return "version unknown"
	}
	return line
}

package emperor

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine"
)

// Options say what an emperor does.
type Options struct {
	Policy
	Finding
	Monitors []string // directories and patterns
	Freq     time.Duration

	Set, Include, IncludeBefore, Inherit, InheritBefore []string // for every vassal
	MagicExec                                           bool     // files that may be executed are, and print the configuration
	Wrapper                                             string   // what is run for a vassal; empty for Program
	Initgroups                                          bool     // in tyrant mode
	KeepRights                                          bool     // see [Emperor.Keep]
	StartHook, StopHook                                 string

	DemandExtension, DemandDirectory, DemandExec string

	// What the program adds.
	Program string   // the file of this program
	Dir     string   // where relative patterns begin
	Output  *os.File // of vassals
	// Code returns a file of worker.Compile that vassals share; nil for none, or none yet.
	Code func() *os.File
	Logf func(format string, args ...any)
	// Governing is told how many vassals there are, whenever the emperor has had a look.
	Governing func(n int)
	Mercy     time.Duration // for all vassals at the end; 0 for Curse
}

// Ask is what is asked of an emperor that runs.
type Ask uint8

// What can be asked.
const (
	ReloadAll Ask = iota // all vassals reload
	Report               // the log tells of each
	Look                 // look for files at once
	Finish               // stop all vassals, and end
	Hurry                // likewise, within moments
)

// hurry is what a vassal has left once its end is to be quick.
const hurry = 2 * time.Second

// Emperor supervises the vassals. Its goroutine owns everything but events.
type Emperor struct {
	o        Options
	court    *Court
	monitors []*monitor
	procs    map[string]*process
	demands  map[string]*demand
	events   chan func() // what other goroutines have found out
	ended    chan struct{}
	forks    chan func()
	forking  sync.Once // forks are served
}

// New makes an emperor that does nothing yet.
func New(o Options) (*Emperor, error) {
	if o.AtOnce == 0 {
		o.AtOnce = max(4, 2*runtime.NumCPU())
	}
	if o.Tyrant && os.Geteuid() != 0 {
		return nil, fmt.Errorf("emperor-tyrant: only root can become the owner of each file, and this is user %d: start the emperor as root, or leave out emperor-tyrant and have it run everything as this user", os.Geteuid())
	}
	e := &Emperor{
		o: o, court: NewCourt(o.Policy, o.Logf), procs: map[string]*process{}, demands: map[string]*demand{},
		events: make(chan func()), ended: make(chan struct{}), forks: make(chan func()),
	}
	for _, value := range o.Monitors {
		if err := CheckMonitor(value); err != nil {
			return nil, fmt.Errorf("emperor: %w", err)
		}
		m := newMonitor(value, o.Dir)
		if m.dir != "" && !isDir(m.dir) {
			o.Logf("*** WARNING: emperor: %s does not exist yet: it is waited for ***", m.dir)
		}
		e.monitors = append(e.monitors, m)
	}
	return e, nil
}

// Run governs until Finish is asked for and no vassal is left.
func (e *Emperor) Run(asked <-chan Ask) {
	defer close(e.ended)
	e.forking.Do(func() { go e.fork() })
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	look := time.NewTimer(0)
	alarm := time.NewTimer(time.Hour)
	var over bool
	for !over || !e.court.Empty() {
		select {
		case <-look.C:
			e.look()
			look.Reset(e.o.Freq)
		case <-died:
			e.reap()
		case do := <-e.events:
			do()
		case <-alarm.C:
		case ask := <-asked:
			now := time.Now()
			switch ask {
			case ReloadAll:
				e.court.ReloadAll(now)
			case Report:
				e.report()
			case Look:
				e.look()
			case Finish:
				e.o.Logf("[emperor] *** RAGNAROK EVOKED ***")
				over = true
				e.court.Bury(now)
				if e.o.Mercy > 0 {
					e.court.Insist(now.Add(e.o.Mercy))
				}
			case Hurry:
				over = true
				e.court.Bury(now)
				for id := range e.procs {
					e.signal(id, syscall.SIGTERM)
				}
				e.court.Insist(now.Add(hurry))
			}
		}
		alarm.Reset(e.obey())
	}
}

// post runs do on the emperor's goroutine. Any goroutine may call it.
func (e *Emperor) post(do func()) {
	select {
	case e.events <- do:
	case <-e.ended:
	}
}

// look finds the files and tells the court.
func (e *Emperor) look() {
	for _, m := range e.monitors {
		files, err := m.scan(e.o.Finding)
		if err != nil {
			if m.deny != err.Error() {
				e.o.Logf("*** WARNING: emperor: %v: its vassals stay as they are ***", err)
			}
			m.deny = err.Error()
			continue
		}
		m.deny = ""
		for i := range files {
			f := &files[i]
			if v := e.court.vassals[f.ID]; v != nil && v.Mark == f.Mark && e.o.DemandExtension == "" {
				f.Demand = v.Demand // it is asked for once for each state of the file
				continue
			}
			f.Demand = e.demanded(*f)
		}
		e.court.Scanned(time.Now(), m.name, files)
	}
	if e.o.Governing != nil {
		e.o.Governing(len(e.procs))
	}
}

// obey carries out the court's orders, and returns how long no other is due.
func (e *Emperor) obey() time.Duration {
	for {
		orders, next := e.court.Orders(time.Now())
		switch {
		case len(orders) > 0:
		case next.IsZero():
			return time.Hour
		default:
			return max(0, time.Until(next))
		}
		for _, o := range orders {
			switch o.Act {
			case Start:
				e.start(o.File)
			case Listen:
				e.listen(o.File)
			case Renew:
				e.tell(o.File.ID, Reload)
			case End:
				e.tell(o.File.ID, Stop)
			case Kill:
				e.signal(o.File.ID, syscall.SIGKILL)
			case Dismissed:
				e.unlisten(o.File.ID)
			}
		}
	}
}

func (e *Emperor) report() {
	for _, v := range e.court.Vassals() {
		e.o.Logf("vassal instance %s (last modified %d) pid %d loyal %v", v.Name, v.Mark.Time.Unix(), v.PID, !v.Loyal.IsZero())
	}
}

// argv is the command of a vassal, uWSGI's.
func (e *Emperor) argv(f File) []string {
	argv := []string{e.program()}
	add := func(name string, values []string) {
		for _, v := range values {
			argv = append(argv, name, v)
		}
	}
	add("--inherit", e.o.InheritBefore)
	add("--include", e.o.IncludeBefore)
	add("--set", e.o.Set)
	kind := "--config"
	switch filepath.Ext(f.Name) {
	case ".xml":
		kind = "--xml"
	case ".ini":
		kind = "--ini"
	case ".yml", ".yaml":
		kind = "--yaml"
	case ".js", ".json":
		kind = "--json"
	}
	for _, end := range e.o.Extensions {
		if strings.HasSuffix(f.Name, end) {
			kind = "--config"
		}
	}
	name := f.Name
	if e.o.MagicExec && syscall.Access(f.ID, 5) == nil { // R_OK | X_OK
		kind, name = "--config", "exec://"+f.ID
		argv = append(argv, "--allow-remote-config=true")
	}
	argv = append(argv, kind, name)
	add("--inherit", e.o.Inherit)
	add("--include", e.o.Include)
	return argv
}

func (e *Emperor) program() string {
	if e.o.Wrapper == "" {
		return e.o.Program
	}
	if path, err := exec.LookPath(e.o.Wrapper); err == nil {
		if abs, err := filepath.Abs(path); err == nil {
			return abs
		}
	}
	return e.o.Wrapper
}

// environment returns the environment of a vassal: the emperor's, without the variables that make it
// an emperor or belong to its service manager. UWSGI_VASSAL_X becomes UWSGI_X.
func environment(environ []string, name string) []string {
	var env []string
	for _, kv := range environ {
		switch {
		case strings.HasPrefix(kv, "UWSGI_VASSAL_"):
			env = append(env, "UWSGI_"+strings.TrimPrefix(kv, "UWSGI_VASSAL_"))
		case strings.HasPrefix(kv, "UWSGI_EMPEROR"), strings.HasPrefix(kv, "UWSGI_VASSALS_"), strings.HasPrefix(kv, "UWSGI_RELOADS="),
			strings.HasPrefix(kv, "NOTIFY_SOCKET="), strings.HasPrefix(kv, "WATCHDOG_"), strings.HasPrefix(kv, "LISTEN_"), strings.HasPrefix(kv, NameEnv+"="), strings.HasPrefix(kv, CodeEnv+"="):
		default:
			env = append(env, kv)
		}
	}
	return append(env, FDEnv+"=3", NameEnv+"="+name)
}

// demanded returns the address at which the first connection to a vassal is waited for.
func (e *Emperor) demanded(f File) string {
	line := func(text []byte) string {
		for i, c := range text {
			if c < ' ' {
				text = text[:i]
				break
			}
		}
		return string(text)
	}
	switch {
	case e.o.DemandExtension != "":
		file, err := os.Open(f.ID + e.o.DemandExtension)
		if err != nil {
			return ""
		}
		defer file.Close()
		text, _ := io.ReadAll(io.LimitReader(file, 4096))
		return line(text)
	case e.o.DemandDirectory != "":
		name := filepath.Base(f.Name)
		return filepath.Join(e.o.DemandDirectory, strings.TrimSuffix(name, filepath.Ext(name))+".socket")
	case e.o.DemandExec != "":
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", e.o.DemandExec+` "$1"`, "sh", f.Name)
		cmd.Dir, cmd.Stderr = f.Dir, e.o.Output
		cmd.WaitDelay = time.Second
		text, err := cmd.Output()
		if err != nil {
			e.o.Logf("*** WARNING: emperor-on-demand-exec for %s: %v: it starts at once ***", f.Name, err)
			return ""
		}
		return line(text)
	}
	return ""
}

// demand is a socket that is listened on for a vassal.
type demand struct {
	addr   string
	socket *engine.Socket
	file   *os.File // of which the vassal gets a copy
	raw    syscall.RawConn
	close  func()
}

// listen waits for somebody to connect.
func (e *Emperor) listen(f File) {
	d := e.demands[f.ID]
	if d == nil {
		var err error
		if d, err = openDemand(f); err != nil {
			e.court.Failed(time.Now(), f.ID, fmt.Errorf("on-demand socket: %w", err))
			return
		}
		e.demands[f.ID] = d
	}
	e.o.Logf("[uwsgi-emperor] %s -> \"on demand\" instance detected, waiting for connections on socket %q ...", f.Name, f.Demand)
	go func() {
		if d.raw.Read(readable) == nil {
			e.post(func() { e.court.Connected(time.Now(), f.ID) })
		}
	}()
}

func openDemand(f File) (*demand, error) {
	addr := f.Demand
	if network, path, err := engine.ParseAddress(addr); err == nil && network == "unix" && path[0] != '@' && !filepath.IsAbs(path) {
		addr = filepath.Join(f.Dir, path)
	}
	s, err := engine.OpenSocket(addr, engine.ListenOptions{Mode: 0o666})
	if err != nil {
		return nil, err
	}
	d, err := watched(s)
	if err != nil {
		_, _ = s.Unlink()
		_ = s.Close()
		return nil, err
	}
	d.addr = f.Demand
	return d, nil
}

// watched prepares a socket for waiting. A listener of package net can only accept.
func watched(s *engine.Socket) (*demand, error) {
	file, err := s.File()
	if err != nil {
		return nil, err
	}
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	_ = unix.SetNonblock(fd, true) // for Go's poller
	wait := os.NewFile(uintptr(fd), "on-demand socket")
	raw, err := wait.SyscallConn()
	if err != nil {
		_ = file.Close()
		_ = wait.Close()
		return nil, err
	}
	return &demand{socket: s, file: file, raw: raw, close: func() { _ = wait.Close(); _ = file.Close() }}, nil
}

// unlisten closes the socket of a vassal that is no more.
func (e *Emperor) unlisten(id string) {
	d := e.demands[id]
	if d == nil {
		return
	}
	delete(e.demands, id)
	d.close()
	_, _ = d.socket.Unlink()
	_ = d.socket.Close()
}

package worker

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/worker/control"
)

//go:embed shim/*.py
var shim embed.FS

// modules are the shim's modules, each after what it imports.
var modules = []string{"__init__", "own", "trace", "forked", "interrupts", "files", "title", "late", "port", "head", "exchange", "control", "locks", "events", "spawned", "hints", "apps", "imports", "signals", "greenlets", "worker", "module", "zygote"}

// Descriptors in the zygote, given to exec.
const (
	controlFD = 3
	sharedFD  = 4
	queueFD   = 5
)

// maxMessage bounds what a zygote reports, in bytes.
const maxMessage = 1 << 20

// maxName bounds the name of a process that there is room for, in bytes.
const maxName = 4096

// fdsAtOnce is how many descriptors go in one message; the shim expects no more.
const fdsAtOnce = 100

// zygote is a process that has imported the apps and forks workers. It belongs to
// the supervisor.
type zygote struct {
	config  *Config
	version string // of Python; empty until it has said so
	pid     int
	lazy    bool // workers import for themselves
	conn    *net.UnixConn
	ended   chan struct{} // closed when the process has been waited for
	err     error         // why; set before ended is closed
	kill    func()        // any goroutine
	goOn    func()        // has it go on when it was stopped; any goroutine
	// patience bounds the time that a command waits for room.
	patience time.Duration

	load      *load     // once it has loaded the apps
	doing     stage     // what it does meanwhile; zero before its Python runs
	health    health    // whether it obeys
	forking   bool      // it has loaded the apps and forks on command
	since     time.Time // when its workers took over
	processes int       // those whose end is not dealt with
	ending    bool

	peer       *control.Peer // what it calls, apart from what it reports
	generation int           // its number
}

// message is what a zygote reports, or what the supervisor is asked for: its name
// and what follows.
type message struct {
	name   string
	args   []any
	from   *zygote      // nil when it is no zygote's
	answer chan<- error // for what is asked
}

// boot is what a process of Python needs to become ours: its descriptor 3 is theirs.
type boot struct {
	script string   // for python -c
	parts  [][]byte // to be written to ours. The first apart: it is read at once, and in one piece
	theirs *os.File // to be closed once the process has it
	ours   *net.UnixConn
}

func (g *supervisor) prepareBoot(c *Config, lazy bool) (*boot, error) {
	blob, err := g.bootBlob(c, lazy)
	if err != nil {
		return nil, err
	}
	bootstrap, err := shim.ReadFile("shim/bootstrap.py")
	if err != nil {
		return nil, err
	}
	fds, err := socketpair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	theirs, ours := os.NewFile(uintptr(fds[1]), "zygote"), os.NewFile(uintptr(fds[0]), "zygote")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, err
	}
	script := fmt.Sprintf("import os;exec(os.read(3,%d))", len(bootstrap))
	return &boot{script, [][]byte{bootstrap, blob}, theirs, conn.(*net.UnixConn)}, nil
}

// startZygote starts a process. What it reports, and in the end a message named
// "gone", goes to events until done is closed.
func startZygote(g *supervisor, lazy bool, events chan<- message) (*zygote, error) {
	c, err := g.anew()
	if err != nil {
		return nil, err
	}
	b, err := g.prepareBoot(c, lazy)
	if err != nil {
		return nil, err
	}
	defer b.theirs.Close()
	z := &zygote{config: c, lazy: lazy, conn: b.ours, ended: make(chan struct{}), patience: commandTime}
	g.generations++
	z.generation = g.generations
	peer, calls, err := c.Control.Open(0, z.generation, func() { z.kill() })
	if err != nil {
		_ = b.ours.Close()
		return nil, err
	}
	z.peer = peer
	defer calls.Close()
	// The last word is there for its room: the names are written over the command line.
	cmd := exec.Command(c.Python, append(c.interpreterArgs(b.script), c.longestName())...)
	cmd.Dir = c.Dir
	cmd.Env = c.Env
	cmd.Stdout, cmd.Stderr = c.Stderr, c.Stderr
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	cmd.ExtraFiles = []*os.File{b.theirs, g.shared.file}
	if g.queueFile != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, g.queueFile)
	}
	if g.stacks.write != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, g.stacks.write)
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, calls)
	cmd.SysProcAttr = zygoteAttr()
	started := make(chan error)
	go func() {
		// The thread must last as long as the process: see zygoteAttr. It ends with
		// this goroutine, as it is never unlocked.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			z.err = cmd.Wait()
			close(z.ended)
			// Workers that import for themselves hold the other end too. Its last words
			// may still be there.
			_ = z.conn.SetReadDeadline(time.Now().Add(lastWords))
		}
	}()
	if err := <-started; err != nil {
		peer.Close()
		_ = b.ours.Close()
		return nil, &PythonError{Path: c.Python, From: c.PythonFrom, Err: cannotRun(err)}
	}
	z.pid = cmd.Process.Pid
	peer.SetPID(z.pid)
	z.kill = func() { _ = cmd.Process.Kill() }
	z.goOn = func() { _ = cmd.Process.Signal(unix.SIGCONT) }
	go z.read(events, g.done)
	for _, part := range b.parts {
		if err == nil {
			err = z.write(func() error {
				_, err := z.conn.Write(part)
				return err
			})
		}
	}
	if err != nil {
		z.kill()
		<-z.ended
		peer.Close()
		_ = b.ours.Close()
		return nil, z.noPython()
	}
	return z, nil
}

// interpreterArgs are those that have the interpreter run a script.
func (c *Config) interpreterArgs(script string) []string {
	if c.Optimize > 0 {
		return []string{"-" + strings.Repeat("O", min(c.Optimize, 2)), "-c", script}
	}
	return []string{"-c", script}
}

// longestName returns what leaves room for each of the names.
func (c *Config) longestName() string {
	longest := fmt.Sprintf("uwsgo worker %d", c.Processes)
	for _, name := range c.Names {
		if len(name) > len(longest) && len(name) <= maxName {
			longest = name
		}
	}
	return longest
}

// noPython is the error for an interpreter that ended before it ran anything of ours.
func (z *zygote) noPython() error {
	return &PythonError{Path: z.config.Python, From: z.config.PythonFrom, Err: fmt.Errorf(
		"it ended before it ran anything (%w): it is no Python 3.9 or later, or a broken one; %s -c pass tells more, as may what it has written above", orEnded(z.err), z.config.Python)}
}

// exited reports whether the process has ended by itself, once it has ended.
func (z *zygote) exited() bool {
	exit, ok := errors.AsType[*exec.ExitError](z.err)
	return z.err == nil || ok && exit.Exited()
}

// oldestPython is what the shim needs.
var oldestPython = [2]int{3, 9}

// python notes which Python the zygote is, and returns an error if that is too old; the
// shim then waits to be ended.
func (z *zygote) python(version string) error {
	z.version = version
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || major > oldestPython[0] || major == oldestPython[0] && minor >= oldestPython[1] {
		return nil
	}
	advice := "make the virtualenv again with a later one, or name another with virtualenv = DIR"
	if !z.config.virtualenv() {
		advice = "install a later one and name a virtualenv of it with virtualenv = DIR"
	}
	if major < 3 {
		advice += "; an app that is not ported to Python 3 needs uWSGI"
	}
	return &PythonError{Path: z.config.Python, From: z.config.PythonFrom, Err: fmt.Errorf("it is Python %s, and uwsgo needs %d.%d or later: %s", version, oldestPython[0], oldestPython[1], advice)}
}

// anew returns the configuration of the next generation.
func (g *supervisor) anew() (*Config, error) {
	c := g.pool.config
	if c.Anew != nil {
		if err := c.Anew(&c); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// bootBlob returns the first message to a zygote: the shim and its configuration.
func (g *supervisor) bootBlob(c *Config, lazy bool) ([]byte, error) {
	sources := make([]any, 0, len(modules))
	for _, name := range modules {
		text, err := shim.ReadFile("shim/" + name + ".py")
		if err != nil {
			return nil, err
		}
		sources = append(sources, []any{name, string(text)})
	}
	apps := make([]any, 0, len(c.Apps))
	for _, a := range c.Apps {
		from, how := a.way()
		apps = append(apps, []any{a.Mount, from, a.Module, a.Callable, how})
	}
	imports := make([]any, 0, len(c.Imports))
	for _, i := range c.Imports {
		imports = append(imports, []any{i.Option, i.What})
	}
	host, _ := os.Hostname()
	queue, stacks, calls, next := -1, -1, -1, queueFD
	if g.queueFile != nil {
		queue = next
		next++
	}
	if g.stacks.write != nil {
		stacks = next
		next++
	}
	if c.Control != nil {
		calls = next
	}
	module, err := g.module(c)
	if err != nil {
		return nil, err
	}
	blob, err := pymarshal.Marshal([]any{sources, map[string]any{
		"exceptions": []any{c.Exceptions.Tell, c.Exceptions.Any, texts(c.Exceptions.Types), texts(c.Exceptions.Values), texts(c.Exceptions.Traces)},
		"affinity":   c.Affinity,
		"apps":       apps, "imports": imports, "paste_logger": c.PasteLogger, "file_wrapper": !c.NoFileWrapper, "lazy": lazy, "once": c.ImportOnce, "python_from": c.PythonFrom, "started_in": c.StartedIn, "need_app": c.NeedApp,
		"argv": c.Argv, "pythonpath": c.PythonPath, "post_fork": steps(c.PostFork),
		"processes": c.Processes, "threads": c.Threads, "loops": len(c.Loops),
		"limit_as": c.LimitAS, "stream_mode": c.StreamMode, "watch": c.Imported != nil, "unwatched": texts(c.Unwatched),
		"write_errors": []any{c.WriteErrors.Silent, c.WriteErrors.Tolerant, c.WriteErrors.Thrown},
		"stacks":       stacks, "stack_signal": stackSignal,
		"control": controlFD, "queue": queue, "shared": sharedFD, "calls": calls,
		"shared_size": len(g.shared.mem), "cancel_at": g.shared.cancelAt,
		"names": c.Names, "version": []byte(c.Version), "module": module, "node": []byte(host),
	}})
	return frame(blob), err
}

// texts is a list of the shim's.
func texts(list []string) []any {
	out := make([]any, 0, len(list))
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// steps is what the shim makes of steps: what to do, and its argument.
func steps(list []Step) []any {
	out := make([]any, 0, len(list))
	for _, s := range list {
		switch {
		case s.Chdir != "":
			out = append(out, []any{"chdir", s.Chdir})
		case s.Setenv != "":
			out = append(out, []any{"putenv", s.Setenv})
		default:
			out = append(out, []any{"exec", s.Command})
		}
	}
	return out
}

// frame puts the length in front of a message.
func frame(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...)
}

// read passes on what the zygote reports.
func (z *zygote) read(events chan<- message, done <-chan struct{}) {
	for {
		m, err := z.receive()
		if errors.Is(err, errFrame) {
			m = message{name: "malformed", args: []any{err.Error()}, from: z}
		} else if err != nil {
			break
		}
		select {
		case events <- m:
		case <-done:
			return
		}
		if err != nil {
			// Nothing that follows can be told from noise. It is taken all the same, so that
			// nobody who writes there waits for ever.
			_, _ = io.Copy(io.Discard, z.conn)
			break
		}
	}
	// A process that has lost its socket, because the app has closed it or has become
	// another program, can do nothing any more.
	late := time.AfterFunc(lostTime, z.kill)
	defer late.Stop()
	select {
	case <-z.ended:
	case <-done:
		return
	}
	select {
	case events <- message{name: "gone", from: z}:
	case <-done:
	}
}

func (z *zygote) receive() (message, error) {
	var head [4]byte
	if _, err := io.ReadFull(z.conn, head[:]); err != nil {
		return message{}, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxMessage {
		return message{}, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(z.conn, b); err != nil {
		return message{}, err
	}
	v, err := pymarshal.Unmarshal(b)
	if err != nil {
		return message{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return message{}, fmt.Errorf("%w: no list", errFrame)
	}
	name, _ := list[0].(string)
	m := message{name: name, args: list[1:], from: z}
	if !z.right(m) {
		return message{}, fmt.Errorf("%w: %.100q", errFrame, fmt.Sprint(list...))
	}
	return m, nil
}

// reports are what a zygote may say, and what follows the name: each letter is one of
// those in fits. All else that the supervisor handles is for itself.
var reports = map[string]string{
	"python": "s", "threads": "lb", "loaded": "sso", "doing": "wast", "spawned": "pi",
	"ready": "poi", "pong": "", "exit": "ptc", "imported": "l",
}

// right reports whether a message can be a zygote's. An app has the descriptor, too, and
// may have written to it.
func (z *zygote) right(m message) bool {
	kinds, known := reports[m.name]
	if !known || len(m.args) != len(kinds) {
		return false
	}
	for i, kind := range []byte(kinds) {
		if !z.fits(m, i, kind) {
			return false
		}
	}
	return true
}

// fits reports whether an argument is what it is to be.
func (z *zygote) fits(m message, i int, kind byte) bool {
	list, isList := m.args[i].([]any)
	_, isText := m.args[i].(string)
	_, isBool := m.args[i].(bool)
	n, isInt := m.args[i].(int)
	between := func(least, most int) bool { return isInt && least <= n && n <= most }
	last := z.config.Processes*places - 1
	switch kind {
	case 's': // a text
		return isText
	case 'l': // a list of texts
		return isList && len(m.strs(i)) == len(list)
	case 'b': // true or false
		return isBool
	case 'o': // what became of the apps; of none, where another process imports them
		return isList && (len(list) == 0 || len(m.apps(i, z.config.Apps)) == len(z.config.Apps) && len(list) == len(z.config.Apps))
	case 'p': // the place of a process
		return between(0, last)
	case 'w': // or -1 for the zygote
		return between(-1, last)
	case 'a': // an app, or -1 for none
		return between(-1, len(z.config.Apps)-1)
	case 'i': // the id of a process: what has it is signalled
		return between(2, mostPID) && n != os.Getpid()
	case 't': // or 0 for none
		return n == 0 && isInt || between(2, mostPID) && n != os.Getpid()
	case 'c': // how a process ended
		return between(-255, 255)
	default:
		return false
	}
}

// mostPID is more than any system gives as the id of a process.
const mostPID = 1 << 30

// int returns argument i, and 0 when it is no int.
func (m message) int(i int) int {
	if i < len(m.args) {
		n, _ := m.args[i].(int)
		return n
	}
	return 0
}

// str returns argument i, and "" when it is no str.
func (m message) str(i int) string {
	if i < len(m.args) {
		s, _ := m.args[i].(string)
		return s
	}
	return ""
}

// strs returns argument i, a list of str.
func (m message) strs(i int) (list []string) {
	if i < len(m.args) {
		args, _ := m.args[i].([]any)
		for _, a := range args {
			if s, ok := a.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// apps returns argument i, what became of the apps.
func (m message) apps(i int, apps []App) []LoadedApp {
	var loaded []LoadedApp
	if i >= len(m.args) {
		return nil
	}
	list, _ := m.args[i].([]any)
	for j, e := range list {
		entry, _ := e.([]any)
		if j >= len(apps) || len(entry) != 3 {
			break
		}
		seconds, _ := entry[1].(float64)
		reason, _ := entry[2].(string)
		loaded = append(loaded, LoadedApp{App: apps[j], Seconds: seconds, Reason: reason})
	}
	return loaded
}

// commandTime is how long a zygote may leave its socket full. Forking hundreds of workers
// takes less; the supervisor must not wait for ever for one that stands still.
const commandTime = 30 * time.Second

// lostTime is how long a zygote without a socket may take to end.
const lostTime = time.Second

// lastWords is how long what a zygote has said before its end is waited for.
const lastWords = 200 * time.Millisecond

// command sends a command; an error means that the zygote is going, of which a
// message will tell. One that takes no more commands is killed.
func (z *zygote) command(words ...any) error {
	b, err := pymarshal.Marshal(words)
	if err != nil {
		return err
	}
	return z.write(func() error {
		_, err := z.conn.Write(frame(b))
		return err
	})
}

// write does what sends, in bounded time. What was sent by half cannot be followed by
// anything.
func (z *zygote) write(send func() error) error {
	_ = z.conn.SetWriteDeadline(time.Now().Add(z.patience))
	err := send()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		z.kill()
	}
	return err
}

// spawn has the zygote fork a process for a worker with these descriptors.
func (z *zygote) spawn(place, number int, fds []int) error {
	z.health.owed++
	if err := z.command("spawn", place, number, len(fds)); err != nil {
		return err
	}
	for len(fds) > 0 {
		n := min(len(fds), fdsAtOnce)
		err := z.write(func() error {
			_, _, err := z.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fds[:n]...), nil)
			return err
		})
		if err != nil {
			return err
		}
		fds = fds[n:]
	}
	return nil
}

// end has the zygote kill and reap its processes, if it has any, and go. One that
// does not is killed. Its "gone" message follows.
func (z *zygote) end() {
	if z.ending {
		return
	}
	z.ending = true
	_ = z.conn.Close()
	late := time.AfterFunc(time.Second, z.kill)
	go func() {
		<-z.ended
		late.Stop()
	}()
}

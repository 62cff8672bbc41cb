// Package zygote is the Python process that imports the apps and forks the workers, as the
// server sees it: how it is started, what it is told, what it reports.
package zygote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

const (
	// maxMessage bounds what a zygote reports, in bytes.
	maxMessage = 1 << 20
	// fdsAtOnce is how many descriptors go in one message; the shim expects no more.
	fdsAtOnce = 100
	// commandTime is how long a zygote may leave its socket full. Forking hundreds of workers
	// takes less; the supervisor must not wait for ever for one that stands still.
	commandTime = 30 * time.Second
	// lostTime is how long a zygote without a socket may take to end.
	lostTime = time.Second
	// lastWords is how long what a zygote has said before its end is waited for.
	lastWords = 200 * time.Millisecond
	// endTime is how long it may take to end when it is told to.
	endTime = time.Second
)

// Zygote is one such process. One goroutine, the supervisor's, calls its methods, where
// nothing else is said.
type Zygote struct {
	Config *launch.Config // what it was started with
	Lazy   bool           // workers import for themselves
	PID    int
	Doing  Stage // what it does before it forks; zero before its Python runs

	version string // of Python; empty until it has said so
	conn    *net.UnixConn
	done    chan struct{} // closed when the process has been waited for
	err     error         // why; set before done is closed
	process *os.Process
	retired bool
	// patience bounds the time that a command waits for room.
	patience time.Duration
	// booted is closed when the socket has taken what the process begins with. Commands wait for
	// it; nil has been closed.
	booted chan struct{}
}

// Start starts a process. What it reports, and in the end [Exited], is passed to deliver, on
// a goroutine of its own, until that returns false.
func Start(c *launch.Config, lazy bool, in Inherited, deliver func(*Zygote, Report) bool) (*Zygote, error) {
	b, err := newBoot(c, lazy, in)
	if err != nil {
		return nil, err
	}
	defer b.theirs.Close()
	z := &Zygote{Config: c, Lazy: lazy, conn: b.ours, done: make(chan struct{}), patience: commandTime, booted: make(chan struct{})}
	// The last word is there for its room: the names are written over the command line.
	cmd := exec.Command(c.Python, append(interpreterArgs(c, b.script), longestName(c))...)
	cmd.Dir = c.Dir
	cmd.Env = c.Env
	cmd.Stdout, cmd.Stderr = c.Stderr, c.Stderr
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	cmd.ExtraFiles = []*os.File{b.theirs, in.Memory.File}
	if in.Queue != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, in.Queue)
	}
	if in.Stacks != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, in.Stacks)
	}
	if in.Calls != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, in.Calls)
	}
	if c.Bodies != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, c.Bodies.File())
	}
	cmd.ExtraFiles = append(cmd.ExtraFiles, c.Module.Files()...)
	cmd.SysProcAttr = proc.ChildAttr()
	started := make(chan error)
	go func() {
		// The thread must last as long as the process: see ChildAttr. It ends with
		// this goroutine, as it is never unlocked.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			z.err = cmd.Wait()
			close(z.done)
			// Workers that import for themselves hold the other end too. Its last words
			// may still be there.
			_ = z.conn.SetReadDeadline(time.Now().Add(lastWords))
		}
	}()
	if err := <-started; err != nil {
		_ = b.ours.Close()
		return nil, &launch.PythonError{Path: c.Python, From: c.PythonFrom, Err: launch.CannotRun(err)}
	}
	z.process, z.PID = cmd.Process, cmd.Process.Pid
	go z.read(deliver)
	go z.boot(b.parts)
	return z, nil
}

// boot writes what the process begins with. That is more than the socket has room for, so it waits
// for a process that reads. The end of the process ends it: nobody else has the other end open.
func (z *Zygote) boot(parts [][]byte) {
	defer close(z.booted)
	for _, part := range parts {
		if _, err := z.conn.Write(part); err != nil {
			return // the report of its end says why
		}
	}
}

// Kill kills the process. Any goroutine.
func (z *Zygote) Kill() {
	if z.process != nil {
		_ = z.process.Kill()
	}
}

// Continue has the process go on when it was stopped.
func (z *Zygote) Continue() {
	if z.process != nil {
		_ = z.process.Signal(unix.SIGCONT)
	}
}

// Exited reports whether the process has been waited for. Any goroutine.
func (z *Zygote) Exited() bool {
	select {
	case <-z.done:
		return true
	default:
		return false
	}
}

// Retired reports whether Retire has been called.
func (z *Zygote) Retired() bool { return z.retired }

// Status says how the process has ended, once it has.
func (z *Zygote) Status() error {
	if z.err == nil {
		return errors.New("exit status 0")
	}
	return z.err
}

// noPython is the error for an interpreter that ended before it ran anything of ours.
func (z *Zygote) noPython() error {
	return &launch.PythonError{Path: z.Config.Python, From: z.Config.PythonFrom, Err: fmt.Errorf(
		"it ended before it ran anything (%w): it is no Python 3.9 or later, or a broken one; %s -c pass tells more, as may what it has written above", z.Status(), z.Config.Python)}
}

// exited reports whether an exited process ended by itself, not by a signal.
func (z *Zygote) exited() bool {
	exit, ok := errors.AsType[*exec.ExitError](z.err)
	return z.err == nil || ok && exit.Exited()
}

// oldestPython is what the shim needs.
var oldestPython = [2]int{3, 9}

// Check notes which Python the zygote is, and returns an error if that is too old; the
// shim then waits to be ended.
func (z *Zygote) Check(v Version) error {
	z.version = v.Python
	var major, minor int
	if _, err := fmt.Sscanf(v.Python, "%d.%d", &major, &minor); err != nil || major > oldestPython[0] || major == oldestPython[0] && minor >= oldestPython[1] {
		return nil
	}
	advice := "make the virtualenv again with a later one, or name another with virtualenv = DIR"
	if !z.Config.Virtualenv() {
		advice = "install a later one and name a virtualenv of it with virtualenv = DIR"
	}
	if major < 3 {
		advice += "; an app that is not ported to Python 3 needs uWSGI"
	}
	return &launch.PythonError{Path: z.Config.Python, From: z.Config.PythonFrom, Err: fmt.Errorf("it is Python %s, and uwsgo needs %d.%d or later: %s", v.Python, oldestPython[0], oldestPython[1], advice)}
}

// Why returns the error for a zygote that has ended before its workers served. stuck says
// why it was killed, if it was.
func (z *Zygote) Why(stuck string) error {
	if stuck == "" && z.version == "" && z.exited() {
		return z.noPython()
	}
	how := z.Status()
	if stuck != "" {
		how = fmt.Errorf("it %s, and was killed", stuck)
	}
	if z.Doing.Text == "" {
		return &launch.PythonError{Path: z.Config.Python, From: z.Config.PythonFrom, Err: fmt.Errorf("it ended before the apps were loaded: %w", how)}
	}
	return z.Doing.ExitError(z.Config, fmt.Sprintf("the zygote (pid: %d)", z.PID), how.Error())
}

// read passes on what the zygote reports.
func (z *Zygote) read(deliver func(*Zygote, Report) bool) {
	for {
		report, err := z.receive()
		if errors.Is(err, errFrame) {
			report = Malformed{err}
		} else if err != nil {
			break
		}
		if !deliver(z, report) {
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
	late := time.AfterFunc(lostTime, z.Kill)
	<-z.done
	late.Stop()
	deliver(z, Exited{})
}

func (z *Zygote) receive() (Report, error) {
	var head [4]byte
	if _, err := io.ReadFull(z.conn, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(z.conn, b); err != nil {
		return nil, err
	}
	return decode(z.Config, b)
}

// command sends a command; an error means that the zygote is going, of which a
// report will tell. One that takes no more commands is killed.
func (z *Zygote) command(words ...any) error {
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
func (z *Zygote) write(send func() error) error {
	if z.booted != nil {
		select {
		case <-z.booted:
		case <-time.After(z.patience):
			z.Kill()
			return os.ErrDeadlineExceeded
		}
	}
	_ = z.conn.SetWriteDeadline(time.Now().Add(z.patience))
	err := send()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		z.Kill()
	}
	return err
}

// Ping has it answer with [Pong].
func (z *Zygote) Ping() { _ = z.command("ping") }

// Signal has it signal the process in a place, which it forks first if it has not yet.
func (z *Zygote) Signal(place int, sig unix.Signal) { _ = z.command("signal", place, int(sig)) }

// KillWorkers has it kill all its processes.
func (z *Zygote) KillWorkers() { _ = z.command("kill") }

// Spawn has it fork a process for a worker, or one beside these, with these descriptors. It answers with
// [Spawned] or [Exit]. When it cannot be told, it is gone, and a report says so.
func (z *Zygote) Spawn(place, number int, fds []int) {
	if z.command("spawn", place, number, len(fds)) != nil {
		return
	}
	for len(fds) > 0 {
		n := min(len(fds), fdsAtOnce)
		err := z.write(func() error {
			_, _, err := z.conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fds[:n]...), nil)
			return err
		})
		if err != nil {
			return
		}
		fds = fds[n:]
	}
}

// Retire has the zygote kill and reap its processes, if it has any, and exit. One that
// does not is killed. [Exited] follows.
func (z *Zygote) Retire() {
	if z.retired {
		return
	}
	z.retired = true
	_ = z.conn.Close()
	late := time.AfterFunc(endTime, z.Kill)
	go func() {
		<-z.done
		late.Stop()
	}()
}

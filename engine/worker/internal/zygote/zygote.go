// Package zygote is the server's side of a zygote, the Python process that imports the apps and
// forks the workers: its start, its commands, its reports.
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
	// maxMessage bounds a report in bytes.
	maxMessage = 1 << 20
	// fdsAtOnce is how many descriptors go in one message; the shim expects no more.
	fdsAtOnce = 100
	// commandTime is how long a zygote may leave its socket full. Forking hundreds of workers
	// takes less. The supervisor must not wait for ever for a stopped one.
	commandTime = 30 * time.Second
	// lostTime is how long a zygote without a socket may take to exit.
	lostTime = time.Second
	// lastWords bounds the wait for the last reports of a zygote.
	lastWords = 200 * time.Millisecond
	// endTime is how long it may take to exit after Retire.
	endTime = time.Second
)

// Zygote is one such process. Only the supervisor's goroutine calls its methods, except where
// they say otherwise.
type Zygote struct {
	Config *launch.Config // its configuration
	Lazy   bool           // workers import for themselves
	PID    int
	Doing  Stage // its stage before it forks; zero before its Python runs

	version string // of Python; empty until Check
	conn    *net.UnixConn
	done    chan struct{} // closed when the process has been waited for
	err     error         // its exit status; set before done is closed
	process *os.Process
	retired bool
	// patience bounds the time that a command waits for room.
	patience time.Duration
	// booted is closed when the socket has taken what the process begins with. Commands wait for
	// it; nil has been closed.
	booted chan struct{}
}

// Start starts a process. A goroutine passes its reports to deliver, with [Exited] as the last,
// until deliver returns false.
func Start(c *launch.Config, lazy bool, in Inherited, deliver func(*Zygote, Report) bool) (*Zygote, error) {
	b, err := newBoot(c, lazy, in)
	if err != nil {
		return nil, err
	}
	defer b.theirs.Close()
	z := &Zygote{Config: c, Lazy: lazy, conn: b.ours, done: make(chan struct{}), patience: commandTime, booted: make(chan struct{})}
	// The last argument makes room: process names are written over the command line.
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
	if c.Code != nil {
		cmd.Args[len(cmd.Args)-2] = b.finds(controlFD + len(cmd.ExtraFiles))
		cmd.ExtraFiles = append(cmd.ExtraFiles, c.Code)
	}
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
			// Workers that import for themselves hold the other end too. Its last reports may
			// still be unread.
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

// Continue resumes a stopped process.
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

// Status returns how the process has exited, once it has.
func (z *Zygote) Status() error {
	if z.err == nil {
		return errors.New("exit status 0")
	}
	return z.err
}

// noPython is the error for an interpreter that exited before it ran our code.
func (z *Zygote) noPython() error {
	return &launch.PythonError{Path: z.Config.Python, From: z.Config.PythonFrom, Err: fmt.Errorf(
		"it exited before it ran anything (%w): it is not Python 3.9 or later, or broken; run %s -c pass, and see its output above", z.Status(), z.Config.Python)}
}

// exited reports whether an exited process ended by itself, not by a signal.
func (z *Zygote) exited() bool {
	exit, ok := errors.AsType[*exec.ExitError](z.err)
	return z.err == nil || ok && exit.Exited()
}

// oldestPython is the oldest version that the shim supports.
var oldestPython = [2]int{3, 9}

// Check notes the zygote's version of Python, and returns an error if it is too old. The shim
// then waits for Retire.
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

// Why returns the error for a zygote that exited before its workers served. stuck says why it
// was killed, if it was.
func (z *Zygote) Why(stuck string) error {
	if stuck == "" && z.version == "" && z.exited() {
		return z.noPython()
	}
	how := z.Status()
	if stuck != "" {
		how = fmt.Errorf("it %s, and was killed", stuck)
	}
	if z.Doing.Text == "" {
		return &launch.PythonError{Path: z.Config.Python, From: z.Config.PythonFrom, Err: fmt.Errorf("it exited before the apps were loaded: %w", how)}
	}
	return z.Doing.ExitError(z.Config, fmt.Sprintf("the zygote (pid: %d)", z.PID), how.Error())
}

// read passes on the zygote's reports.
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
			// Later bytes cannot be parsed. Drain them, so that no writer blocks for ever.
			_, _ = io.Copy(io.Discard, z.conn)
			break
		}
	}
	// A zygote without its socket is useless: the app has closed it, or has become another
	// program.
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

// command sends a command. It returns an error when the zygote is exiting; a report follows. It
// kills a zygote that takes no more commands.
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

// write calls send with a time limit. After a partial send nothing may follow.
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

// Ping asks for a [Pong].
func (z *Zygote) Ping() { _ = z.command("ping") }

// Signal makes it signal the process at a place, after its fork.
func (z *Zygote) Signal(place int, sig unix.Signal) { _ = z.command("signal", place, int(sig)) }

// KillWorkers makes it kill all its processes.
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

// Retire tells the zygote to kill and reap its processes, if any, and to exit. It kills a
// zygote that does not exit. [Exited] follows.
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

package emperor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hookTime is how long a hook may take.
const hookTime = time.Minute

// process is the server of a vassal.
type process struct {
	file File
	pid  int      // 0 before it is there
	pipe *os.File // to it and from it
	stop bool     // asked for before it was there
}

// readable reports whether a connection waits.
func readable(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

// fork starts processes, all from one thread, which never ends: when the thread that has started
// a process ends, the kernel takes the emperor for dead.
func (e *Emperor) fork() {
	runtime.LockOSThread()
	for {
		select {
		case do := <-e.forks:
			do()
		case <-e.ended:
			return
		}
	}
}

// onFork runs a function on the thread that makes processes.
func (e *Emperor) onFork(do func()) {
	e.forking.Do(func() { go e.fork() })
	done := make(chan struct{})
	select {
	case e.forks <- func() {
		do()
		close(done)
	}:
		<-done
	case <-e.ended:
	}
}

// Keep has the emperor become others' users after it has given up root, which drop does. One
// thread has the right to, the one that starts vassals. What it starts does not have it.
func (e *Emperor) Keep(drop func() error) (err error) {
	if !e.o.KeepRights || os.Geteuid() != 0 {
		return drop()
	}
	e.onFork(func() { err = keepRights() })
	if err == nil {
		err = drop()
	}
	if err == nil {
		e.onFork(func() { err = limitRights() })
	}
	if err != nil {
		return fmt.Errorf("emperor-tyrant: %w", err)
	}
	return nil
}

// start starts the server of a vassal.
func (e *Emperor) start(f File) {
	p := &process{file: f}
	e.procs[f.ID] = p
	var socket *os.File
	if d := e.demands[f.ID]; d != nil {
		socket = d.file
	}
	go func() {
		id, err := e.identity(f)
		if err == nil {
			err = e.hook(e.o.StartHook, f, id)
		}
		var pid int
		var pipe *os.File
		if err == nil {
			e.onFork(func() { pid, pipe, err = e.launch(f, id, socket) })
		}
		e.post(func() { e.started(p, pid, pipe, err) })
	}()
}

// identity is whom a vassal runs as; nil for the emperor's user.
func (e *Emperor) identity(f File) (*syscall.Credential, error) {
	if !e.o.Tyrant {
		return nil, nil
	}
	if f.UID <= 0 || f.GID <= 0 {
		return nil, fmt.Errorf("its file belongs to user %d and group %d", f.UID, f.GID)
	}
	c := &syscall.Credential{Uid: uint32(f.UID), Gid: uint32(f.GID)}
	if !e.o.Initgroups {
		return c, nil
	}
	account, err := user.LookupId(strconv.Itoa(f.UID))
	if err != nil {
		return nil, fmt.Errorf("emperor-tyrant-initgroups: %w", err)
	}
	ids, err := account.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("emperor-tyrant-initgroups: %w", err)
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return c, nil
}

// hook runs a program with the name of a vassal. How it ends is for the log alone.
func (e *Emperor) hook(program string, f File, id *syscall.Credential) error {
	if program == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), hookTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, f.Name)
	cmd.Dir, cmd.Stdout, cmd.Stderr = f.Dir, e.o.Output, e.o.Output
	cmd.Env = append(os.Environ(), "UWSGI_VASSALS_DIR="+f.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: id}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	e.o.Logf("[emperor] running vassal hook: %s %s", program, f.Name)
	var err error
	e.onFork(func() { err = cmd.Start() })
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		e.o.Logf("[emperor] hook %s for %s: %v", program, f.Name, err)
	}
	return nil
}

// launch makes the process. The thread of fork calls it.
func (e *Emperor) launch(f File, id *syscall.Credential, socket *os.File) (pid int, pipe *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("socket pair: %w", err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	_ = unix.SetNonblock(fds[0], true)
	defer unix.Close(fds[1])
	pipe = os.NewFile(uintptr(fds[0]), f.Name)
	var in uintptr
	if socket != nil {
		in = socket.Fd()
	} else {
		null, err := os.Open(os.DevNull)
		if err != nil {
			_ = pipe.Close()
			return 0, nil, err
		}
		defer null.Close()
		in = null.Fd()
	}
	out := e.o.Output.Fd()
	sys := &syscall.SysProcAttr{Setpgid: true, Credential: id}
	endWithEmperor(sys)
	argv := e.argv(f)
	env, files := environment(os.Environ(), f.Name), []uintptr{in, out, out, uintptr(fds[1])}
	if e.o.Code != nil {
		if code := e.o.Code(); code != nil {
			env = append(env, CodeEnv+"="+strconv.Itoa(len(files)))
			files = append(files, code.Fd())
		}
	}
	pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: f.Dir, Env: env, Files: files, Sys: sys})
	if err != nil {
		_ = pipe.Close()
		return 0, nil, fmt.Errorf("%s in %s: %w", argv[0], f.Dir, err)
	}
	return pid, pipe, nil
}

// started goes on with what launch has made.
func (e *Emperor) started(p *process, pid int, pipe *os.File, err error) {
	if err != nil {
		delete(e.procs, p.file.ID)
		e.court.Failed(time.Now(), p.file.ID, err)
		return
	}
	p.pid, p.pipe = pid, pipe
	e.court.Started(p.file.ID, pid)
	go func() {
		b := make([]byte, 16)
		for {
			n, err := pipe.Read(b)
			for _, what := range b[:n] {
				e.post(func() { e.court.Told(time.Now(), p.file.ID, what) })
			}
			if err != nil {
				return
			}
		}
	}()
	if p.stop {
		e.tell(p.file.ID, Stop)
	}
	e.reap() // it may have ended before its number was known
}

// tell sends a byte to a vassal. One that does not start to listen is signalled.
func (e *Emperor) tell(id string, what byte) {
	p := e.procs[id]
	switch {
	case p == nil:
	case p.pid == 0:
		p.stop = p.stop || what != Reload
	default:
		if _, err := p.pipe.Write([]byte{what}); err != nil && what != Reload {
			e.signal(id, syscall.SIGTERM)
		}
	}
}

// signal sends a signal to a vassal and what it has started in its group.
func (e *Emperor) signal(id string, sig syscall.Signal) {
	if p := e.procs[id]; p != nil && p.pid > 0 {
		if err := syscall.Kill(-p.pid, sig); errors.Is(err, syscall.EPERM) && e.o.KeepRights {
			go e.onFork(func() { _ = killAs(p.file.UID, p.pid, sig) })
		}
	}
}

// reap finds out which processes have ended.
func (e *Emperor) reap() {
	for id, p := range e.procs {
		if p.pid == 0 {
			continue
		}
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(p.pid, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) || err == nil && pid == 0 {
			continue
		}
		delete(e.procs, id)
		_ = p.pipe.Close()
		how := "exit code " + strconv.Itoa(status.ExitStatus())
		if status.Signaled() {
			how = "signal " + status.Signal().String()
		}
		if e.o.StopHook == "" {
			e.court.Died(time.Now(), id, how)
			continue
		}
		go func() {
			_ = e.hook(e.o.StopHook, p.file, nil)
			e.post(func() { e.court.Died(time.Now(), id, how) })
		}()
	}
}

// Package command runs shell commands of options as uWSGI does, with the log as output. Each has a
// process group of its own, so that it ends with everything that it has started, and ends when the
// server is killed.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// Command is what to run.
type Command struct {
	Line   string   // for /bin/sh -c
	Env    []string // as K=V; nil for the server's
	Dir    string   // empty for the server's
	Output *os.File // stdout and stderr
	// Lasting lets it live on when the server is killed.
	Lasting bool
	Stdin   *os.File            // nil for none
	User    *syscall.Credential // nil for the server's
	// NewPIDs hides all processes but its own from it. Linux.
	NewPIDs bool
}

// Process is a started command. Any goroutine may call its methods.
type Process struct {
	PID  int
	done chan struct{}
	err  error
}

// Start runs the command.
func (c Command) Start() (*Process, error) {
	cmd := c.prepare()
	p := &Process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel ends the command with the thread that started it. So this thread has to last
		// as long: it ends with this goroutine, because it is never unlocked.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("command %q: %w", c.Line, err)
	}
	p.PID = cmd.Process.Pid
	return p, nil
}

// prepare makes the program of a simple command the process itself, so that signals reach it and
// not a shell in between.
func (c Command) prepare() *exec.Cmd {
	argv := []string{"/bin/sh", "-c", c.Line}
	if words := strings.Fields(c.Line); len(words) > 0 && !strings.ContainsAny(c.Line, "\"'\\`$&|;<>()[]{}*?~#!=%\n") {
		if path, err := exec.LookPath(words[0]); err == nil { // else it may be a word of the shell
			argv = append([]string{path}, words[1:]...)
		}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = c.Env
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.User}
	if c.NewPIDs {
		newPIDs(cmd.SysProcAttr)
	}
	if !c.Lasting {
		endWithServer(cmd.SysProcAttr)
	}
	return cmd
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process ended, nil for exit code 0. Call it when Done is closed.
func (p *Process) Err() error { return p.err }

// Running reports whether the process still runs.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal signals the process and everything that it has started, except other process groups.
func (p *Process) Signal(sig syscall.Signal) {
	if p.Running() { // else its number may be another's
		_ = syscall.Kill(-p.PID, sig)
	}
}

// Stop sends sig and waits for the end. When ctx ends it kills what is left.
func (p *Process) Stop(ctx context.Context, sig syscall.Signal) {
	p.Signal(sig)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
}

// Run runs the command and waits for its end, at most until ctx ends. An exit code other than 0 is
// an error.
func (c Command) Run(ctx context.Context) error {
	p, err := c.Start()
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Signal(syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("command %q was ended: %w", c.Line, context.Cause(ctx))
	}
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok && exit.ExitCode() >= 0 {
		return fmt.Errorf("command %q exited with non-zero code: %d", c.Line, exit.ExitCode())
	}
	if p.err != nil {
		return fmt.Errorf("command %q: %w", c.Line, p.err)
	}
	return nil
}

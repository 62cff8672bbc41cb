package zygote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// mostPrinted bounds the kept output of a trial, and lingering the wait for its last output.
const (
	mostPrinted = 32 << 10
	lingering   = 2 * time.Second
)

// Try imports the apps as worker.Start does, in a process of its own. It kills the process, and
// all processes that the apps have started, once they are loaded. It forks no worker, serves
// nothing and writes no bytecode. as is the user of the process; nil means the caller's. It
// returns the errors of worker.Start, or ctx's error when ctx ends first.
func Try(ctx context.Context, c launch.Config, as *syscall.Credential) (*launch.Trial, error) {
	c.Processes, c.Threads = max(c.Processes, 1), max(c.Threads, 1)
	if _, err := c.Cheaper.WithDefaults(c.Processes); err != nil {
		return nil, err
	}
	c.LazyApps, c.ImportOnce, c.Imported, c.Names, c.Control = false, true, nil, nil, nil
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(slices.Clip(c.Env), "PYTHONDONTWRITEBYTECODE=1")
	b, err := newBoot(&c, false, Inherited{Memory: &shared.Memory{}})
	if err != nil {
		return nil, err
	}
	conn := b.ours
	defer b.theirs.Close()
	defer conn.Close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	printed := &ending{}
	cmd := exec.CommandContext(ctx, c.Python, interpreterArgs(&c, b.script)...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdout, cmd.Stderr = printed, printed
	nothing, err := os.Open(os.DevNull) // instead of the memory that workers share
	if err != nil {
		return nil, err
	}
	defer nothing.Close()
	cmd.ExtraFiles = []*os.File{b.theirs, nothing}
	cmd.ExtraFiles = append(cmd.ExtraFiles, c.Module.Files()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // its children too
	cmd.WaitDelay = lingering
	if err := cmd.Start(); err != nil {
		return nil, &launch.PythonError{Path: c.Python, From: c.PythonFrom, Err: launch.CannotRun(err)}
	}
	_ = b.theirs.Close()
	z := &Zygote{Config: &c, conn: conn, PID: cmd.Process.Pid}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	t := &launch.Trial{}
	for _, part := range b.parts {
		if err == nil {
			_, err = conn.Write(part)
		}
	}
	if err == nil {
		err = follow(z, t)
	}
	gone := err != nil && ctx.Err() == nil // by itself; else kill it here
	if _, ok := errors.AsType[*launch.PythonError](err); ok {
		gone = false
	}
	late := ctx.Err()
	if gone { // its status is known a moment later
		done := time.AfterFunc(lingering, cancel)
		z.err = cmd.Wait()
		done.Stop()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	} else {
		cancel()
		_ = cmd.Wait()
	}
	t.Output = printed.text()
	switch {
	case late != nil:
		return t, late
	case gone:
		return t, z.Why("")
	}
	return t, err
}

// follow reads what the process reports until the apps are loaded.
func follow(z *Zygote, t *launch.Trial) error {
	for {
		report, err := z.receive()
		if err != nil {
			return err
		}
		switch report := report.(type) {
		case Version:
			if err := z.Check(report); err != nil {
				return err
			}
		case Doing:
			z.Doing = Stage{App: report.App, Text: report.Text, Since: time.Now()}
		case Threads:
			t.Threads = report.Names
			if !report.Kept { // PyPy: the zygote goes no further
				return nil
			}
		case Loaded:
			t.Python, t.Path, t.Apps = report.Python, report.Path, report.Apps
			t.Space = addressSpace(z.PID)
			return nil
		}
	}
}

// addressSpace returns the size of a process's address space, 0 if unknown.
func addressSpace(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	pages, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(pages, 10, 64)
	return n * int64(os.Getpagesize())
}

// ending keeps the last bytes written to it. Any goroutine.
type ending struct {
	mu   sync.Mutex
	kept bytes.Buffer
	cut  bool
}

// Write never fails.
func (e *ending) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kept.Write(b)
	if over := e.kept.Len() - mostPrinted; over > 0 {
		e.kept.Next(over)
		e.cut = true
	}
	return len(b), nil
}

func (e *ending) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := e.kept.String()
	if e.cut {
		_, text, _ = strings.Cut(text, "\n")
		text = "[...]\n" + text
	}
	return text
}

package worker

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
)

// Trial is what became of an import that was tried.
type Trial struct {
	Python, Path string      // version and interpreter
	Apps         []LoadedApp // those with a Reason do not load
	Threads      []string    // that run once the apps are imported
	Space        int64       // address space of the process then, in bytes; 0 where it is not known
	Output       string      // the end of what it printed
}

// mostPrinted bounds what is kept of the output of a trial, and lingering is how long its
// last words may take.
const (
	mostPrinted = 32 << 10
	lingering   = 2 * time.Second
)

// TryImport imports the apps as [Start] does, in a process of its own that is killed when
// they are loaded, with all that they have started. No worker is forked, nothing is served,
// and no bytecode is written. as is whom the process becomes; nil for the caller. Errors are
// those of Start, and that of ctx when it ends first.
func TryImport(ctx context.Context, c Config, as *syscall.Credential) (*Trial, error) {
	c.Processes, c.Threads = max(c.Processes, 1), max(c.Threads, 1)
	if _, err := c.Cheaper.withDefaults(c.Processes); err != nil {
		return nil, err
	}
	c.LazyApps, c.ImportOnce, c.Imported, c.Names, c.Control = false, true, nil, nil, nil
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(slices.Clip(c.Env), "PYTHONDONTWRITEBYTECODE=1")
	// What startZygote gives to a zygote, without what workers share.
	g := &supervisor{pool: &Pool{config: c}, shared: &shared{}, stacks: &stacks{}}
	b, err := g.prepareBoot(&c, false)
	if err != nil {
		return nil, err
	}
	conn := b.ours
	defer b.theirs.Close()
	defer conn.Close()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	printed := &ending{}
	cmd := exec.CommandContext(ctx, c.Python, c.interpreterArgs(b.script)...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdout, cmd.Stderr = printed, printed
	nothing, err := os.Open(os.DevNull) // in place of the memory that workers share
	if err != nil {
		return nil, err
	}
	defer nothing.Close()
	cmd.ExtraFiles = []*os.File{b.theirs, nothing}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: as}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // what it has started, too
	cmd.WaitDelay = lingering
	if err := cmd.Start(); err != nil {
		return nil, &PythonError{Path: c.Python, From: c.PythonFrom, Err: cannotRun(err)}
	}
	_ = b.theirs.Close()
	z := &zygote{config: &c, conn: conn, pid: cmd.Process.Pid}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	t := &Trial{}
	for _, part := range b.parts {
		if err == nil {
			_, err = conn.Write(part)
		}
	}
	if err == nil {
		err = t.follow(z)
	}
	gone := err != nil && ctx.Err() == nil // by itself; else it is ended here
	if _, ok := errors.AsType[*PythonError](err); ok {
		gone = false
	}
	late := ctx.Err()
	if gone { // how it ended is known a moment later
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
	case gone && z.version == "":
		return t, z.noPython()
	case gone:
		return t, g.why(z)
	}
	return t, err
}

// follow reads what the process reports until the apps are loaded.
func (t *Trial) follow(z *zygote) error {
	for {
		m, err := z.receive()
		if err != nil {
			return err
		}
		switch m.name {
		case "python":
			if err := z.python(m.str(0)); err != nil {
				return err
			}
		case "doing":
			z.doing = stage{app: m.int(1), text: m.str(2), since: time.Now()}
		case "threads":
			t.Threads = m.strs(0)
			if len(m.args) < 2 || m.args[1] != true { // PyPy: it goes no further
				return nil
			}
		case "loaded":
			t.Python, t.Path = m.str(0), m.str(1)
			t.Apps = m.apps(2, z.config.Apps)
			t.Space = addressSpace(z.pid)
			return nil
		}
	}
}

// addressSpace returns how much address space a process has; 0 where that is not known.
func addressSpace(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	pages, _, _ := strings.Cut(string(text), " ")
	n, _ := strconv.ParseInt(pages, 10, 64)
	return n * int64(os.Getpagesize())
}

// ending keeps the end of what is written to it. Any goroutine.
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

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// readyEnv names the variable with the descriptor on which a daemon says that it serves. Only the
// daemon has it.
const readyEnv = "UWSGO_READY_FD"

// showAtMost bounds what daemonize2 shows of the log, in bytes.
const showAtMost = 1 << 20

// daemonize runs this program again in the background, because a Go program cannot fork. It returns
// 0 when the daemon serves requests, and the daemon's exit code when it has ended. path is the
// program's file. stdin is what was read of standard input, which the daemon reads again.
func daemonize(cfg *config.Config, path string, stdin []byte) int {
	for _, e := range cfg.Entries {
		if o := config.Options.Lookup(e.Key); o != nil && o.Kind == option.Action && strings.HasPrefix(e.Value, "fd://") {
			return fail(fmt.Errorf("daemonize: %s: the daemon cannot read %s again: name a file, or - for standard input", e.Origin.Name(e.Key), e.Value))
		}
	}
	if real, err := os.Executable(); err == nil && !sameFile(path, real) {
		path = real // the name is another program's
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fail(fmt.Errorf("daemonize: %w", err))
	}
	// The name stays the one on the command line, also that of a link: start-stop-daemon looks for
	// it.
	cmd := exec.Command(path, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), readyEnv+"=3")
	cmd.ExtraFiles = []*os.File{w}
	if len(stdin) > 0 {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	// The daemon writes here until it is ready, so that a failed start can say why.
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	shown := logSize(cfg.Daemonize)
	if err := cmd.Start(); err != nil {
		return fail(fmt.Errorf("daemonize: %w", err))
	}
	_ = w.Close()
	stop := make(chan os.Signal, 1)
	// Not SIGHUP: a terminal that closes ends only the wait, and to the daemon the signal means a
	// reload.
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	go func() {
		for sig := range stop { // who ends the wait means the start
			_ = cmd.Process.Signal(sig)
		}
	}()
	n, _ := r.Read(make([]byte, 1))
	if cfg.DaemonShow {
		showLog(cfg.Daemonize, shown)
	}
	if n == 1 {
		return exitOK
	}
	if err := cmd.Wait(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
			return exit.ExitCode()
		}
		return fail(fmt.Errorf("daemonize: the daemon ended before it served: %w", err))
	}
	return exitOK // it was stopped
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// logSize returns the size of the file, 0 for none, -1 for what is no regular file.
func logSize(path string) int64 {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0
	case err != nil || !info.Mode().IsRegular():
		return -1
	}
	return info.Size()
}

// showLog copies what the log has got since its size was from.
func showLog(path string, from int64) {
	if from < 0 || logSize(path) < 0 {
		return
	}
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = io.Copy(os.Stderr, io.NewSectionReader(f, from, showAtMost))
}

// daemonPipe returns the pipe on which a daemon says that it is ready; nil for a process that is no
// daemon.
func daemonPipe() (*os.File, error) {
	text, ok := os.LookupEnv(readyEnv)
	if !ok {
		return nil, nil
	}
	_ = os.Unsetenv(readyEnv) // not for the app
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%s in the environment: only uwsgo sets that; unset it", readyEnv, text)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "ready"), nil
}

// daemonized is what a server still owes the terminal where it was started. The zero value owes
// nothing.
type daemonized struct {
	waiting   *os.File // the command waits here until the daemon is ready; nil where none waits
	successor bool     // of a daemon, whose command returned long ago
}

// detach lets go of the terminal, and tells the command that waits.
func (d *daemonized) detach(l *logs) error {
	if d.waiting == nil && !d.successor {
		return nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	defer null.Close()
	if err := replace(int(null.Fd()), 0); err != nil {
		return fmt.Errorf("daemonize: %w", err)
	}
	// The streams lead to the log, so that it gets the trace of a Go panic too.
	if err := l.standard.follow(l.Sink); err != nil {
		return err
	}
	if d.waiting == nil {
		return nil
	}
	l.Sync() // daemonize2 shows what the log has by now
	_, err = d.waiting.Write([]byte{1})
	_ = d.waiting.Close()
	d.waiting = nil
	if errors.Is(err, syscall.EPIPE) {
		return nil // nobody waits any more: no reason to end
	}
	return err
}

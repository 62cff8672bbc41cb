package ini

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// maxFile bounds a file, in bytes. Real ones have a few KiB.
const maxFile = 1 << 20

// How long sources other than files may take.
const (
	execTime  = 60 * time.Second // a command
	fetchTime = 30 * time.Second // another machine
	pipeTime  = 5 * time.Second  // the writer of a named pipe
)

// schemes are uWSGI's kinds of name besides files, and https. The text says why one cannot be read.
var schemes = []struct{ name, never string }{
	{name: "exec"},
	{name: "fd"},
	{name: "http"},
	{name: "https"},
	{"data", "nothing is appended to this binary: write the options into a file"},
	{"sym", "uWSGI's binary has such symbols, this one has none: write the options into a file"},
	{"section", "uWSGI's binary has such sections, this one has none: write the options into a file"},
	{"call", "there are no functions of C to call: exec://COMMAND runs a command"},
	{"callint", "there are no functions of C to call: exec://COMMAND runs a command"},
	{"emperor", "uWSGI's emperor hands a configuration over by it, and there is none here: name the file"},
}

// scheme splits a name such as exec://date; kind is empty for a file.
func scheme(name string) (kind, rest string) {
	before, rest, ok := strings.Cut(name, "://")
	if ok {
		for _, s := range schemes {
			if s.name == before {
				return before, rest
			}
		}
	}
	return "", name
}

// mayRead refuses sources that cannot be read, and, unless allow-remote-config is on, commands and
// other machines. A value may be the output of a command without it: who writes options can run
// commands anyway.
func (l *List) mayRead(name string, options bool) error {
	kind, _ := scheme(name)
	for _, s := range schemes {
		if s.name == kind && s.never != "" {
			return fmt.Errorf("%q: %s", name, s.never)
		}
	}
	switch {
	case l.remote:
	case kind == "http" || kind == "https":
		return fmt.Errorf("%q is on another machine, which could have any command run here: to trust it, give allow-remote-config = true before", name)
	case kind == "exec" && options:
		return fmt.Errorf("%q would run a command and take options from it: to allow that, give allow-remote-config = true before", name)
	}
	return nil
}

// readPipe reads a named pipe, such as the shell's <(…). It waits for a late writer, but not for
// ever.
func readPipe(name string, f *os.File) ([]byte, error) {
	deadline := time.Now().Add(pipeTime)
	_ = f.SetReadDeadline(deadline)
	for {
		text, err := readAll(f)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), err == nil && len(text) == 0 && time.Now().After(deadline):
			return nil, fmt.Errorf("%q is a named pipe, and nobody has written a configuration to it for %v and closed it", name, pipeTime)
		case err != nil || len(text) > 0:
			return text, err
		}
		time.Sleep(10 * time.Millisecond) // no writer yet
	}
}

func read(name string, stdin io.Reader) ([]byte, error) {
	if name == "-" {
		return readAll(stdin)
	}
	switch kind, rest := scheme(name); kind {
	case "":
		f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe may have no writer
		if err != nil {
			if path, ok := errors.AsType[*fs.PathError](err); ok {
				err = path.Err
			}
			return nil, fmt.Errorf("cannot open %q: %w", name, err)
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			return readPipe(name, f)
		}
		return readAll(f)
	case "exec":
		return readCommand(rest)
	case "http", "https":
		return fetch(name)
	case "fd":
		n, err := strconv.Atoi(strings.TrimSpace(rest))
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q: the descriptor must be a number, as in fd://3", name)
		}
		if n == 0 {
			return readAll(stdin)
		}
		return readDescriptor(name, n)
	default:
		return nil, fmt.Errorf("%q: %s:// names cannot be read: use a file", name, kind)
	}
}

// readDescriptor reads a descriptor that somebody has opened for this process. It stays open,
// because the number may mean something else, but no child gets it.
func readDescriptor(name string, n int) ([]byte, error) {
	unix.CloseOnExec(n)
	own, err := unix.FcntlInt(uintptr(n), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%q is not an open descriptor", name)
	}
	f := os.NewFile(uintptr(own), name)
	defer f.Close()
	return readAll(f)
}

// readCommand returns what a command prints, also if it fails, as uWSGI does.
func readCommand(line string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), execTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	text, err := readAll(out)
	if err != nil {
		cancel()
	}
	waitErr := cmd.Wait()
	if ctx.Err() == context.DeadlineExceeded {
		return nil, fmt.Errorf("%q ran longer than %v: %w", line, execTime, waitErr)
	}
	return text, err
}

// fetch reads from a web server. As in uWSGI, it follows no redirect.
func fetch(url string) ([]byte, error) {
	client := &http.Client{
		Timeout:       fetchTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Get(url)
	if err != nil {
		return nil, err // its text has the address
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%q was answered with %s", url, resp.Status)
	}
	return readAll(resp.Body)
}

func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return text, err
}

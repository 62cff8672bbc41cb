package ini

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxFile is the largest file that is read, in bytes. Real files have a few KiB.
const maxFile = 1 << 20

// UWSGIVersion is the release of uWSGI whose dialect and options are followed.
const UWSGIVersion = "2.0.31"

// execTime is how long a command of an exec:// name may run.
const execTime = 60 * time.Second

// World is what a configuration can ask of the machine it is read on. OS gives
// the real one; a test or a fuzz target replaces what must not be touched.
type World struct {
	Getenv func(name string) (value string, ok bool)
	Read   func(name string) ([]byte, error)      // a file, - for standard input, or scheme://…
	Stat   func(name string) (fs.FileInfo, error) // follows symbolic links
	Lstat  func(name string) (fs.FileInfo, error)
	Real   func(name string) (string, error) // the absolute path without symbolic links
	Glob   func(pattern string) ([]string, error)

	Cwd, Host, Binary string
	Version           string // for %V
	CPUs              int
	UID, GID          int
	User, Group       string
	Start             time.Time
	Reload            bool // the configuration is read again by a running server
}

// OS is the machine this process runs on. Standard input is read from stdin.
func OS(stdin io.Reader) World {
	w := World{
		Getenv:  os.LookupEnv,
		Read:    func(name string) ([]byte, error) { return read(name, stdin) },
		Stat:    os.Stat,
		Lstat:   os.Lstat,
		Real:    realPath,
		Glob:    filepath.Glob,
		Version: UWSGIVersion,
		CPUs:    runtime.NumCPU(),
		UID:     os.Getuid(),
		GID:     os.Getgid(),
		Start:   time.Now(),
	}
	w.Cwd, _ = os.Getwd()
	w.Host, _ = os.Hostname()
	w.Binary, _ = os.Executable()
	w.User, w.Group = strconv.Itoa(w.UID), strconv.Itoa(w.GID)
	if u, err := user.LookupId(w.User); err == nil {
		w.User = u.Username
	}
	if g, err := user.LookupGroupId(w.Group); err == nil {
		w.Group = g.Name
	}
	return w
}

func realPath(name string) (string, error) {
	name, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(name)
}

// schemes are the kinds of name that uWSGI's @() and ini take besides files.
var schemes = []string{"exec", "fd", "http", "data", "sym", "section", "call", "callint", "emperor"}

// scheme splits a name like exec://date; kind is empty for a file.
func scheme(name string) (kind, rest string) {
	for _, s := range schemes {
		if rest, ok := strings.CutPrefix(name, s+"://"); ok {
			return s, rest
		}
	}
	return "", name
}

// pipeTime bounds the wait for what is written to a named pipe.
const pipeTime = 5 * time.Second

// readPipe reads what somebody writes to a named pipe, as the shell does for <(…). The
// writer may come a moment later, but the start does not wait for ever.
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
		ctx, cancel := context.WithTimeout(context.Background(), execTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", rest)
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
		// Like uWSGI, take what a failing command printed.
		waitErr := cmd.Wait()
		if ctx.Err() == context.DeadlineExceeded {
			return nil, fmt.Errorf("%q ran longer than %v: %w", rest, execTime, waitErr)
		}
		return text, err
	case "fd":
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q: the descriptor must be a number, as in fd://3", name)
		}
		f := os.NewFile(uintptr(n), name)
		if f == nil {
			return nil, fmt.Errorf("%q is not an open descriptor", name)
		}
		defer f.Close()
		return readAll(f)
	default:
		return nil, fmt.Errorf("%q: %s:// names are not supported yet: use a file", name, kind)
	}
}

func readAll(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	return text, err
}

// In returns w as it is in another directory, so that names that were given there can be
// read again after the process has left it. Descriptors cannot: their numbers are those of
// other files by then.
func (w World) In(dir string) World {
	at := func(name string) string {
		if kind, _ := scheme(name); name == "-" || kind != "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	in := w
	in.Cwd = dir
	in.Read = func(name string) ([]byte, error) {
		if kind, _ := scheme(name); kind == "fd" || strings.HasPrefix(name, "/dev/fd/") || strings.HasPrefix(name, "/proc/self/fd/") {
			return nil, fmt.Errorf("%q: a descriptor can be read once: use a file", name)
		}
		return w.Read(at(name))
	}
	in.Stat = func(name string) (fs.FileInfo, error) { return w.Stat(at(name)) }
	in.Lstat = func(name string) (fs.FileInfo, error) { return w.Lstat(at(name)) }
	in.Real = func(name string) (string, error) { return w.Real(at(name)) }
	in.Glob = func(pattern string) ([]string, error) {
		found, err := w.Glob(at(pattern))
		for i := range found {
			if !filepath.IsAbs(pattern) {
				found[i] = strings.TrimPrefix(found[i], strings.TrimSuffix(dir, "/")+"/")
			}
		}
		return found, err
	}
	return in
}

// Package pidfile writes, reads and removes files that hold a process id, and signals the processes
// that they name.
package pidfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// File is a pid file of this process.
type File struct {
	Path string
	// Open opens a file for writing and keeps its contents.
	Open func(path string, mode fs.FileMode) (*os.File, error)
	Logf func(format string, args ...any)
}

// Begin opens the file, for Fill.
func (p *File) Begin() (*os.File, error) {
	// A link is not followed: in a directory of the app's user it could lead root to any file.
	// Everyone may read the id.
	f, err := p.Open(p.Path, 0o644)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("pidfile: %s is a symbolic link, which is not followed: name the file itself", p.Path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("pidfile: %w: name a file that this user may write; pidfile2 is written as the user of uid", err)
	}
	if err != nil {
		return nil, fmt.Errorf("pidfile: %w", err)
	}
	return f, nil
}

// Fill writes the process id into f, and closes f.
func (p *File) Fill(f *os.File) error {
	err := f.Truncate(0) // a reader now finds nothing, rather than parts of two numbers
	if err == nil {
		_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("pidfile: %w", err)
	}
	p.Logf("writing pidfile to %s", f.Name())
	return nil
}

// Write writes the process id over the file's contents.
func (p *File) Write() error {
	f, err := p.Begin()
	if err != nil {
		return err
	}
	return p.Fill(f)
}

// Remove removes the file, unless another process has written it since. It reports whether it did.
func (p *File) Remove() (bool, error) {
	if now, err := Read(p.Path); err != nil || now != os.Getpid() {
		return false, nil
	}
	if err := os.Remove(p.Path); err != nil {
		return false, err
	}
	return true, nil
}

// signals are those of --stop and its like.
var signals = map[string]syscall.Signal{"stop": syscall.SIGINT, "reload": syscall.SIGHUP, "pause": syscall.SIGTSTP}

// Signal sends the signal of an option to the process that a pid file names.
func Signal(option, path string) error {
	pid, err := Read(path)
	if err != nil {
		return fmt.Errorf("--%s: %w", option, err)
	}
	switch err := syscall.Kill(pid, signals[option]); {
	case errors.Is(err, syscall.ESRCH):
		return fmt.Errorf("--%s: no process has the id %d that is in %s: the server has ended", option, pid, path)
	case err != nil:
		return fmt.Errorf("--%s: process %d of %s: %w", option, pid, path, err)
	}
	return nil
}

// maxPidFile has room for more than the largest number.
const maxPidFile = 64

// Read returns the process id that a file holds.
func Read(path string) (int, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not hold it up
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is no regular file", path)
	}
	text := make([]byte, maxPidFile)
	n, _ := f.Read(text) // an empty file is no number either
	word := strings.TrimSpace(string(text[:n]))
	pid, err := strconv.ParseInt(word, 10, 32)
	// 0 and below would be a group, or all processes.
	if err != nil || pid < 1 {
		return 0, fmt.Errorf("%s: %q is not a process id", path, word)
	}
	return int(pid), nil
}

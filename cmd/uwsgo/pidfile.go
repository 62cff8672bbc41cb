package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// writePidFile writes the process id, if there is a path to write it to. The file
// goes with the server if vacuum is set, and with a start that fails, unless another
// server has written it since.
func (p *program) writePidFile(path string) error {
	if path == "" {
		return nil
	}
	f, err := p.openPidFile(path)
	if err != nil {
		return err
	}
	if !p.role.Shared() {
		if err := p.fillPidFile(f); err != nil {
			return err
		}
	} else {
		// Until this server has taken over, the file names the other one. It is open by then:
		// there is no way back, and who opened it may have been root.
		p.ending.Later(func() { _ = f.Close() })
		p.role.Postpone(func() error { return p.fillPidFile(f) })
	}
	p.pidFiles = append(p.pidFiles, path)
	p.ending.Later(func() {
		if !p.cfg.Vacuum && p.ready || p.role.Shared() {
			return
		}
		if now, err := readPidFile(path); err != nil || now != os.Getpid() {
			return
		}
		if err := os.Remove(path); err != nil {
			p.log.Printf("VACUUM: %v", err) // uid may not do what root could
		} else if p.ready {
			p.log.Printf("VACUUM: pidfile %s removed.", path)
		}
	})
	return nil
}

// path returns the file that an option names. As in uWSGI that of pidfile is relative to
// where the server was started, all others are to the directory of chdir.
func (p *program) path(name string, early bool) string {
	switch {
	case name == "" || filepath.IsAbs(name):
		return name
	case early:
		return filepath.Join(p.home, name)
	}
	return p.under(name)[0]
}

// rewritePidFile writes the process id over whatever path holds.
func (p *program) rewritePidFile(path string) error {
	f, err := p.openPidFile(path)
	if err != nil {
		return err
	}
	return p.fillPidFile(f)
}

// openPidFile opens a pid file, and leaves in it what it holds.
func (p *program) openPidFile(path string) (*os.File, error) {
	// A link is not followed: in a directory of the app's user it could lead root to any
	// file. Everyone may know the id.
	f, err := p.identity.Write(path, 0o644)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("pidfile: %s is a symbolic link, which is not followed: name the file itself", path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("pidfile: %w: name a file that this user may write; pidfile2 is written as the user of uid", err)
	}
	if err != nil {
		return nil, fmt.Errorf("pidfile: %w", err)
	}
	return f, nil
}

// fillPidFile has f hold the process id, and closes it.
func (p *program) fillPidFile(f *os.File) error {
	err := f.Truncate(0) // who reads it now finds nothing, rather than parts of two numbers
	if err == nil {
		_, err = f.Write(pidText())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("pidfile: %w", err)
	}
	p.log.Printf("writing pidfile to %s", f.Name())
	return nil
}

func pidText() []byte { return []byte(strconv.Itoa(os.Getpid()) + "\n") }

// signals are what --stop and its like send.
var signals = map[string]syscall.Signal{"stop": syscall.SIGINT, "reload": syscall.SIGHUP, "pause": syscall.SIGTSTP}

// signalPidFile sends the signal of an option to the process that a pid file names.
func signalPidFile(option, path string) error {
	pid, err := readPidFile(path)
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

// maxPidFile is more than the largest number takes.
const maxPidFile = 64

func readPidFile(path string) (int, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // what is no file is not waited for
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
	// 0 and below would be a group, or everybody.
	if err != nil || pid < 1 {
		return 0, fmt.Errorf("%s: %q is not a process id", path, word)
	}
	return int(pid), nil
}

package logger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
)

// Opener opens a file to append to, and makes a missing one with that mode.
type Opener func(path string, mode fs.FileMode) (*os.File, error)

// fileMode is the mode of log files, uWSGI's.
const fileMode fs.FileMode = 0o640

// file is an output that can be opened anew and rotated. Its methods belong to the goroutine of its
// queue, except current.
type file struct {
	path string // absolute
	f    atomic.Pointer[os.File]
	size int64 // its size when it was opened, and what was written since

	maxSize int64  // 0 for no bound
	tryAt   int64  // the size that rotates it; more than maxSize after a failure
	backup  string // its name after a rotation; empty for a name with the time

	open   Opener
	access Access
	// say writes a line about a rotation into the file itself; nil where lines there have another
	// form. report writes it into the log.
	say    func(f *os.File, line string)
	report func(format string, args ...any)
	// changed gets each file that takes the place of another.
	changed func(f *os.File)
}

// Access says who may read log files.
type Access struct {
	Chmod    fs.FileMode // 0 leaves the mode
	UID, GID int         // their owner; -1 leaves it
}

// openFile opens the file and makes it what the options say.
func openFile(s fileSpec, open Opener, access Access, truncate bool) (*file, error) {
	path, err := filepath.Abs(s.path)
	if err != nil {
		return nil, err
	}
	t := &file{path: path, maxSize: s.maxSize, tryAt: s.maxSize, open: open, access: access}
	if s.backup != "" {
		if t.backup, err = filepath.Abs(s.backup); err != nil {
			return nil, err
		}
	}
	f, err := t.get()
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		if truncate {
			if err := f.Truncate(0); err != nil {
				_ = f.Close()
				return nil, fmt.Errorf("log-truncate: %w", err)
			}
		} else {
			t.size = info.Size()
		}
	}
	t.f.Store(f)
	return t, nil
}

// get opens the file at the path. A name of an open descriptor, such as /dev/stdout, gives that
// descriptor: it may be a socket, which no name opens, or another user's.
func (t *file) get() (*os.File, error) {
	if fd, ok := descriptor(t.path); ok {
		out, err := openFD(fd)
		if err != nil {
			return nil, err
		}
		return out.(*stream).f, nil
	}
	f, err := t.open(t.path, fileMode)
	if err != nil {
		return nil, err
	}
	if err := t.access.apply(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// descriptor returns the descriptor that a path names.
func descriptor(path string) (int, bool) {
	switch path {
	case "/dev/stdout":
		return 1, true
	case "/dev/stderr":
		return 2, true
	}
	for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
		if rest, ok := strings.CutPrefix(path, dir); ok {
			fd, err := strconv.Atoi(rest)
			return fd, err == nil && fd >= 0
		}
	}
	return 0, false
}

// apply gives a regular file its mode and owner.
func (a Access) apply(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if a.UID >= 0 || a.GID >= 0 {
		if err := f.Chown(a.UID, a.GID); err != nil {
			return fmt.Errorf("logfile-chown: %w", err)
		}
	}
	if a.Chmod != 0 && info.Mode().Perm() != a.Chmod {
		if err := f.Chmod(a.Chmod); err != nil {
			return fmt.Errorf("logfile-chmod: %w", err)
		}
	}
	return nil
}

func (t *file) current() *os.File { return t.f.Load() }

func (t *file) write(b *batch) (lost uint64, err error) {
	lost, err = writeFile(t.current(), b)
	if err == nil {
		t.size += int64(len(b.data))
		if t.maxSize > 0 && t.size > t.tryAt {
			t.rotate()
		}
	}
	return lost, err
}

func (t *file) close() error { return t.current().Close() }

// reopen opens the path anew: it may lead to another file by now.
func (t *file) reopen() {
	info, err := t.current().Stat()
	if err != nil || !info.Mode().IsRegular() {
		return // pipes and terminals stay
	}
	if t.say != nil {
		t.say(t.current(), fmt.Sprintf("[%d] logsize: %d, triggering log-reopen...\n", time.Now().Unix(), info.Size()))
	}
	f, err := t.get()
	if err != nil {
		t.report("*** the log %s cannot be opened anew, so lines still go to the file that it was: %v ***", t.path, explain(err))
		return
	}
	t.replace(f)
	if t.say != nil {
		t.say(f, fmt.Sprintf("[%d] %s reopened.\n", time.Now().Unix(), t.path))
	}
}

// follow opens the path anew if it leads to another file or to none.
func (t *file) follow() {
	info, err := t.current().Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if now, err := os.Stat(t.path); err == nil && os.SameFile(now, info) {
		return
	}
	t.reopen()
}

// rotate renames the file and begins a new one.
func (t *file) rotate() {
	t.tryAt = t.size + t.maxSize // after a failure it does not try with each line
	old := t.current()
	info, err := old.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if now, err := os.Lstat(t.path); err != nil || !os.SameFile(now, info) { // others have moved it, or it is a link
		if real, err := filepath.EvalSymlinks(t.path); err == nil {
			if now, err = os.Stat(real); err == nil && os.SameFile(now, info) {
				t.move(old, real, info.Size())
				return
			}
		}
		t.reopen()
		return
	}
	t.move(old, t.path, info.Size())
}

// move renames the file. from is its place, which differs from the path of a link.
func (t *file) move(old *os.File, from string, size int64) {
	backup := t.backup
	if backup == "" {
		backup = from + "." + strconv.FormatInt(time.Now().Unix(), 10)
		for i := 1; i < 100; i++ { // more than one in a second
			if _, err := os.Lstat(backup); errors.Is(err, fs.ErrNotExist) {
				break
			}
			backup = fmt.Sprintf("%s.%d.%d", from, time.Now().Unix(), i)
		}
	}
	if t.say != nil {
		t.say(old, fmt.Sprintf("%s - logsize: %d, triggering rotation to %s...\n", time.Now().Format(time.ANSIC), size, backup))
	}
	if err := os.Rename(from, backup); err != nil {
		t.report("*** the log %s cannot be rotated: %v ***", t.path, explain(err))
		return
	}
	f, err := t.get()
	if err != nil {
		if os.Rename(backup, from) != nil {
			from = backup
		}
		t.report("*** the log %s cannot be begun anew, so lines still go to %s: %v ***", t.path, from, explain(err))
		return
	}
	t.replace(f)
}

// replace makes f the file.
func (t *file) replace(f *os.File) {
	t.size, t.tryAt = 0, t.maxSize
	if info, err := f.Stat(); err == nil {
		t.size = info.Size()
	}
	old := t.f.Swap(f)
	if t.changed != nil {
		t.changed(f)
	}
	_ = old.Close()
}

// explain adds what to do to an error of a rotation.
func explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: the user of uid must be able to write there, or logrotate has to copy (copytruncate)", err)
	}
	return err
}

// CTime is the strftime format of a bare log-date.
const CTime = accesslog.CTime

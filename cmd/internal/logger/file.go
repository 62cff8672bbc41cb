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

// Opener opens a file to append to, which is made with that mode if there is none.
type Opener func(path string, mode fs.FileMode) (*os.File, error)

// fileMode is that of log files, uWSGI's.
const fileMode fs.FileMode = 0o640

// file is an output that can be opened anew and rotated. Its methods are for the goroutine
// of its queue, but for current.
type file struct {
	path string // absolute
	f    atomic.Pointer[os.File]
	size int64 // that it had, and what was written since

	maxSize int64  // 0 for any
	tryAt   int64  // the size at which to rotate, more than maxSize after a failure
	backup  string // what it is called after a rotation; empty for a name with the time

	open   Opener
	access Access
	// say tells of a rotation in the file itself; nil where lines there have a form that
	// this one has not. report tells the log of it.
	say    func(f *os.File, line string)
	report func(format string, args ...any)
	// changed hears of each file that takes the place of another.
	changed func(f *os.File)
}

// Access is who may read log files.
type Access struct {
	Chmod    fs.FileMode // 0 leaves the mode
	UID, GID int         // whom they are given to; -1 leaves them
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

// get opens the file at the path. A name for an open descriptor, such as /dev/stdout, is
// that descriptor: it may be a socket, which cannot be opened by a name, or another user's.
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

// descriptor tells of which descriptor a path is a name.
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

// reopen opens the path anew, which may have become another file.
func (t *file) reopen() {
	info, err := t.current().Stat()
	if err != nil || !info.Mode().IsRegular() {
		return // a pipe or a terminal stays what it is
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

// follow opens the path anew if it leads to another file, or to none.
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

// rotate gives the file another name and begins a new one.
func (t *file) rotate() {
	t.tryAt = t.size + t.maxSize // after a failure not with each line
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

// move does it: from is where the file is, which differs from the path if that is a link.
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

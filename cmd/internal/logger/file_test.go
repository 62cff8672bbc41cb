package logger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// settle waits until the orders that were given have been obeyed.
func settle(s *Sink) {
	s.Sync()
	s.Sync() // what they have logged, too
}

func rotated(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "log.*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRotation(t *testing.T) {
	triggered := regexp.MustCompile(`(?m)^... ... .. ..:..:.. 2\d\d\d - logsize: (\d+), triggering rotation to (.*)\.\.\.$`)
	t.Run("asked_for", func(t *testing.T) {
		dir := t.TempDir()
		s := openConfig(t, Config{To: filepath.Join(dir, "log")})
		write(t, s, "old\n")
		s.Rotate()
		settle(s)
		write(t, s, "new\n")
		settle(s)
		names := rotated(t, dir)
		if len(names) != 1 || !regexp.MustCompile(`log\.\d{10}$`).MatchString(names[0]) {
			t.Fatalf("rotated to %q", names)
		}
		old := read(t, names[0])
		m := triggered.FindStringSubmatch(old)
		if !strings.HasPrefix(old, "old\n") || m == nil || m[1] != "4" || m[2] != names[0] {
			t.Errorf("old log %q", old)
		}
		if got := read(t, filepath.Join(dir, "log")); got != "new\n" {
			t.Errorf("new log %q", got)
		}
	})
	t.Run("twice_in_a_second_loses_nothing", func(t *testing.T) {
		dir := t.TempDir()
		s := openConfig(t, Config{To: filepath.Join(dir, "log")})
		for i := range 5 {
			write(t, s, fmt.Sprintf("line %d\n", i))
			s.Rotate()
		}
		settle(s)
		all := ""
		for _, name := range rotated(t, dir) {
			all += read(t, name)
		}
		for i := range 5 {
			if strings.Count(all, fmt.Sprintf("line %d\n", i)) != 1 {
				t.Errorf("line %d is lost: %q", i, all)
			}
		}
	})
	t.Run("by_size_to_a_name", func(t *testing.T) {
		dir := t.TempDir()
		backup := filepath.Join(dir, "kept")
		s := openConfig(t, Config{To: filepath.Join(dir, "log"), MaxSize: 100, BackupName: backup})
		line := strings.Repeat("x", 59) + "\n"
		write(t, s, line)
		settle(s)
		write(t, s, line)
		settle(s)
		write(t, s, "after\n")
		settle(s)
		if got := read(t, backup); !strings.HasPrefix(got, line+line) {
			t.Errorf("backup %q", got)
		}
		if got := read(t, filepath.Join(dir, "log")); got != "after\n" {
			t.Errorf("log %q", got)
		}
	})
	t.Run("size_counts_what_was_there", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "log")
		if err := os.WriteFile(path, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openConfig(t, Config{To: path, MaxSize: 100})
		write(t, s, "one\n")
		settle(s)
		if len(rotated(t, dir)) != 1 || read(t, path) != "" {
			t.Error("not rotated")
		}
	})
	t.Run("of_a_file_logger", func(t *testing.T) {
		dir := t.TempDir()
		s := openConfig(t, options(t, dir, "logto = $DIR/main\nreq-logger = file:logfile=$DIR/log,maxsize=10,backupname=$DIR/log.old"))
		write(t, s, "GET /a/long/path\n")
		settle(s)
		write(t, s, "GET /b\n")
		settle(s)
		// No line of another form in a log of requests.
		if old, now := read(t, filepath.Join(dir, "log.old")), read(t, filepath.Join(dir, "log")); old != "GET /a/long/path\n" || now != "GET /b\n" {
			t.Errorf("%q, %q", old, now)
		}
	})
	t.Run("of_a_link", func(t *testing.T) {
		dir := t.TempDir()
		link := filepath.Join(dir, "link")
		if err := os.Symlink(filepath.Join(dir, "log"), link); err != nil {
			t.Fatal(err)
		}
		s := openConfig(t, Config{To: link})
		write(t, s, "old\n")
		s.Rotate()
		settle(s)
		write(t, s, "new\n")
		settle(s)
		if got := read(t, link); got != "new\n" || len(rotated(t, dir)) != 1 {
			t.Errorf("%q, %q", got, rotated(t, dir))
		}
		if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
			t.Errorf("the link has become %v, %v", info.Mode(), err)
		}
	})
	t.Run("of_what_another_has_moved", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "log")
		s := openConfig(t, Config{To: path})
		write(t, s, "old\n")
		settle(s)
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		s.Rotate()
		settle(s)
		write(t, s, "new\n")
		settle(s)
		if got := read(t, path); !strings.HasSuffix(got, "new\n") || len(rotated(t, dir)) != 1 {
			t.Errorf("%q, %q", got, rotated(t, dir))
		}
	})
	t.Run("that_fails", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "log")
		s := openConfig(t, Config{To: path, MaxSize: 10, BackupName: filepath.Join(dir, "no", "folder")})
		for range 3 {
			write(t, s, "ten bytes\n")
			settle(s)
		}
		got := read(t, path)
		if !strings.Contains(got, "cannot be rotated: rename ") || strings.Count(got, "ten bytes") != 3 || s.Dropped() != 0 {
			t.Errorf("%q", got)
		}
	})
}

func TestReopen(t *testing.T) {
	t.Run("as_logrotate_moves_it", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "log")
		changed := 0
		s := openConfig(t, Config{To: path, Changed: func() { changed++ }})
		write(t, s, "old\n")
		settle(s)
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		write(t, s, "still old\n")
		s.Reopen()
		settle(s)
		write(t, s, "new\n")
		if _, err := s.Printed().WriteString("printed by a child that was there before\n"); err != nil {
			t.Fatal(err)
		}
		settle(s)
		eventually(t, func() bool { return strings.Contains(read(t, path), "printed by a child") })
		old, now := read(t, path+".1"), read(t, path)
		if !regexp.MustCompile(`^old\nstill old\n\[\d+\] logsize: 14, triggering log-reopen\.\.\.\n$`).MatchString(old) {
			t.Errorf("old log %q", old)
		}
		if !regexp.MustCompile(`^\[\d+\] .*/log reopened\.\n`).MatchString(now) || !strings.Contains(now, "new\n") || strings.Contains(now, "old") {
			t.Errorf("new log %q", now)
		}
		if changed != 1 {
			t.Errorf("told %d times that the file has changed", changed)
		}
		if info, err := s.File().Stat(); err != nil || info.Size() != int64(len(now)) {
			t.Errorf("File is not the new one: %v, %v", info, err)
		}
	})
	t.Run("all_loggers", func(t *testing.T) { // in uWSGI only that of logto
		dir := t.TempDir()
		s := openConfig(t, options(t, dir, "logger = file:$DIR/a\nreq-logger = file:$DIR/r"))
		settle(s)
		for _, name := range []string{"a", "r"} {
			if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+".1")); err != nil {
				t.Fatal(err)
			}
		}
		s.Reopen()
		settle(s)
		write(t, s, "GET /\n")
		s.Log().Printf("server")
		settle(s)
		if a, r := read(t, filepath.Join(dir, "a")), read(t, filepath.Join(dir, "r")); a != "server\n" || r != "GET /\n" {
			t.Errorf("%q, %q", a, r)
		}
	})
	t.Run("that_fails", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		deny := false
		s := openConfig(t, Config{To: path, Open: func(path string, mode fs.FileMode) (*os.File, error) {
			if deny {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
			}
			return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, mode)
		}})
		settle(s)
		deny = true
		s.Reopen()
		write(t, s, "goes on\n")
		settle(s)
		got := read(t, path)
		if !strings.Contains(got, "cannot be opened anew") || !strings.Contains(got, "copytruncate") || !strings.Contains(got, "goes on\n") {
			t.Errorf("%q", got)
		}
	})
}

func TestAccess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := openConfig(t, Config{To: path, Access: Access{Chmod: 0o604, UID: os.Getuid(), GID: os.Getgid()}})
	mode := func() fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if mode() != 0o604 {
		t.Errorf("mode %v", mode())
	}
	s.Rotate()
	settle(s)
	if mode() != 0o604 {
		t.Errorf("mode %v after a rotation", mode())
	}
}

// As in uWSGI loggers' files are the user's, and that of logto is root's. What is there stays as it is.
func TestOwnerOfLoggers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: only root can give files away")
	}
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{To: path("base"), UID: 54321, GID: 54322}
	for _, name := range []string{"made", "there"} {
		spec, err := ParseSpec("file:" + path(name))
		if err != nil {
			t.Fatal(err)
		}
		c.Loggers = append(c.Loggers, spec)
	}
	openConfig(t, c)
	for name, want := range map[string][2]uint32{"base": {0, 0}, "made": {54321, 54322}, "there": {0, 0}} {
		info, err := os.Stat(path(name))
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != want[0] || st.Gid != want[1] {
			t.Errorf("%s belongs to %d:%d, want %v", name, st.Uid, st.Gid, want)
		}
	}
}

func TestTruncate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openConfig(t, Config{To: path, Truncate: true})
	write(t, s, "new\n")
	settle(s)
	if err := os.Truncate(path, 0); err != nil { // as copytruncate does: no hole is left
		t.Fatal(err)
	}
	write(t, s, "newer\n")
	settle(s)
	if got := read(t, path); got != "newer\n" {
		t.Errorf("%q", got)
	}
}

func TestMove(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	s := openConfig(t, Config{To: first, Master: true})
	write(t, s, "one\n")
	if err := s.Move(second); err != nil {
		t.Fatal(err)
	}
	write(t, s, "two\n")
	settle(s)
	if a, b := read(t, first), read(t, second); a != "one\n" || b != "two\n" {
		t.Errorf("%q, %q", a, b)
	}
	if err := s.Move(filepath.Join(dir, "no", "such")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestOpenLoggerErrors(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string][2]string{
		"no_folder":     {"logger = file:$DIR/no/log", "logger file:" + dir + "/no/log: open "},
		"folder":        {"logger = file:$DIR", "is a directory"},
		"of_requests":   {"req-logger = file:$DIR/no/log", "no such file or directory"},
		"fd":            {"logger = fd:999", "descriptor 999 is not open"},
		"host":          {"logger = rsyslog:host.invalid:514", "host.invalid"},
		"no_descriptor": {"logto = /dev/fd/999", "descriptor 999 is not open"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(options(t, dir, tt[0]))
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt[1]) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestFD writes to a descriptor that somebody else has opened, by number and by name.
func TestFD(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, format := range []string{"logger = fd:%d", "logto = /dev/fd/%d"} {
		s := openConfig(t, options(t, "", fmt.Sprintf(format, f.Fd())))
		write(t, s, "line\n")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, f.Name()); got != "line\nline\n" {
		t.Errorf("%q", got)
	}
}

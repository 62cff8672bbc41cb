package ini

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// UWSGIVersion is the release of uWSGI whose dialect and options are followed.
const UWSGIVersion = "2.0.31"

// World is the machine as a configuration asks it. OS returns the real one. A test or a fuzz target
// replaces what must not be touched.
type World struct {
	Getenv func(name string) (value string, ok bool)
	Read   func(name string) ([]byte, error)      // a file, - for standard input, or scheme://…
	Stat   func(name string) (fs.FileInfo, error) // follows symbolic links
	Lstat  func(name string) (fs.FileInfo, error)
	// Readable reports whether this user may read name.
	Readable func(name string) bool
	Real     func(name string) (string, error) // the absolute path without symbolic links
	Glob     func(pattern string) ([]string, error)

	Cwd, Host, Binary string
	Version           string // for %V
	CPUs              int
	UID, GID          int
	User, Group       string
	Start             time.Time
	Reload            bool // a running server reads the configuration again
}

// OS returns the machine of this process, with stdin as standard input.
func OS(stdin io.Reader) World {
	w := World{
		Getenv:   os.LookupEnv,
		Read:     func(name string) ([]byte, error) { return read(name, stdin) },
		Stat:     os.Stat,
		Lstat:    os.Lstat,
		Readable: func(name string) bool { return unix.Access(name, unix.R_OK) == nil },
		Real:     realPath,
		Glob:     filepath.Glob,
		Version:  UWSGIVersion,
		CPUs:     runtime.NumCPU(),
		UID:      os.Getuid(),
		GID:      os.Getgid(),
		Start:    time.Now(),
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

// In returns w as seen from another directory, so that names given there can be read after the
// process has left it. Descriptors cannot: by then their numbers are those of other files.
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
	in.Readable = func(name string) bool { return w.Readable(at(name)) }
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

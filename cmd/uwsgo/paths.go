package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/engine"
)

// A deployment switches a link from one release to the next, and reloads. So directories keep the
// name that they were given. Each generation of workers looks up where the name leads, and keeps
// that release to its end.

// site is where the app lives: its directory by name, and where the name leads now. The goroutine
// of serve changes it. Any goroutine may read cwd.
type site struct {
	cfg     *config.Config
	started string // where the server was started
	home    string // the same, or where hooks have gone before chdir
	// dir is the directory of the app, by name. Each reload looks up where it leads. It is empty
	// before chdir.
	dir string
	cwd atomic.Pointer[string] // where dir led at the start, or at the last reload
}

// begin notes where hooks have gone, before chdir.
func (s *site) begin() error {
	now, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	s.home = now
	s.cwd.Store(&now)
	return nil
}

// chdir enters the directory of the app.
func (s *site) chdir() error {
	s.dir = s.home
	if s.cfg.Chroot != "" {
		s.dir = "/"
	}
	if s.cfg.Chdir != "" {
		dir := s.named(s.cfg.Chdir)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(s.dir, dir)
		}
		s.dir = dir
		if err := os.Chdir(dir); err != nil {
			if reason, ok := errors.AsType[*os.PathError](err); ok {
				err = reason.Err
			}
			return fmt.Errorf("chdir: %s: %w", dir, err)
		}
	}
	cwd, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	s.cwd.Store(&cwd)
	return nil
}

// changeDir lets the server, and all that it starts from then on, work in another directory.
func (s *site) changeDir(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	now, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	s.cwd.Store(&now)
	if s.dir == "" { // chdir comes later and starts from here
		s.home = now
		return nil
	}
	s.dir = now
	return nil
}

// fromStart returns a path relative to where the server was started: uWSGI reads some options
// before chdir.
func (s *site) fromStart(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.started, path)
}

// path returns the file that an option names. As in uWSGI, pidfile is relative to where the server
// was started (early), all others to the directory of chdir.
func (s *site) path(name string, early bool) string {
	switch {
	case name == "" || filepath.IsAbs(name):
	case early:
		return filepath.Join(s.home, name)
	default:
		return s.under(name)[0]
	}
	return name
}

// named returns a path by way of the links through which the configuration was named. %d and its
// kin have the place where those links led at the start.
func (s *site) named(path string) string {
	for _, l := range s.cfg.Links {
		if rest, ok := strings.CutPrefix(path, l.Real); ok && (rest == "" || rest[0] == '/') {
			return l.Named + rest
		}
	}
	return path
}

// under returns absolute paths. Relative ones start at the directory of the app, by name.
func (s *site) under(paths ...string) []string {
	list := make([]string, len(paths))
	for i, path := range paths {
		if list[i] = s.named(path); !filepath.IsAbs(list[i]) {
			list[i] = filepath.Join(s.dir, path)
		}
	}
	return list
}

// leadsTo returns where the directory of the app is now. It is empty where this user may not enter
// it: processes then begin in the directory that root has entered.
func (s *site) leadsTo() (string, error) {
	dir, err := filepath.EvalSymlinks(s.dir)
	switch {
	case err == nil && unix.Access(dir, unix.X_OK) == nil:
		return dir, nil
	case err == nil, errors.Is(err, fs.ErrPermission), s.cfg.Chdir == "":
		return "", nil
	}
	return "", fmt.Errorf("chdir: %s: %w", s.dir, err)
}

// enter takes the server itself to where its workers are now, so that what it starts begins there.
// It returns the name of that directory. With stay the server stays where it is.
func (s *site) enter(stay bool) string {
	dir, err := s.leadsTo()
	if err != nil || dir == "" {
		return *s.cwd.Load()
	}
	if !stay && os.Chdir(dir) == nil {
		s.cwd.Store(&dir)
	}
	return dir
}

// relativeSocket reports whether an address is a path that depends on the directory.
func relativeSocket(addr string) bool {
	network, path, err := engine.ParseAddress(addr)
	return err == nil && network == "unix" && path[0] != '@' && !filepath.IsAbs(path)
}

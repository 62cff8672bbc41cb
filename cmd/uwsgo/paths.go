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

// Deployments switch a link from one release to the next and reload. So directories are
// kept as they were named, and where they lead to is looked up anew for each generation of
// workers, which then has that release to its end.

// site is where the app lives: its directory, as it was named, and where that leads to now.
// The goroutine of serve changes it; cwd may be read by any.
type site struct {
	cfg     *config.Config
	started string // the directory that the server was started in
	home    string // the same, or where hooks have gone to before chdir
	// dir is the directory of the app as it was named: where it leads to is looked up anew
	// at each reload. Empty before it was entered.
	dir string
	cwd atomic.Pointer[string] // where it led to at the start, or at the last reload
}

// begin notes where hooks have gone to, before chdir.
func (s *site) begin() error {
	now, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	s.home = now
	s.cwd.Store(&now)
	return nil
}

// chdir enters the directory that the app is loaded in.
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

// changeDir has the server, and all that it starts from then on, work in another
// directory.
func (s *site) changeDir(dir string) error {
	if err := os.Chdir(dir); err != nil {
		return err
	}
	now, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("current directory: %w", err)
	}
	s.cwd.Store(&now)
	if s.dir == "" { // chdir comes later, and starts from here
		s.home = now
		return nil
	}
	s.dir = now
	return nil
}

// fromStart names a file from where the server was started, as uWSGI reads some options before it
// goes elsewhere.
func (s *site) fromStart(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.started, path)
}

// path returns the file that an option names. As in uWSGI that of pidfile is relative to
// where the server was started, all others are to the directory of chdir.
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

// named returns a path as it would be by way of the links through which the files of the
// configuration were named: %d and its kin have what those led to at the start.
func (s *site) named(path string) string {
	for _, l := range s.cfg.Links {
		if rest, ok := strings.CutPrefix(path, l.Real); ok && (rest == "" || rest[0] == '/') {
			return l.Named + rest
		}
	}
	return path
}

// under returns paths as absolute ones. Relative ones are taken from the directory of the
// app as it was named.
func (s *site) under(paths ...string) []string {
	list := make([]string, len(paths))
	for i, path := range paths {
		if list[i] = s.named(path); !filepath.IsAbs(list[i]) {
			list[i] = filepath.Join(s.dir, path)
		}
	}
	return list
}

// leadsTo returns where the directory of the app is now. It is empty where this user may
// not go to it: then processes begin in the one that root has entered.
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

// enter has the server itself go to where its workers are now, for what it starts, and
// returns the name of that directory. With stay it stays where it is.
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

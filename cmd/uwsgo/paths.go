package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
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

// findAnew finds where the paths of the next generation lead to. The supervisor calls it.
func (p *program) findAnew(c *worker.Config) (err error) {
	if c.Dir, err = p.leadsTo(); err != nil {
		return err
	}
	now := p.options()
	c.Env, c.Argv = p.environ(), strings.Fields(now.PyArgv)
	var moved []string
	if c.Dir != "" && c.Dir != p.dir {
		moved = append(moved, fmt.Sprintf("%s is %s", p.dir, c.Dir))
	}
	if c.Python, c.PythonFrom, err = p.interpreter(); err != nil {
		return err
	}
	switch c.PythonFrom {
	case worker.FromPath, worker.FromModule, worker.FromInstall:
	default: // python itself is a link that has to stay one
		home := filepath.Dir(filepath.Dir(c.Python))
		if real, err := filepath.EvalSymlinks(home); err == nil && real != home {
			c.Python = filepath.Join(real, "bin", filepath.Base(c.Python))
			moved = append(moved, fmt.Sprintf("%s is %s", home, real))
		}
	}
	c.PythonPath = append([]string{}, now.PythonPath...)
	for i, path := range c.PythonPath {
		if path = p.named(path); !filepath.IsAbs(path) {
			continue // Python takes it from its own directory
		}
		c.PythonPath[i] = path
		if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
			c.PythonPath[i] = real
			moved = append(moved, fmt.Sprintf("%s is %s", path, real))
		}
	}
	if len(moved) > 0 {
		p.log.Printf("links: %s", strings.Join(moved, ", "))
	}
	return nil
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

// staysForSockets reports whether a socket file has a relative name: it has to be removed from
// where the server is.
func (p *program) staysForSockets() bool {
	return p.stats != nil && relativeSocket(p.stats.Addr().String()) ||
		slices.ContainsFunc(p.sockets, func(s openSocket) bool { return s.OwnsFile() && relativeSocket(s.String()) })
}

// relativeSocket reports whether an address is a path that depends on the directory.
func relativeSocket(addr string) bool {
	network, path, err := engine.ParseAddress(addr)
	return err == nil && network == "unix" && path[0] != '@' && !filepath.IsAbs(path)
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// Deployments switch a link from one release to the next and reload. So directories are
// kept as they were named, and where they lead to is looked up anew for each generation of
// workers, which then has that release to its end.

// named returns a path as it would be by way of the links through which the files of the
// configuration were named: %d and its kin have what those led to at the start.
func (p *program) named(path string) string {
	for _, l := range p.cfg.Links {
		if rest, ok := strings.CutPrefix(path, l.Real); ok && (rest == "" || rest[0] == '/') {
			return l.Named + rest
		}
	}
	return path
}

// under returns paths as absolute ones. Relative ones are taken from the directory of the
// app as it was named.
func (p *program) under(paths ...string) []string {
	list := make([]string, len(paths))
	for i, path := range paths {
		if list[i] = p.named(path); !filepath.IsAbs(list[i]) {
			list[i] = filepath.Join(p.dir, path)
		}
	}
	return list
}

// leadsTo returns where the directory of the app is now. It is empty where this user may
// not go to it: then processes begin in the one that root has entered.
func (p *program) leadsTo() (string, error) {
	dir, err := filepath.EvalSymlinks(p.dir)
	switch {
	case err == nil && unix.Access(dir, unix.X_OK) == nil:
		return dir, nil
	case err == nil, errors.Is(err, fs.ErrPermission), p.cfg.Chdir == "":
		return "", nil
	}
	return "", fmt.Errorf("chdir: %s: %w", p.dir, err)
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
// returns the name of that directory. A socket file with a relative name keeps it where it is, as
// it has to be removed from there.
func (p *program) enter() string {
	dir, err := p.leadsTo()
	if err != nil || dir == "" {
		return *p.cwd.Load()
	}
	relative := p.stats != nil && relativeSocket(p.stats.Addr().String())
	for _, s := range p.sockets {
		relative = relative || s.OwnsFile() && relativeSocket(s.String())
	}
	if !relative && os.Chdir(dir) == nil {
		p.cwd.Store(&dir)
	}
	return dir
}

// relativeSocket reports whether an address is a path that depends on the directory.
func relativeSocket(addr string) bool {
	network, path, err := engine.ParseAddress(addr)
	return err == nil && network == "unix" && path[0] != '@' && !filepath.IsAbs(path)
}

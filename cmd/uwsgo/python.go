package main

import (
	"os"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/home"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// interpreter chooses the Python: that of the virtualenv that is asked for, the one that
// python -m uwsgo is run by, that of the virtualenv that this program or a link to it lies in, as uWSGI's
// does, of the one in VIRTUAL_ENV, the one that pip has put the program beside, and at last
// the one in PATH. A virtualenv of pipx or uv that is for the program alone comes last; the
// one in the folder of the app is used in its place. from says which it was.
func (p *program) interpreter() (path, from string, err error) {
	if env := p.options().Virtualenv; env != "" {
		path, err = worker.FindPython(p.under(env)[0])
		return path, worker.FromOption, err
	}
	own := p.virtualenv
	if p.cfg.Chroot != "" {
		own = worker.OwnVirtualenv(p.self) // as it is below the new root
	}
	if path := os.Getenv(home.PythonEnv); path != "" && p.cfg.Chroot == "" {
		return path, worker.FromModule, nil
	}
	tool := own != "" && home.Tool(own)
	if own != "" && !tool {
		path, err = worker.FindPython(own)
		return path, worker.FromProgram, err
	}
	if env := p.variable("VIRTUAL_ENV"); env != "" {
		path, err = worker.FindPython(env)
		if err == nil {
			return path, worker.FromEnvironment, nil
		}
		// Nobody may have meant it for this program.
		p.noVirtualEnv.Do(func() { p.log.Printf("*** WARNING: VIRTUAL_ENV is not used: %v ***", err) })
	}
	if tool || p.cfg.Quick != "" {
		if project := home.Project(p.dir); project != "" {
			path, err = worker.FindPython(project)
			return path, worker.FromProject, err
		}
	}
	if path := home.InstalledFor(p.self); path != "" && own == "" && p.cfg.Chroot == "" {
		return path, worker.FromInstall, nil
	}
	path, err = worker.FindPython("")
	if err != nil && tool {
		path, err = worker.FindPython(own)
		return path, worker.FromProgram, err
	}
	return path, worker.FromPath, err
}

// variable returns an environment variable of the app.
func (p *program) variable(name string) (value string) {
	for _, kv := range p.environ() {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// checkPlugins warns of a plugin that names another Python than the one that runs the apps.
func (p *program) checkPlugins(python, path string) {
	for _, name := range p.cfg.Plugins {
		want, ok := option.PythonPlugin(name)
		if !ok || want == "" {
			continue
		}
		if python != want && !strings.HasPrefix(python, want+".") {
			p.log.Printf("*** WARNING: the plugin %s asks for Python %s, but the apps run on Python %s (%s): name a virtualenv of Python %s with virtualenv = DIR ***", name, want, python, path, want)
		}
	}
}

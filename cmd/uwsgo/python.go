package main

import (
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// interpreter chooses the Python: that of the virtualenv that is asked for, of the one
// that this program or a link to it lies in, as uWSGI's does, of the one in VIRTUAL_ENV,
// and at last the one in PATH. from says which it was.
func (p *program) interpreter() (path, from string, err error) {
	if home := p.options().Virtualenv; home != "" {
		home = p.under(home)[0]
		path, err = worker.FindPython(home)
		return path, worker.FromOption, err
	}
	own := p.virtualenv
	if p.cfg.Chroot != "" {
		own = worker.OwnVirtualenv(p.self) // as it is below the new root
	}
	if home := own; home != "" {
		path, err = worker.FindPython(home)
		return path, worker.FromProgram, err
	}
	if home := p.variable("VIRTUAL_ENV"); home != "" {
		path, err = worker.FindPython(home)
		if err == nil {
			return path, worker.FromEnvironment, nil
		}
		// Nobody may have meant it for this program.
		p.noVirtualEnv.Do(func() { p.log.Printf("*** WARNING: VIRTUAL_ENV is not used: %v ***", err) })
	}
	path, err = worker.FindPython("")
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

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/home"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// app is what the Python processes run, and what they run it with: the interpreter, the
// environment, the paths. A start, "uwsgo check" and "uwsgo route" ask it alike. A reload may
// change the answers.
type app struct {
	*site
	self string // the absolute path of this program when it started; an upgrade puts another program there
	// virtualenv is the one that self is in; empty for none. It is found before root is given up.
	virtualenv string
	logf       func(format string, args ...any)

	renewed      atomic.Pointer[config.Config] // what the last reload has read; nil before it
	noVirtualEnv sync.Once                     // the log says once that VIRTUAL_ENV is not used

	mu      sync.Mutex
	hookEnv []config.Env // what hooks of putenv have set; mu guards it
}

// options returns the options as the last reload has read them.
func (a *app) options() *config.Config {
	if now := a.renewed.Load(); now != nil {
		return now
	}
	return a.cfg
}

// newApp returns the app of a configuration, as program self runs it.
func newApp(s *site, self string, logf func(format string, args ...any)) *app {
	return &app{site: s, self: self, virtualenv: worker.OwnVirtualenv(self), logf: logf}
}

// setEnv changes the environment of what is started from now on. Any goroutine.
func (a *app) setEnv(e config.Env) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hookEnv = append(a.hookEnv, e)
}

// environ returns the environment of what the server starts: its own, and what the options of env
// add. The way to systemd is left out, because it is for the server alone.
func (a *app) environ() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "NOTIFY_SOCKET=") || strings.HasPrefix(kv, home.PythonEnv+"=")
	})
	a.mu.Lock()
	changes := slices.Concat(a.options().Env, a.hookEnv)
	a.mu.Unlock()
	for _, e := range changes {
		if e.Unset {
			env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, e.Name+"=") })
			continue
		}
		env = append(env, e.Name+"="+e.Value)
	}
	return env
}

// interpreter chooses the Python. The first of these that is there counts:
//   - the virtualenv that an option names,
//   - the Python that runs python -m uwsgo,
//   - the virtualenv of this program, or of a link to it, as in uWSGI,
//   - the virtualenv in VIRTUAL_ENV,
//   - the Python that pip has put the program beside,
//   - the Python in PATH.
//
// A virtualenv of pipx or uv holds the program alone. It comes last, and the virtualenv in the
// app's folder takes its place. from says which one it is.
func (a *app) interpreter() (path, from string, err error) {
	if env := a.options().Virtualenv; env != "" {
		path, err = worker.FindPython(a.under(env)[0])
		return path, worker.FromOption, err
	}
	own := a.virtualenv
	if a.cfg.Chroot != "" {
		own = worker.OwnVirtualenv(a.self) // below the new root
	}
	if path := os.Getenv(home.PythonEnv); path != "" && a.cfg.Chroot == "" {
		return path, worker.FromModule, nil
	}
	tool := own != "" && home.Tool(own)
	if own != "" && !tool {
		path, err = worker.FindPython(own)
		return path, worker.FromProgram, err
	}
	if env := a.variable("VIRTUAL_ENV"); env != "" {
		path, err = worker.FindPython(env)
		if err == nil {
			return path, worker.FromEnvironment, nil
		}
		// The variable may come from a shell that has nothing to do with this program.
		a.noVirtualEnv.Do(func() { a.logf("*** WARNING: VIRTUAL_ENV is not used: %v ***", err) })
	}
	if tool || a.cfg.Quick != "" {
		if project := home.Project(a.dir); project != "" {
			path, err = worker.FindPython(project)
			return path, worker.FromProject, err
		}
	}
	if path := home.InstalledFor(a.self); path != "" && own == "" && a.cfg.Chroot == "" {
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
func (a *app) variable(name string) (value string) {
	for _, kv := range a.environ() {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// imports returns the settings of workers that decide what is imported, and how. A start has more;
// "uwsgo check" imports with these alone.
func (a *app) imports() (worker.Config, error) {
	cfg := a.cfg
	wc := worker.Config{
		StartedIn: a.home, Argv: strings.Fields(cfg.PyArgv), Env: a.environ(), Apps: a.list(), NeedApp: cfg.NeedApp,
		Imports: cfg.Imports, Optimize: cfg.Optimize, PasteLogger: cfg.PasteLogger,
		Processes: cfg.Processes, Threads: cfg.Threads, Slots: cfg.Greenlets, Gevent: useOfGevent(cfg), Cheaper: cfg.Cheaper, LimitAS: cfg.LimitAS, Version: version,
	}
	for _, path := range cfg.PythonPath {
		wc.PythonPath = append(wc.PythonPath, a.named(path))
	}
	var err error
	wc.Python, wc.PythonFrom, err = a.interpreter()
	return wc, err
}

// checkPlugins warns of a plugin that names another Python than the one that runs the apps.
func (a *app) checkPlugins(python, path string) {
	for _, name := range a.cfg.Plugins {
		want, ok := option.PythonPlugin(name)
		if !ok || want == "" {
			continue
		}
		if python != want && !strings.HasPrefix(python, want+".") {
			a.logf("*** WARNING: the plugin %s asks for Python %s, but the apps run on Python %s (%s): name a virtualenv of Python %s with virtualenv = DIR ***", name, want, python, path, want)
		}
	}
}

// findAnew finds where the paths of the next generation lead. The supervisor calls it.
func (a *app) findAnew(c *worker.Config) (err error) {
	if c.Dir, err = a.leadsTo(); err != nil {
		return err
	}
	now := a.options()
	c.Env, c.Argv = a.environ(), strings.Fields(now.PyArgv)
	var moved []string
	if c.Dir != "" && c.Dir != a.dir {
		moved = append(moved, fmt.Sprintf("%s is %s", a.dir, c.Dir))
	}
	if c.Python, c.PythonFrom, err = a.interpreter(); err != nil {
		return err
	}
	switch c.PythonFrom {
	case worker.FromPath, worker.FromModule, worker.FromInstall:
	default: // python itself stays a link
		home := filepath.Dir(filepath.Dir(c.Python))
		if real, err := filepath.EvalSymlinks(home); err == nil && real != home {
			c.Python = filepath.Join(real, "bin", filepath.Base(c.Python))
			moved = append(moved, fmt.Sprintf("%s is %s", home, real))
		}
	}
	c.PythonPath = append([]string{}, now.PythonPath...)
	for i, path := range c.PythonPath {
		if path = a.named(path); !filepath.IsAbs(path) {
			continue // Python takes it relative to its own directory
		}
		c.PythonPath[i] = path
		if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
			c.PythonPath[i] = real
			moved = append(moved, fmt.Sprintf("%s is %s", path, real))
		}
	}
	if len(moved) > 0 {
		a.logf("links: %s", strings.Join(moved, ", "))
	}
	return nil
}

// list returns what is to be imported.
func (a *app) list() (apps []worker.App) {
	cfg := a.cfg
	// As in uWSGI, the first of several is the app.
	switch {
	case cfg.Module != "" || cfg.WSGIFile != "":
		apps = append(apps, worker.App{File: a.named(cfg.WSGIFile), Module: cfg.Module, Callable: cfg.Callable})
	case cfg.Pecan != "":
		apps = append(apps, worker.App{Pecan: a.named(cfg.Pecan)})
	case cfg.Paste != "":
		paste := cfg.Paste
		if cfg.PasteAtStart && !filepath.IsAbs(paste) {
			paste = filepath.Join(a.home, paste)
		}
		apps = append(apps, worker.App{Paste: paste, Callable: cfg.PasteName})
	case cfg.Eval != "":
		apps = append(apps, worker.App{Eval: cfg.Eval, Callable: cfg.Callable})
	}
	taken := map[string]bool{}
	for _, m := range cfg.Mounts {
		at := strings.TrimRight(m.Prefix, "/")
		if taken[at] { // as in uWSGI, the first one counts
			a.logf("*** WARNING: %s: mountpoint %s already configured. skip. ***", m.Where, m.Prefix)
			continue
		}
		taken[at] = true
		a.logf("mounting %s on %s", m.App, m.Prefix)
		app := mountedApp(m, cfg.Callable)
		if app.Paste != "" {
			app.Callable = cfg.PasteName
		}
		app.File = a.named(app.File)
		apps = append(apps, app)
	}
	return apps
}

// mountedApp tells a file from a module. As in uWSGI a file has a slash or the ending of a file:
// mysite.wsgi:application is a module. A callable may follow a file that exists, which uWSGI does
// not know.
func mountedApp(m config.Mount, callable string) worker.App {
	app := worker.App{Mount: m.Prefix, Callable: callable}
	if file, _, _ := strings.Cut(m.App, "#"); filepath.Ext(file) == ".ini" {
		app.Paste = m.App
		return app
	}
	name, own, found := strings.Cut(m.App, ":")
	ext := filepath.Ext(name)
	file := ext == ".py" || ext == ".wsgi"
	if file && found {
		info, err := os.Stat(name)
		file = err == nil && !info.IsDir()
	}
	if file || strings.Contains(name, "/") {
		app.File = name
		if found {
			app.Callable = own
		}
		return app
	}
	app.Module = m.App
	return app
}

// useOfGevent returns how workers use gevent, nil where they do not.
func useOfGevent(cfg *config.Config) *worker.Gevent {
	if cfg.Greenlets == 0 {
		return nil
	}
	return &cfg.Gevent
}

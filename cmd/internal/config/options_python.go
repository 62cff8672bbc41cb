package config

import (
	"path"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// PythonConfig is what Python processes get.
type PythonConfig struct {
	Virtualenv string
	PythonPath []string // in the order given; each goes in front of sys.path
	PyArgv     string   // words of sys.argv after the program's name
	Env        []Env
	// Links are the directories of configuration files that were named by links.
	Links         []ini.Link
	Chdir         string
	Chdir2        string // of the workers, once the app is loaded
	AutoReload    bool   // when Python code changes
	Imports       []worker.Import
	Optimize      int // Python's -O
	NoFileWrapper bool
	// AutoReloadIgnore are modules whose files do not count.
	AutoReloadIgnore []string
}

// Env is an environment variable of the app; Unset removes it.
type Env struct {
	Name, Value string
	Unset       bool
}

var pythonRows = []row{
	{
		Option: option.Option{
			Name: "virtualenv", Aliases: []string{"home", "venv", "pyhome"}, Short: 'H', Kind: option.Text, Arg: "DIR", Status: option.Same,
			Help: "use the Python and the packages of this virtual environment",
		},
		set:   func(r *resolver, e ini.Entry) error { return setText(&r.Virtualenv, e, "a directory") },
		holds: atReload,
	},
	{
		Option: option.Option{
			Name: "pythonpath", Aliases: []string{"python-path", "pp", "early-pythonpath", "early-python-path", "pypy-pp", "pypy-python-path", "pypy-pythonpath"}, Kind: option.List, Arg: "DIR", Status: option.Same,
			Help: "put this directory, or all that match a glob pattern, in front of sys.path",
		},
		set:   (*resolver).pythonPath,
		holds: atReload,
	},
	{
		Option: option.Option{
			Name: "pyargv", Kind: option.Text, Arg: "WORDS", Status: option.Same,
			Help: "give the app these words as sys.argv",
		},
		set: func(r *resolver, e ini.Entry) error {
			r.PyArgv = e.Value
			return nil
		},
		holds: atReload,
	},
	{
		Option: option.Option{
			Name: "env", Kind: option.List, Arg: "NAME=VALUE", Status: option.Same,
			Help: "set an environment variable for the app",
		},
		set:   (*resolver).env,
		holds: atReload,
	},
	{
		Option: option.Option{
			Name: "envdir", Kind: option.List, Arg: "DIR", Status: option.Same,
			Help: "set environment variables for the app from the files of this directory: the file's name is the variable, its first line the value; an empty file removes the variable",
		},
		set:   (*resolver).envDir,
		holds: atReload,
	},
	{
		Option: option.Option{
			Name: "unenv", Kind: option.List, Arg: "NAME", Status: option.Same,
			Help: "remove a variable from the app's environment",
		},
		set:   (*resolver).unenv,
		holds: atReload,
	},
	{
		Option: option.Option{
			Name: "chdir", Kind: option.Text, Arg: "DIR", Status: option.Same,
			Help: "change to this directory before the app is loaded",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Chdir, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "chdir2", Kind: option.Text, Arg: "DIR", Status: option.Differs,
			Help: "change to this directory once the app is loaded",
			Note: "Only the workers change directory; with lazy-apps before they load the app. The server stays where it is.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Chdir2, e, "a directory") },
	},
	{
		Option: option.Option{
			Name: "import", Aliases: []string{"pyimport", "py-import", "python-import"}, Kind: option.List, Arg: "MODULE", Status: option.Differs,
			Help: "import this Python module, or run this file, before the app is loaded",
			Note: "A warning names one that fails. The start goes on, as in uWSGI.",
		},
		set: (*resolver).imports,
	},
	{
		Option: option.Option{
			Name: "shared-import", Aliases: []string{"shared-pyimport", "shared-py-import", "shared-python-import", "early-pyimport", "early-python-import"}, Kind: option.List, Arg: "MODULE", Status: option.Differs,
			Help: "import this Python module in all Python processes, before those of --import",
			Note: "With lazy-apps each worker imports it for itself. The server itself runs no Python.",
		},
		set: (*resolver).imports,
	},
	{
		Option: option.Option{
			Name: "optimize", Short: 'O', Kind: option.Plain, Arg: "LEVEL", Status: option.Same,
			Help: "run Python with this level of optimization: 1 leaves out assert, 2 also docstrings",
		},
		set: func(r *resolver, e ini.Entry) error { return setNumber(&r.Optimize, e, 2) },
	},
	{
		Option: option.Option{
			Name: "wsgi-disable-file-wrapper", Kind: option.Flag, Status: option.Same,
			Help: "leave wsgi.file_wrapper out of the environ",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.NoFileWrapper, e) },
	},
	{
		Option: option.Option{
			Name: "py-autoreload", Aliases: []string{"py-auto-reload", "python-autoreload", "python-auto-reload"}, Kind: option.Seconds, Arg: "SECONDS", Status: option.Differs,
			Help: "reload when a file of the app's Python code changes; for development",
			Note: "Any number but 0 turns it on: the system tells of changes at once. Every .py file beside an imported one counts; the standard library and site-packages do not.",
		},
		set: (*resolver).autoReload,
	},
	{
		Option: option.Option{
			Name: "py-auto-reload-ignore", Kind: option.List, Arg: "MODULE", Status: option.Same,
			Help: "do not watch the file of this module",
		},
		set: func(r *resolver, e ini.Entry) error {
			return addText(&r.AutoReloadIgnore, e, "the name of a Python module")
		},
	},
}

// imports adds a module. All of shared-import come before all of import.
func (r *resolver) imports(e ini.Entry) error {
	what, err := text(e, "the name of a Python module, or a file")
	if err != nil {
		return err
	}
	one := worker.Import{Option: "import", What: what}
	at := len(r.Imports)
	if strings.HasPrefix(e.Key, "shared-") || strings.HasPrefix(e.Key, "early-") {
		one.Option = "shared-import"
		at = 0
		for at < len(r.Imports) && r.Imports[at].Option == one.Option {
			at++
		}
	}
	r.Imports = slices.Insert(r.Imports, at, one)
	return nil
}

// pythonPath adds the directories that match, or the value itself.
func (r *resolver) pythonPath(e ini.Entry) error {
	dir, err := text(e, "a directory")
	if err != nil {
		return err
	}
	found, err := r.world.Glob(dir)
	if err != nil || len(found) == 0 {
		found = []string{dir}
	}
	r.PythonPath = append(r.PythonPath, found...)
	return nil
}

func (r *resolver) env(e ini.Entry) error {
	name, value, ok := strings.Cut(e.Value, "=")
	switch trimmed := strings.TrimSpace(e.Value); {
	case ok && name == "":
		return e.Origin.Errorf(e.Key, "%q is not of the form NAME=VALUE", e.Value)
	case !ok && (trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';'):
		return nil // for-readline has read the line from a file
	case !ok:
		r.list.Warnf("%s: %q is not of the form NAME=VALUE: as in uWSGI it takes the variable away, for which unenv is clearer", e.Origin.Name(e.Key), e.Value)
	}
	r.Env = append(r.Env, Env{Name: name, Value: value, Unset: !ok})
	return nil
}

// envDir reads a directory as daemontools does: each file is a variable.
func (r *resolver) envDir(e ini.Entry) error {
	dir, err := text(e, "a directory")
	if err != nil {
		return err
	}
	if info, err := r.world.Stat(dir); err != nil || !info.IsDir() {
		return e.Origin.Errorf(e.Key, "%q is no directory that can be read", dir)
	}
	files, err := r.world.Glob(literal(strings.TrimRight(dir, "/")) + "/*")
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	for _, file := range files {
		name := path.Base(file)
		info, err := r.world.Stat(file)
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(name, ".") || strings.Contains(name, "=") {
			continue
		}
		content, err := r.world.Read(file)
		if err != nil {
			return e.Origin.Errorf(e.Key, "%w", err)
		}
		line, _, _ := strings.Cut(string(content), "\n")
		value := strings.ReplaceAll(strings.TrimRight(line, " \t\r"), "\x00", "\n")
		r.Env = append(r.Env, Env{Name: name, Value: value, Unset: len(content) == 0})
	}
	return nil
}

// literal returns a pattern that matches the path alone.
func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func (r *resolver) unenv(e ini.Entry) error {
	name, err := text(e, "the name of a variable")
	if err == nil && strings.Contains(name, "=") {
		err = e.Origin.Errorf(e.Key, "%q is no name of a variable", name)
	}
	r.Env = append(r.Env, Env{Name: name, Unset: true})
	return err
}

func (r *resolver) autoReload(e ini.Entry) error {
	d, err := seconds(e)
	r.AutoReload = d > 0
	return err
}

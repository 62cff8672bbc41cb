package config

import (
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
)

// AppConfig says what to run.
type AppConfig struct {
	Module           string // module[:callable]; Module and WSGIFile can both be empty
	WSGIFile         string // relative to Chdir
	Callable         string // empty for the usual names of an app named by position
	Pecan            string // a configuration file of Pecan's
	Paste            string // a URI of PasteDeploy, or a path
	PasteAtStart     bool   // a path is relative to where the server was started, not to Chdir
	PasteName        string // the name of the app in that file
	PasteLogger      bool   // it sets up logging
	Eval             string // Python code that has the app
	Mounts           []Mount
	ManageScriptName bool
	NoDefaultApp     bool
	NeedApp          bool // end with exit code 22 when an app does not load
	LazyApps         bool
	ImportOnce       bool // lazy-apps = false: the apps are imported once, even if the import starts threads
}

var appDefaults = AppConfig{Callable: "application", NeedApp: true}

// Mount is an app below a path.
type Mount struct {
	Prefix string // begins with a slash
	App    string // module:callable, or a file
	Where  string // its origin for messages
}

// HasApp reports whether there is an app to run.
func (c *AppConfig) HasApp() bool {
	return c.Module != "" || c.WSGIFile != "" || c.Pecan != "" || c.Paste != "" || c.Eval != "" || len(c.Mounts) > 0
}

var applicationRows = []row{
	{
		Option: option.Option{
			Name: "module", Aliases: []string{"wsgi", "pypy-wsgi"}, Short: 'w', Kind: option.Text, Arg: "MODULE[:CALLABLE]", Status: option.Same,
			Help: "run the WSGI app of this Python module; with () at the end the callable is a factory",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Module, e, "the name of a Python module") },
	},
	{
		Option: option.Option{
			Name: "wsgi-file", Aliases: []string{"file", "pypy-wsgi-file"}, Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "run the WSGI app in this Python file, relative to --chdir",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.WSGIFile, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "callable", Kind: option.Text, Arg: "NAME", Default: "application", Status: option.Same,
			Help: "the name of the WSGI app in its module or file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Callable, e, "a name") },
	},
	{
		Option: option.Option{
			Name: "paste", Aliases: []string{"pypy-paste"}, Kind: option.Text, Arg: "URI", Status: option.Differs,
			Help: "run the app of a PasteDeploy file, such as config:/path/production.ini; needs the package PasteDeploy",
			Note: "A path may be relative, and config: may be left out.",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Paste, e, "config:/path/of/the.ini") },
	},
	{
		Option: option.Option{
			Name: "paste-name", Kind: option.Text, Arg: "NAME", Default: "main", Status: option.Same,
			Help: "the name of the app or pipeline in the PasteDeploy file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.PasteName, e, "the name of a section") },
	},
	{
		Option: option.Option{
			Name: "paste-logger", Kind: option.Flag, Status: option.Differs,
			Help: "set up the logging of the PasteDeploy file",
			Note: "uwsgo fills in %(here)s and %(__file__)s, as pserve does, and logs errors in the file.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.PasteLogger, e) },
	},
	{
		Option: option.Option{
			Name: "pecan", Kind: option.Text, Arg: "FILE", Status: option.Same,
			Help: "run the app of this Pecan configuration file",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Pecan, e, "a file name") },
	},
	{
		Option: option.Option{
			Name: "eval", Kind: option.Text, Arg: "CODE", Status: option.Same,
			Help: "run the app that this Python code defines",
		},
		set: func(r *resolver, e ini.Entry) error { return setText(&r.Eval, e, "Python code") },
	},
	{
		Option: option.Option{
			Name: "no-default-app", Kind: option.Flag, Status: option.Differs,
			Help: "answer with an error, instead of the default app, when no app has the SCRIPT_NAME of a request",
			Note: "The error is 404; in uWSGI it is 500.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.NoDefaultApp, e) },
	},
	{
		Option: option.Option{
			Name: "mount", Aliases: []string{"worker-mount"}, Kind: option.List, Arg: "/PREFIX=APP", Status: option.Differs,
			Help: "run an app (module:callable, a file, or the .ini of PasteDeploy) below a path",
			Note: "With manage-script-name, a path that no mount covers gets 404, unless module or wsgi-file names an app for it. In uWSGI the first mount gets it, as here without manage-script-name.",
		},
		set: (*resolver).mount,
	},
	{
		Option: option.Option{
			Name: "manage-script-name", Kind: option.Flag, Status: option.Same,
			Help: "move the mount's path from PATH_INFO to SCRIPT_NAME",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.ManageScriptName, e) },
	},
	{
		Option: option.Option{
			Name: "vhost", Aliases: []string{"vhost-host"}, Kind: option.Flag, Status: option.Differs,
			Help: "choose the app by the host of the request; accepted with a single app, which answers for every host in uWSGI, too",
			Note: "With several apps it ends the start, because each host would get the apps of all others.",
		},
		set: (*resolver).vhost,
	},
	{
		Option: option.Option{
			Name: "need-app", Kind: option.Flag, Arg: "BOOL", Optional: true, Default: "true", Status: option.Differs,
			Help: "end the start with exit code 22 when an app does not load",
			Note: "Off by default in uWSGI 2.0, which then answers every request with 500.",
		},
		set: func(r *resolver, e ini.Entry) error { return r.flag(&r.NeedApp, e) },
	},
	{
		Option: option.Option{
			Name: "lazy-apps", Kind: option.Flag, Arg: "BOOL", Optional: true, Status: option.Differs,
			Help: "load the app in each worker instead of once before they are forked",
			Note: "Even without it each worker loads an app that starts threads while it is imported; a warning says so. `false` loads it once, as uWSGI does: its threads then run in the process that forks the workers, and in no worker.",
		},
		set: (*resolver).lazyApps,
	},
	{
		Option: option.Option{
			Name: "single-interpreter", Short: 'i', Kind: option.Flag, Status: option.Differs,
			Help: "load all mounted apps into one interpreter",
			Note: "Always so here: uwsgo uses no sub-interpreters.",
		},
		set: (*resolver).always,
	},
}

// iniPaste reads ini-paste. Package ini has read the options of its file.
func (r *resolver) iniPaste(e ini.Entry) error {
	r.PasteAtStart = true
	r.PasteLogger = r.PasteLogger || e.Key == "ini-paste-logged"
	return setText(&r.Paste, e, "a file name")
}

// vhost notes that hosts have apps of their own.
func (r *resolver) vhost(e ini.Entry) error {
	var on bool
	err := r.flag(&on, e)
	r.byHost = nil
	if on {
		r.byHost = &e
	}
	return err
}

// settleHosts ends the start if one host could reach the app of another.
func (r *resolver) settleHosts() error {
	apps := len(r.Mounts)
	if r.Module+r.WSGIFile+r.Pecan+r.Paste+r.Eval != "" {
		apps++
	}
	if e := r.byHost; e != nil && apps > 1 {
		r.doors = append(r.doors, door{e.Key, e.Origin.Name(e.Key), "each host would get the app of every other: start one server for each, and have the web server in front choose by host"})
	}
	return nil
}

func (r *resolver) mount(e ini.Entry) error {
	prefix, app, err := pair(e, "/prefix=module:callable")
	if err != nil {
		return err
	}
	if app == "" {
		return e.Origin.Errorf(e.Key, "%q names no app for the path", e.Value)
	}
	if !strings.HasPrefix(prefix, "/") {
		return e.Origin.Errorf(e.Key, "the path %q must begin with a slash", prefix)
	}
	r.Mounts = append(r.Mounts, Mount{Prefix: prefix, App: app, Where: e.Origin.Name(e.Key)})
	return nil
}

func (r *resolver) lazyApps(e ini.Entry) error {
	err := r.flag(&r.LazyApps, e)
	r.ImportOnce = err == nil && !r.LazyApps
	return err
}

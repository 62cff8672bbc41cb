package config

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/companion"
	"github.com/uwsgo/uwsgo/cmd/internal/cron"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/option"
	"github.com/uwsgo/uwsgo/handler/header"
)

func (r *resolver) procname(name string, e ini.Entry) error {
	s, err := text(e, "a name")
	p := &r.Procnames
	switch name {
	case "procname-prefix":
		p.Prefix = s
	case "procname-prefix-spaced":
		p.Prefix = s + " "
	case "procname-append":
		p.Append = s
	case "procname":
		p.All = s
		return err
	case "procname-master":
		p.Master = s
		return err
	}
	p.Auto = true
	return err
}

func (r *resolver) companion(e ini.Entry, parse func(string) (companion.Spec, error)) error {
	s, err := parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	r.Companions = append(r.Companions, s)
	return nil
}

func (r *resolver) cron(e ini.Entry, parse func(string) (cron.Job, error), unique bool) error {
	j, err := parse(e.Value)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w", err)
	}
	j.Unique = j.Unique || unique
	r.Crons = append(r.Crons, j)
	return nil
}

// hook reads ACTION:ARGUMENT. uWSGI runs hooks before the commands of exec-STAGE.
func (r *resolver) hook(stage string, e ini.Entry) error {
	action, command, _ := strings.Cut(e.Value, ":")
	switch {
	case (action == "exec" || action == "safeexec") && command != "":
	case stage == "master-start" && e.Value == "unix_signal:15 gracefully_kill_them_all":
		return nil // what SIGTERM does here
	default:
		return e.Origin.Errorf(e.Key, "%q is not supported: exec:COMMAND and safeexec:COMMAND are", e.Value)
	}
	r.Hooks = slices.Insert(r.Hooks, r.hooks, Hook{Stage: stage, Command: command, Safe: action == "safeexec", Where: e.Origin.Name(e.Key)})
	r.hooks++
	return nil
}

func (r *resolver) execute(stage string, e ini.Entry) error {
	command, err := text(e, "a command")
	if err != nil {
		return err
	}
	r.Hooks = append(r.Hooks, Hook{Stage: stage, Command: command, Where: e.Origin.Name(e.Key)})
	return nil
}

func (r *resolver) listen(e ini.Entry, p Protocol) error {
	addr, err := text(e, "an address such as :8080")
	if err != nil {
		return err
	}
	r.Listens = append(r.Listens, Listen{Addr: addr, Protocol: p, Option: e.Key, Where: e.Origin.Name(e.Key)})
	return nil
}

func protocol(e ini.Entry) (Protocol, error) {
	switch e.Value {
	case "uwsgi":
		return Uwsgi, nil
	case "http", "http11":
		return HTTP, nil
	case "https", "fastcgi", "fastcgi-nph", "scgi", "scgi-nph", "puwsgi", "suwsgi", "raw":
		return "", e.Origin.Errorf(e.Key, "protocol %s is not supported yet: use uwsgi or http", e.Value)
	}
	return "", oneOf(e, []string{"uwsgi", "http", "http11"})
}

func oneOf(e ini.Entry, words []string) error {
	if slices.Contains(words, e.Value) {
		return nil
	}
	return e.Origin.Errorf(e.Key, "%q is none of %s", e.Value, strings.Join(words, ", "))
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
	name, value, err := pair(e, "NAME=VALUE")
	if err != nil {
		return err
	}
	r.Env = append(r.Env, Env{Name: name, Value: value})
	return nil
}

// envDir reads a directory of daemontools' kind, one variable in each file.
func (r *resolver) envDir(e ini.Entry) error {
	dir, err := text(e, "a directory")
	if err != nil {
		return err
	}
	if info, err := r.world.Stat(dir); err != nil || !info.IsDir() {
		return e.Origin.Errorf(e.Key, "%q is no directory that can be read", dir)
	}
	files, err := r.world.Glob(strings.TrimRight(dir, "/") + "/*")
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

func (r *resolver) unenv(e ini.Entry) error {
	name, err := text(e, "the name of a variable")
	if err == nil && strings.Contains(name, "=") {
		err = e.Origin.Errorf(e.Key, "%q is no name of a variable", name)
	}
	r.Env = append(r.Env, Env{Name: name, Unset: true})
	return err
}

// addHeader reads a header, and remHeader the name of one.
func (r *resolver) addHeader(e ini.Entry) error {
	if _, err := header.New(nil, header.Options{Add: []string{e.Value}}); err != nil {
		return e.Origin.Errorf(e.Key, "%w: write it like X-Frame-Options: DENY", err)
	}
	r.AddHeader = append(r.AddHeader, e.Value)
	return nil
}

func (r *resolver) remHeader(e ini.Entry) error {
	name := strings.TrimSpace(strings.TrimSuffix(e.Value, ":"))
	if _, err := header.New(nil, header.Options{Remove: []string{name}}); err != nil {
		return e.Origin.Errorf(e.Key, "%w: write it like X-Powered-By", err)
	}
	r.RemHeader = append(r.RemHeader, name)
	return nil
}

func (r *resolver) keepAlive(e ini.Entry) error {
	n, err := numberOrTrue(e, times, maxSeconds)
	if err != nil {
		return err
	}
	r.KeepAlive = time.Duration(n) * time.Second
	if word, _, _ := strings.Cut(strings.TrimSpace(e.Value), " "); n == 1 && strings.Trim(word, "s") == word { // not 1s
		r.KeepAlive = defaults().KeepAlive
	}
	return nil
}

func (r *resolver) staticMap(e ini.Entry, keep bool) error {
	prefix, path, err := pair(e, "/prefix=directory")
	if err != nil {
		return err
	}
	if path == "" {
		return e.Origin.Errorf(e.Key, "%q names no directory for the path", e.Value)
	}
	r.StaticMaps = append(r.StaticMaps, StaticMap{Prefix: prefix, Path: path, KeepPrefix: keep})
	return nil
}

// plugins notes the plugins that are asked for. As in uWSGI, a name that is
// needed and missing ends the start.
func (r *resolver) plugins(e ini.Entry) error {
	for name := range strings.SplitSeq(e.Value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		r.Plugins = append(r.Plugins, name)
		if option.HasPlugin(name) {
			continue
		}
		if strings.HasPrefix(e.Key, "need-") {
			return e.Origin.Errorf(e.Key, "uwsgo has nothing that does what the plugin %s does", name)
		}
		note(&r.Losses.Function, "plugin "+name)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/uwsgo/uwsgo/bench/apps"
	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/peers"
	"github.com/uwsgo/uwsgo/bench/workload"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// own holds the flags for measuring the user's own app.
type own struct {
	app, ini, chdir, venv string
	url, method, data     string
	headers               []string
	status, clients       int
	anyBody               bool
}

func (o *own) flags(flags *flag.FlagSet) {
	flags.StringVar(&o.app, "app", "", "measure your own app, `MODULE:CALLABLE` or FILE.py:CALLABLE, in place of the workloads")
	flags.StringVar(&o.ini, "ini", "", "take the app, its folder, virtualenv, processes and threads from this uwsgi.ini `FILE`")
	flags.StringVar(&o.chdir, "chdir", "", "working `directory` of the app, and the first in which its modules are looked for (the current one)")
	flags.StringVar(&o.venv, "venv", "", "the app's virtualenv `directory`")
	flags.StringVar(&o.url, "url", "/", "what the app is asked for, `PATH` and query")
	flags.StringVar(&o.method, "method", "", "with which `method` (GET, or POST with -data)")
	flags.StringVar(&o.data, "data", "", "the request body, or @`FILE` that holds it")
	flags.Func("header", "a request header, `'NAME: VALUE'`; may be given more than once", func(v string) error {
		o.headers = append(o.headers, v)
		return nil
	})
	flags.IntVar(&o.status, "status", 0, "the status of a right answer (what the app gives, if that is below 400)")
	flags.IntVar(&o.clients, "clients", 64, "how many clients ask the app at once")
	flags.BoolVar(&o.anyBody, "any-body", false, "do not compare bodies: the app's answers change with time")
}

// wanted reports whether the flags name an app.
func (o *own) wanted() bool { return o.app != "" || o.ini != "" }

// maxData bounds the request body, in bytes.
const maxData = 64 << 20

// workload returns the workload of the user's app. env is the virtualenv of the servers.
// If it does not exist, python makes it.
func (o *own) workload(ctx context.Context, env, python string) (workload.Workload, error) {
	var none workload.Workload
	var app apps.Own
	var shape struct{ processes, threads int }
	var err error
	if o.ini != "" {
		cfg, err := config.Load([]string{"--ini", o.ini}, nil, ini.OS(strings.NewReader("")))
		if err != nil {
			return none, fmt.Errorf("-ini: %w", err)
		}
		if app, err = fromConfig(cfg); err != nil && o.app == "" {
			return none, fmt.Errorf("-ini %s: %w", o.ini, err)
		}
		shape.processes, shape.threads = cfg.Processes, cfg.Threads
		if o.venv == "" {
			o.venv = cfg.Virtualenv
		}
		if o.chdir == "" {
			o.chdir = cfg.Chdir
		}
	}
	if o.app != "" {
		named, err := apps.ParseTarget(o.app)
		if err != nil {
			return none, fmt.Errorf("-app: %w", err)
		}
		app.Module, app.File, app.Callable = named.Module, named.File, named.Callable
	}
	if app.Dir, err = filepath.Abs(o.chdir); err != nil {
		return none, err
	}
	if info, err := os.Stat(app.Dir); err != nil || !info.IsDir() {
		return none, fmt.Errorf("-chdir: %s is no directory", app.Dir)
	}
	for i, path := range app.Paths {
		app.Paths[i] = within(app.Dir, path)
	}
	if app.File != "" {
		app.File = within(app.Dir, app.File)
		if _, err := os.Stat(app.File); err != nil {
			return none, fmt.Errorf("-app: %w", err)
		}
	}
	if o.venv != "" {
		if err := peers.Virtualenv(ctx, env, python); err != nil {
			return none, err
		}
		site, err := apps.SitePackages(within(app.Dir, o.venv), env)
		if err != nil {
			return none, fmt.Errorf("-venv: %w", err)
		}
		app.Site = []string{site}
	}
	q, err := o.request()
	if err != nil {
		return none, err
	}
	if o.clients < 1 || o.clients > 4096 {
		return none, errors.New("-clients must be 1 to 4096")
	}
	w := workload.Own(app, q, o.clients)
	if shape.processes > 0 {
		w.Setup.Processes, w.Setup.Threads = shape.processes, shape.threads
	}
	return w, nil
}

// within returns path, relative to dir unless it is absolute.
func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// fromConfig returns the app that a configuration loads.
func fromConfig(cfg *config.Config) (apps.Own, error) {
	app := apps.Own{Callable: cfg.Callable, Paths: cfg.PythonPath, Env: map[string]string{}}
	for _, e := range cfg.Env { // in order: the last entry for a variable counts
		app.Unset = slices.DeleteFunc(app.Unset, func(name string) bool { return name == e.Name })
		delete(app.Env, e.Name)
		if e.Unset {
			app.Unset = append(app.Unset, e.Name)
		} else {
			app.Env[e.Name] = e.Value
		}
	}
	switch {
	case cfg.Module != "":
		named, err := apps.ParseTarget(cfg.Module)
		if err != nil {
			return app, err
		}
		if strings.Contains(cfg.Module, ":") {
			app.Callable = named.Callable
		}
		app.Module = named.Module
	case cfg.WSGIFile != "":
		app.File = cfg.WSGIFile
	default:
		return app, errors.New("it names no module and no wsgi-file; name the app with -app")
	}
	return app, nil
}

// request returns the request that the clients send.
func (o *own) request() (load.Request, error) {
	q := load.Request{Method: strings.ToUpper(o.method), Path: o.url, Status: o.status, AnyBody: o.anyBody}
	if o.status != 0 && (o.status < 200 || o.status > 599) {
		return q, errors.New("-status must be 200 to 599")
	}
	if !strings.HasPrefix(q.Path, "/") || strings.ContainsAny(q.Path, " #") {
		return q, fmt.Errorf("-url %q: want a path such as /orders?page=2", o.url)
	}
	if strings.Contains(q.Path, load.Number) {
		return q, fmt.Errorf("-url: %s stands for the number of a request, and means nothing to the app", load.Number)
	}
	if file, ok := strings.CutPrefix(o.data, "@"); ok {
		f, err := os.Open(file)
		if err != nil {
			return q, fmt.Errorf("-data: %w", err)
		}
		defer f.Close()
		if q.Body, err = io.ReadAll(io.LimitReader(f, maxData+1)); err != nil {
			return q, fmt.Errorf("-data: %w", err)
		}
		if len(q.Body) > maxData {
			return q, fmt.Errorf("-data: %s is larger than %d MiB", file, maxData>>20)
		}
	} else {
		q.Body = []byte(o.data)
	}
	if q.Method == "" {
		q.Method = "GET"
		if len(q.Body) > 0 {
			q.Method = "POST"
		}
	}
	for _, h := range o.headers {
		name, value, found := strings.Cut(h, ":")
		if !found {
			return q, fmt.Errorf("-header %q: want 'Name: value'", h)
		}
		q.Header = append(q.Header, load.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return q, nil
}

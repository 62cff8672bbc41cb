package main

import (
	"os"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/engine"
)

// A start and "uwsgo check" import the same things in the same way.
func TestWorkerConfigImportsWhatCheckImports(t *testing.T) {
	cfg, err := config.Load([]string{
		"--http", ":0", "--wsgi-file", "app.py", "--pythonpath", "/srv/lib", "--import", "early", "--env", "A=1", "--pyargv", "a b",
		"--processes", "3", "--threads", "2", "--max-requests", "100", "--reload-on-rss", "64",
	}, nil, ini.OS(os.Stdin))
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Options{Loops: 1, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	a := newApp(&site{cfg: cfg, home: "/srv", dir: "/srv"}, "/usr/bin/uwsgo", t.Logf)
	want, err := a.imports()
	if err != nil {
		t.Skip(err) // no Python here
	}
	got, err := workerConfig(a, e)
	if err != nil {
		t.Fatal(err)
	}
	if got.Processes != 3 || got.Threads != 2 || got.Limits.MaxRequests != 100 || got.Limits.RSS != 64<<20 || got.Limits.MinLifetime == 0 || got.Anew == nil {
		t.Errorf("options are lost: %+v", got)
	}
	for name, pair := range map[string][2]any{
		"apps": {len(got.Apps), len(want.Apps)}, "file": {got.Apps[0].File, "app.py"}, "path": {got.PythonPath[0], "/srv/lib"},
		"import": {got.Imports[0], want.Imports[0]}, "argv": {len(got.Argv), 2}, "python": {got.Python, want.Python},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

// Before workers run, apps and the stats see none of them.
func TestWorkersBeforeTheyRun(t *testing.T) {
	w := &workers{}
	s := &services{workers: w, paused: func() bool { return false }, logf: t.Logf}
	if _, ok := w.snapshot(); ok || w.shared() != nil || w.stop(t.Context()) != nil {
		t.Error("there are workers")
	}
	if !w.owns(os.Getpid()) || w.owns(1) {
		t.Error("the server is the only process of its own")
	}
	if n := len(s.workersForApps()); n != 0 {
		t.Errorf("%d workers are told of", n)
	}
	if waiting, taken := s.waiting(1); waiting != 0 || taken != 0 {
		t.Error("signals are told of")
	}
}

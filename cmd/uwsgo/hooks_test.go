package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/hook"
)

// Hooks run stage by stage. The first that fails ends the start, unless it is a safe one;
// at the end all run.
func TestStages(t *testing.T) {
	action := func(stage, line string, safe bool) config.Hook {
		h := config.Hook{Stage: stage, Where: "--hook-" + stage}
		h.Safe, h.Text = safe, line
		h.Kind, h.Line = hook.Run, line
		return h
	}
	s := &stages{hooks: []config.Hook{
		action("asap", "first", false), action("as-root", "fails safely", true), action("as-root", "second", false),
		action("as-user", "fails", false), action("as-user", "never", false),
		action("as-user-atexit", "fails at the end", false), action("as-user-atexit", "last", false),
	}}
	var did, log []string
	s.logf = func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
	s.do = func(_ context.Context, h config.Hook) error {
		did = append(did, h.Line)
		if strings.HasPrefix(h.Line, "fails") {
			return errors.New("it failed")
		}
		return nil
	}
	if err := s.run(t.Context(), "asap", "as-root"); err != nil {
		t.Errorf("a safe hook that fails ends the start: %v", err)
	}
	if err := s.run(t.Context(), "as-user"); err == nil || !strings.Contains(err.Error(), "--hook-as-user: it failed") {
		t.Errorf("got %v, want the option and the reason", err)
	}
	s.atExit(t.Context())
	if got, want := strings.Join(did, ", "), "first, fails safely, second, fails, fails at the end, last"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if n := strings.Count(strings.Join(log, "\n"), "it failed"); n != 2 {
		t.Errorf("%d failures in the log, want those that end nothing: 2\n%s", n, strings.Join(log, "\n"))
	}
	// A stop during the start ends it also where the hook is a safe one.
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.run(stopped, "as-root"); err == nil {
		t.Error("the start goes on")
	}
}

func TestPostFork(t *testing.T) {
	one := func(kind hook.Kind, name, value, line string, safe bool) config.Hook {
		h := config.Hook{Stage: "post-fork"}
		h.Safe = safe
		h.Kind, h.Name, h.Value, h.Line = kind, name, value, line
		return h
	}
	s := &stages{hooks: []config.Hook{
		one(hook.Chdir, "/srv", "", "", false), one(hook.Setenv, "A", "1", "", false), one(hook.Unsetenv, "B", "", "", false),
		one(hook.Run, "", "", "touch x", false), one(hook.Run, "", "", "touch y", true),
	}}
	want := "[{ /srv } {  A=1} {  B} {touch x  } {( touch y\n) || true  }]"
	if got := fmt.Sprint(s.postFork()); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

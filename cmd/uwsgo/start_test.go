package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/engine/worker"
)

// The exit codes of a start that fails are uWSGI's; service managers decide by them.
func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		code int
		last string
	}{
		{"address_in_use", errors.New("listen on :80: address already in use"), 1, ""},
		{"app_does_not_load", fmt.Errorf("start: %w", &worker.LoadError{Reason: "no module"}), 22, "no app loaded"},
		{"no_worker", &worker.StartError{Reason: "killed"}, 22, "no worker serves"},
		{"no_python", &worker.PythonError{Path: "python3", Err: errors.New("not found")}, 1, ""},
		{"as_a_hook_says", fmt.Errorf("hook-asap: %w", exitError(7)), 7, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, last := verdict(tt.err)
			if code != tt.code || (last == "") != (tt.last == "") || !strings.Contains(last, tt.last) {
				t.Errorf("%d %q, want %d %q", code, last, tt.code, tt.last)
			}
		})
	}
}

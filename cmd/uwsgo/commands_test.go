package main

import (
	"regexp"
	"slices"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/manual"
)

// Completions and the man page have the flags that the commands themselves tell of.
func TestCommandsAreInTheManual(t *testing.T) {
	usages := map[string]string{"check": checkUsage, "config": configUsage, "route": routeUsage}
	for _, c := range manual.Commands {
		var got, want []string
		for _, f := range c.Flags {
			got = append(got, f.Name)
		}
		for _, m := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(usages[c.Name], -1) {
			want = append(want, m[1])
		}
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: the manual has %q, its usage %q", c.Name, got, want)
		}
		delete(usages, c.Name)
	}
	for name := range usages {
		t.Errorf("%s is not in the manual", name)
	}
}

package config

import (
	"strings"
	"testing"
)

func TestCheaperTrue(t *testing.T) {
	for _, tt := range []struct {
		value string
		min   int
		warn  bool
		ok    bool
	}{
		{"true", 0, true, true},
		{"True", 0, true, true},
		{"false", 0, false, true},
		{"0", 0, false, true},
		{"2", 2, false, true},
		{"many", 0, false, false},
	} {
		t.Run(tt.value, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nprocesses = 4\ncheaper = " + tt.value + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			if c.Cheaper.Min != tt.min {
				t.Errorf("cheaper %d, want %d", c.Cheaper.Min, tt.min)
			}
			if got := strings.Contains(strings.Join(c.Warnings, " "), "write cheaper = N"); got != tt.warn {
				t.Errorf("warnings %q", c.Warnings)
			}
		})
	}
}

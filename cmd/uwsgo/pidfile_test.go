package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
)

// A start that fails leaves no pid file, and a server that was ready leaves its own unless vacuum
// removes it. Until a successor takes over the file holds the id of the server before it.
func TestPidFilesAtTheEnd(t *testing.T) {
	other := "4711\n"
	for _, tt := range []struct {
		name            string
		vacuum, started bool
		before          *succession.Predecessor
		during          string // what the file holds
		left            bool
	}{
		{"start_fails", false, false, nil, "own", false},
		{"start_fails_with_vacuum", true, false, nil, "own", false},
		{"ends", false, true, nil, "own", true},
		{"ends_with_vacuum", true, true, nil, "own", false},
		{"successor_fails", true, false, &succession.Predecessor{}, other, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
				t.Fatal(err)
			}
			p := &pidFiles{
				user: privilege.Identity{UID: -1, GID: -1}, role: succession.NewRole(tt.before), ending: life.NewEnding(func() {}),
				vacuum: tt.vacuum, logf: t.Logf,
			}
			if err := p.write(path); err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(tt.during, "own", strconv.Itoa(os.Getpid())+"\n", 1)
			if got, err := os.ReadFile(path); string(got) != want {
				t.Errorf("it holds %q, want %q: %v", got, want, err)
			}
			if tt.before == nil {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				p.again()
				if got, _ := os.ReadFile(path); string(got) != want {
					t.Errorf("written again it holds %q", got)
				}
			}
			p.ending.Started = tt.started
			p.ending.Undo()
			if _, err := os.Stat(path); (err == nil) != tt.left {
				t.Errorf("it is there: %v, want %v", err == nil, tt.left)
			}
		})
	}
}

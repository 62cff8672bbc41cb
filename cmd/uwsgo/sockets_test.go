package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/privilege"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/succession"
	"github.com/uwsgo/uwsgo/engine"
)

// What an option names comes from the inherited sockets first. A socket file is gone after a start
// that fails, and after the end with vacuum; an inherited one is not, and a successor gets all.
func TestSockets(t *testing.T) {
	for _, tt := range []struct {
		name            string
		vacuum, started bool
		left            []string
	}{
		{"start_fails", false, false, []string{"inherited.sock"}},
		{"ends", false, true, []string{"bound.sock", "inherited.sock"}},
		{"ends_with_vacuum", true, true, []string{"inherited.sock"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			cfg := &config.Config{}
			cfg.Vacuum, cfg.Umask = tt.vacuum, -1
			cfg.Listens = []config.Listen{
				{Addr: "bound.sock", Protocol: config.Uwsgi, Where: "socket"}, {Addr: "inherited.sock", Protocol: config.HTTP, Where: "http"},
			}
			e, err := engine.New(engine.Options{Loops: 1, Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "inherited.sock"), Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			f, err := ln.File()
			if err != nil {
				t.Fatal(err)
			}
			inherited, err := succession.Inherited(f)
			if err != nil {
				t.Fatal(err)
			}
			s := &sockets{
				site: &site{cfg: cfg}, engine: e, user: privilege.Identity{UID: -1, GID: -1},
				role: succession.NewRole(nil), ending: life.NewEnding(func() {}), logf: t.Logf,
			}
			if err := s.bindAll([]succession.Socket{inherited}); err != nil {
				t.Fatal(err)
			}
			var given []string
			for _, h := range s.handed() {
				given = append(given, h.Option)
			}
			slices.Sort(given)
			if want := []string{"bound.sock", "inherited.sock"}; !slices.Equal(given, want) || !s.relative() {
				t.Errorf("a successor gets %q, want %q; relative: %v", given, want, s.relative())
			}
			s.ending.Started = tt.started
			if tt.started {
				s.vacuum()
			}
			s.ending.Undo()
			var left []string
			for _, name := range []string{"bound.sock", "inherited.sock"} {
				if _, err := os.Lstat(name); err == nil {
					left = append(left, name)
				}
			}
			if !slices.Equal(left, tt.left) {
				t.Errorf("left are %q, want %q", left, tt.left)
			}
		})
	}
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

func TestRelativeSocket(t *testing.T) {
	for addr, want := range map[string]bool{
		"app.sock": true, "./a:1": true, "/run/app.sock": false, "@app": false, ":8080": false, "127.0.0.1:1717": false, "[::1]:80": false, "": false,
	} {
		if got := relativeSocket(addr); got != want {
			t.Errorf("%q: %v, want %v", addr, got, want)
		}
	}
}

// A directory that was named by a link is looked up anew: a deployment switches the link.
func TestSite(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	for _, name := range []string{"one", "two", "other"} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to string) {
		t.Helper()
		_ = os.Remove("current")
		if err := os.Symlink(to, "current"); err != nil {
			t.Fatal(err)
		}
	}
	link("one")
	in := func(names ...string) string { return filepath.Join(append([]string{root}, names...)...) }
	s := site{cfg: &config.Config{}}
	s.cfg.Chdir, s.cfg.Links = "current", []ini.Link{{Real: in("one"), Named: in("current")}}
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	if err := s.chdir(); err != nil {
		t.Fatal(err)
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	want("the present directory", *s.cwd.Load(), in("one"))
	if got := s.under("a", "/b", in("one", "c")); !slices.Equal(got, []string{in("current", "a"), "/b", in("current", "c")}) {
		t.Errorf("paths: %v", got)
	}
	want("a pid file", s.path("app.pid", true), in("app.pid"))
	want("another file", s.path("app.pid", false), in("current", "app.pid"))

	t.Chdir(root)
	link("two")
	want("a server that stays", s.enter(true), in("two"))
	want("it is still", *s.cwd.Load(), in("one"))
	want("one that goes along", s.enter(false), in("two"))
	want("it is in", *s.cwd.Load(), in("two"))

	if err := s.changeDir(in("other")); err != nil {
		t.Fatal(err)
	}
	want("a hook's directory", s.under("a")[0], in("other", "a"))
	if err := s.changeDir(in("none")); err == nil {
		t.Error("a directory that is not there was entered")
	}
}

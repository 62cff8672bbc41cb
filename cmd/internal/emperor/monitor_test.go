package emperor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.ini", "b.yml", "c.yaml", "d.json", "e.js", "f.xml", "g.conf", "h.ini.off", "ini", ".ini.swp", ".hidden.ini", "sub/i.ini", "sub/j.toml", strings.Repeat("x", 251) + ".ini"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"k.ini": "g.conf", "l.ini": "nowhere", "m.ini": "sub"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, monitor string
		how           Finding
		want          string
	}{
		{"directory", dir, Finding{}, ".hidden.ini a.ini b.yml c.yaml d.json e.js f.xml k.ini"},
		{"relative", ".", Finding{}, ".hidden.ini a.ini b.yml c.yaml d.json e.js f.xml k.ini"},
		{"scheme", "dir://sub", Finding{}, "i.ini"},
		{"extension", dir, Finding{Extensions: []string{".conf", ".off"}}, ".hidden.ini a.ini b.yml c.yaml d.json e.js f.xml g.conf h.ini.off k.ini"},
		{"pattern", "*.ini", Finding{}, "a.ini k.ini"},
		{"pattern_of_hidden_ones", ".*.ini", Finding{}, ".hidden.ini"},
		{"pattern_with_class", "[!ab].[ijy]*", Finding{}, "c.yaml d.json e.js k.ini"},
		{"pattern_of_directories", "*/*.ini", Finding{}, "m.ini/i.ini sub/i.ini"},
		{"glob_scheme", "glob://s*/*", Finding{}, "sub/i.ini"},
		{"pattern_that_means_one_directory", "su*", Finding{}, "i.ini"},
		{"one_file", "a.ini", Finding{}, "a.ini"},
		{"absolute_pattern", filepath.Join(dir, "a.*"), Finding{}, filepath.Join(dir, "a.ini")},
		{"missing_directory", "later", Finding{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := CheckMonitor(tt.monitor); err != nil {
				t.Fatal(err)
			}
			files, err := newMonitor(tt.monitor, dir).scan(tt.how)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range files {
				names = append(names, f.Name)
				if f.ID != f.Name && f.ID != filepath.Join(f.Dir, f.Name) {
					t.Errorf("%+v", f)
				}
			}
			if got := strings.Join(names, " "); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// A file is seen as changed when it, or what a link leads to, is touched or replaced.
func TestMark(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.ini")
	mark := func(how Finding) Mark {
		t.Helper()
		f, ok := look(path, how)
		if !ok {
			t.Fatal("it is not seen")
		}
		return f.Mark
	}
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("one", path); err != nil {
		t.Fatal(err)
	}
	first, own := mark(Finding{}), mark(Finding{Nofollow: true})
	if mark(Finding{}) != first || own == first {
		t.Error("the mark of a link")
	}
	if err := os.Chtimes(filepath.Join(dir, "one"), first.Time, first.Time.Add(-1e9)); err != nil {
		t.Fatal(err)
	}
	if mark(Finding{}) == first || mark(Finding{Nofollow: true}) != own {
		t.Error("its target is touched")
	}
	touched := mark(Finding{})
	if err := os.Symlink("two", path+"x"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"x", path); err != nil {
		t.Fatal(err)
	}
	if mark(Finding{}) == touched || mark(Finding{Nofollow: true}) == own {
		t.Error("the link leads elsewhere")
	}
}

func TestCheckMonitor(t *testing.T) {
	for _, value := range []string{"zmq://tcp://127.0.0.1:5252", "pg://host=127.0.0.1;SELECT", "mongodb://127.0.0.1/x", "amqp://guest@127.0.0.1", "ldap://x", "zookeeper://x", "raw://x", "dir://", "[a"} {
		if CheckMonitor(value) == nil {
			t.Errorf("%s is taken", value)
		}
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"PATH=/bin", "UWSGI_EMPEROR=/v", "UWSGI_EMPEROR_FD=9", "UWSGI_VASSAL_HTTP=:1", "UWSGI_VASSALS_SET=a=b", "NOTIFY_SOCKET=/x", "WATCHDOG_USEC=1", "LISTEN_FDS=1", "UWSGI_THREADS=2"}, "a.ini")
	want := []string{"PATH=/bin", "UWSGI_HTTP=:1", "UWSGI_THREADS=2", "UWSGI_EMPEROR_FD=3", "UWSGO_VASSAL=a.ini"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestArgv(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "x.ini")
	if err := os.WriteFile(script, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	o := Options{Program: "uwsgo", Set: []string{"a=b"}, InheritBefore: []string{"1"}, IncludeBefore: []string{"2"}, Inherit: []string{"3"}, Include: []string{"4"}}
	for _, tt := range []struct {
		name string
		o    Options
		file string
		want string
	}{
		{"plain", Options{Program: "uwsgo"}, "a.ini", "uwsgo --ini a.ini"},
		{"yaml", Options{Program: "uwsgo"}, "a.yml", "uwsgo --yaml a.yml"},
		{"json", Options{Program: "uwsgo"}, "a.js", "uwsgo --json a.js"},
		{"xml", Options{Program: "uwsgo"}, "a.xml", "uwsgo --xml a.xml"},
		{"extra", Options{Program: "uwsgo", Finding: Finding{Extensions: []string{".conf"}}}, "a.conf", "uwsgo --config a.conf"},
		{"all", o, "a.ini", "uwsgo --inherit 1 --include 2 --set a=b --ini a.ini --inherit 3 --include 4"},
		{"wrapper", Options{Program: "uwsgo", Wrapper: "/bin/sh"}, "a.ini", "/bin/sh --ini a.ini"},
		{"executable", Options{Program: "uwsgo", MagicExec: true}, "x.ini", "uwsgo --allow-remote-config=true --config exec://" + script},
		{"not_executable", Options{Program: "uwsgo", MagicExec: true}, "a.ini", "uwsgo --ini a.ini"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &Emperor{o: tt.o}
			if got := strings.Join(e.argv(File{ID: filepath.Join(dir, tt.file), Name: tt.file}), " "); got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

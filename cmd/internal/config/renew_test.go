package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// A reload reads the configuration again: what holds then is taken, and what has to wait is
// named.
func TestRenew(t *testing.T) {
	for _, tt := range []struct {
		name, before, after string
		env                 []Env
		path                []string
		processes           int
		waiting             []string
	}{
		{"same", "env = A=1\nprocesses = 2", "env = A=1\nprocesses = 2", []Env{{"A", "1", false}}, nil, 2, nil},
		{"variable", "env = A=1", "env = A=2\nunenv = B", []Env{{"A", "2", false}, {"B", "", true}}, nil, 1, nil},
		{"variable_gone", "env = A=1", "", nil, nil, 1, nil},
		{"by_an_alias", "pp = /a", "python-path = /b", nil, []string{"/b"}, 1, nil},
		{"same_by_an_alias", "workers = 2", "processes = 2", nil, nil, 2, nil},
		{"waits", "processes = 2", "processes = 3\nthreads = 4", nil, nil, 2, []string{"processes", "threads"}},
		{"both", "env = A=1\nprocesses = 2", "processes = 4\nenv = A=2", []Env{{"A", "2", false}}, nil, 2, []string{"processes"}},
		{"placeholders", "name = x\nenv = A=%(name)", "name = y\nenv = A=%(name)", []Env{{"A", "y", false}}, nil, 1, nil},
		{"inherited", "inherit = base.ini", "inherit = base.ini\nenv = A=2", []Env{{"A", "2", false}, {"A", "base", false}}, nil, 3, nil},
		{"at_a_reload", "env = A=1", "if-reload =\nenv = A=2\nendif =\nif-not-reload =\nthreads = 9\nendif =", []Env{{"A", "2", false}}, nil, 1, nil},
		{"order", "socket = :1\nsocket = :2", "socket = :2\nsocket = :1", nil, nil, 1, []string{"socket"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write := func(text string) {
				if err := os.WriteFile("app.ini", []byte("[uwsgi]\nmodule = shop\n"+text+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			enter(t, map[string]string{"base.ini": "[uwsgi]\nprocesses = 3\nenv = A=base\n"})
			write(tt.before)
			c, err := load([]string{"app.ini"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			home, err := os.Getwd()
			if err != nil {
				t.Fatal(err)
			}
			write(tt.after)
			t.Chdir(t.TempDir()) // as chdir does
			next, waiting, err := c.Renew([]string{"app.ini"}, nil, ini.OS(strings.NewReader("")).In(home))
			if err != nil {
				t.Fatal(err)
			}
			if next.Processes != tt.processes || next.Module != "shop" {
				t.Errorf("%d processes of %q", next.Processes, next.Module)
			}
			for _, diff := range []string{cmp.Diff(tt.env, next.Env), cmp.Diff(tt.path, next.PythonPath), cmp.Diff(tt.waiting, waiting)} {
				if diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestRenewRefusesWhatCannotBeRead(t *testing.T) {
	enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n"})
	c, err := load([]string{"app.ini"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Abs("app.ini")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("[uwsgi]\nprocesses = four\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Renew([]string{name}, nil, ini.OS(nil)); err == nil || !strings.Contains(err.Error(), `"four" is not a number`) {
		t.Errorf("%v", err)
	}
}

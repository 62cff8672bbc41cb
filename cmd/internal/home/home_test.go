package home

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lay makes files, each with the text given, and programs.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTool(t *testing.T) {
	const site = "v/lib/python3.13/site-packages/"
	for _, tt := range []struct {
		name  string
		files []string
		want  bool
	}{
		{"plain", []string{"v/pyvenv.cfg", site + "uwsgo-1.dist-info/METADATA"}, false},
		{"plain_with_an_app", []string{"v/pyvenv.cfg", site + "flask-3.dist-info/METADATA"}, false},
		{"pipx", []string{"v/pyvenv.cfg", "v/pipx_metadata.json", site + "uwsgo-1.dist-info/METADATA"}, true},
		{"pipx_with_both_names", []string{"v/pipx_metadata.json", site + "uwsgo-1.dist-info/METADATA", site + "uwsgo_uwsgi-1.dist-info/METADATA"}, true},
		{"pipx_with_pip", []string{"v/pipx_metadata.json", site + "uwsgo-1.dist-info/METADATA", site + "pip-25.0.dist-info/METADATA"}, true},
		{"pipx_inject", []string{"v/pipx_metadata.json", site + "uwsgo-1.dist-info/METADATA", site + "Flask-3.dist-info/METADATA"}, false},
		{"uv_tool", []string{"v/uv-receipt.toml", site + "uwsgo-1.dist-info/METADATA"}, true},
		{"uv_tool_with", []string{"v/uv-receipt.toml", site + "uwsgo-1.dist-info/METADATA", site + "django-5.dist-info/METADATA"}, false},
		{"uvx", []string{"CACHEDIR.TAG", "v/pyvenv.cfg", site + "uwsgo-1.dist-info/METADATA"}, true},
		{"uvx_with", []string{"CACHEDIR.TAG", "v/pyvenv.cfg", site + "uwsgo-1.dist-info/METADATA", site + "flask-3.dist-info/METADATA"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{}
			for _, name := range tt.files {
				files[name] = ""
			}
			if got := Tool(filepath.Join(lay(t, files), "v")); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestProject(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"none", map[string]string{"app.py": ""}, ""},
		{"hidden", map[string]string{".venv/pyvenv.cfg": "", "venv/pyvenv.cfg": ""}, ".venv"},
		{"plain", map[string]string{"venv/pyvenv.cfg": ""}, "venv"},
		{"short", map[string]string{"env/pyvenv.cfg": ""}, "env"},
		{"folder_of_that_name", map[string]string{"env/app.py": ""}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := lay(t, tt.files)
			want := tt.want
			if want != "" {
				want = filepath.Join(dir, want)
			}
			if got := Project(dir); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestInstalledFor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"beside", map[string]string{"bin/uwsgo": "", "bin/python3.99": "", "lib/python3.99/site-packages/uwsgo/__init__.py": ""}, "bin/python3.99"},
		{"in_PATH", map[string]string{"local/bin/uwsgo": "", "bin/python3.98": "", "local/lib/python3.98/dist-packages/uwsgo/__init__.py": ""}, "bin/python3.98"},
		{"gone", map[string]string{"bin/uwsgo": "", "lib/python3.97/site-packages/uwsgo/__init__.py": ""}, ""},
		{"several", map[string]string{"bin/uwsgo": "", "bin/python3.99": "", "lib/python3.99/site-packages/uwsgo/__init__.py": "", "lib/python3.98/site-packages/uwsgo/__init__.py": ""}, ""},
		{"not_by_pip", map[string]string{"bin/uwsgo": "", "bin/python3.99": ""}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := lay(t, tt.files)
			t.Setenv("PATH", filepath.Join(dir, "bin"))
			program := filepath.Join(dir, "bin", "uwsgo")
			if _, err := os.Stat(program); err != nil {
				program = filepath.Join(dir, "local", "bin", "uwsgo")
			}
			want := tt.want
			if want != "" {
				want = filepath.Join(dir, want)
			}
			if got := InstalledFor(program); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"venv", map[string]string{"pyvenv.cfg": "home = /usr/bin\nversion = 3.11.7\n"}, "3.11.7"},
		{"virtualenv", map[string]string{"pyvenv.cfg": "home = /usr/bin\nversion_info = 3.13.1.final.0\nversion = 3.13.1\n"}, "3.13.1"},
		{"uv", map[string]string{"pyvenv.cfg": "home=/usr/bin\nversion_info=3.14.0\n"}, "3.14.0"},
		{"asked", map[string]string{"bin/python": "#!/bin/sh\necho 3.10.2\n"}, "3.10.2"},
		{"asked_where_the_file_does_not_tell", map[string]string{"pyvenv.cfg": "home = /usr/bin\n", "bin/python": "#!/bin/sh\necho 3.9.1\n"}, "3.9.1"},
		{"fails", map[string]string{"bin/python": "#!/bin/sh\nexit 1\n"}, ""},
		{"is_not_there", nil, ""},
		{"hangs", map[string]string{"bin/python": "#!/bin/sh\nsleep 600\n"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := lay(t, tt.files)
			t.Parallel() // not before: no program can be run while it is open for writing
			if got := Version(filepath.Join(dir, "bin", "python")); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// A shim is not run, where files say what it would run: each of these would print 0.
func TestVersionOfShim(t *testing.T) {
	const shim = "#!/bin/sh\necho 0\n"
	for _, tt := range []struct {
		name, env string
		files     map[string]string
		want      string
	}{
		{"global", "", map[string]string{"root/version": "3.12.1\n", "root/versions/3.12.1/bin/python3": ""}, "3.12.1"},
		{"of_the_folder", "", map[string]string{"work/.python-version": "3.11.2\n", "root/version": "3.12.1\n", "root/versions/3.11.2/bin/python3": ""}, "3.11.2"},
		{"of_the_folder_above", "", map[string]string{".python-version": "3.11.2\n3.9.9\n", "root/versions/3.11.2/bin/python3": ""}, "3.11.2"},
		{"of_the_environment", "3.10.3:3.11.2", map[string]string{"work/.python-version": "3.11.2\n", "root/versions/3.10.3/bin/python3": ""}, "3.10.3"},
		{"not_there", "", map[string]string{"root/version": "3.12.1\n"}, "0"},
		{"system", "", map[string]string{"root/version": "system\n"}, "0"},
		{"a_prefix", "3.12", map[string]string{"root/versions/3.12.1/bin/python3": ""}, "0"},
		{"outside", "../../x", nil, "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.files = maps.Clone(tt.files)
			if tt.files == nil {
				tt.files = map[string]string{}
			}
			tt.files["root/shims/python3"], tt.files["work/app.py"] = shim, ""
			dir := lay(t, tt.files)
			t.Setenv("PYENV_VERSION", tt.env)
			t.Chdir(filepath.Join(dir, "work"))
			python := filepath.Join(dir, "root", "shims", "python3")
			got := Version(python)
			for try := 0; got == "" && try < 20; try++ { // the script is still open in a child of another test
				time.Sleep(50 * time.Millisecond)
				got = Version(python)
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

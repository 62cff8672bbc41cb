package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// prefixApp answers with the virtualenv that it runs in.
const prefixApp = `
import sys
def application(environ, start_response):
    start_response("200 OK", [])
    return [sys.prefix.encode()]
`

// makeVirtualenv makes one in dir and returns it as Python sees it.
func makeVirtualenv(t *testing.T, dir, name string) string {
	t.Helper()
	venv := filepath.Join(dir, name)
	if out, err := exec.Command(python(t), "-m", "venv", "--without-pip", venv).CombinedOutput(); err != nil {
		t.Skipf("SKIP: no virtualenv can be made: %v\n%s", err, out)
	}
	return venv
}

// python is the Python that the tests run on.
func python(t *testing.T) string {
	t.Helper()
	if env := os.Getenv("UWSGO_TESTENV"); env != "" {
		return filepath.Join(env, "bin", "python")
	}
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIP: no python3")
	}
	return path
}

// TestInterpreter looks in which virtualenv the app runs, by where the program is, what the
// environment says and what the options say.
func TestInterpreter(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", prefixApp)
	a, b, c := makeVirtualenv(t, dir, "a"), makeVirtualenv(t, dir, "b"), makeVirtualenv(t, dir, "c")
	global := filepath.Join(dir, "global", "uwsgo")
	if err := os.Mkdir(filepath.Dir(global), 0o755); err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{filepath.Join(a, "bin", "uwsgi"): binary, global: binary, filepath.Join(dir, "current"): a} {
		if err := os.Symlink(from, to); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b, "bin", "uwsgo"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	usual := "PATH=" + filepath.Join(c, "bin") + ":/usr/bin:/bin"
	for _, tt := range []struct {
		name, program string
		env           []string
		args          []string
		want          string
		log           string
	}{
		{"link_in_a_virtualenv", a + "/bin/uwsgi", []string{usual}, nil, a, "(from the virtualenv that the program is in)"},
		{"copy_in_a_virtualenv", b + "/bin/uwsgo", []string{usual}, nil, b, ""},
		{"relative", "a/bin/uwsgi", []string{usual}, []string{"--chdir", "."}, a, ""},
		{"by_a_linked_folder", dir + "/current/bin/uwsgi", []string{usual}, nil, a, ""},
		{"found_in_PATH", "uwsgi", []string{"PATH=" + a + "/bin:" + c + "/bin:/usr/bin:/bin"}, nil, a, ""},
		{"no_PATH", a + "/bin/uwsgi", nil, nil, a, ""},
		{"before_VIRTUAL_ENV", a + "/bin/uwsgi", []string{usual, "VIRTUAL_ENV=" + b}, nil, a, ""},
		{"VIRTUAL_ENV", global, []string{usual, "VIRTUAL_ENV=" + b}, nil, b, "(from VIRTUAL_ENV)"},
		{"VIRTUAL_ENV_by_an_option", global, []string{usual}, []string{"--env", "VIRTUAL_ENV=" + b}, b, ""},
		{"stale_VIRTUAL_ENV", global, []string{usual, "VIRTUAL_ENV=/nowhere"}, nil, c, "WARNING: VIRTUAL_ENV is not used: python interpreter /nowhere: no such virtualenv"},
		{"PATH", global, []string{usual}, nil, c, "(from PATH)"},
		{"option_first", a + "/bin/uwsgi", []string{usual, "VIRTUAL_ENV=" + b}, []string{"--home", c}, c, "(from virtualenv)"},
		{"plugin_of_another_Python", global, []string{usual}, []string{"--plugin", "python27"}, c, "WARNING: the plugin python27 asks for Python 2.7, but the apps run on Python 3."},
		{"plugin_of_this_Python", global, []string{usual}, []string{"--plugin", "python3"}, c, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := freePort(t)
			cmd := command(dir, append([]string{"--http", ":" + port, "--wsgi-file", "app.py"}, tt.args...)...)
			cmd.Env = slices.DeleteFunc(cmd.Env, func(kv string) bool {
				return strings.HasPrefix(kv, "PATH=") || strings.HasPrefix(kv, "VIRTUAL_ENV=")
			})
			cmd.Env = append(cmd.Env, tt.env...)
			cmd.Args[0] = tt.program
			cmd.Path = tt.program
			if !strings.Contains(tt.program, "/") {
				cmd.Path = filepath.Join(a, "bin", tt.program)
			}
			s := launch(t, cmd)
			wantBody(t, s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200), 200, tt.want)
			if tt.log != "" {
				s.waitLog(t, tt.log)
			}
			if tt.name == "plugin_of_this_Python" && strings.Contains(s.log.String(), "the plugin") {
				t.Errorf("it warns:\n%s", s.log)
			}
		})
	}
}

// TestBrokenInterpreter has starts end with a sentence when the Python cannot be used.
func TestBrokenInterpreter(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", prefixApp)
	type broken struct{ name, home, want string }
	gone := makeVirtualenv(t, dir, "gone")
	for _, name := range []string{"python", "python3"} {
		link := filepath.Join(gone, "bin", name)
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/nowhere/python3", link); err != nil {
			t.Fatal(err)
		}
	}
	// home makes a folder with a script in place of a Python.
	home := func(name, script string) string {
		bin := filepath.Join(dir, name, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(write(t, bin, "python", "#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(bin)
	}
	tests := []broken{
		{"interpreter_gone", gone, "make it again with python3 -m venv --clear"},
		{"no_Python", home("fake", "echo what is this >&2\nexit 3\n"), "it exited before it ran anything (exit status 3): it is not Python 3.9 or later"},
	}
	for _, name := range []string{"python2.7", "python3.8", "python3.7", "python3.6"} {
		old, err := exec.LookPath(name)
		if err != nil || exec.Command(old, "-c", "pass").Run() != nil {
			continue
		}
		tests = append(tests, broken{name, home(name, "exec "+old+" \"$@\"\n"), fmt.Sprintf("/bin/python (from virtualenv): it is Python %s.", strings.TrimPrefix(name, "python"))})
	}
	for _, tt := range tests {
		for name, more := range map[string][]string{"usual": nil, "lazy": {"--lazy-apps"}} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				cmd := command(dir, append(more, "--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--home", tt.home)...)
				s := launch(t, cmd)
				if err := s.wait(t); err == nil || cmd.ProcessState.ExitCode() != exitConfig {
					t.Errorf("it ended with %v, want exit status %d", err, exitConfig)
				}
				if log := s.log.String(); !strings.Contains(log, tt.want) || strings.Contains(log, "Traceback") || strings.Contains(log, "app.py") {
					t.Errorf("the log has no %q, or blames the app:\n%s", tt.want, log)
				}
			})
		}
	}
}

// A virtualenv that uid may not enter is not passed over in silence.
func TestInterpreterOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: only root can become another user")
	}
	dir := shortTempDir(t)
	write(t, dir, "app.py", prefixApp)
	venv := makeVirtualenv(t, dir, "venv")
	program := filepath.Join(venv, "bin", "uwsgi")
	if err := os.Symlink(binary, program); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(venv, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := command(dir, "--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--uid", "65534", "--gid", "65534")
	cmd.Path, cmd.Args[0] = program, program
	s := launch(t, cmd)
	if err := s.wait(t); err == nil || cmd.ProcessState.ExitCode() != exitConfig {
		t.Errorf("it ended with %v, want exit status %d", err, exitConfig)
	}
	if want := "user 65534 may not reach it"; !strings.Contains(s.log.String(), want) {
		t.Errorf("the log has no %q:\n%s", want, s.log)
	}
}

// TestNotLoaded has starts end with the reason, in the last lines where one looks.
func TestNotLoaded(t *testing.T) {
	own := python(t)
	for _, tt := range []struct {
		name  string
		files map[string]string
		args  []string
		want  []string
	}{
		{
			"asgi",
			map[string]string{"app.py": "async def app(scope, receive, send):\n    pass\n"},
			[]string{"--module", "app:app"},
			[]string{"cannot load app app:app: app in app is an ASGI app, and uwsgo runs WSGI apps: name its WSGI callable"},
		},
		{
			"factory_without_parentheses",
			map[string]string{"app.py": "def create_app():\n    pass\n"},
			[]string{"--module", "app:create_app"},
			[]string{"cannot load app app:create_app: create_app in app cannot be called with the two arguments of a WSGI app", "name it create_app()"},
		},
		{
			"package_of_a_virtualenv",
			map[string]string{"app.py": "import flaskx\n", "venv/pyvenv.cfg": "", "venv/lib/python3.1/site-packages/flaskx.py": ""},
			[]string{"--wsgi-file", "app.py"},
			[]string{"import error: No module named 'flaskx' (it is installed in ", "/venv: add virtualenv = ", "Python 3.", " at " + own + " (from virtualenv)", "sys.path = ['.'"},
		},
		{
			"pythonpath_against_chdir",
			map[string]string{"lib/shop.py": "", "site/app.py": ""},
			[]string{"--chdir", "site", "--pythonpath", "lib", "--module", "shop"},
			[]string{"(it is in ", "/lib, which is not on sys.path: add pythonpath = "},
		},
		{
			"file_against_chdir",
			map[string]string{"app.py": "", "site/x": ""},
			[]string{"--chdir", "site", "--wsgi-file", "app.py"},
			[]string{"file not found: app.py (in ", "; there is ", "/app.py: a relative path counts from chdir"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			for file, text := range tt.files {
				if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, filepath.Dir(file)), filepath.Base(file), text)
			}
			home := []string{"--http", "127.0.0.1:0", "--home", filepath.Dir(filepath.Dir(own))}
			cmd := command(dir, slices.Concat(home, tt.args)...)
			s := launch(t, cmd)
			if err := s.wait(t); err == nil || cmd.ProcessState.ExitCode() != exitApp {
				t.Errorf("it ended with %v, want exit status %d", err, exitApp)
			}
			for _, want := range tt.want {
				if !strings.Contains(s.log.String(), want) {
					t.Errorf("the log has no %q:\n%s", want, s.log)
				}
			}
		})
	}
}

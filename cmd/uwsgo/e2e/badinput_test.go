package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// refusal is a start that must fail: how it exits, what it says.
type refusal struct {
	args []string
	exit int
	says []string // all of these, in upper or lower case
}

// Exit codes, as uWSGI has them.
const (
	exitConfig = 1
	exitApp    = 22
)

// check runs the binary in dir and wants the failure, the words, and nothing
// left behind: no file, no process.
func (r refusal) check(t *testing.T, dir string) {
	t.Helper()
	before := listing(t, dir)
	cmd := command(dir, r.args...)
	cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1")
	s := launch(t, cmd)
	var exit *exec.ExitError
	if err := s.wait(t); !errors.As(err, &exit) || exit.ExitCode() != r.exit {
		t.Errorf("exit: %v, want code %d", err, r.exit)
	}
	s.noOrphans(t)
	said := strings.ToLower(s.log.String())
	for _, want := range r.says {
		if !strings.Contains(said, strings.ToLower(want)) {
			t.Errorf("it does not say %q", want)
		}
	}
	for _, never := range []string{"panic:", "goroutine 1"} {
		if strings.Contains(said, never) {
			t.Errorf("it says %q", never)
		}
	}
	if after := listing(t, dir); !slices.Equal(before, after) {
		t.Errorf("files before %v, after %v", before, after)
	}
}

// listing names all files below dir.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestBadInput(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	long := "/tmp/" + strings.Repeat("long", 30) + ".sock"
	// What would be left behind, were it left: a socket file, a pidfile, workers.
	with := func(args ...string) []string {
		return append([]string{"--socket", "left.sock", "--pidfile", "left.pid", "--processes", "2", "--master"}, args...)
	}
	tests := []struct {
		name string
		refusal
	}{
		{"missing_app_file", refusal{with("--wsgi-file", "absent.py"), exitApp, []string{"absent.py"}}},
		{"missing_module", refusal{with("--module", "absent.wsgi"), exitApp, []string{"absent"}}},
		{"syntax_error_in_app", refusal{with("--wsgi-file", "broken.py"), exitApp, []string{"SyntaxError", "broken.py", "line 2"}}},
		{"app_raises", refusal{with("--wsgi-file", "raises.py"), exitApp, []string{"ZeroDivisionError", "raises.py"}}},
		{"no_application", refusal{with("--wsgi-file", "empty.py"), exitApp, []string{"application", "empty.py"}}},
		{"no_such_callable", refusal{with("--wsgi-file", "app.py", "--callable", "other"), exitApp, []string{"other"}}},
		{"not_callable", refusal{with("--wsgi-file", "number.py"), exitApp, []string{"application", "callable"}}},
		{"app_file_is_a_directory", refusal{with("--wsgi-file", "folder"), exitApp, []string{"folder"}}},
		{"mounted_file_missing", refusal{with("--mount", "/x=absent.py"), exitApp, []string{"absent.py"}}},
		{"mount_without_equals", refusal{with("--mount", "/x"), exitConfig, []string{"mount", "/x"}}},
		{"port_taken", refusal{with("--wsgi-file", "app.py", "--http", taken.Addr().String()), exitConfig, []string{taken.Addr().String(), "in use"}}},
		{"bad_port", refusal{with("--wsgi-file", "app.py", "--http", ":99999"), exitConfig, []string{"99999"}}},
		{"missing_ini", refusal{[]string{"absent.ini"}, exitConfig, []string{"absent.ini", "no such file"}}},
		{"ini_is_a_directory", refusal{[]string{"folder.ini"}, exitConfig, []string{"folder.ini"}}},
		{"not_a_config", refusal{[]string{"notes.txt"}, exitConfig, []string{"notes.txt", ".ini"}}},
		{"bad_number", refusal{with("--wsgi-file", "app.py", "--threads", "four"), exitConfig, []string{"threads", "four"}}},
		{"bad_number_in_ini", refusal{[]string{"number.ini"}, exitConfig, []string{"processes", "many", "number.ini"}}},
		{"negative_number", refusal{with("--wsgi-file", "app.py", "--threads", "-1"), exitConfig, []string{"threads", "-1"}}},
		{"bad_mode", refusal{with("--wsgi-file", "app.py", "--chmod-socket=9z9"), exitConfig, []string{"chmod-socket", "9z9"}}},
		{"unknown_option", refusal{with("--wsgi-file", "app.py", "--proceses", "2"), exitConfig, []string{"proceses", "--processes"}}},
		{"strict_ini", refusal{[]string{"strict.ini"}, exitConfig, []string{"proceses", "processes"}}},
		{"virtualenv_without_python", refusal{with("--wsgi-file", "app.py", "--virtualenv", "folder"), exitConfig, []string{"folder", "python"}}},
		{"missing_virtualenv", refusal{with("--wsgi-file", "app.py", "--virtualenv", "absent"), exitConfig, []string{"absent"}}},
		{"missing_chdir", refusal{with("--wsgi-file", "app.py", "--chdir", "absent"), exitConfig, []string{"absent"}}},
		{"unix_path_too_long", refusal{[]string{"--wsgi-file", "app.py", "--socket", long}, exitConfig, []string{long, "107"}}},
		{"unix_path_in_no_directory", refusal{[]string{"--wsgi-file", "app.py", "--socket", "absent/x.sock"}, exitConfig, []string{"absent/x.sock"}}},
		{"address_alone", refusal{with("--http", ":0"), exitApp, []string{"there is no app to run: add wsgi-file = app.py"}}},
		{"address_in_an_ini", refusal{[]string{"noapp.ini"}, exitApp, []string{"there is no app to run"}}},
		{"paste", refusal{with("--ini-paste", "production.ini"), exitConfig, []string{"--ini-paste: cannot read \"production.ini\""}}},
		{"emperor_of_a_plugin", refusal{[]string{"--emperor", "zmq://tcp://127.0.0.1:5252"}, exitConfig, []string{"emperor", "zmq:// is not supported"}}},
		{"emperor_beside_an_app", refusal{[]string{"--emperor", ".", "--wsgi-file", "app.py"}, exitConfig, []string{"an emperor runs no app of its own"}}},
		{"daemon_alone", refusal{[]string{"--attach-daemon", "sleep 1000"}, exitApp, []string{"--attach-daemon: it runs commands beside an app"}}},
		{"as_a_daemon", refusal{with("--http", ":0", "--daemonize", "left.log"), exitApp, []string{"there is no app to run"}}},
		{"other_language", refusal{with("--psgi", "app.pl"), exitApp, []string{"--psgi: uwsgo runs apps in Python alone"}}},
		{"all_mounts_fail", refusal{with("--mount", "/x=absent.py", "--mount", "/y=broken.py"), exitApp, []string{"absent.py"}}},
		{"one_mount_fails", refusal{with("--mount", "/x=app.py", "--mount", "/y=broken.py"), exitApp, []string{"SyntaxError"}}},
		{"mount_fails_beside_files", refusal{with("--mount", "/x=absent.py", "--static-map", "/s=folder"), exitApp, []string{"absent.py"}}},
		{"value_in_the_next_word", refusal{with("--wsgi-file", "app.py", "--http-keepalive", "2"), exitConfig, []string{"--http-keepalive=2"}}},
		{"units", refusal{with("--wsgi-file", "app.py", "--harakiri", "5 apples"), exitConfig, []string{"harakiri", "5 apples"}}},
		{"no_socket", refusal{[]string{"--wsgi-file", "app.py"}, exitConfig, []string{"socket"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			write(t, dir, "broken.py", "x = 1\ndef application(:\n")
			write(t, dir, "raises.py", "1 / 0\n")
			write(t, dir, "empty.py", "pass\n")
			write(t, dir, "number.py", "application = 7\n")
			write(t, dir, "notes.txt", "http = :0\n")
			write(t, dir, "noapp.ini", "[uwsgi]\nhttp = :0\nmaster = true\nstats = left.stats\n")
			write(t, dir, "number.ini", "[uwsgi]\nsocket = left.sock\nwsgi-file = app.py\nprocesses = many\n")
			write(t, dir, "strict.ini", "[uwsgi]\nstrict = true\nsocket = left.sock\nwsgi-file = app.py\nproceses = 2\n")
			for _, folder := range []string{"folder", "folder.ini"} {
				if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			begun := time.Now()
			tt.check(t, dir)
			t.Logf("after %v", time.Since(begun))
		})
	}
}

package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		give string
		want Action
	}{
		{"exec:echo a:b", Action{Line: "echo a:b"}},
		{"safeexec:false", Action{Line: "false", Safe: true}},
		{"cd:/srv", Action{Kind: Chdir, Name: "/srv"}},
		{"chdir:/srv/a b", Action{Kind: Chdir, Name: "/srv/a b"}},
		{"putenv:A=b=c", Action{Kind: Setenv, Name: "A", Value: "b=c"}},
		{"putenv:A=", Action{Kind: Setenv, Name: "A"}},
		{"putenv:A", Action{Kind: Unsetenv, Name: "A"}},
		{"call:putenv A=b", Action{Kind: Setenv, Name: "A", Value: "b"}},
		{"exit:", Action{Kind: Exit}},
		{"exit:1", Action{Kind: Exit}}, // uWSGI takes no single digit
		{"exit:17", Action{Kind: Exit, Number: 17}},
		{"alarm:ops the server ends", Action{Kind: Alarm, Name: "ops", Value: "the server ends"}},
		{"hostname:web", Action{Kind: Hostname, Name: "web"}},
		{"wait_for_socket:127.0.0.1:80", Action{Kind: Wait, Name: "127.0.0.1:80"}},
		{"unix_signal:15 gracefully_kill_them_all", Action{Kind: Signal, Number: 15, Name: Stop}},
		{"unix_signal:2 gracefully_kill_them_all", Action{Kind: Signal, Number: 2, Name: Stop}},
		{"unix_signal:12 grace_them_all", Action{Kind: Signal, Number: 12, Name: Reload}},
		{"unix_signal:34 stats", Action{Kind: Signal, Number: 34, Name: Stats}},
		{"unix_signal:10 suspend_resume_them_all", Action{Kind: Signal, Number: 10, Name: Pause}},
	} {
		t.Run(tt.give, func(t *testing.T) {
			got, err := Parse(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Text = tt.give
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestPrivateHookKeepsItsArgument(t *testing.T) {
	a, err := Parse("!exec:echo secret")
	if err != nil || a.Line != "echo secret" || strings.Contains(a.Text, "secret") {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestRefusals(t *testing.T) {
	for give, want := range map[string]string{
		"exec":                       "not of the form ACTION:ARGUMENT",
		"exec:":                      "exec:COMMAND",
		"mkdir:":                     "mkdir:DIRECTORY",
		"write:/x":                   "write:FILE TEXT",
		"chmod:/x":                   "chmod:FILE MODE",
		"chmod:/x 6z0":               "three octal digits",
		"chown:/x root":              "chown:FILE USER GROUP",
		"chown2:/x root root":        "two numbers",
		"mount:proc none /proc":      "neither mounted nor unmounted",
		"umount:/x":                  "neither mounted nor unmounted",
		"call:abort":                 "no functions of C",
		"callint:putenv PATH=bin":    "no functions of C",
		"alarm:a":                    "alarm:NAME MESSAGE",
		"alarm: a":                   "alarm:NAME MESSAGE",
		"rpc:f":                      "functions of RPC are in the workers",
		"unix_signal:15":             "unix_signal:NUMBER FUNCTION",
		"unix_signal:99 stats":       "unix_signal:NUMBER FUNCTION",
		"unix_signal:9 stats":        "nobody can be told of signal 9",
		"unix_signal:15 harakiri_me": "none of gracefully_kill_them_all",
		"sleep:3":                    `there is no action "sleep"`,
		"putenv:=x":                  "putenv:NAME=VALUE",
	} {
		if a, err := Parse(give); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want an error with %q", give, a, err, want)
		}
	}
}

// TestShell runs what actions become, with names that a shell would take apart.
func TestShell(t *testing.T) {
	t.Setenv("PATH", "") // the lines find the system's programs themselves
	name := "it's $HOME; *"
	run := func(t *testing.T, dir, value string) (string, error) {
		t.Helper()
		a, err := Parse(value)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", a.Line)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	content := func(t *testing.T, path string) string {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	file := strings.ReplaceAll(name, " ", "_")
	for _, tt := range []struct {
		name  string
		steps []string
		want  string // content of the file
	}{
		{"create", []string{"create:" + file}, ""},
		{"creat_empties", []string{"write:" + file + " x", "creat:" + file}, ""},
		{"write", []string{"write:" + file + " a", "write:" + file + " $b 'c'  d"}, "$b 'c'  d"},
		{"writen", []string{"writen:" + file + " %s"}, "%s\n"},
		{"append", []string{"append:" + file + " a", "append:" + file + " b"}, "ab"},
		{"appendn", []string{"appendn:" + file + " a", "appendn:" + file}, "a\n\n"},
		{"chmod_sticky", []string{"create:" + file, "chmod:" + file + " 0640", "sticky:" + file, "wait_for_file:" + file, "wait_for_fs:" + file}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, step := range tt.steps {
				if out, err := run(t, dir, step); err != nil {
					t.Fatalf("%s: %v: %s", step, err, out)
				}
			}
			if got := content(t, filepath.Join(dir, file)); got != tt.want {
				t.Errorf("the file has %q, want %q", got, tt.want)
			}
			if tt.name == "chmod_sticky" {
				if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != 0o640 || info.Mode()&os.ModeSticky == 0 {
					t.Errorf("mode %v, %v", info.Mode(), err)
				}
			}
		})
	}
	t.Run("mkdir_and_unlink", func(t *testing.T) {
		dir := t.TempDir()
		if out, err := run(t, dir, "mkdir:"+name); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if _, err := run(t, dir, "mkdir:"+name); err == nil {
			t.Error("a directory that is there was made again")
		}
		if _, err := run(t, dir, "unlink:"+name); err == nil {
			t.Error("a directory was unlinked")
		}
		if out, err := run(t, dir, "wait_for_dir:"+name); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if _, err := run(t, dir, "unlink:none"); err == nil {
			t.Error("what is not there was unlinked")
		}
	})
	t.Run("print", func(t *testing.T) {
		for _, action := range []string{"print:", "log:", "call:uwsgi_log "} {
			if out, err := run(t, t.TempDir(), action+name); err != nil || out != name+"\n" {
				t.Errorf("%s: %q, %v", action, out, err)
			}
		}
	})
	t.Run("writefifo_without_reader", func(t *testing.T) {
		dir := t.TempDir()
		if _, err := run(t, dir, "writefifo:none x"); err == nil {
			t.Error("it wrote to a pipe that is not there")
		}
		if err := exec.Command("/bin/sh", "-c", "command -p mkfifo "+filepath.Join(dir, "p")).Run(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := run(t, dir, "writefifo:p x")
			done <- err
		}()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("it waits for who reads")
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		f.Add(name + ":a b c")
	}
	f.Add("!write:'x' $(y)")
	f.Fuzz(func(t *testing.T, value string) {
		a, err := Parse(value)
		if err == nil && a.Kind == Run && a.Line == "" {
			t.Errorf("%q does nothing", value)
		}
	})
}

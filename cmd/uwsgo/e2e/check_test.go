package e2e

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// TestCheckAgreesWithTheStart compares what uwsgo check says of a file with whether a server
// starts with it.
func TestCheckAgreesWithTheStart(t *testing.T) {
	for _, tt := range []struct{ name, ini, says string }{
		{"plain", "wsgi-file = app.py", "a server would start"},
		{"no_such_app", "wsgi-file = none.py", "file not found: none.py"},
		{"no_module", "module = nothere:app", "No module named 'nothere'"},
		{"broken_app", "wsgi-file = broken.py", "app.ini:3: error: wsgi-file: cannot load app broken.py"},
		{"needless_app", "wsgi-file = none.py\nneed-app = false", "warning: "},
		{"no_app", "master = true", "there is no app to run"},
		{"number", "wsgi-file = app.py\nprocesses = 4x", "app.ini:4: error: processes"},
		{"unit", "wsgi-file = app.py\nharakiri = 5parsecs", "app.ini:4: error: harakiri"},
		{"between_options", "wsgi-file = app.py\nprocesses = 3\ncheaper = 4", "app.ini:5: error: cheaper"},
		{"unknown", "wsgi-file = app.py\nprocesess = 2", "app.ini:4: warning: procesess"},
		{"unknown_strict", "wsgi-file = app.py\nstrict = true\nprocesess = 2", "app.ini:5: error: procesess"},
		{"chdir", "wsgi-file = app.py\nchdir = /nonexistent", "app.ini:4: error: chdir"},
		{"log", "wsgi-file = app.py\nlogto = /nonexistent/a.log", "app.ini:4: error: logto"},
		{"logger", "wsgi-file = app.py\nlogger = file:/nonexistent/a.log", "app.ini:4: error: logger"},
		{"pid_file", "wsgi-file = app.py\npidfile = /nonexistent/a.pid", "app.ini:4: error: pidfile"},
		{"safe_pid_file", "wsgi-file = app.py\nsafe-pidfile = /nonexistent/a.pid", "app.ini:4: error: safe-pidfile"},
		{"fifo", "wsgi-file = app.py\nmaster-fifo = app.py", "app.ini:4: error: master-fifo"},
		{"socket_folder", "wsgi-file = app.py\nsocket = /nonexistent/a.sock", "app.ini:4: error: socket"},
		{"socket_on_file", "wsgi-file = app.py\nsocket = app.py", "app.ini:4: error: socket"},
		{"socket_address", "wsgi-file = app.py\nsocket = 127.0.0.1:99999", "app.ini:4: error: socket"},
		{"foreign_address", "wsgi-file = app.py\nsocket = 203.0.113.1:8123", "app.ini:4: error: socket"},
		{"address_twice", "wsgi-file = app.py\nsocket = a.sock\nsocket = ./a.sock", "a server would"},
		{"uid", "wsgi-file = app.py\nuid = nobodyatall", "app.ini:4: error: uid"},
		{"pattern", "wsgi-file = app.py\nroute = ^/( last:", "app.ini:4: error: route"},
		{"goto", "wsgi-file = app.py\nroute-run = goto:nowhere", "app.ini:4: error: route-run"},
		{"protects", "wsgi-file = app.py\ncap = setuid", "app.ini:4: error: cap"},
		{"lost", "wsgi-file = app.py\nlegion = s", "app.ini:4: legion: there are no legions"},
		{"hook_exit", "wsgi-file = app.py\nhook-asap = exit:3", "app.ini:4: error: hook-asap"},
		{"static", "wsgi-file = app.py\nstatic-map = /s=/nonexistent", "app.ini:4: warning: static-map"},
		{"static_prefix", "wsgi-file = app.py\nstatic-map = s=/tmp", "error: static-map"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			write(t, dir, "broken.py", "print('printed before')\nraise ValueError('on purpose')\n")
			write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:0\n"+tt.ini+"\n")
			cmd := command(dir, "check", "app.ini")
			out, err := cmd.Output()
			fine := err == nil
			if !strings.Contains(string(out), tt.says) {
				t.Errorf("it says\n%s\nwithout %q", out, tt.says)
			}
			if left, _ := os.ReadDir(dir); len(left) != 3 {
				t.Errorf("it has written: %v", left)
			}
			server := command(dir, "app.ini", "--ready-path", "/-/ready")
			started := startsUp(t, server)
			if fine != started {
				t.Errorf("check says %v, the start %v:\n%s", fine, started, out)
			}
		})
	}
}

// TestCheckForms reads the forms for programs, and the exit codes.
func TestCheckForms(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	write(t, dir, "app.ini", "[uwsgi]\nhttp = "+ln.Addr().String()+"\nwsgi-file = app.py\nlegion = s\n")
	write(t, dir, "bad.ini", "[uwsgi]\nhttp = :0\nwsgi-file = app.py\nprocesses = 4x\n")
	code := func(args ...string) (string, int) {
		cmd := command(dir, append([]string{"check"}, args...)...)
		out, _ := cmd.Output()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, c := code("app.ini"); c != 0 || !strings.Contains(out, "app.ini:2: note: http: "+ln.Addr().String()+": somebody listens") {
		t.Errorf("%d %s", c, out)
	}
	if out, c := code("--strict", "app.ini"); c != 2 {
		t.Errorf("%d %s", c, out)
	}
	out, c := code("--format", "json", "app.ini", "bad.ini")
	var report struct {
		Files []struct {
			File     string
			Starts   bool
			Findings []struct {
				Level, File, Option string
				Line                int
			}
			Lost []struct{ Option string }
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || c != 1 || len(report.Files) != 2 {
		t.Fatalf("%v, %d: %s", err, c, out)
	}
	if a, b := report.Files[0], report.Files[1]; !a.Starts || len(a.Lost) != 1 || b.Starts || b.Findings[0].Line != 4 || b.Findings[0].Option != "processes" {
		t.Errorf("%s", out)
	}
	out, _ = code("--format=sarif", "bad.ini")
	for _, want := range []string{`"version": "2.1.0"`, `"level": "error"`, `"uri": "bad.ini"`, `"startLine": 4`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "__pycache__")); err == nil {
		t.Error("it has written bytecode")
	}
}

// startsUp reports whether a server says that it is ready.
func startsUp(t *testing.T, cmd *exec.Cmd) bool {
	t.Helper()
	p := servertest.Launch(t, cmd)
	defer servertest.KillAll(p.Mark)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(p.Log.String(), "uwsgo is ready") {
			_ = cmd.Process.Kill()
			<-p.Ended
			return true
		}
		select {
		case <-p.Ended:
			return false
		default:
		}
	}
	t.Fatalf("it neither starts nor ends:\n%s", p.Log)
	return false
}

package e2e

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// tell writes commands into a pipe of master-fifo, as echo -n does.
func tell(t *testing.T, path, letters string) {
	t.Helper()
	var f *os.File
	eventually(t, "a reader of "+path, func() (err error) {
		f, err = os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err
	})
	defer f.Close()
	if _, err := f.WriteString(letters); err != nil {
		t.Fatal(err)
	}
}

func TestFifo(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port + "/"
	first, second := filepath.Join(dir, "a.fifo"), filepath.Join(dir, "b.fifo")
	if err := syscall.Mkfifo(first, 0o644); err != nil { // left by a server that was killed
		t.Fatal(err)
	}
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--master-fifo", "a.fifo", "--master-fifo", "b.fifo", "--pidfile", "app.pid")
	s.waitAnswer(t, base, 200)
	for _, path := range []string{first, second} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	tell(t, first, "p")
	s.waitLog(t, "*** PAUSE")
	tell(t, first, "p\n")
	s.waitLog(t, "accepting connections again")
	if err := os.Remove(filepath.Join(dir, "app.pid")); err != nil {
		t.Fatal(err)
	}
	tell(t, first, "P")
	eventually(t, "a pid file", func() error {
		text, err := os.ReadFile(filepath.Join(dir, "app.pid"))
		if err == nil && string(text) != strconv.Itoa(s.pid())+"\n" {
			err = fmt.Errorf("%q", text)
		}
		return err
	})
	tell(t, first, "s")
	s.waitLog(t, "worker 1 (pid: ")
	tell(t, first, "xC9")
	s.waitLog(t, `there is no command "x"`)
	s.waitLog(t, `command "C" is not supported yet`)
	s.waitLog(t, "there is no pipe 9, but 0 to 1")
	tell(t, first, "1")
	s.waitLog(t, "commands are read from "+second)
	tell(t, second, "r")
	s.waitLog(t, "uwsgo has reloaded after")
	tell(t, second, "q")
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
	s.noOrphans(t)
	for _, path := range []string{first, second} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
}

// q finishes requests, Q does not, and both work while the app is still imported.
func TestFifoStops(t *testing.T) {
	t.Run("graceful", func(t *testing.T) {
		s, dir, _, held := holding(t, "--master-fifo", "f")
		tell(t, filepath.Join(dir, "f"), "q")
		s.waitLog(t, "finishing requests")
		write(t, dir, "release", "")
		if a, ok := (<-held).(answer); !ok || a.status != 200 {
			t.Errorf("the request got %+v", a)
		}
		if err := s.wait(t); err != nil {
			t.Error(err)
		}
	})
	t.Run("at_once", func(t *testing.T) {
		s, dir, _, held := holding(t, "--master-fifo", "f", "--drain-delay", "3600", "--worker-reload-mercy", "3600")
		tell(t, filepath.Join(dir, "f"), "Q")
		if err := s.wait(t); err != nil {
			t.Error(err)
		}
		if a, ok := (<-held).(answer); ok && a.status == 200 {
			t.Errorf("the request got %+v", a)
		}
		s.noOrphans(t)
	})
	for _, letter := range []string{"q", "Q"} {
		t.Run("during_import_"+letter, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", "open('importing', 'w').close()\nimport time\ntime.sleep(10000)\n")
			s := start(t, dir, "--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--master-fifo", "f")
			eventually(t, "the import", func() error { _, err := os.Stat(filepath.Join(dir, "importing")); return err })
			tell(t, filepath.Join(dir, "f"), letter)
			if err := s.wait(t); err != nil {
				t.Error(err)
			}
			s.noOrphans(t)
		})
	}
}

// What nobody takes while the server stops must not keep Q from being seen.
func TestFifoFloodWhileStopping(t *testing.T) {
	s, dir, _, held := holding(t, "--master-fifo", "f", "--worker-reload-mercy", "3600")
	tell(t, filepath.Join(dir, "f"), "q")
	s.waitLog(t, "finishing requests")
	tell(t, filepath.Join(dir, "f"), strings.Repeat("s", 1000)+"Q")
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	if a, ok := (<-held).(answer); ok && a.status == 200 {
		t.Errorf("the request got %+v", a)
	}
}

// A storm of letters and signals is few reloads and few lines.
func TestReloadStorm(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--lazy-apps", "--master-fifo", "f")
	s.waitLog(t, "uwsgo is ready")
	for range 20 {
		tell(t, filepath.Join(dir, "f"), strings.Repeat("r", 50)+strings.Repeat("c", 50))
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	s.waitLog(t, "uwsgo has reloaded after")
	tell(t, filepath.Join(dir, "f"), "x") // the last of them
	s.waitLog(t, `there is no command "x"`)
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	log := s.log.String()
	asked := strings.Count(log, ": reloading") + strings.Count(log, "one by one")
	done := strings.Count(log, "uwsgo has reloaded after") + strings.Count(log, "chain reload")
	if asked > 4*(done+2) {
		t.Errorf("%d lines of what asked for %d reloads:\n%s", asked, done, log)
	}
}

// The letters that reload. As root, the new processes are those of the user too.
func TestFifoReload(t *testing.T) {
	for _, c := range []struct {
		name, letter, line string
		args               []string
	}{
		{name: "reload", letter: "r", line: "uwsgo has reloaded after"},
		{name: "workers", letter: "w", line: "uwsgo has reloaded after"},
		{name: "chain", letter: "c", line: "chain reloading complete", args: []string{"--lazy-apps"}},
		{name: "chain_of_forks", letter: "c", line: "reloading all workers at once"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shortTempDir(t)
			want := os.Getuid()
			args := append([]string{"--wsgi-file", "app.py", "--processes", "2", "--master-fifo", "own/fifo", "--auto-procname"}, c.args...)
			own := filepath.Join(dir, "own")
			if err := os.Mkdir(own, 0o700); err != nil {
				t.Fatal(err)
			}
			readable(t, write(t, dir, "app.py", userApp("v1")))
			if nobody, err := user.Lookup("nobody"); err == nil && os.Geteuid() == 0 {
				needPython(t, nobody)
				if want, err = strconv.Atoi(nobody.Uid); err != nil {
					t.Fatal(err)
				}
				for path, mode := range map[string]os.FileMode{dir: 0o755, own: 0o700} {
					if err := os.Chmod(path, mode); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Chown(own, want, -1); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--uid", "nobody")
			}
			port := freePort(t)
			s := start(t, dir, append(args, "--http", ":"+port)...)
			base := "http://127.0.0.1:" + port
			s.waitBody(t, base, fmt.Sprintf("v1 %d", want))
			readable(t, write(t, dir, "app.py.new", userApp("v2")))
			if err := os.Rename(filepath.Join(dir, "app.py.new"), filepath.Join(dir, "app.py")); err != nil {
				t.Fatal(err)
			}
			tell(t, filepath.Join(own, "fifo"), c.letter)
			s.waitLog(t, c.line)
			s.waitBody(t, base, fmt.Sprintf("v2 %d", want))
			eventually(t, "the former processes to be gone, and all to be the user's", func() error {
				pids := s.processes()
				for _, pid := range pids {
					info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
					if err != nil {
						return err // it has ended meanwhile
					}
					if uid := info.Sys().(*syscall.Stat_t).Uid; int(uid) != want {
						return fmt.Errorf("process %d is of user %d", pid, uid)
					}
				}
				if len(pids) != 4 { // server, zygote, workers
					return fmt.Errorf("processes %v", pids)
				}
				return nil
			})
			if names := s.names(); !slices.Equal(names, []string{"uWSGI master", "uWSGI worker 1", "uWSGI worker 2", "uWSGI zygote"}) {
				t.Errorf("ps shows %q", names)
			}
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
			s.noOrphans(t)
		})
	}
}

// userApp tells its version and user.
func userApp(version string) string {
	return fmt.Sprintf(`
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"%s {os.geteuid()}".encode()]
`, version)
}

func TestFifoPathOfAnother(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	write(t, dir, "file", "kept")
	refusal{[]string{"--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--master-fifo", "file"}, exitConfig, []string{"master-fifo", "no named pipe"}}.check(t, dir)
	if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || strings.TrimSpace(string(text)) != "kept" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestDaemonize(t *testing.T) {
	for _, tt := range []struct {
		name string
		args func(port string) (args []string, stdin string)
		show bool
	}{
		{"daemonize", func(port string) ([]string, string) {
			return []string{"--http", ":" + port, "--wsgi-file", "app.py", "--daemonize", "app.log"}, ""
		}, false},
		{"daemonize2", func(port string) ([]string, string) {
			return []string{"--http", ":" + port, "--wsgi-file", "app.py", "--daemonize2", "app.log"}, ""
		}, true},
		{"ini_from_standard_input", func(port string) ([]string, string) {
			return []string{"--ini", "-"}, "[uwsgi]\nhttp = :" + port + "\nwsgi-file = app.py\ndaemonize = app.log\n"
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", "print('the app is imported')\n"+plainApp)
			port := freePort(t)
			args, stdin := tt.args(port)
			cmd := command(dir, append(args, "--pidfile", "app.pid", "--vacuum")...)
			if stdin != "" {
				cmd.Stdin = strings.NewReader(stdin)
			}
			s := launch(t, cmd)
			// It returns only when nobody holds its output any more.
			if err := s.wait(t); err != nil {
				t.Fatalf("the command: %v", err)
			}
			if a := get(t, "http://127.0.0.1:"+port+"/"); a.status != 200 {
				t.Errorf("it has returned, and the daemon answers %d", a.status)
			}
			if said := s.log.String(); tt.show != strings.Contains(said, "the app is imported") || !tt.show && said != "" {
				t.Errorf("the terminal got %q", said)
			}
			log, err := os.ReadFile(filepath.Join(dir, "app.log"))
			if err != nil || !strings.Contains(string(log), "the app is imported") || !strings.Contains(string(log), "uwsgo is ready") {
				t.Errorf("the log has %q, %v", log, err)
			}
			text, err := os.ReadFile(filepath.Join(dir, "app.pid"))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil || pid == s.pid() {
				t.Fatalf("pid file %q, the command had %d", text, s.pid())
			}
			for fd, want := range map[int]string{0: os.DevNull, 1: filepath.Join(dir, "app.log"), 2: filepath.Join(dir, "app.log")} {
				if got, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); err != nil || got != want {
					t.Errorf("descriptor %d is %s, %v; want %s", fd, got, err, want)
				}
			}
			if sid, err := syscall.Getpgid(pid); err != nil || sid != pid {
				t.Errorf("its process group is %d, %v; want its own", sid, err)
			}
			for _, other := range s.processes() {
				environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", other))
				if err != nil || other != pid && strings.Contains(string(environ), "UWSGO_READY_FD") {
					t.Errorf("the environment of process %d: %q, %v", other, environ, err)
				}
			}
			replace(t, dir, "app.py", versioned("v2"))
			if out, err := command(dir, "--reload", "app.pid").CombinedOutput(); err != nil {
				t.Errorf("--reload: %v, %s", err, out)
			}
			eventually(t, "the new code", func() error {
				if a := get(t, "http://127.0.0.1:"+port+"/"); a.status != 200 || a.body != "v2" {
					return fmt.Errorf("%d, %q", a.status, a.body)
				}
				return nil
			})
			if out, err := command(dir, "--stop", "app.pid").CombinedOutput(); err != nil {
				t.Errorf("--stop: %v, %s", err, out)
			}
			s.noOrphans(t)
			if _, err := os.Stat(filepath.Join(dir, "app.pid")); err == nil {
				t.Error("vacuum left the pid file")
			}
		})
	}
}

// A terminal that closes while the daemon starts takes the command that waits, no more.
func TestDaemonizeOutlivesTerminal(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", "open('importing', 'w').close()\n"+hangingApp("v1", "ready"))
	port := freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--daemonize", "app.log", "--pidfile", "app.pid")
	eventually(t, "the import", func() error { _, err := os.Stat(filepath.Join(dir, "importing")); return err })
	s.hangUp(t)
	eventually(t, "the end of the command", func() error {
		if s.alive() {
			return errors.New("it runs")
		}
		return nil
	})
	write(t, dir, "ready", "")
	eventually(t, "the daemon", func() error {
		a, err := ask("GET", "http://127.0.0.1:"+port+"/", nil, nil)
		if err == nil && a.body != "v1" {
			err = fmt.Errorf("%d, %q", a.status, a.body)
		}
		return err
	})
	if err := s.wait(t); err == nil {
		t.Error("the command said that the daemon serves")
	}
	if out, err := command(dir, "--stop", "app.pid").CombinedOutput(); err != nil {
		t.Errorf("--stop: %v, %s", err, out)
	}
	s.noOrphans(t)
	if log, err := os.ReadFile(filepath.Join(dir, "app.log")); err != nil || strings.Contains(string(log), "SIGHUP") {
		t.Errorf("the log has %q, %v", log, err)
	}
}

// A daemon that does not come up is reported like a server in the foreground.
func TestDaemonizeFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name string
		args []string
		exit int
		says []string
	}{
		{"app_raises", []string{"--daemonize", "app.log", "--wsgi-file", "raises.py", "--http", "127.0.0.1:0"}, exitApp, []string{"ZeroDivisionError"}},
		{"app_raises_2", []string{"--daemonize2", "app.log", "--wsgi-file", "raises.py", "--http", "127.0.0.1:0"}, exitApp, []string{"Traceback", "ZeroDivisionError"}},
		{"port_taken", []string{"--daemonize", "app.log", "--wsgi-file", "app.py", "--http", taken.Addr().String()}, exitConfig, []string{"in use"}},
		{"log_in_no_directory", []string{"--daemonize", "absent/app.log", "--wsgi-file", "app.py", "--http", "127.0.0.1:0"}, exitConfig, []string{"absent/app.log"}},
		{"option", []string{"--daemonize", "app.log", "--threads", "four"}, exitConfig, []string{"four"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			write(t, dir, "raises.py", "1 / 0\n")
			write(t, dir, "app.log", "from an earlier run\n")
			refusal{tt.args, tt.exit, tt.says}.check(t, dir)
			if log, err := os.ReadFile(filepath.Join(dir, "app.log")); err != nil || !strings.HasPrefix(string(log), "from an earlier run\n") {
				t.Errorf("the log is now %q, %v", log, err)
			}
		})
	}
}

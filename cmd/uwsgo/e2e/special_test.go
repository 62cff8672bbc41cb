package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What stands where an option names a file. The start never waits for it: it is refused, in
// a line that names it, or taken for what it is.
func TestSpecialFiles(t *testing.T) {
	testenv(t)
	kinds := map[string]func(path string) error{
		"fifo": func(path string) error { return unix.Mkfifo(path, 0o600) },
		"socket": func(path string) error {
			ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err == nil {
				ln.SetUnlinkOnClose(false)
				err = ln.Close()
			}
			return err
		},
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"dangling":  func(path string) error { return os.Symlink("nowhere", path) },
		"device":    func(path string) error { return os.Symlink("/dev/null", path) },
	}
	for _, c := range []struct {
		option string
		serves string // the kinds with which it serves; it refuses the others
	}{
		{"--pidfile", ""},
		{"--pidfile2", ""},
		{"--safe-pidfile", ""},
		{"--logto", "fifo dangling device"},
		{"--ini", "device"}, // an empty one
		{"--stats", "socket"},
		{"--touch-reload", "fifo socket directory dangling device"},
		{"--static-map=/s=", "fifo socket directory dangling device"},
		{"--check-static", "fifo socket directory dangling device"},
	} {
		for kind, make := range kinds {
			t.Run(strings.Trim(c.option, "-=/")+"/"+kind, func(t *testing.T) {
				t.Parallel()
				dir := shortTempDir(t)
				path := filepath.Join(dir, "special")
				if err := make(path); err != nil {
					t.Fatal(err)
				}
				write(t, dir, "app.py", versioned("v1"))
				port := freePort(t)
				base := "http://127.0.0.1:" + port
				args := []string{"--http", "127.0.0.1:" + port, "--wsgi-file", "app.py"}
				if strings.HasSuffix(c.option, "=") {
					args = append(args, c.option+path)
				} else {
					args = append(args, c.option, path)
				}
				s := launch(t, command(dir, args...))
				if strings.Contains(c.serves, kind) {
					s.waitBody(t, base, "v1")
					wantBody(t, get(t, base+"/s/x"), 200, "v1")
					if err := s.stop(t, stopSignal); err != nil {
						t.Errorf("exit: %v, want 0", err)
					}
					return
				}
				exit := new(exec.ExitError)
				if err := s.wait(t); !errors.As(err, &exit) || exit.ExitCode() != 1 {
					t.Errorf("exit: %v, want 1", err)
				}
				if !strings.Contains(s.log.String(), "special") {
					t.Errorf("the log does not name the file")
				}
			})
		}
	}
}

// A start that waits for a configuration in a pipe takes it.
func TestConfigurationFromPipe(t *testing.T) {
	testenv(t)
	dir := shortTempDir(t)
	path := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "app.py", versioned("v1"))
	port := freePort(t)
	s := launch(t, command(dir, "--ini", path))
	pipe, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pipe.WriteString("[uwsgi]\nhttp = 127.0.0.1:" + port + "\nwsgi-file = app.py\n")
	if err = errors.Join(err, pipe.Close()); err != nil {
		t.Fatal(err)
	}
	s.waitBody(t, "http://127.0.0.1:"+port, "v1")
}

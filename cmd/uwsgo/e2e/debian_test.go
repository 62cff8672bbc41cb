package e2e

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Debian's init script names the app by variables of which its default.ini makes options,
// calls the program by a link, and finds the daemon by that name.
func TestDebianDaemon(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	write(t, dir, "default.ini", "[uwsgi]\ndeclare-option = deb-space=$1\ndeclare-option = deb-name=$1\n"+
		"pidfile = %(deb-space)-%(deb-name).pid\nsocket = %(deb-name).sock\nprotocol = http\n")
	write(t, dir, "shop.ini", "[uwsgi]\nplugins = python3\nwsgi-file = app.py\n")
	link := filepath.Join(dir, "uwsgi")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	cmd := command(dir, "--ini", "default.ini", "--ini", "shop.ini", "--daemonize", "app.log", "--vacuum")
	cmd.Path, cmd.Args[0] = link, link
	cmd.Env = append(cmd.Env, "UWSGI_DEB_SPACE=app", "UWSGI_DEB_NAME=shop")
	s := launch(t, cmd)
	if err := s.wait(t); err != nil {
		t.Fatalf("the command: %v", err)
	}
	socket := filepath.Join(dir, "shop.sock")
	if status, err := overUnix(socket); err != nil || status != 200 {
		t.Errorf("%d, %v", status, err)
	}
	// nginx is another user.
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	pid, err := os.ReadFile(filepath.Join(dir, "app-shop.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" {
		name, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/comm")
		if string(name) != "uwsgi\n" {
			t.Errorf("the daemon is called %q, %v", name, err)
		}
	}
	if out, err := command(dir, "--stop", "app-shop.pid").CombinedOutput(); err != nil {
		t.Errorf("--stop: %v, %s", err, out)
	}
	s.noOrphans(t)
}

package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// overUnix asks for / over HTTP on a unix socket.
func overUnix(path string) (int, error) {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}
	return fetch(&http.Client{Transport: transport, Timeout: patience}, "http://unix/")
}

func TestSocketModeFromTheFirstMoment(t *testing.T) {
	for _, mode := range []struct {
		option string
		want   os.FileMode
	}{{"660", 0o660}, {"666", 0o666}, {"600", 0o600}} {
		t.Run(mode.option, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			path := filepath.Join(dir, "app.sock")
			old := syscall.Umask(0o022) // what would show, if the mode came late
			defer syscall.Umask(old)
			first := make(chan os.FileMode, 1)
			done := make(chan struct{})
			defer close(done)
			go func() {
				for { // as often as it can: the moment before a late chmod is short
					if info, err := os.Lstat(path); err == nil {
						first <- info.Mode()
						return
					}
					select {
					case <-done:
						return
					default:
					}
				}
			}()
			s := start(t, dir, "--http-socket", path, "--chmod-socket="+mode.option, "--wsgi-file", "app.py", "--vacuum")
			eventually(t, "an answer", func() error { _, err := overUnix(path); return err })
			if got := <-first; got.Perm() != mode.want || got.Type() != os.ModeSocket {
				t.Errorf("first seen as %v, want a socket of mode %o", got, mode.want)
			}
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); !os.IsNotExist(err) {
				t.Errorf("vacuum left the socket: %v", err)
			}
		})
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	path := filepath.Join(dir, "app.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false) // as a crashed server leaves it
	stale.Close()
	start(t, dir, "--http-socket", path, "--wsgi-file", "app.py")
	eventually(t, "an answer", func() error { _, err := overUnix(path); return err })
}

func TestSocketPathOfAnother(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	live := filepath.Join(dir, "live.sock")
	start(t, dir, "--http-socket", live, "--wsgi-file", "app.py")
	eventually(t, "an answer", func() error { _, err := overUnix(live); return err })
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := write(t, dir, "file", "not a socket")

	for name, path := range map[string]string{"live_server": live, "directory": folder, "file": file} {
		t.Run(name, func(t *testing.T) {
			refusal{args: []string{"--socket", path, "--wsgi-file", "app.py"}, exit: 1, says: []string{path}}.check(t, dir)
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("it is gone: %v", err)
			}
		})
	}
	if status, err := overUnix(live); err != nil || status != 200 {
		t.Errorf("the live server no longer answers: %d, %v", status, err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "not a socket" {
		t.Errorf("the file now holds %q, %v", text, err)
	}
}

func TestSymlinkNamedUWSGI(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	link := filepath.Join(dir, "uwsgi")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	cmd := command(dir, "--http", ":"+port, "--wsgi-file", "app.py")
	cmd.Path, cmd.Args[0] = link, "uwsgi"
	wantBody(t, launch(t, cmd).waitAnswer(t, "http://127.0.0.1:"+port+"/", 200), 200, "ok")
}

func TestAbstractSocket(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	name := "@" + dir
	start(t, dir, "--http-socket", name, "--wsgi-file", "app.py")
	eventually(t, "an answer", func() error { _, err := overUnix(name); return err })
}

// Two servers share a port where both ask for it, and only then.
func TestReusePort(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "a.py", versioned("a"))
	write(t, dir, "b.py", versioned("b"))
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "a.py", "--reuse-port")
	s.waitBody(t, base, "a")
	start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "b.py", "--reuse-port").waitBody(t, base, "b")
	s.waitBody(t, base, "a")
	alone := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "b.py")
	if err := alone.wait(t); err == nil {
		t.Error("a server that did not ask for it shares the port")
	}
	alone.waitLog(t, "address already in use")
}

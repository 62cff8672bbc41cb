package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// environApp answers with the environment of its process.
const environApp = `
import os

def application(environ, start_response):
    body = "\n".join(f"{k}={v}" for k, v in os.environ.items()).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

// notifySocket is where a service manager hears from its services.
func notifySocket(t *testing.T, dir string) (path string, next func() string) {
	t.Helper()
	path = filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return path, func() string {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		b := make([]byte, 4096)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("nothing more is told to the service manager: %v", err)
		}
		return string(b[:n])
	}
}

// ofSystemd reports whether an environment has what is for the server alone.
func ofSystemd(env string) bool {
	return strings.Contains(env, "NOTIFY_SOCKET=") || strings.Contains(env, "WATCHDOG_")
}

func TestNotify(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", environApp)
	port := freePort(t)
	socket, next := notifySocket(t, dir)
	cmd := command(dir, "--http", ":"+port, "--wsgi-file", "app.py", "--attach-daemon", "env > env.part && mv env.part env && sleep 1000")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000", "KEPT=yes")
	s := launch(t, cmd)
	told := map[string]int{}
	for told["READY=1"] == 0 || told["WATCHDOG=1"] < 3 {
		for line := range strings.Lines(next()) {
			told[strings.TrimSpace(line)]++
		}
		if told["READY=1"] == 1 {
			if a := get(t, "http://127.0.0.1:"+port+"/"); a.status != 200 || ofSystemd(a.body) || !strings.Contains(a.body, "KEPT=yes") {
				t.Fatalf("when ready: %d, %s", a.status, a.body)
			}
		}
	}
	eventually(t, "the environment of the companion", func() error {
		env, err := os.ReadFile(filepath.Join(dir, "env"))
		if err == nil && (ofSystemd(string(env)) || !strings.Contains(string(env), "KEPT=yes")) {
			t.Fatalf("of the companion: %s", env)
		}
		return err
	})
	if err := s.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	for told["STOPPING=1"] == 0 {
		for line := range strings.Lines(next()) {
			told[strings.TrimSpace(line)]++
		}
	}
	if told["READY=1"] != 1 {
		t.Errorf("told %v", told)
	}
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
}

// A reload is told as one, and that it is over, also when it has changed nothing.
func TestNotifyReload(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", versioned("v1"))
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	socket, next := notifySocket(t, dir)
	cmd := command(dir, "--http", ":"+port, "--wsgi-file", "app.py")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket)
	s := launch(t, cmd)
	if first := next(); !strings.HasPrefix(first, "READY=1\n") {
		t.Errorf("told %q at the start", first)
	}
	reload := func(content, version, status string) {
		t.Helper()
		replace(t, dir, "app.py", content)
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if begin := next(); !strings.HasPrefix(begin, "RELOADING=1\nMONOTONIC_USEC=") {
			t.Errorf("told %q at the reload", begin)
		}
		if end := next(); !strings.HasPrefix(end, "READY=1\n") || !strings.Contains(end, status) {
			t.Errorf("told %q after the reload", end)
		}
		wantBody(t, get(t, base), 200, version)
	}
	reload(versioned("v2"), "v2", "STATUS=serving requests")
	reload("1 / 0\n", "v2", "with the old code")
	if err := s.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	if last := next(); !strings.HasPrefix(last, "STOPPING=1\n") {
		t.Errorf("told %q at the end", last)
	}
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
}

// A service whose app does not load is never ready.
func TestNotifyFailedStart(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", "1 / 0\n")
	socket, next := notifySocket(t, dir)
	cmd := command(dir, "--http", "127.0.0.1:0", "--wsgi-file", "app.py")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket)
	s := launch(t, cmd)
	if err := s.wait(t); err == nil || cmd.ProcessState.ExitCode() != exitApp {
		t.Errorf("exit: %v, want code %d", err, exitApp)
	}
	end, err := net.Dial("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()
	fmt.Fprint(end, "end of the test")
	if first := next(); first != "end of the test" {
		t.Errorf("told %q", first)
	}
}

// activated is the tested binary with listening sockets as systemd passes them.
func activated(t *testing.T, dir string, listeners []net.Listener, args ...string) *exec.Cmd {
	t.Helper()
	cmd := command(dir, args...)
	// The variables name the process that they are for.
	script := fmt.Sprintf(`LISTEN_PID=$$ LISTEN_FDS=%d LISTEN_FDNAMES=x exec "$0" "$@"`, len(listeners))
	cmd.Args = append([]string{"/bin/sh", "-c", script, binary}, args...)
	cmd.Path = "/bin/sh"
	for _, ln := range listeners {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return cmd
}

func TestSocketActivation(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", environApp)
	tcp, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	path := filepath.Join(dir, "held.sock")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	_, port, err := net.SplitHostPort(tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// A client that comes before the server, as when it is started by the first one.
	early, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	fmt.Fprint(early, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

	own := freePort(t)
	// The TCP socket is the one that http names; for the other, protocol says what it speaks.
	s := launch(t, activated(t, dir, []net.Listener{tcp, unix}, "--http", ":"+port, "--http", ":"+own, "--socket", "own.sock", "--protocol", "http", "--wsgi-file", "app.py", "--vacuum"))
	_ = early.SetDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(bufio.NewReader(early), nil)
	if err != nil {
		t.Fatalf("the early client: %v\n%s", err, s.log)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("the early client got %d", resp.StatusCode)
	}
	for _, url := range []string{"http://127.0.0.1:" + port + "/", "http://127.0.0.1:" + own + "/"} {
		if a := get(t, url); a.status != 200 || strings.Contains(a.body, "LISTEN_") {
			t.Errorf("%s: %d, %s", url, a.status, a.body)
		}
	}
	for _, socket := range []string{path, filepath.Join(dir, "own.sock")} {
		if status, err := overUnix(socket); err != nil || status != 200 {
			t.Errorf("%s: %d, %v", socket, status, err)
		}
	}
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("vacuum removed a socket that is systemd's: %v", err)
	}
}

// Without a socket in the options, and with nothing but them; and what is no listening socket.
func TestSocketActivationAlone(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	path := filepath.Join(dir, "held.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := launch(t, activated(t, dir, []net.Listener{ln}, "--wsgi-file", "app.py"))
	s.waitLog(t, "uwsgi socket 0 inherited as UNIX address "+path)
	s.waitLog(t, "uwsgo is ready")

	cmd := activated(t, dir, nil, "--wsgi-file", "app.py", "--http", "127.0.0.1:0")
	cmd.Args[2] = strings.ReplaceAll(cmd.Args[2], "LISTEN_FDS=0", "LISTEN_FDS=1")
	file, err := os.Open(filepath.Join(dir, "app.py"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	bad := launch(t, cmd)
	if err := bad.wait(t); err == nil || cmd.ProcessState.ExitCode() != exitConfig || !strings.Contains(bad.log.String(), "inherited descriptor 3") {
		t.Errorf("with a file for a socket: %v", err)
	}
}

// The unit files of the docs are right, and what they run is what the docs say.
func TestSystemdExample(t *testing.T) {
	e := copyExample(t, "systemd")
	s := e.start(t)
	wantBody(t, s.waitAnswer(t, e.http+"/", 200), 200, hello)
	unit, err := os.ReadFile(filepath.Join(e.dir, "uwsgo.service"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "\nExecStart=/usr/local/bin/uwsgo --ini myapp.ini\n") {
		t.Error("the unit runs something else than the README")
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIP: no systemd-analyze to check the unit files with")
	}
	installed := strings.NewReplacer("/usr/local/bin/uwsgo", binary, "/srv/myapp", e.dir).Replace(string(unit))
	write(t, e.dir, "uwsgo.service", installed)
	cmd := exec.Command("systemd-analyze", "verify", "--man=no", "./uwsgo.service", "./uwsgo.socket")
	cmd.Dir = e.dir
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "uwsgo.s") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// There is no container here: what the Dockerfile copies is run, in the way and as a user
// such as it says.
func TestDockerExample(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(root, "docs/examples/docker/Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	dir, nobody := publicDir(t)
	needPython(t, nobody)
	port := freePort(t)
	var args []string
	for line := range strings.Lines(string(file)) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "COPY docs/"):
			for _, from := range words[1 : len(words)-1] {
				text, err := os.ReadFile(filepath.Join(root, from))
				if err != nil {
					t.Fatal(err)
				}
				readable(t, write(t, dir, filepath.Base(from), strings.ReplaceAll(string(text), "9090", port)))
			}
		case strings.HasPrefix(line, "CMD "):
			if err := json.Unmarshal([]byte(line[len("CMD "):]), &args); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(args) == 0 || args[0] != "uwsgo" {
		t.Fatalf("CMD is %q", args)
	}
	cmd := command(dir, args[1:]...)
	cmd.SysProcAttr.Credential = credential(t, nobody)
	s := launch(t, cmd)
	wantBody(t, s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200), 200, hello)
	if strings.Contains(s.log.String(), "WARNING") {
		t.Error("it warns")
	}
}

// What is run at the start gets neither the sockets nor their variables.
func TestHooksGetNoSockets(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	ln, err := net.Listen("unix", filepath.Join(dir, "held.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := launch(t, activated(t, dir, []net.Listener{ln}, "--wsgi-file", "app.py", "--exec-asap", "ls -l /proc/$$/fd > fds; env > env"))
	s.waitLog(t, "uwsgo is ready")
	for name, never := range map[string]string{"fds": "socket:", "env": "LISTEN_"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || strings.Contains(string(text), never) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

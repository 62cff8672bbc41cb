package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/proctree"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// lineage is a server and those that have taken its place. The pid file app.pid names
// the present one; what all of them say is in the file log.
type lineage struct {
	*server
	dir string
}

func startLineage(t *testing.T, dir string, args ...string) lineage {
	t.Helper()
	return runLineage(t, dir, command(dir, append(args, "--pidfile", "app.pid")...))
}

func runLineage(t *testing.T, dir string, cmd *exec.Cmd) lineage {
	t.Helper()
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s := &server{cmd: cmd, log: &servertest.Log{}, exit: make(chan error, 1), mark: fmt.Sprintf("TEST_MARK=%d/%s", os.Getpid(), t.Name())}
	cmd.Env = append(cmd.Env, s.mark)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := lineage{s, dir}
	go func() { s.exit <- cmd.Wait() }()
	t.Cleanup(func() {
		defer servertest.KillAll(s.mark)
		if pid, err := l.present(); err == nil && proctree.Alive(pid) {
			_ = syscall.Kill(pid, stopSignal)
		}
		s.noOrphans(t)
		if t.Failed() {
			t.Log(l.said())
		}
	})
	l.waitSaid(t, "uwsgo is ready", 1)
	return l
}

func (l lineage) said() string {
	text, _ := os.ReadFile(filepath.Join(l.dir, "log"))
	return string(text)
}

func (l lineage) waitSaid(t *testing.T, want string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("log line %q", want), func() error {
		if got := strings.Count(l.said(), want); got < n {
			return fmt.Errorf("%d times, want %d:\n%s", got, n, l.said())
		}
		return nil
	})
}

// present is the number in the pid file.
func (l lineage) present() (int, error) {
	text, err := os.ReadFile(filepath.Join(l.dir, "app.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func (l lineage) pid(t *testing.T) int {
	t.Helper()
	pid, err := l.present()
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func (l lineage) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(l.pid(t), sig); err != nil {
		t.Fatal(err)
	}
}

// replaced waits until another has taken the place of old, which has ended.
func (l lineage) replaced(t *testing.T, old int) {
	t.Helper()
	eventually(t, "a successor", func() error {
		pid, err := l.present()
		if err != nil || pid == old {
			return fmt.Errorf("the pid file has %d, %w", pid, err)
		}
		if proctree.Alive(old) {
			return fmt.Errorf("%d has not ended", old)
		}
		return nil
	})
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the end", func() error {
		if proctree.Alive(pid) {
			return fmt.Errorf("%d lives", pid)
		}
		return nil
	})
}

// A client that goes on asking, on connections of all kinds, never notices.
func TestBinaryReplaced(t *testing.T) {
	for _, how := range []string{"signal", "fifo"} {
		t.Run(how, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			port, stats := freePort(t), "127.0.0.1:"+freePort(t)
			l := startLineage(t, dir, "--http", "127.0.0.1:"+port, "--http-socket", "app.sock", "--stats", stats, "--wsgi-file", "app.py",
				"--processes", "2", "--master-fifo", "f", "--vacuum", "--safe-pidfile", "safe.pid")
			var stop atomic.Bool
			failed := make(chan error, 3)
			client := func(ask func() error) {
				var err error
				for err == nil && !stop.Load() {
					err = ask()
				}
				failed <- err
			}
			go client(func() error {
				a, err := ask("GET", "http://127.0.0.1:"+port+"/", nil, nil)
				if err == nil && a.status != 200 {
					err = fmt.Errorf("status %d", a.status)
				}
				return err
			})
			go client(func() error {
				status, err := overUnix(filepath.Join(dir, "app.sock"))
				if err == nil && status != 200 {
					err = fmt.Errorf("status %d", status)
				}
				return err
			})
			go client(keptClient("127.0.0.1:" + port))
			for range 3 {
				old := l.pid(t)
				if how == "fifo" {
					tell(t, filepath.Join(dir, "f"), "f")
				} else {
					l.signal(t, syscall.SIGUSR2)
				}
				l.replaced(t, old)
				if st := readStats(t, stats); st.PID != l.pid(t) {
					t.Errorf("the stats are of process %d, want %d", st.PID, l.pid(t))
				}
			}
			stop.Store(true)
			for range 3 {
				if err := <-failed; err != nil {
					t.Error(err)
				}
			}
			last := l.pid(t)
			l.signal(t, stopSignal)
			waitGone(t, last)
			if left := listing(t, dir); len(left) != 3 {
				t.Errorf("vacuum left %v, want the directory, the app and the log", left)
			}
		})
	}
}

// keptClient asks on a connection that it keeps for as long as the server lets it, which
// may end one that has been idle for long.
func keptClient(addr string) func() error {
	const long = 200 * time.Millisecond // less than half of what the server waits
	var c net.Conn
	var in *bufio.Reader
	var last time.Time
	var ask func() error
	ask = func() error {
		if c == nil {
			var err error
			if c, err = net.Dial("tcp", addr); err != nil {
				return err
			}
			in = bufio.NewReader(c)
		}
		idle := time.Since(last) > long && !last.IsZero()
		again := func() error {
			c.Close()
			c, last = nil, time.Time{}
			return ask()
		}
		if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			if idle {
				return again()
			}
			return err
		}
		ends := false
		for first := true; ; first = false {
			line, err := in.ReadString('\n')
			if err != nil && line == "" && first && idle {
				return again()
			}
			if err != nil {
				return fmt.Errorf("on a kept connection: %w", err)
			}
			ends = ends || line == "Connection: close\r\n"
			if line == "\r\n" {
				break
			}
		}
		body := make([]byte, 2)
		for range body {
			if _, err := in.ReadByte(); err != nil {
				return err
			}
		}
		if last = time.Now(); ends {
			c.Close()
			c, last = nil, time.Time{}
		}
		return nil
	}
	return ask
}

// New options come with the new server, and what it does not listen on any more goes.
func TestBinaryReplacedWithNewOptions(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", versioned("v1"))
	port, more := freePort(t), freePort(t)
	ini := "[uwsgi]\nhttp = 127.0.0.1:" + port + "\nwsgi-file = app.py\n"
	write(t, dir, "app.ini", ini+"http-socket = gone.sock\n")
	l := startLineage(t, dir, "app.ini")
	replace(t, dir, "app.py", versioned("v2"))
	replace(t, dir, "app.ini", ini+"http = 127.0.0.1:"+more+"\n")
	old := l.pid(t)
	l.signal(t, syscall.SIGUSR2)
	l.replaced(t, old)
	for _, p := range []string{port, more} {
		wantBody(t, get(t, "http://127.0.0.1:"+p+"/"), 200, "v2")
	}
	l.waitSaid(t, "socket gone.sock is closed", 1)
	if slices.Contains(listing(t, dir), filepath.Join(dir, "gone.sock")) {
		t.Error("the file of a socket that nobody has is left")
	}
}

// What a package manager has put in the place of the binary is what runs then.
func TestBinaryUpgraded(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	for _, p := range []string{path, path + ".new"} {
		if err := os.WriteFile(p, program, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := command(dir, "--http", "127.0.0.1:"+freePort(t), "--wsgi-file", "app.py", "--pidfile", "app.pid")
	cmd.Path, cmd.Args[0] = path, "./program"
	l := runLineage(t, dir, cmd)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	old := l.pid(t)
	l.signal(t, syscall.SIGUSR2)
	l.replaced(t, old)
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", l.pid(t))); err != nil || exe != path {
		t.Errorf("what runs is %s, %v; want %s", exe, err, path)
	}
}

// Systemd is told which process the service is now, and its sockets are passed on though
// no option names them.
func TestBinaryReplacedUnderSystemd(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", environApp)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, next := notifySocket(t, dir)
	cmd := activated(t, dir, []net.Listener{ln}, "--protocol", "http", "--wsgi-file", "app.py", "--pidfile", "app.pid")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket)
	l := runLineage(t, dir, cmd)
	for range 2 {
		old := l.pid(t)
		if first := next(); !strings.HasPrefix(first, "READY=1\n") {
			t.Errorf("told %q when it serves", first)
		}
		l.signal(t, syscall.SIGUSR2)
		if begin := next(); !strings.HasPrefix(begin, "RELOADING=1\nMONOTONIC_USEC=") {
			t.Errorf("told %q at the beginning", begin)
		}
		main := next()
		l.replaced(t, old)
		if want := fmt.Sprintf("MAINPID=%d\nREADY=1\n", l.pid(t)); !strings.HasPrefix(main, want) {
			t.Errorf("told %q when another takes over, want %q", main, want)
		}
		if a := get(t, "http://"+ln.Addr().String()+"/"); a.status != 200 || strings.Contains(a.body, "LISTEN_") || strings.Contains(a.body, "UWSGO_TAKEOVER") {
			t.Errorf("status %d, %s", a.status, a.body)
		}
	}
}

// Where root was given up the new server begins without it.
func TestBinaryReplacedWithoutRoot(t *testing.T) {
	dir, nobody := publicDir(t)
	needPython(t, nobody)
	gid, err := strconv.Atoi(nobody.Gid)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own")
	if err := os.Mkdir(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(own, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(binary), 0o755); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	args := []string{"--http", "127.0.0.1:" + port, "--http-socket", "own/app.sock", "--stats", "own/stats.sock", "--wsgi-file", "app.py", "--uid", "nobody"}
	log := "" // of the server that runs
	said := func(want string) {
		t.Helper()
		eventually(t, want, func() error {
			text, err := os.ReadFile(filepath.Join(dir, log))
			if err == nil && !strings.Contains(string(text), want) {
				err = fmt.Errorf("the log has %s", text)
			}
			return err
		})
	}
	run := func(t *testing.T, pidfile ...string) lineage {
		log = pidfile[0] + ".log"
		cmd := command(dir, append(append(slices.Clone(args), "--logto", log), pidfile...)...)
		s := launch(t, cmd)
		s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
		said("uwsgo is ready")
		return lineage{s, own}
	}
	t.Run("pidfile_of_the_user", func(t *testing.T) {
		l := run(t, "--pidfile2", "own/app.pid")
		old := l.pid(t)
		l.signal(t, syscall.SIGUSR2)
		t.Cleanup(func() {
			l.signal(t, stopSignal)
			l.noOrphans(t)
			_ = l.wait(t) // also for what it had printed
		})
		eventually(t, "a successor", func() error {
			if pid, err := l.present(); err != nil || pid == old {
				return fmt.Errorf("%d, %w", pid, err)
			}
			return nil
		})
		a := get(t, "http://127.0.0.1:"+port+"/")
		if a.status != 200 || !strings.HasPrefix(a.body, fmt.Sprintf("(%d, %d, %d)", uid, uid, uid)) {
			t.Errorf("%d, %q", a.status, a.body)
		}
		said(fmt.Sprintf("process %d serves in place", l.pid(t)))
	})
	t.Run("pidfile_of_root", func(t *testing.T) {
		l := run(t, "--pidfile", "root.pid")
		if err := l.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		said("name a file that this user may write")
		said("the binary is not replaced")
		if a := get(t, "http://127.0.0.1:"+port+"/"); a.status != 200 {
			t.Errorf("%d", a.status)
		}
	})
}

// A new server that cannot serve changes nothing.
func TestBinaryNotReplaced(t *testing.T) {
	for _, tt := range []struct{ name, file, broken, why string }{
		{"bad_option", "app.ini", "[uwsgi]\nno-such-option = 1\nstrict = true\nhttp = :nonsense\n", "exit status 1"},
		{"broken_app", "app.py", "raise Exception('broken')\n", "exit status 22"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			port := freePort(t)
			write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nhttp-socket = app.sock\nstats = ./stats.sock\nwsgi-file = app.py\nneed-app = true\nmaster-fifo = f\nattach-daemon = sleep 10000\n")
			l := startLineage(t, dir, "app.ini")
			replace(t, dir, tt.file, tt.broken)
			for n := range 2 {
				l.signal(t, syscall.SIGUSR2)
				l.waitSaid(t, "the binary is not replaced", n+1)
			}
			l.waitSaid(t, tt.why, 2)
			if l.pid(t) != l.cmd.Process.Pid || !l.alive() {
				t.Errorf("the pid file has %d, the server is %d", l.pid(t), l.cmd.Process.Pid)
			}
			wantBody(t, get(t, "http://127.0.0.1:"+port+"/"), 200, "ok")
			if _, err := overUnix(filepath.Join(dir, "app.sock")); err != nil {
				t.Error(err)
			}
			if _, err := rawStats("unix", filepath.Join(dir, "stats.sock")); err != nil {
				t.Error(err)
			}
			eventually(t, "statistics without an active request", func() error {
				tell(t, filepath.Join(dir, "f"), "s") // it is still read
				if !strings.Contains(l.said(), "2 requests, 0 of them active") {
					return errors.New("not yet")
				}
				return nil
			})
			if n := strings.Count(l.said(), `spawning "sleep 10000"`); n != 1 {
				t.Errorf("the daemon was started %d times", n)
			}
		})
	}
}

// A daemon runs once at any time.
func TestBinaryReplacedBesideDaemons(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	l := startLineage(t, dir, "--http", "127.0.0.1:"+freePort(t), "--wsgi-file", "app.py",
		"--attach-daemon", `mkdir lock || echo twice >> twice; trap 'rmdir lock; exit' TERM INT; echo up >> up; while true; do sleep 0.01; done`)
	for n := range 3 {
		eventually(t, "the daemon", func() error {
			text, err := os.ReadFile(filepath.Join(dir, "up"))
			if err == nil && strings.Count(string(text), "up") <= n {
				err = fmt.Errorf("started %q", text)
			}
			return err
		})
		old := l.pid(t)
		l.signal(t, syscall.SIGUSR2)
		l.replaced(t, old)
	}
	if _, err := os.Stat(filepath.Join(dir, "twice")); err == nil {
		t.Error("two of the daemon ran at a time")
	}
}

// Who stops the server while another is being started to take its place stops both.
func TestStopWhileBinaryIsReplaced(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	l := startLineage(t, dir, "--http", "127.0.0.1:"+freePort(t), "--wsgi-file", "app.py")
	replace(t, dir, "app.py", "open('importing', 'w').close()\nimport time\ntime.sleep(10000)\n")
	l.signal(t, syscall.SIGUSR2)
	eventually(t, "the import", func() error { _, err := os.Stat(filepath.Join(dir, "importing")); return err })
	l.signal(t, syscall.SIGUSR2)
	l.waitSaid(t, "nothing is done", 1)
	l.signal(t, stopSignal)
	if err := l.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
	l.noOrphans(t)
}

// What is in the place of the binary may be a script: what it has started ends with it,
// when the server is stopped meanwhile and when it fails.
func TestScriptInPlaceOfBinary(t *testing.T) {
	const import_ = "open('importing', 'w').close()\nimport time\ntime.sleep(10000)\n"
	for _, tt := range []struct {
		name, script string
		fails        bool
	}{
		{name: "starts_the_server", script: "BINARY \"$@\"\nexit 1\n"},
		{name: "starts_it_behind", script: "BINARY \"$@\" &\nwait\n"},
		{name: "hangs", script: "touch importing\nsleep 10000\nexit 1\n"},
		{name: "is_not_told", script: "trap '' TERM\ntouch importing\nsleep 10000\nsleep 10000\n"},
		{name: "fails", script: "sleep 10000 &\nsh -c 'sleep 10000; true' &\nexit 3\n", fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			path := filepath.Join(dir, "program")
			if err := os.Symlink(binary, path); err != nil {
				t.Fatal(err)
			}
			port := freePort(t)
			cmd := command(dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--pidfile", "app.pid", "--worker-reload-mercy", "2")
			cmd.Path, cmd.Args[0] = path, "./program"
			l := runLineage(t, dir, cmd)
			replace(t, dir, "app.py", import_)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+strings.ReplaceAll(tt.script, "BINARY", binary)), 0o700); err != nil {
				t.Fatal(err)
			}
			before := len(l.processes())
			l.signal(t, syscall.SIGUSR2)
			if tt.fails {
				l.waitSaid(t, "the binary is not replaced", 1)
				eventually(t, "the end of what the script has started", func() error {
					if n := len(l.processes()); n != before {
						return fmt.Errorf("%d processes, before %d", n, before)
					}
					return nil
				})
				wantBody(t, get(t, "http://127.0.0.1:"+port+"/"), 200, "ok")
				return
			}
			eventually(t, "the import", func() error { _, err := os.Stat(filepath.Join(dir, "importing")); return err })
			l.signal(t, stopSignal)
			if err := l.wait(t); err != nil {
				t.Errorf("exit: %v, want 0", err)
			}
			l.noOrphans(t)
		})
	}
}

// When the old server dies at the worst moment, the new one serves all the same.
func TestOldServerDiesWhileItIsReplaced(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	l := startLineage(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py")
	replace(t, dir, "app.py", "import os, time\nopen('importing', 'w').close()\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n"+plainApp)
	old := l.pid(t)
	l.signal(t, syscall.SIGUSR2)
	eventually(t, "the import", func() error { _, err := os.Stat(filepath.Join(dir, "importing")); return err })
	l.signal(t, syscall.SIGKILL)
	write(t, dir, "go", "")
	l.replaced(t, old)
	wantBody(t, get(t, "http://127.0.0.1:"+port+"/"), 200, "ok")
}

// A daemon's successor is one too, and reads again what came from standard input.
func TestDaemonReplaced(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	cmd := command(dir, "--ini", "-")
	cmd.Stdin = strings.NewReader("[uwsgi]\nhttp = 127.0.0.1:" + port + "\nwsgi-file = app.py\ndaemonize = log\npidfile = app.pid\n")
	s := launch(t, cmd)
	l := lineage{s, dir}
	if err := s.wait(t); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pid, err := l.present(); err == nil {
			_ = syscall.Kill(pid, stopSignal)
		}
		s.noOrphans(t)
		if t.Failed() {
			t.Log(l.said())
		}
	})
	for n := range 2 {
		old := l.pid(t)
		l.signal(t, syscall.SIGUSR2)
		l.replaced(t, old)
		l.waitSaid(t, "uwsgo is ready", n+2)
		wantBody(t, get(t, "http://127.0.0.1:"+port+"/"), 200, "ok")
		for fd, want := range map[int]string{0: os.DevNull, 1: filepath.Join(dir, "log"), 2: filepath.Join(dir, "log")} {
			if got, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", l.pid(t), fd)); err != nil || got != want {
				t.Errorf("descriptor %d is %s, %v; want %s", fd, got, err, want)
			}
		}
	}
	for _, pid := range s.processes() {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || pid != l.pid(t) && strings.Contains(string(environ), "UWSGO_TAKEOVER") {
			t.Errorf("the environment of process %d: %q, %v", pid, environ, err)
		}
	}
}

// What is to be done at the end is done when the last server ends, not between two.
func TestBinaryReplacedEndsOnce(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	l := startLineage(t, dir, "--http", "127.0.0.1:"+freePort(t), "--wsgi-file", "app.py", "--exec-as-user-atexit", "echo over >> over")
	old := l.pid(t)
	l.signal(t, syscall.SIGUSR2)
	l.replaced(t, old)
	if text, err := os.ReadFile(filepath.Join(dir, "over")); err == nil {
		t.Errorf("between the servers: %q", text)
	}
	last := l.pid(t)
	l.signal(t, stopSignal)
	waitGone(t, last)
	if text, err := os.ReadFile(filepath.Join(dir, "over")); err != nil || string(text) != "over\n" {
		t.Errorf("at the end: %q, %v", text, err)
	}
}

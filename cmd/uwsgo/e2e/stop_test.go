package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// holding starts a server whose worker holds a request.
func holding(t *testing.T, args ...string) (s *server, dir, base string, held <-chan any) {
	t.Helper()
	dir = shortTempDir(t)
	write(t, dir, "app.py", holdApp)
	port := freePort(t)
	base = "http://127.0.0.1:" + port
	s = start(t, dir, append([]string{"--http", ":" + port, "--wsgi-file", "app.py", "--threads", "2"}, args...)...)
	s.waitAnswer(t, base+"/", 200)
	s.waitLog(t, "uwsgo is ready")
	held = askLater(base + "/hold")
	heldBy(t, dir)
	return s, dir, base, held
}

func TestMercyEnds(t *testing.T) {
	s, _, _, held := holding(t, "--worker-reload-mercy", "1")
	if err := s.stop(t, stopSignal); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
	if a, ok := (<-held).(answer); ok && a.status == 200 {
		t.Errorf("the request that never ends got %+v", a)
	}
	if !strings.Contains(s.log.String(), "did not finish in time") {
		t.Error("the log does not say that a request was given up")
	}
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	for _, args := range [][]string{nil, {"--drain-delay", "3600"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			s, _, _, _ := holding(t, append(args, "--worker-reload-mercy", "3600")...)
			eventually(t, "the end", func() error {
				select {
				case err := <-s.exit:
					s.exit <- err
					return err
				default:
					_ = s.cmd.Process.Signal(stopSignal)
					return fmt.Errorf("it still runs")
				}
			})
			s.noOrphans(t)
		})
	}
}

func TestDrainDelay(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--drain-delay", "2")
	s.waitAnswer(t, base+"/", 200)
	begun := time.Now()
	if err := s.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "serving as usual")
	a, err := ask("GET", base+"/", nil, nil)
	if took := time.Since(begun); took < time.Second { // a busy machine may have slept past the delay
		if err != nil || a.status != 200 {
			t.Errorf("%v after the signal: %+v, %v", took, a, err)
		}
	}
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
}

// A client that keeps its connection is told to close it, and one that is idle there is
// let go, so that neither keeps the server.
func TestDrainEndsKeepAlive(t *testing.T) {
	s, dir, base, held := holding(t)
	addr := strings.TrimPrefix(base, "http://")
	dial := func() (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c, bufio.NewReader(c)
	}
	idle, idleIn := dial()
	fmt.Fprint(idle, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if line, err := idleIn.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	busy, busyIn := dial()
	if err := os.Remove(filepath.Join(dir, "held")); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
	heldBy(t, dir)
	if err := s.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	for { // until it is closed, which is while the others are still held
		if _, err := idleIn.ReadString('\n'); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("the idle connection was not closed")
			}
			break
		}
	}
	write(t, dir, "release", "")
	var head strings.Builder
	for {
		line, err := busyIn.ReadString('\n')
		head.WriteString(line)
		if err != nil || line == "\r\n" {
			break
		}
	}
	if !strings.Contains(head.String(), " 200 ") || !strings.Contains(head.String(), "\r\nConnection: close\r\n") {
		t.Errorf("the client in flight got %q, want 200 and Connection: close", head.String())
	}
	<-held
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
}

func TestPidFiles(t *testing.T) {
	for _, vacuum := range []bool{true, false} {
		t.Run(fmt.Sprintf("vacuum=%v", vacuum), func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n"+plainApp)
			port := freePort(t)
			args := []string{"--http", ":" + port, "--wsgi-file", "app.py", "--pidfile", "a.pid", "--pidfile2", "b.pid", "--safe-pidfile", "c.pid", "--safe-pidfile2", "d.pid"}
			if vacuum {
				args = append(args, "--vacuum")
			}
			s := start(t, dir, args...)
			has := func(name string) error {
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err == nil && string(text) != strconv.Itoa(s.pid())+"\n" {
					err = fmt.Errorf("%s has %q", name, text)
				}
				return err
			}
			for _, name := range []string{"a.pid", "b.pid"} {
				eventually(t, name, func() error { return has(name) })
			}
			for _, name := range []string{"c.pid", "d.pid"} {
				if has(name) == nil {
					t.Errorf("%s is there before the app is loaded", name)
				}
			}
			write(t, dir, "go", "")
			for _, name := range []string{"c.pid", "d.pid"} {
				eventually(t, name, func() error { return has(name) })
			}
			s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
			write(t, dir, "b.pid", "1\n") // another server's now
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
			left, _ := filepath.Glob(filepath.Join(dir, "*.pid"))
			want := 4
			if vacuum {
				want = 1
			}
			if len(left) != want {
				t.Errorf("left are %v, want %d", left, want)
			}
		})
	}
}

func TestStopByPidFile(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--pidfile", "app.pid")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	if out, err := command(dir, "--stop", "app.pid").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("--stop: %v, %s", err, out)
	}
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
	if out, err := command(dir, "--stop", "app.pid").CombinedOutput(); err == nil || !strings.Contains(string(out), "the server has ended") {
		t.Errorf("--stop of a server that has ended: %v, %s", err, out)
	}
}

// In a directory of its user root must not be led to another file.
func TestPidFileIsALink(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	write(t, dir, "other", "kept")
	if err := os.Symlink("other", filepath.Join(dir, "app.pid")); err != nil {
		t.Fatal(err)
	}
	refusal{[]string{"--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--pidfile", "app.pid"}, exitConfig, []string{"app.pid", "symbolic link"}}.check(t, dir)
	if text, err := os.ReadFile(filepath.Join(dir, "other")); err != nil || string(text) != "kept" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// What a killed server leaves behind does not keep the next one from starting.
func TestRestartAfterKill(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	args := []string{"--http-socket", "app.sock", "--stats", "./stats.sock", "--wsgi-file", "app.py", "--pidfile", "a.pid", "--safe-pidfile", "b.pid", "--master-fifo", "f", "--vacuum"}
	path := filepath.Join(dir, "app.sock")
	for _, sig := range []syscall.Signal{syscall.SIGKILL, stopSignal} {
		s := start(t, dir, args...)
		eventually(t, "an answer", func() error { _, err := overUnix(path); return err })
		eventually(t, "its pid in both files", func() error {
			for _, name := range []string{"a.pid", "b.pid"} {
				if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != strconv.Itoa(s.pid())+"\n" {
					return fmt.Errorf("%s has %q, %w; want %d", name, text, err, s.pid())
				}
			}
			return nil
		})
		if err := s.stop(t, sig); (err == nil) != (sig == stopSignal) {
			t.Errorf("%v: %v", sig, err)
		}
	}
	if left := listing(t, dir); len(left) != 2 {
		t.Errorf("vacuum left %v", left)
	}
}

// The signals of --stop and its like, as the test itself gets them.
func TestSignalsOfPidFile(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "own.pid", strconv.Itoa(os.Getpid())+"\n")
	for option, want := range map[string]os.Signal{
		"--stop": syscall.SIGINT, "--reload": syscall.SIGHUP,
		"--pause": syscall.SIGTSTP, "--suspend": syscall.SIGTSTP, "--resume": syscall.SIGTSTP,
	} {
		got := make(chan os.Signal, 1)
		signal.Notify(got, want)
		if out, err := command(dir, option, "own.pid").CombinedOutput(); err != nil {
			t.Errorf("%s: %v, %s", option, err, out)
		}
		select {
		case <-got:
		case <-time.After(patience):
			t.Errorf("%s did not send %v", option, want)
		}
		signal.Stop(got)
	}
}

func TestBadPidFile(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"missing", "-", "no such file"},
		{"empty", "", "not a process id"},
		{"words", "uwsgo", "not a process id"},
		{"group", "-1", "not a process id"},
		{"zero", "0", "not a process id"},
		{"too_large", "99999999999", "not a process id"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			if tt.text != "-" {
				write(t, dir, "x.pid", tt.text)
			}
			refusal{[]string{"--stop", "x.pid"}, exitConfig, []string{"--stop", "x.pid", tt.want}}.check(t, dir)
		})
	}
}

func TestPause(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port, stats := freePort(t), "127.0.0.1:"+freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--stats", stats, "--wsgi-file", "app.py", "--pidfile", "app.pid")
	s.waitAnswer(t, base+"/", 200)
	toggle := func() {
		if out, err := command(dir, "--pause", "app.pid").CombinedOutput(); err != nil {
			t.Fatalf("--pause: %v, %s", err, out)
		}
	}
	toggle()
	s.waitLog(t, "*** PAUSE")
	waiting := askLater(base + "/")
	eventually(t, "a connection that waits", func() error {
		if r := readStats(t, stats); r.ListenQueue != 1 || r.Workers[0].Status != "pause" {
			return fmt.Errorf("%d connections wait, the worker is %s", r.ListenQueue, r.Workers[0].Status)
		}
		return nil
	})
	select {
	case a := <-waiting:
		t.Errorf("answered while paused: %+v", a)
	default:
	}
	toggle()
	if a, ok := (<-waiting).(answer); !ok || a.status != 200 {
		t.Errorf("afterwards: %+v, want 200", a)
	}
	if out, err := command(dir, "--connect-and-read", stats).CombinedOutput(); err != nil || !strings.Contains(string(out), `"workers"`) {
		t.Errorf("--connect-and-read: %v, %s", err, out)
	}
}

// Ctrl-Z reaches every process of a terminal: the workers must not stop for good.
func TestCtrlZ(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--processes", "2")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	for _, line := range []string{"*** PAUSE", "accepting connections again"} {
		if err := syscall.Kill(-s.pid(), syscall.SIGTSTP); err != nil {
			t.Fatal(err)
		}
		s.waitLog(t, line)
	}
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
}

// A paused server stops like any other, and serves who waits.
func TestStopWhilePaused(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	if err := s.cmd.Process.Signal(syscall.SIGTSTP); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "*** PAUSE")
	if err := s.stop(t, stopSignal); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
}

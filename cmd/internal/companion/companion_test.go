package companion

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	keys := ParseKeys
	smart := func(v string) (Spec, error) { return ParseSmart(v, false) }
	with := func(command string, change func(*Spec)) Spec {
		s := New(command)
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name, give string
		parse      func(string) (Spec, error)
		want       Spec
		err        string
	}{
		{"smart", "/run/redis.pid redis-server  --daemonize yes", smart, with("redis-server  --daemonize yes", func(s *Spec) { s.PidFile = "/run/redis.pid" }), ""},
		{"smart_without_command", "/run/redis.pid", smart, Spec{}, "PIDFILE COMMAND"},
		{"keys", `cmd=sh -c 'a\,b',pidfile=p,daemonize=1,freq=3,stopsignal=9,chdir=/tmp,max_throttle=7`, keys, with("sh -c 'a,b'", func(s *Spec) {
			s.PidFile, s.Foreground, s.Freq, s.StopSignal, s.Dir, s.MaxThrottle = "p", true, 3*time.Second, syscall.SIGKILL, "/tmp", 7*time.Second
		}), ""},
		{"value_with_equals", "cmd=env A=1 run", keys, New("env A=1 run"), ""},
		{"no_cmd", "freq=3", keys, Spec{}, "no cmd="},
		{"word_without_value", "cmd=a,daemonize", keys, New("a"), ""},
		{"unknown_key", "cmd=a,legion=x", keys, with("a", func(s *Spec) { s.Unknown = []string{"legion"} }), ""},
		{"all_keys", `exec=a,touch=x;y,control=1,stdin=1,uid=33,gid=www-data,ns_pid=1,reloadsignal=10`, keys, with("a", func(s *Spec) {
			s.Touch, s.Control, s.Stdin, s.UID, s.GID, s.NewPIDs, s.ReloadSignal = []string{"x", "y"}, true, true, "33", "www-data", true, syscall.SIGUSR1
		}), ""},
		{"notified", "cmd=a,pidfile=p,notifypid=1", keys, with("a", func(s *Spec) { s.PidFile, s.ReloadSignal = "p", syscall.SIGHUP }), ""},
		{"backslashes", `cmd=a\\b\,c\d`, keys, New(`a\b,cd`), ""},
		{"switched_off", "cmd=a,control=0,stdin=false", keys, New("a"), ""},
		{"daemonize_without_pidfile", "cmd=a,daemonize=1", keys, Spec{}, "daemonize= needs pidfile="},
		{"control_with_pidfile", "cmd=a,control=1,pidfile=p", keys, Spec{}, "without pidfile="},
		{"smart_with_freq", "/run/x.pid,3 run", smart, with("run", func(s *Spec) { s.PidFile, s.Freq = "/run/x.pid", 3*time.Second }), ""},
		{"smart_with_bad_freq", "/run/x.pid,x run", smart, Spec{}, "number of seconds"},
		{"bad_signal", "cmd=a,stopsignal=TERM", keys, Spec{}, "no number of a signal"},
		{"bad_freq", "cmd=a,freq=0", keys, Spec{}, "no number of seconds"},
		{"empty", "", keys, Spec{}, "no cmd="},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.give)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want an error with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseKeys: nothing panics, and what is taken can be run.
func FuzzParseKeys(f *testing.F) {
	f.Add(`cmd=a\,b,freq=3,stopsignal=9`)
	f.Fuzz(func(t *testing.T, value string) {
		if s, err := ParseKeys(value); err == nil && (s.Command == "" || s.Freq <= 0 || s.StopSignal < 1) {
			t.Errorf("%q gives %+v", value, s)
		}
	})
}

func TestThrottle(t *testing.T) {
	var waits []time.Duration
	last := time.Duration(0)
	for range 5 {
		last = throttle(time.Second, last, 10*time.Second)
		waits = append(waits, last/time.Second)
	}
	if diff := cmp.Diff([]time.Duration{1, 2, 4, 8, 10}, waits); diff != "" {
		t.Errorf("of one that dies at once (-want +got):\n%s", diff)
	}
	if w := throttle(time.Minute, 10*time.Second, 10*time.Second); w != 0 {
		t.Errorf("of one that lived: %v", w)
	}
}

type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += fmt.Sprintf(format, args...) + "\n"
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 4000 {
		if cond() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func (l *lines) wait(t *testing.T, want string) {
	t.Helper()
	eventually(t, want, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return strings.Contains(l.text, want)
	})
}

func begin(t *testing.T, dir string, specs ...Spec) (*Group, *lines) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	log := &lines{}
	g, err := Start(specs, Server{
		With: func(line string) command.Command { return command.Command{Line: line, Dir: dir, Output: null} },
		Owns: func(pid int) bool { return pid == os.Getpid() },
		Stop: func() { log.add("the server is to stop") },
		Logf: log.add,
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, log
}

func TestTouchStartsAnew(t *testing.T) {
	dir := t.TempDir()
	touch := filepath.Join(dir, "touch")
	s := New("sleep 1000")
	s.Touch = []string{touch}
	g, log := begin(t, dir, s)
	eventually(t, "the first", func() bool { return g.Snapshot()[0].PID != 0 })
	first := g.Snapshot()[0].PID
	if err := os.WriteFile(touch, nil, 0o600); err != nil { // one that was not there counts, too
		t.Fatal(err)
	}
	log.wait(t, touch+" has been touched")
	eventually(t, "the second", func() bool { now := g.Snapshot()[0]; return now.PID != 0 && now.PID != first && now.Respawns == 1 })
	g.Stop(t.Context())
}

func TestControlStopsTheServer(t *testing.T) {
	s := New("true")
	s.Control = true
	g, log := begin(t, t.TempDir(), s)
	log.wait(t, "the server is to stop")
	if n := g.Snapshot()[0].Respawns; n != 0 {
		t.Errorf("it was started again %d times", n)
	}
	g.Stop(t.Context())
}

func TestReloadSignal(t *testing.T) {
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	s := New("trap 'echo >> told' USR1; echo >> ready; while :; do sleep 0.05; done")
	s.ReloadSignal = syscall.SIGUSR1
	g, _ := begin(t, dir, s)
	there := func(path string) func() bool {
		return func() bool { _, err := os.Stat(path); return err == nil }
	}
	eventually(t, "the daemon runs", there(filepath.Join(dir, "ready")))
	g.Reload()
	eventually(t, "the daemon has the signal", there(told))
	g.Stop(t.Context())
}

func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP: only root can start a daemon as another user")
	}
	dir, err := os.MkdirTemp("", "daemon") // what t.TempDir makes lies in one for root alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s := New("id -u > uid; id -g > gid; sleep 1000")
	s.UID, s.GID = "65534", "65533"
	g, _ := begin(t, dir, s)
	eventually(t, "its numbers", func() bool {
		uid, _ := os.ReadFile(filepath.Join(dir, "uid"))
		gid, _ := os.ReadFile(filepath.Join(dir, "gid"))
		return string(uid) == "65534\n" && string(gid) == "65533\n"
	})
	g.Stop(t.Context())

	s.UID = "nobody-has-this-name"
	if _, err := Start([]Spec{s}, Server{With: func(line string) command.Command { return command.Command{Line: line} }}); err == nil {
		t.Error("a user who does not exist runs it")
	}
}

func TestKeptAlive(t *testing.T) {
	g, log := begin(t, t.TempDir(), New("sleep 1000"))
	eventually(t, "the first", func() bool { return g.Snapshot()[0].PID != 0 })
	first := g.Snapshot()[0].PID
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	log.wait(t, "has ended: signal: killed")
	log.wait(t, `throttling "sleep 1000" for 1 seconds`)
	log.wait(t, `respawning "sleep 1000"`)
	var second State
	eventually(t, "the second", func() bool { second = g.Snapshot()[0]; return second.PID != 0 })
	if second.PID == first || second.Respawns != 1 {
		t.Errorf("after the death of %d: %+v", first, second)
	}
	g.Stop(context.Background())
	if alive(second.PID) {
		t.Error("Stop left it alive")
	}
}

// One that does not obey, one that cannot be started, one that waits for its next start:
// none keeps Stop.
func TestStopOfEach(t *testing.T) {
	dir := t.TempDir()
	stubborn := New("trap '' TERM; touch there; sleep 1000; true")
	broken := New("exit 1")
	lost := New("true")
	lost.Dir = filepath.Join(dir, "absent")
	g, log := begin(t, dir, stubborn, broken, lost)
	log.wait(t, `throttling "exit 1"`)
	log.wait(t, `throttling "true"`)
	eventually(t, "the stubborn one", func() bool { _, err := os.Stat(filepath.Join(dir, "there")); return err == nil })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	g.Stop(ctx)
}

// A smart daemon goes to the background; its pid file tells that it lives, and one that
// runs already is left alone.
func TestSmart(t *testing.T) {
	for _, foreground := range []bool{false, true} {
		t.Run(fmt.Sprintf("foreground=%v", foreground), func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "d.pid")
			line := "sleep 1000 & echo $! > " + file
			if foreground {
				line = "echo $$ > " + file + "; exec sleep 1000"
			}
			spec, err := ParseSmart(file+" "+line, foreground)
			if err != nil {
				t.Fatal(err)
			}
			spec.Freq = 300 * time.Millisecond
			g, log := begin(t, dir, spec)
			started := func() int {
				pid := 0
				eventually(t, "a pid", func() bool { pid = g.Snapshot()[0].PID; return pid != 0 })
				return pid
			}
			first := started()
			if text, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(first) {
				t.Errorf("pid %d, the file has %q, %v", first, text, err)
			}
			if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			log.wait(t, "respawning")
			eventually(t, "another", func() bool { pid := g.Snapshot()[0].PID; return pid != 0 && pid != first })
			second := started()

			other, otherLog := begin(t, dir, spec) // a server that finds it running
			otherLog.wait(t, fmt.Sprintf("found running daemon \"%s\" (pid: %d)", line, second))
			other.Stop(context.Background())
			eventually(t, "its end", func() bool { return !alive(second) })
			g.Stop(context.Background())
			eventually(t, "the end of all", func() bool { return livingPID(file) == 0 })
		})
	}
}

// sleeper runs a process that is no companion until the test ends.
func sleeper(t *testing.T) (pid int, ended func() bool) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid, func() bool { return !alive(cmd.Process.Pid) }
}

// A pid file may be older than the process that has its number, or name the server:
// neither is taken for the companion, nor ended with it.
func TestSmartFileOfAnother(t *testing.T) {
	other, ended := sleeper(t)
	for _, tt := range []struct {
		name string
		pid  int
		age  time.Duration
	}{
		{"reused", other, time.Hour},
		{"server", os.Getpid(), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if runtime.GOOS != "linux" && tt.age > 0 {
				t.Skip("SKIP: it is not known when a process was started")
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "d.pid")
			written := time.Now().Add(-tt.age)
			if err := errors.Join(os.WriteFile(file, []byte(strconv.Itoa(tt.pid)), 0o600), os.Chtimes(file, written, written)); err != nil {
				t.Fatal(err)
			}
			spec, err := ParseSmart(file+" touch begun", false) // it writes no file
			if err != nil {
				t.Fatal(err)
			}
			spec.Freq = 50 * time.Millisecond
			g, log := begin(t, dir, spec)
			log.wait(t, "respawning")
			g.Stop(context.Background())
			if ended() {
				t.Error("the other process was ended")
			}
			log.mu.Lock()
			defer log.mu.Unlock()
			if strings.Contains(log.text, "found running") || strings.Contains(log.text, "stopping") {
				t.Errorf("log:\n%s", log.text)
			}
		})
	}
}

// livingPID is what a server finds that has met no companion.
func livingPID(path string) int {
	g := &Group{server: func(int) bool { return false }}
	return g.living(&member{Spec: Spec{PidFile: path}})
}

func TestLivingPID(t *testing.T) {
	dir := t.TempDir()
	pid, _ := sleeper(t)
	for name, want := range map[string]int{
		"": 0, "1": 0, "0": 0, "-1": 0, "words": 0, "99999999999": 0, strings.Repeat("1", 100): 0,
		strconv.Itoa(pid) + "\n": pid,
	} {
		path := filepath.Join(dir, "p")
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := livingPID(path); got != want {
			t.Errorf("livingPID(%.20q) = %d, want %d", name, got, want)
		}
	}
	if got := livingPID(filepath.Join(dir, "absent")); got != 0 {
		t.Errorf("without a file: %d", got)
	}
}

// A daemon that was met stays the same although the clock is set, which makes its file
// look old.
func TestClockIsSet(t *testing.T) {
	pid, _ := sleeper(t)
	m := &member{Spec: Spec{PidFile: filepath.Join(t.TempDir(), "d.pid")}}
	g := &Group{server: func(int) bool { return false }}
	if err := os.WriteFile(m.PidFile, []byte(strconv.Itoa(pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := g.living(m); got != pid {
		t.Fatalf("got %d, want %d", got, pid)
	}
	before := time.Now().Add(-time.Hour)
	if err := os.Chtimes(m.PidFile, before, before); err != nil {
		t.Fatal(err)
	}
	if got := g.living(m); got != pid {
		t.Errorf("got %d once the clock has been set, want %d", got, pid)
	}
}

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// besides is what the stats say of what runs beside the server.
type besides struct {
	Daemons []struct {
		Cmd      string
		PID      int
		Respawns int
	}
	Crons []struct {
		Minute    int
		Command   string
		PID       int
		StartedAt int `json:"started_at"`
	}
}

func readBesides(t *testing.T, addr string) besides {
	t.Helper()
	data, err := rawStats("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var b besides
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAttachedDaemons(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port, addr := freePort(t), "127.0.0.1:"+freePort(t)
	s := start(t, dir, "--http", ":"+port, "--stats", addr, "--wsgi-file", "app.py", "--env", "OF_THE_TEST=x",
		"--attach-daemon", "echo $OF_THE_TEST > dumb; exec sleep 10000",
		"--attach-daemon2", `cmd=trap 'echo bye > asked; exit' USR1; while true; do sleep 0.01; done,stopsignal=10`,
		"--smart-attach-daemon", "smart.pid sleep 10000 & echo $! > smart.pid",
		"--smart-attach-daemon2", "smart2.pid echo $$ > smart2.pid; exec sleep 10000")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	var b besides
	eventually(t, "four daemons", func() error {
		b = readBesides(t, addr)
		for _, d := range b.Daemons {
			if d.PID == 0 {
				return fmt.Errorf("%+v", b.Daemons)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "dumb")); err != nil {
			return err
		}
		return nil
	})
	if len(b.Daemons) != 4 {
		t.Fatalf("the stats have %+v", b.Daemons)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "dumb")); err != nil || string(text) != "x\n" {
		t.Errorf("its environment: %q, %v", text, err)
	}
	victim := b.Daemons[0].PID
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a successor", func() error {
		if d := readBesides(t, addr).Daemons[0]; d.PID == 0 || d.PID == victim || d.Respawns != 1 {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	if err := s.stop(t, stopSignal); err != nil { // which wants no process left
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "asked")); err != nil || string(text) != "bye\n" {
		t.Errorf("the one with a signal of its own: %q, %v", text, err)
	}
}

// The workers' last answers may need what runs beside them.
func TestDaemonOutlivesRequests(t *testing.T) {
	s, dir, _, held := holding(t, "--attach-daemon", "echo $$ > daemon.pid; exec sleep 10000")
	var pid int
	eventually(t, "the daemon", func() error {
		text, err := os.ReadFile(filepath.Join(dir, "daemon.pid"))
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err
	})
	if err := s.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "SIGTERM received")
	if !proctree.Alive(pid) {
		t.Error("the daemon ended before the request")
	}
	write(t, dir, "release", "")
	if a, ok := (<-held).(answer); !ok || a.status != 200 {
		t.Errorf("the request got %+v", a)
	}
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	s.noOrphans(t)
}

// A killed server takes them along, but for those that a pid file finds again.
func TestKilledServerLeavesNoDaemons(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	s := start(t, dir, "--http", "127.0.0.1:0", "--wsgi-file", "app.py",
		"--attach-daemon", "sleep 10000", "--cron", "-1 -1 -1 -1 -1 sleep 10001", "--no-orphans")
	s.waitLog(t, "spawning")
	s.waitLog(t, "[uwsgi-cron] running")
	if err := s.stop(t, syscall.SIGKILL); err == nil {
		t.Error("it ended well")
	}
}

func TestCron(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port, addr := freePort(t), "127.0.0.1:"+freePort(t)
	s := start(t, dir, "--http", ":"+port, "--stats", addr, "--wsgi-file", "app.py",
		"--cron", "-1 -1 -1 -1 -1 touch ran", "--unique-cron", "-1 -1 -1 -1 -1 sleep 10000",
		"--cron2", "month=2,day=31 touch never", "--cron2", "harakiri=1 sleep 10002")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	eventually(t, "the job", func() error { _, err := os.Stat(filepath.Join(dir, "ran")); return err })
	s.waitLog(t, `[uwsgi-cron] command "touch never" registered as cron task`)
	s.waitLog(t, "takes longer than 1s: killed")
	if crons := readBesides(t, addr).Crons; len(crons) != 4 || crons[1].PID <= 0 || crons[1].StartedAt == 0 || crons[2].PID != -1 || crons[0].Minute != -1 {
		t.Errorf("the stats have %+v", crons)
	}
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "never")); err == nil {
		t.Error("it ran what is never due")
	}
}

// TestNoSocketBesideCrons: where something runs beside the app, uWSGI does without an address.
func TestNoSocketBesideCrons(t *testing.T) {
	for name, option := range map[string][]string{
		"cron":   {"--cron", "-1 -1 -1 -1 -1 touch ran"},
		"daemon": {"--attach-daemon", "touch ran; sleep 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			s := start(t, dir, append([]string{"--master", "--wsgi-file", "app.py"}, option...)...)
			s.waitLog(t, "is ready")
			eventually(t, "the command", func() error { _, err := os.Stat(filepath.Join(dir, "ran")); return err })
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadCompanions(t *testing.T) {
	for _, args := range [][]string{
		{"--cron", "* * * * * date"},
		{"--cron2", "second=1 date"},
		{"--unique-cron", "61 -1 -1 -1 -1 date"},
		{"--attach-daemon2", "freq=3"},
		{"--smart-attach-daemon", "x.pid"},
		{"--attach-daemon", ""},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			refusal{append(args, "--http", "127.0.0.1:0", "--wsgi-file", "app.py"), exitConfig, []string{args[0]}}.check(t, dir)
		})
	}
}

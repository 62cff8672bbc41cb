package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// server is a running server with the app of testdata.
type server struct {
	cmd   *exec.Cmd
	log   *servertest.Log
	ended chan struct{} // closed when the server has ended
	mark  string        // in the environment of all its processes
	addr  string
	stats string
	dir   string // working directory
	pids  string // the pid file that names the process that serves after others have taken its place, "" for none
	notes string // the file in which the app says what it runs
	temp  string // directory for temporary files
}

// What is for every test of a server.
const patience = servertest.Patience

var (
	eventually = servertest.Eventually
	freePort   = servertest.FreePort
	processes  = servertest.Processes
)

// start runs the server and waits until it answers. When the test ends it is
// stopped, and a process it leaves behind fails the test.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{
		addr:  "127.0.0.1:" + freePort(t),
		stats: "127.0.0.1:" + freePort(t),
		dir:   dir,
		notes: filepath.Join(dir, "notes"),
		temp:  filepath.Join(dir, "temp"),
	}
	if err := os.Mkdir(s.temp, 0o700); err != nil {
		t.Fatal(err)
	}
	s.launch(t, args...)
	return s
}

// launch starts a server where s is, or was.
func (s *server) launch(t *testing.T, args ...string) {
	t.Helper()
	app, err := filepath.Abs("testdata/app.py")
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"--http", s.addr, "--stats", s.stats, "--wsgi-file", app, "--disable-logging"}, args...)
	cmd := servertest.Command(binary, s.dir, virtualenv, args...)
	cmd.Env = append(cmd.Env, "CHAOS_NOTES="+s.notes, "TMPDIR="+s.temp)
	p := servertest.Launch(t, cmd)
	s.cmd, s.log, s.ended, s.mark = p.Cmd, p.Log, p.Ended, p.Mark
	t.Cleanup(func() {
		defer servertest.KillAll(p.Mark)
		if s.pids != "" {
			s.stopLast(t)
			<-p.Ended // nobody has its output any more
		}
		select {
		case <-p.Ended:
		default:
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			select {
			case <-p.Ended:
			case <-time.After(patience):
				t.Errorf("the server did not end within %v", patience)
			}
		}
		if left := processes(p.Mark); len(left) > 0 {
			t.Errorf("processes %v outlived their server", left)
		}
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(cmd.Args, " "), tail(p.Log.String()))
		}
	})
	s.waitAnswer(t)
}

// tail is the end of a log, which can be long.
func tail(log string) string { return log[max(0, len(log)-8192):] }

// pid is the server's process, or that which has taken its place.
func (s *server) pid() int {
	if s.pids != "" {
		if content, err := os.ReadFile(s.pids); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil {
				return pid
			}
		}
	}
	return s.cmd.Process.Pid
}

// stopLast ends the process that serves last, when others have taken the server's place.
func (s *server) stopLast(t *testing.T) {
	told := 0
	eventually(t, "the end of the last server", func() error {
		left := processes(s.mark)
		if len(left) == 0 {
			return nil
		}
		if pid := s.pid(); pid != told && slices.Contains(left, pid) {
			told = pid
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
		return fmt.Errorf("%v are left", left)
	})
}

// waitAnswer waits until the server answers.
func (s *server) waitAnswer(t *testing.T) {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	eventually(t, "an answer", func() error {
		select {
		case <-s.ended:
			t.Fatalf("the server ended: %v\n%s", s.cmd.ProcessState, s.log)
		default:
		}
		resp, err := client.Get("http://" + s.addr + "/?probe")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && string(body) != "request probe is done" {
			err = fmt.Errorf("status %d, %q", resp.StatusCode, body)
		}
		return err
	})
}

// target is the server as the load generator knows it.
func (s *server) target() load.Target { return load.Target{Network: "tcp", Address: s.addr} }

// snapshot is what is used of the statistics.
type snapshot struct {
	Workers []struct {
		PID          int    `json:"pid"`
		Status       string `json:"status"`
		RespawnCount int    `json:"respawn_count"`
	} `json:"workers"`
	Uwsgo struct {
		BodiesSpooled int `json:"bodies_spooled"`
	} `json:"uwsgo"`
}

func (s *server) snapshot() (got snapshot, err error) {
	c, err := net.DialTimeout("tcp", s.stats, patience)
	if err != nil {
		return got, err
	}
	defer c.Close()
	if err = c.SetDeadline(time.Now().Add(patience)); err != nil {
		return got, err
	}
	return got, json.NewDecoder(c).Decode(&got)
}

// serving is how many workers are not cheap.
func (s *snapshot) serving() (n int) {
	for _, w := range s.Workers {
		if w.Status != "cheap" {
			n++
		}
	}
	return n
}

// respawns is how many workers have been replaced since the start.
func (s *server) respawns(t *testing.T) (n int) {
	t.Helper()
	got, err := s.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range got.Workers {
		n += w.RespawnCount - 1
	}
	return n
}

// waitLog waits until the server has printed want at least n times.
func (s *server) waitLog(t *testing.T, want string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("log line %q", want), func() error {
		if got := strings.Count(s.log.String(), want); got < n {
			return fmt.Errorf("printed %d times, want %d", got, n)
		}
		return nil
	})
}

var errNotYet = errors.New("not yet")

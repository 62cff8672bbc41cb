package chaos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/proctree"
)

// patience is how long a condition may take to come true.
const patience = 20 * time.Second

// server is a running server with the app of testdata.
type server struct {
	cmd   *exec.Cmd
	log   *logBuffer
	ended chan struct{} // closed when the server has ended
	mark  string        // in the environment of all its processes
	addr  string
	stats string
	dir   string // working directory
	notes string // the file in which the app says what it runs
	temp  string // directory for temporary files
}

// marks counts the servers of this test process.
var marks atomic.Int64

// logBuffer collects what a process prints.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

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
	s.cmd = exec.Command(binary, args...)
	s.cmd.Dir = s.dir
	s.mark = fmt.Sprintf("CHAOS_MARK=%d/%d", os.Getpid(), marks.Add(1))
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "UWSGI_") && !strings.HasPrefix(kv, "PATH=") {
			s.cmd.Env = append(s.cmd.Env, kv)
		}
	}
	path := filepath.Join(virtualenv, "bin") + ":" + os.Getenv("PATH")
	s.cmd.Env = append(s.cmd.Env, "PATH="+path, "NO_COLOR=1", "CHAOS_NOTES="+s.notes, "TMPDIR="+s.temp, s.mark)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.WaitDelay = patience // a grandchild that keeps the output open
	s.log = &logBuffer{}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd, ended, log, mark := s.cmd, make(chan struct{}), s.log, s.mark
	s.ended = ended
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(ended)
	}()
	t.Cleanup(func() {
		defer killAll(mark)
		select {
		case <-ended:
		default:
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			select {
			case <-ended:
			case <-time.After(patience):
				t.Errorf("the server did not end within %v", patience)
			}
		}
		if left := processes(mark); len(left) > 0 {
			t.Errorf("processes %v outlived their server", left)
		}
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(cmd.Args, " "), tail(log.String()))
		}
	})
	s.waitAnswer(t)
}

// tail is the end of a log, which can be long.
func tail(log string) string { return log[max(0, len(log)-8192):] }

func (s *server) pid() int { return s.cmd.Process.Pid }

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

// processes gives the living processes with a mark, also those that no longer
// descend from the server.
func processes(mark string) []int {
	var pids []int
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, []byte("\x00"+mark+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && proctree.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killAll ends what a failed test would leave running.
func killAll(mark string) {
	for _, pid := range processes(mark) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// snapshot is what is used of the statistics.
type snapshot struct {
	Workers []struct {
		PID          int `json:"pid"`
		RespawnCount int `json:"respawn_count"`
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

// eventually waits until try succeeds.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// freePort gives a TCP port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

var errNotYet = errors.New("not yet")

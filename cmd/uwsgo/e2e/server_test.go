package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
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

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// patience is how long a condition may take to come true. It is long because
// machines that test are busy; nothing waits for it when all goes well.
const patience = 20 * time.Second

// server is a running process of the tested binary.
type server struct {
	cmd  *exec.Cmd
	log  *logBuffer
	exit chan error // has the result of Wait once
	mark string     // in the environment of all its processes
}

// stopSignal asks for a graceful stop, the way systemd and containers do.
const stopSignal = syscall.SIGTERM

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

// command is the tested binary in dir. Of the environment it gets no UWSGI_*
// variables, and first in its PATH the virtualenv of the tests, where there is one.
func command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	path := filepath.Join(root, "build", "testenv", "bin")
	if env := os.Getenv("UWSGO_TESTENV"); env != "" {
		path = filepath.Join(env, "bin")
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "UWSGI_") && !strings.HasPrefix(kv, "PATH=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+path+":"+os.Getenv("PATH"), "NO_COLOR=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that keeps the output open must not keep Wait from returning.
	cmd.WaitDelay = patience
	return cmd
}

// start runs the tested binary in dir. When the test ends it is stopped, and a
// process it leaves behind fails the test.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return launch(t, command(dir, args...))
}

func launch(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{cmd: cmd, log: &logBuffer{}, exit: make(chan error, 1), mark: fmt.Sprintf("E2E_MARK=%d/%d", os.Getpid(), marks.Add(1))}
	cmd.Env = append(cmd.Env, s.mark)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		err := cmd.Wait()
		close(ended)
		s.exit <- err
	}()
	t.Cleanup(func() {
		defer s.killAll()
		select {
		case <-ended:
		default:
			if err := s.stop(t, stopSignal); err != nil {
				t.Errorf("stopping with %v: %v", stopSignal, err)
			}
		}
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(cmd.Args, " "), s.log)
		}
	})
	return s
}

func (s *server) pid() int { return s.cmd.Process.Pid }

func (s *server) alive() bool { return proctree.Alive(s.pid()) }

// stop sends sig, waits until the server has ended and gives its exit error.
// A process of the server that is left behind fails the test.
func (s *server) stop(t *testing.T, sig syscall.Signal) error {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal %v: %w", sig, err)
	}
	err := s.wait(t)
	s.noOrphans(t)
	return err
}

// wait waits until the server has ended and gives its exit error.
func (s *server) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.exit:
		s.exit <- err
		return err
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		t.Fatalf("the server did not end within %v\n%s", patience, s.log)
		return nil
	}
}

// processes gives the living processes of the server, also those that no longer
// descend from it.
func (s *server) processes() []int {
	var pids []int
	environs, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range environs {
		environ, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environ, []byte("\x00"+s.mark+"\x00")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && proctree.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killAll ends what a failed test would leave running.
func (s *server) killAll() {
	for _, pid := range s.processes() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// noOrphans waits until no process of the server is left.
func (s *server) noOrphans(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		left := s.processes()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("processes %v outlived their server", left)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// waitLog waits until the server has printed want.
func (s *server) waitLog(t *testing.T, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("log line %q", want), func() error {
		if !strings.Contains(s.log.String(), want) {
			return errors.New("not printed yet:\n" + s.log.String())
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
		time.Sleep(10 * time.Millisecond)
	}
}

// client asks on a new connection each time and follows no redirect.
var client = &http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answer is what a client keeps of a response.
type answer struct {
	status int
	header http.Header
	body   string
}

func ask(method, url string, body io.Reader, header http.Header) (answer, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return answer{}, err
	}
	maps.Copy(req.Header, header)
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(got)}, err
}

// get asks for url and fails the test without an answer.
func get(t *testing.T, url string) answer {
	t.Helper()
	a, err := ask(http.MethodGet, url, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// waitAnswer waits until url answers with status, and gives the answer.
func (s *server) waitAnswer(t *testing.T, url string, status int) answer {
	t.Helper()
	var a answer
	eventually(t, "GET "+url, func() (err error) {
		select {
		case err := <-s.exit:
			s.exit <- err
			t.Fatalf("the server ended: %v\n%s", err, s.log)
		default:
		}
		if a, err = ask(http.MethodGet, url, nil, nil); err != nil {
			return err
		}
		if a.status != status {
			return fmt.Errorf("status %d, want %d", a.status, status)
		}
		return nil
	})
	return a
}

// freePort gives a TCP port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
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

// write puts a file of a test's own into dir and gives its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

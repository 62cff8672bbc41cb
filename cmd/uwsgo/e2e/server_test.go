package e2e

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/proctree"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// server is a running process of the tested binary.
type server struct {
	cmd  *exec.Cmd
	log  *servertest.Log
	exit chan error // has the result of Wait once
	mark string     // in the environment of all its processes
	// address is where it listens, for those of beside.
	address string
}

// stopSignal asks for a graceful stop, the way systemd and containers do.
const stopSignal = syscall.SIGTERM

// What is for every test of a server.
const patience = servertest.Patience

var (
	eventually = servertest.Eventually
	freePort   = servertest.FreePort
)

// command is the tested binary in dir, with the virtualenv of the tests.
func command(dir string, args ...string) *exec.Cmd {
	virtualenv := filepath.Join(root, "build", "testenv")
	if env := os.Getenv("UWSGO_TESTENV"); env != "" {
		virtualenv = env
	}
	return servertest.Command(binary, dir, virtualenv, args...)
}

// start runs the tested binary in dir. When the test ends it is stopped, and a
// process it leaves behind fails the test.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	return launch(t, command(dir, args...))
}

func launch(t *testing.T, cmd *exec.Cmd) *server {
	t.Helper()
	p := servertest.Launch(t, cmd)
	s := &server{cmd: cmd, log: p.Log, exit: make(chan error, 1), mark: p.Mark}
	go func() {
		<-p.Ended
		s.exit <- p.Err()
	}()
	t.Cleanup(func() {
		defer servertest.KillAll(s.mark)
		select {
		case <-p.Ended:
		default:
			if err := s.stop(t, stopSignal); err != nil && !errors.Is(err, os.ErrProcessDone) { // it may end by itself just now
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

// insist asks the server to stop, again and again until it has ended, and gives its exit
// error. All but the first mean: at once.
func (s *server) insist(t *testing.T) error {
	t.Helper()
	eventually(t, "the end", func() error {
		if s.alive() {
			_ = s.cmd.Process.Signal(stopSignal)
			return errors.New("it runs")
		}
		return nil
	})
	return s.wait(t)
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
func (s *server) processes() []int { return servertest.Processes(s.mark) }

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

// write puts a file of a test's own into dir and gives its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

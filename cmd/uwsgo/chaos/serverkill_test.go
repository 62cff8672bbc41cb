package chaos

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
)

func TestServerKilled(t *testing.T) {
	rounds := 2
	if *full {
		rounds = 20
	}
	f := newFinding(t, "The server killed", fmt.Sprintf(
		"%d times SIGKILL to the server itself while it runs requests on %d × %d workers, then a start with the same unix socket and pid file.",
		rounds, workers, threads))
	dir := t.TempDir()
	socket, pidfile := filepath.Join(dir, "uwsgo.sock"), filepath.Join(dir, "uwsgo.pid")
	args := append(slices.Clone(pool), "--http", socket, "--pidfile", pidfile)
	s := start(t, args...)
	var gone latencies
	for range rounds {
		if got := readPID(t, pidfile); got != s.pid() {
			t.Fatalf("the pid file has %d, the server is %d", got, s.pid())
		}
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()

		stop := make(chan struct{})
		go func() {
			defer close(stop)
			// What it finds is of no interest: the server dies under it.
			_, _ = load.Run(t.Context(), load.Options{
				Target: s.target(), Routes: []load.Route{route("/sleep")}, Connections: 2 * workers * threads, Duration: 300 * time.Millisecond, Timeout: time.Second,
			})
		}()
		before := s.notesSize(t)
		eventually(t, "requests under way", func() error {
			if s.notesSize(t) < before+256 {
				return errNotYet
			}
			return nil
		})
		killed := time.Now()
		if err := s.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of every process", func() error {
			if left := processes(s.mark); len(left) > 0 {
				return fmt.Errorf("%v are left", left)
			}
			return nil
		})
		gone.add(time.Since(killed))
		<-stop
		<-s.ended
		if _, err := os.Stat(socket); errors.Is(err, os.ErrNotExist) {
			t.Fatal("there is no stale socket to replace")
		}
		s.launch(t, args...)
	}
	f.must(len(gone.times) == rounds, "times killed, and started again", len(gone.times), fmt.Sprint(rounds))
	f.bound(gone.most() <= time.Second, "all workers gone after, at most", gone.most(), "1,000 ms")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.ended
}

func readPID(t *testing.T, path string) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(strings.TrimSpace(string(content)), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

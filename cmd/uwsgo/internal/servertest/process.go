// Package servertest runs the server for tests that look at it from outside: as a process
// of which no child may be lost, with what it prints, and with conditions that are waited
// for. It follows processes through Linux's /proc.
package servertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// Process is a process that was launched, and all that it starts.
type Process struct {
	Cmd   *exec.Cmd
	Log   *Log
	Mark  string        // in the environment of all of them
	Ended chan struct{} // closed when it has ended; how is in Cmd.ProcessState
	err   error
}

// marks counts what this test process has launched.
var marks atomic.Int64

// Command is binary in dir. Of the environment it gets no UWSGI_* variables nor VIRTUAL_ENV, and first in
// its PATH the programs of a virtualenv, where there is one.
func Command(binary, dir, virtualenv string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "UWSGI_") && !strings.HasPrefix(kv, "PATH=") && !strings.HasPrefix(kv, "VIRTUAL_ENV=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+filepath.Join(virtualenv, "bin")+":"+os.Getenv("PATH"), "NO_COLOR=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A grandchild that keeps the output open must not keep Wait from returning.
	cmd.WaitDelay = Patience
	return cmd
}

// Launch starts cmd. Whoever calls it ends it.
func Launch(t *testing.T, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, Log: &Log{}, Mark: fmt.Sprintf("TEST_MARK=%d/%d", os.Getpid(), marks.Add(1)), Ended: make(chan struct{})}
	cmd.Env = append(cmd.Env, p.Mark)
	cmd.Stdout, cmd.Stderr = p.Log, p.Log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.Ended)
	}()
	return p
}

// Err returns how the process ended, as Wait of its Cmd does. To be called when Ended is
// closed.
func (p *Process) Err() error { return p.err }

// Processes gives the living processes with a mark, also those that no longer descend
// from the one that was launched.
func Processes(mark string) []int {
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

// KillAll ends what a failed test would leave running.
func KillAll(mark string) {
	for _, pid := range Processes(mark) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// Log collects what a process prints.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/proctree"
)

// startCase is an app, or what is around it, and what becomes of a start with it.
type startCase struct {
	name string
	app  string   // put before an app that answers
	args []string // beside those for any app
	// exit is the code with which the start ends; serves and hangs say that it does not.
	exit   int
	log    string // what the log has to say
	root   bool   // only root can make it so
	zygote bool   // it is nothing for a worker that imports for itself
}

const (
	serves = -1
	hangs  = -2
)

const unprivileged = "import os, resource\nos.setgid(65534); os.setuid(65534)\n"

// What apps and systems do to a start. Each is tried when the zygote imports, when each
// worker does, when they do because of a thread, and as the first process of a container.
var startCases = []startCase{
	{name: "raises", app: "1 / 0", exit: 22, log: "ZeroDivisionError"},
	{name: "raises_without_text", app: "class E(Exception):\n    def __str__(self): raise ValueError\nraise E", exit: 22, log: "cannot load app"},
	{name: "raises_surrogates", app: `raise Exception("\udcff\n" * 1000)`, exit: 22, log: "cannot load app"},
	{name: "interrupts", app: "raise KeyboardInterrupt", exit: 22, log: "KeyboardInterrupt"},
	{name: "sys_exit", app: "import sys; sys.exit(3)", exit: 22, log: "SystemExit: 3"},
	{name: "os_exit_0", app: "import os; os._exit(0)", exit: 22, log: "ended while it was importing it"},
	{name: "os_exit_3", app: "import os; os._exit(3)", exit: 22, log: "exit status 3"},
	{name: "killed", app: "import os; os.kill(os.getpid(), 9)", exit: 22, log: "killed"},
	{name: "crashes", app: "import os; os.kill(os.getpid(), 11)", exit: 22, log: "ended while it was importing it"},
	{name: "closes_everything", app: "import os; os.closerange(0, 4096)", exit: 22, log: "ended while it was importing it"},
	{name: "closes_everything_and_sleeps", app: "import os, time; os.closerange(0, 4096); time.sleep(600)", exit: 22, log: "ended while it was importing it"},
	{name: "becomes_another", app: "import os; os.execv('/bin/sleep', ['sleep', '600'])", exit: 22, log: "ended while it was importing it"},
	{name: "becomes_another_that_ends", app: "import os; os.execv('/bin/true', ['true'])", exit: 22, log: "ended while it was importing it"},
	{name: "daemonizes", app: "import os\nif os.fork(): os._exit(0)\nos.setsid()", exit: 22, log: "ended while it was importing it"},
	{name: "forks", app: "import os\nif not os.fork(): os._exit(0)", exit: serves},
	{name: "session", app: "import os; os.setpgid(0, 0) if os.getpid() != os.getsid(0) else None; os.fork() or os._exit(0)", exit: serves},
	{name: "blocks_sigchld", app: "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])", exit: serves},
	{name: "blocks_all", app: "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())", exit: serves},
	{name: "ignores_sigchld", app: "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)", exit: serves},
	{name: "reaps_all", app: "import os, signal\ndef reap(*_):\n    try:\n        while os.waitpid(-1, os.WNOHANG)[0]: pass\n    except ChildProcessError: pass\nsignal.signal(signal.SIGCHLD, reap)", exit: serves},
	{name: "reaps_in_fork", app: "import os\ndef reap():\n    try: os.waitpid(-1, os.WNOHANG)\n    except ChildProcessError: pass\nos.register_at_fork(before=reap)", exit: serves},
	{name: "raises_in_fork", app: "import os\ndef fail(): 1 / 0\nos.register_at_fork(before=fail, after_in_parent=fail, after_in_child=fail)", exit: serves},
	{name: "sleeps", app: "import time; open('hangs', 'w').close(); time.sleep(600)", exit: hangs},
	{name: "sleeps_and_blocks_all", app: "import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); open('hangs', 'w').close(); time.sleep(600)", exit: hangs},
	{name: "no_processes_left", app: unprivileged + "resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))", exit: 22, log: "no worker could be forked", root: true, zygote: true},
	{name: "hook_fails", args: []string{"--hook-post-fork", "exec:exit 3"}, exit: 22, log: "running hook-post-fork: exit 3: exit status 1"},
	{name: "hook_hangs", args: []string{"--hook-post-fork", "exec:touch hangs; sleep 600"}, exit: hangs},
	{name: "hook_before_hangs", args: []string{"--exec-pre-app", "touch hangs; sleep 600"}, exit: hangs},
	{name: "fork_hangs", app: "import os, time\ndef hang(): open('hangs', 'w').close(); time.sleep(600)\nos.register_at_fork(before=hang)", exit: hangs, zygote: true},
	{name: "worker_hangs_in_fork", app: "import os, time\ndef hang(): open('hangs', 'w').close(); time.sleep(600)\nos.register_at_fork(after_in_child=hang)", exit: hangs, zygote: true},
	{name: "worker_ends_in_fork", app: "import os\nos.register_at_fork(after_in_child=lambda: os._exit(7))", exit: 22, log: "while it was in the fork: exit status 7", zygote: true},
	{name: "zygote_ends_in_fork", app: "import os\nos.register_at_fork(after_in_parent=lambda: os._exit(7))", exit: 22, log: "exit status 7", zygote: true},
	{name: "zygote_killed_after_fork", args: []string{"--hook-post-fork", "exec:kill -9 `cut -d' ' -f4 /proc/$PPID/stat`; sleep 600"}, exit: 22, log: "killed"},
	{name: "python_sleeps", args: []string{"--home", "venv"}, exit: hangs},
	{name: "python_fails", args: []string{"--home", "broken"}, exit: 1, log: "python interpreter"},
}

// fakePythons makes virtualenvs whose interpreters are none.
func fakePythons(t *testing.T, dir string) {
	t.Helper()
	for name, script := range map[string]string{"venv": "#!/bin/sh\ntouch hangs\nexec sleep 600\n", "broken": "#!/bin/sh\nexit 4\n"} {
		bin := filepath.Join(dir, name, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bin, "python"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartFails(t *testing.T) {
	testenv(t)
	const thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
	stages := []struct {
		name, before string
		args         []string
		first        bool // as the first process
	}{
		{name: "zygote"},
		{name: "lazy", args: []string{"--lazy-apps"}},
		{name: "threads", before: thread},
		{name: "first", first: true},
		{name: "first_lazy", args: []string{"--lazy-apps"}, first: true},
	}
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			t.Parallel() // most of it waits
			for _, c := range startCases {
				t.Run(c.name, func(t *testing.T) {
					if c.root && os.Getuid() != 0 {
						t.Skip("SKIP: needs root")
					}
					if c.zygote && (stage.before != "" || stage.args != nil) {
						return
					}
					dir := shortTempDir(t)
					if err := os.Chmod(dir, 0o777); err != nil {
						t.Fatal(err)
					}
					fakePythons(t, dir)
					write(t, dir, "app.py", stage.before+c.app+"\n"+versioned("v1"))
					port := freePort(t)
					args := append([]string{"--http", "127.0.0.1:" + port, "--wsgi-file", "app.py", "--processes", "2"}, stage.args...)
					cmd := command(dir, append(args, c.args...)...)
					if stage.first {
						cmd.Args = append([]string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", binary}, cmd.Args[1:]...)
						unshare, err := exec.LookPath("unshare")
						if err != nil || exec.Command(unshare, "--pid", "--fork", "--mount-proc", "true").Run() != nil {
							t.Skip("SKIP: needs unshare, and to be root")
						}
						cmd.Path = unshare
					}
					s := launch(t, cmd)
					base := "http://127.0.0.1:" + port
					if c.exit == serves {
						s.waitBody(t, base, "v1")
						s.waitLog(t, "uwsgo is ready")
						killWorkers(t, s)
						s.waitBody(t, base, "v1")
						if err := s.ask(t, stage.first, stopSignal); err != nil {
							t.Errorf("exit: %v, want 0", err)
						}
					} else if c.exit == hangs {
						eventually(t, "the start to hang", func() error {
							_, err := os.Stat(filepath.Join(dir, "hangs"))
							return err
						})
						if err := s.ask(t, stage.first, stopSignal); err != nil {
							t.Errorf("exit: %v, want 0", err)
						}
					} else {
						exit := new(exec.ExitError)
						if err := s.wait(t); !errors.As(err, &exit) || exit.ExitCode() != c.exit {
							t.Errorf("exit: %v, want %d", err, c.exit)
						}
					}
					s.noOrphans(t)
					if log := s.log.String(); !strings.Contains(log, c.log) {
						t.Errorf("the log does not say %q", c.log)
					} else if c.exit == hangs && strings.Contains(log, "uwsgo is ready") {
						t.Errorf("it was ready, though it hangs")
					}
				})
			}
		})
	}
}

// ask sends a signal to the server, which may be the first process below another one, and
// waits for its end.
func (s *server) ask(t *testing.T, first bool, sig syscall.Signal) error {
	t.Helper()
	pid := s.pid()
	if first {
		eventually(t, "the first process", func() error {
			children, err := proctree.Children(pid)
			if err == nil && len(children) != 1 {
				err = fmt.Errorf("%d children", len(children))
			}
			if err == nil {
				pid = children[0]
			}
			return err
		})
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
	return s.wait(t)
}

// killWorkers kills what a zygote has forked.
func killWorkers(t *testing.T, s *server) {
	t.Helper()
	for _, pid := range s.workers(t) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// workers gives the children of a server's children.
func (s *server) workers(t *testing.T) (pids []int) {
	t.Helper()
	zygotes, err := proctree.Children(s.pid())
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range zygotes {
		workers, err := proctree.Children(z)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, workers...)
	}
	return pids
}

// What the first signal does not end the second does, whatever it is.
func TestSecondSignalInAStart(t *testing.T) {
	testenv(t)
	for name, args := range map[string][]string{
		"at_exit": {"--exec-as-user-atexit", "trap '' TERM; sleep 600"},
		"hook":    {"--exec-as-user-atexit", "sleep 600 & wait", "--hook-post-fork", "exec:touch hangs; sleep 600"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shortTempDir(t)
			write(t, dir, "app.py", "import time\nopen('hangs', 'w').close()\ntime.sleep(600)\n")
			if name == "hook" {
				write(t, dir, "app.py", versioned("v1"))
			}
			s := launch(t, command(dir, append(args, "--http", "127.0.0.1:"+freePort(t), "--wsgi-file", "app.py", "--worker-reload-mercy", "3600")...))
			eventually(t, "the start to hang", func() error {
				_, err := os.Stat(filepath.Join(dir, "hangs"))
				return err
			})
			_ = s.cmd.Process.Signal(stopSignal)
			s.waitLog(t, "(atexit)")
			if err := s.insist(t); err != nil {
				t.Errorf("exit: %v, want 0", err)
			}
			s.noOrphans(t)
		})
	}
}

// A server that was stopped as a whole, as one whose container is paused, goes on as if
// nothing had happened.
func TestPausedAsAWhole(t *testing.T) {
	testenv(t)
	t.Parallel() // most of it waits
	s, dir, base, held := holding(t, "--harakiri", "10", "--worker-reload-mercy", "10")
	all := s.processes()
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		for _, pid := range all {
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
		}
		if sig == syscall.SIGSTOP {
			time.Sleep(12 * time.Second) // longer than what would be killed for
		}
	}
	s.waitAnswer(t, base+"/", 200)
	if err := os.WriteFile(filepath.Join(dir, "release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, ok := (<-held).(answer); !ok || a.status != 200 {
		t.Errorf("the request that ran meanwhile got %+v", a)
	}
	if log := s.log.String(); strings.Contains(log, "HARAKIRI") || strings.Contains(log, "DAMN") {
		t.Error("something was killed")
	}
}

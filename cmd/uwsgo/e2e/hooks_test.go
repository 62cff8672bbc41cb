package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var hookStages = []string{"asap", "pre-jail", "post-jail", "in-jail", "as-root", "as-user", "pre-app", "post-app", "as-user-atexit"}

// note is a command that adds a word, and the user it runs as, to the file order.
func note(word string) string { return "echo " + word + " $OF_THE_TEST $(id -u) >> order" }

func TestHooks(t *testing.T) {
	dir, nobody := publicDir(t)
	needPython(t, nobody)
	write(t, dir, "order", "")
	if err := os.Chmod(filepath.Join(dir, "order"), 0o666); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	args := []string{"--http", ":" + port, "--wsgi-file", "app.py", "--uid", "nobody", "--env", "OF_THE_TEST=x"}
	var want []string
	for _, stage := range hookStages {
		args = append(args, "--exec-"+stage, note("exec-"+stage), "--hook-"+stage, "exec:"+note("hook-"+stage))
		uid := "0"
		switch stage {
		case "as-user", "pre-app", "post-app", "as-user-atexit":
			uid = nobody.Uid
		}
		want = append(want, "hook-"+stage+" x "+uid, "exec-"+stage+" x "+uid)
		if stage == "post-app" {
			want = append(want, "start x "+nobody.Uid)
		}
	}
	args = append(args, "--hook-master-start", "exec:"+note("start"), "--hook-master-start", "unix_signal:15 gracefully_kill_them_all")
	s := start(t, dir, args...)
	s.waitLog(t, "uwsgo is ready")
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	order, err := os.ReadFile(filepath.Join(dir, "order"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(string(order)), "\n")); diff != "" {
		t.Errorf("what ran (-want +got):\n%s", diff)
	}
}

func TestHookPostFork(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	base := "http://127.0.0.1:" + freePort(t) + "/"
	s := start(t, dir, "--http", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/"), "--wsgi-file", "app.py", "--processes", "2",
		"--env", "OF_THE_TEST=x", "--hook-post-fork", "exec:echo $OF_THE_TEST >> order", "--hook-post-fork", "safeexec:exit 3")
	s.waitAnswer(t, base, 200)
	eventually(t, "a line of each worker", func() error {
		order, err := os.ReadFile(filepath.Join(dir, "order"))
		if err == nil && string(order) != "x\nx\n" {
			err = fmt.Errorf("%q", order)
		}
		return err
	})
}

// A command that fails ends the start, with its number; safeexec may fail, and so may
// what is run at the end.
func TestFailingHooks(t *testing.T) {
	for _, stage := range hookStages[:len(hookStages)-1] {
		t.Run(stage, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			refusal{
				[]string{"--http", "127.0.0.1:0", "--socket", "left.sock", "--pidfile", "left.pid", "--wsgi-file", "app.py", "--exec-" + stage, "exit 3"},
				exitConfig,
				[]string{"--exec-" + stage, "non-zero code: 3"},
			}.check(t, dir)
		})
	}
	t.Run("safe", func(t *testing.T) {
		dir := shortTempDir(t)
		write(t, dir, "app.py", plainApp)
		port := freePort(t)
		s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--hook-pre-app", "safeexec:exit 3", "--exec-as-user-atexit", "exit 4")
		s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
		if err := s.stop(t, stopSignal); err != nil {
			t.Error(err)
		}
		for _, want := range []string{"non-zero code: 3", "non-zero code: 4"} {
			if !strings.Contains(s.log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
		}
	})
	t.Run("unknown_action", func(t *testing.T) {
		dir := shortTempDir(t)
		refusal{[]string{"--http", "127.0.0.1:0", "--hook-asap", "mount:proc none /proc"}, exitConfig, []string{"hook-asap", "mount:proc", "neither mounted nor unmounted"}}.check(t, dir)
	})
}

// A command that never ends does not keep the server from being stopped.
func TestStopDuringHook(t *testing.T) {
	for _, option := range []string{"--exec-asap", "--exec-pre-app", "--hook-master-start", "--exec-as-user-atexit"} {
		t.Run(option, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			command := "touch runs; sleep 10000"
			if option == "--hook-master-start" {
				command = "exec:" + command
			}
			s := start(t, dir, "--http", "127.0.0.1:0", "--wsgi-file", "app.py", option, command)
			if option == "--exec-as-user-atexit" {
				s.waitLog(t, "uwsgo is ready")
				if err := s.cmd.Process.Signal(stopSignal); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the command", func() error {
				_, err := os.Stat(filepath.Join(dir, "runs"))
				return err
			})
			if err := s.insist(t); err != nil {
				t.Errorf("exit: %v, want 0", err)
			}
			s.noOrphans(t)
		})
	}
}

// Requests are served while hook-master-start runs, and finished when it is stopped then.
func TestStopFinishesRequestsDuringStart(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", holdApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py", "--hook-master-start", "exec:sleep 10000")
	s.waitAnswer(t, base+"/", 200)
	held := askLater(base + "/hold")
	heldBy(t, dir)
	if err := s.cmd.Process.Signal(stopSignal); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "finishing requests")
	write(t, dir, "release", "")
	if a, ok := (<-held).(answer); !ok || a.status != 200 {
		t.Errorf("the request in flight got %+v, want its 200", a)
	}
	if err := s.wait(t); err != nil {
		t.Errorf("exit: %v, want 0", err)
	}
	s.noOrphans(t)
}

// A start that fails ends at once also when requests are served already.
func TestHookFailsBesideRequests(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", holdApp)
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	s := start(t, dir, "--http", ":"+port, "--wsgi-file", "app.py",
		"--hook-master-start", "exec:while [ ! -e fail ]; do sleep 0.05; done; exit 3")
	s.waitAnswer(t, base+"/", 200)
	held := askLater(base + "/hold")
	heldBy(t, dir)
	write(t, dir, "fail", "")
	if err := s.wait(t); err == nil {
		t.Error("it ended with exit code 0")
	}
	<-held
	s.noOrphans(t)
}

// TestHookActions: what actions do to files, to the directory and to the environment, in
// the server and in its workers.
func TestHookActions(t *testing.T) {
	dir := shortTempDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "first"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "later"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "first"), "app.py", `import os
def application(environ, start_response):
    start_response("200 OK", [])
    return ["|".join([os.getcwd(), os.environ.get("BY_HOOK", ""), os.environ.get("BY_FORK", ""), os.environ.get("GONE", "gone")]).encode()]
`)
	port := freePort(t)
	write(t, dir, "app.ini", `[uwsgi]
http = 127.0.0.1:`+port+`
wsgi-file = app.py
env = GONE=not
hook-asap = chdir:first
hook-asap = mkdir:made
hook-as-root = writen:made/text a b
hook-as-user = appendn:made/text c
hook-pre-app = chmod:made/text 600
hook-pre-app = putenv:BY_HOOK=yes
hook-pre-app = putenv:GONE
hook-post-fork = write:forked x
hook-post-fork = putenv:BY_FORK=yes
hook-post-fork = chdir:`+dir+`/later
hook-post-app = !print:secret
hook-as-user-atexit = unlink:made/text
`)
	s := start(t, dir, "app.ini")
	body := s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200).body
	if want := dir + "/later|yes|yes|gone"; body != want {
		t.Errorf("the app sees %q, want %q", body, want)
	}
	text, err := os.ReadFile(filepath.Join(dir, "first/made/text"))
	if info, statErr := os.Stat(filepath.Join(dir, "first/made/text")); err != nil || statErr != nil || string(text) != "a b\nc\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q, %v, %v", text, err, statErr)
	}
	if _, err := os.Stat(filepath.Join(dir, "first/forked")); err != nil {
		t.Error(err)
	}
	if err := s.stop(t, stopSignal); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "first/made/text")); err == nil {
		t.Error("the hook at the end has not removed its file")
	}
}

// TestSignalsByHook: any signal can stop, reload, pause or log.
func TestSignalsByHook(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py",
		"--hook-master-start", "unix_signal:15 grace_them_all", "--hook-master-start", "unix_signal:28 stats", "--hook-master-start", "unix_signal:12 gracefully_kill_them_all")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	for sig, want := range map[syscall.Signal]string{syscall.SIGTERM: "uwsgo has reloaded", syscall.SIGWINCH: "connections, "} {
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		s.waitLog(t, want)
	}
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	if err := s.stop(t, syscall.SIGUSR2); err != nil {
		t.Error(err)
	}
}

// TestWaitsAndControl: a start waits for what is to be there, and a daemon with control ends
// the server.
func TestWaitsAndControl(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	s := start(t, dir, "--http", "127.0.0.1:"+port, "--wsgi-file", "app.py", "--wait-for-file", filepath.Join(dir, "late"),
		"--attach-control-daemon", "until [ -e "+dir+"/end ]; do sleep 0.1; done")
	s.waitLog(t, "wait_for_file:")
	write(t, dir, "late", "")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	write(t, dir, "end", "")
	if err := s.wait(t); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.log.String(), "end of a daemon received") {
		t.Error("the log does not say why it stops")
	}
}

func TestHookThatEndsTheStart(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	refusal{[]string{"--http", "127.0.0.1:0", "--wsgi-file", "app.py", "--hook-pre-app", "exit:17"}, 17, []string{"exit code 17"}}.check(t, dir)
}

package zygote

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/worker/internal/proc"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// A zygote that stands still does not make the supervisor do so: it is killed.
func TestZygoteTakesNoCommands(t *testing.T) {
	fds, err := proc.Socketpair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	ours := os.NewFile(uintptr(fds[0]), "zygote")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sleeper := exec.Command("sleep", "1000")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	z := &Zygote{conn: conn.(*net.UnixConn), process: sleeper.Process, patience: 10 * time.Millisecond}
	for err == nil {
		err = z.command("signal", 0, int(unix.SIGKILL))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a deadline", err)
	}
	if err := sleeper.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("it ended with %v, want it killed", err)
	}
	z.Spawn(0, 1, []int{0}) // returns
}

// What cannot be a report of a zygote is told from one that can.
func TestReports(t *testing.T) {
	own := os.Getpid()
	outcome := []any{[]any{"", 0.5, nil}}
	for _, c := range []struct {
		name   string
		report []any
		right  bool
	}{
		{"python", []any{"python", "3.11.2"}, true},
		{"loaded", []any{"loaded", "3.11.2", "/usr/bin/python3", outcome}, true},
		{"loaded lazily", []any{"loaded", "3.11.2", "", []any{}}, true},
		{"failed", []any{"loaded", "3.11.2", "", []any{[]any{"", 0.5, "import error"}}}, true},
		{"threads", []any{"threads", []any{"a", "b"}, false}, true},
		{"threads that stay in the zygote", []any{"threads", []any{"a"}, true}, true},
		{"threads without names", []any{"threads", []any{}, false}, true},
		{"doing", []any{"doing", -1, 0, "importing app.py", 0}, true},
		{"hook", []any{"doing", 0, -1, "running hook-post-fork: true", 4711}, true},
		{"spawned", []any{"spawned", 0, 4711}, true},
		{"last place", []any{"spawned", 2*shared.Places - 1, 4711}, true},
		{"ready", []any{"ready", 0, []any{}, 4711}, true},
		{"pong", []any{"pong"}, true},
		{"exit", []any{"exit", 0, 4711, -9}, true},
		{"not forked", []any{"exit", 0, 0, 1}, true},
		{"imported", []any{"imported", []any{"app.py"}}, true},

		{"nothing", []any{}, false},
		{"no name", []any{1, 2}, false},
		{"unknown", []any{"what"}, false},
		{"the supervisor's reload", []any{"reload"}, false},
		{"the supervisor's end of a place", []any{"ended", 4000}, false},
		{"the supervisor's mercy", []any{"mercy", 4000, 0, 0}, false},
		{"the supervisor's respawn", []any{"respawn", 0}, false},
		{"the reader's end", []any{"gone"}, false},
		{"too little", []any{"exit", 0, 4711}, false},
		{"too much", []any{"pong", 1}, false},
		{"place is no number", []any{"exit", "0", 4711, 0}, false},
		{"place too large", []any{"exit", 2 * shared.Places, 4711, 0}, false},
		{"place too small", []any{"exit", -1, 4711, 0}, false},
		{"stage of no place", []any{"doing", -2, 0, "", 0}, false},
		{"stage of no app", []any{"doing", 0, 1, "", 0}, false},
		{"spawned as none", []any{"spawned", 0, 0}, false},
		{"spawned as init", []any{"spawned", 0, 1}, false},
		{"spawned as the server", []any{"spawned", 0, own}, false},
		{"spawned as a group", []any{"spawned", 0, -4711}, false},
		{"spawned as no process", []any{"spawned", 0, 1 << 40}, false},
		{"ready as the server", []any{"ready", 0, []any{}, own}, false},
		{"hook in all groups", []any{"doing", 0, -1, "", 1}, false},
		{"hook in the server's group", []any{"doing", 0, -1, "", own}, false},
		{"exit of no code", []any{"exit", 0, 4711, 1 << 20}, false},
		{"apps are no list", []any{"loaded", "3.11.2", "", "app"}, false},
		{"more apps", []any{"loaded", "3.11.2", "", append(outcome, outcome...)}, false},
		{"app without time", []any{"loaded", "3.11.2", "", []any{[]any{""}}}, false},
		{"version is bytes", []any{"python", []byte("3")}, false},
		{"names are no texts", []any{"threads", []any{1}, false}, false},
		{"threads stay is no truth", []any{"threads", []any{"a"}, 1}, false},
		{"imported nothing", []any{"imported", nil}, false},
	} {
		b, err := pymarshal.Marshal(c.report)
		if err != nil {
			t.Fatal(err)
		}
		got := reported(t, frame(b))
		if _, malformed := got.(Malformed); malformed == c.right {
			t.Errorf("%s: %.200v passes as %T, want right: %v", c.name, c.report, got, c.right)
		}
	}
	for name, raw := range map[string]string{
		"too long":      "\xff\xff\xff\xff",
		"noise":         "\x05\x00\x00\x00noise",
		"empty":         "\x00\x00\x00\x00",
		"no list":       "\x05\x00\x00\x00i\x01\x00\x00\x00",
		"cut":           "\x06\x00\x00\x00[\x01\x00\x00\x00t",
		"count too big": "\x05\x00\x00\x00[\xff\xff\xff\x7f",
	} {
		if got, malformed := reported(t, []byte(raw)).(Malformed); !malformed || !errors.Is(got.Err, errFrame) {
			t.Errorf("%s passes as %+v", name, got)
		}
	}
}

// reported returns what the reader of a zygote with one app and two workers makes of what
// it has sent.
func reported(t *testing.T, sent []byte) Report {
	t.Helper()
	fds, err := proc.Socketpair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := os.NewFile(uintptr(fds[1]), "theirs"), os.NewFile(uintptr(fds[0]), "ours")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	z := &Zygote{Config: &launch.Config{Processes: 2, Apps: []launch.App{{}}}, conn: conn.(*net.UnixConn), done: make(chan struct{})}
	reports, read := make(chan Report, 100), make(chan struct{})
	go func() {
		defer close(read)
		z.read(func(_ *Zygote, r Report) bool { reports <- r; return true })
	}()
	// More than the socket holds: whoever writes there must not wait for ever.
	_, _ = theirs.Write(append(sent, make([]byte, 100)...))
	first := <-reports
	if _, malformed := first.(Malformed); malformed {
		if _, err := theirs.Write(make([]byte, 4<<20)); err != nil {
			t.Error(err)
		}
	}
	_ = theirs.Close()
	close(z.done)
	<-read
	// Nothing follows what is malformed but the end.
	close(reports)
	last, count := Report(nil), 0
	for last = range reports {
		count++
	}
	if _, gone := last.(Exited); !gone {
		t.Errorf("the last report is %T, want Exited", last)
	}
	if _, malformed := first.(Malformed); malformed && count != 1 {
		t.Errorf("%d reports follow a malformed one, want only Exited", count)
	}
	return first
}

// A Python that is too old is told by its version, before anything else is tried with it.
func TestOldPython(t *testing.T) {
	z := &Zygote{Config: &launch.Config{Python: "/v/bin/python", PythonFrom: launch.FromOption}}
	for version, want := range map[string]string{
		"2.7.18": "needs uWSGI", "3.8.18": "3.9 or later: make the virtualenv again", "3.9.0": "", "3.14.1": "", "4.0.0": "",
	} {
		if err := z.Check(Version{version}); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", version, err, want)
		}
	}
}

// Whatever bytes come, they are a report or an error.
func FuzzDecode(f *testing.F) {
	for _, report := range [][]any{{"pong"}, {"exit", 0, 4711, -9}, {"loaded", "3.11.2", "", []any{[]any{"", 0.5, "import error"}}}, {"doing", -1, 0, "importing", 0}} {
		b, err := pymarshal.Marshal(report)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	c := &launch.Config{Processes: 2, Apps: []launch.App{{}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		report, err := decode(c, b)
		if (report == nil) != (err != nil) {
			t.Errorf("%q: %v and %v", b, report, err)
		}
		if r, is := report.(Exit); is && (r.Place < 0 || r.Place >= 2*shared.Places || r.PID == os.Getpid()) {
			t.Errorf("%q passes as %+v", b, r)
		}
	})
}

// What a process begins with is more than its socket has room for. A start waits for no process: not
// for one that never reads, nor for one that ends before it does.
func TestStartOfWhatReadsNothing(t *testing.T) {
	memory, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	for name, script := range map[string]string{"hangs": "exec sleep 600", "ends": "exit 4"} {
		t.Run(name, func(t *testing.T) {
			python := filepath.Join(t.TempDir(), "python")
			if err := os.WriteFile(python, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			c := &launch.Config{Python: python, Env: os.Environ()}
			c.Module.Options = append(c.Module.Options, launch.Option{Name: "long", Value: strings.Repeat("x", 1<<19)})
			ended := make(chan struct{})
			z, err := Start(c, false, Inherited{Memory: &shared.Memory{File: memory}}, func(_ *Zygote, r Report) bool {
				if _, ok := r.(Exited); ok {
					close(ended)
				}
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			if name == "hangs" {
				z.Kill()
			}
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Fatal("nothing reports its end")
			}
			<-z.booted // its goroutine ends, too
			if why := z.Why(""); name == "ends" && !strings.Contains(why.Error(), "it exited before it ran anything") {
				t.Error(why)
			}
		})
	}
}

package worker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
)

// A zygote that stands still does not make the supervisor do so: it is killed.
func TestZygoteTakesNoCommands(t *testing.T) {
	fds, err := socketpair(unix.SOCK_STREAM)
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
	killed := 0
	z := &zygote{conn: conn.(*net.UnixConn), kill: func() { killed++ }, patience: 10 * time.Millisecond}
	for err == nil {
		err = z.command("signal", 0, int(unix.SIGKILL))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || killed != 1 {
		t.Errorf("%v, killed %d times; want a deadline and one kill", err, killed)
	}
	if err := z.spawn(0, 1, []int{0}); err == nil || killed != 2 {
		t.Errorf("spawn: %v, killed %d times", err, killed)
	}
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
		{"last place", []any{"spawned", 2*places - 1, 4711}, true},
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
		{"place too large", []any{"exit", 2 * places, 4711, 0}, false},
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
		if got := reported(t, frame(b)); (got.name != "malformed") != c.right {
			t.Errorf("%s: %.200v passes as %q, want right: %v", c.name, c.report, got.name, c.right)
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
		if got := reported(t, []byte(raw)); got.name != "malformed" {
			t.Errorf("%s passes as %+v", name, got)
		}
	}
}

// reported returns what the reader of a zygote with one app and two workers makes of what
// it has sent.
func reported(t *testing.T, sent []byte) message {
	t.Helper()
	fds, err := socketpair(unix.SOCK_STREAM)
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
	z := &zygote{config: &Config{Processes: 2, Apps: []App{{}}}, conn: conn.(*net.UnixConn), ended: make(chan struct{}), kill: func() {}}
	events, done, over := make(chan message, 1), make(chan struct{}), make(chan struct{})
	go func() { defer close(over); z.read(events, done) }()
	// More than the socket holds: whoever writes there must not wait for ever.
	_, _ = theirs.Write(append(sent, make([]byte, 100)...))
	m := <-events
	if m.name == "malformed" {
		if _, err := theirs.Write(make([]byte, 4<<20)); err != nil {
			t.Error(err)
		}
	}
	_ = theirs.Close()
	close(done)
	<-over
	return m
}

// A zygote that reports nonsense is replaced. Its workers finish what they have.
func TestMalformedReport(t *testing.T) {
	t.Parallel()
	const speaks = paths + `
import marshal
def speak():
    data = marshal.dumps(%s, 2)
    os.write(3, len(data).to_bytes(4, "little") + data)
if %d:
    speak()
def at_fork():
    if os.path.exists(os.environ["TEST_SPEAK"]):
        os.remove(os.environ["TEST_SPEAK"])
        speak()
os.register_at_fork(before=at_fork)
`
	for _, c := range []struct {
		name, report string
		lazy         bool
	}{
		{name: "noise", report: `"noise"`},
		{name: "place", report: `("ended", 4000)`},
		{name: "question", report: `("reload",)`, lazy: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			source := fmt.Sprintf(speaks, c.report, 0)
			if c.lazy { // the zygote itself imports nothing
				source = paths + "import marshal\ndef speak():\n    data = marshal.dumps(" + c.report + `, 2)
    os.write(3, len(data).to_bytes(4, "little") + data)
if os.path.exists(os.environ["TEST_SPEAK"]):
    os.remove(os.environ["TEST_SPEAK"])
    speak()
`
			}
			speak := t.TempDir() + "/speak"
			r := start(t, Config{
				Apps: []App{app(t, source)}, Processes: 2, LazyApps: c.lazy, Env: append(os.Environ(), "TEST_SPEAK="+speak),
			}, 1)
			blocked, release := blocker(r)
			before := r.pool.Snapshot()
			if err := touch(speak); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(before.Workers[2-blocked.worker(r)].PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			r.waitLog("has sent a report that cannot be right")
			r.wait("another zygote", func() bool { return r.pool.Snapshot().Zygote != before.Zygote })
			r.get("/hello").body200("hello")
			if blocked.over() {
				t.Error("the request that was under way has ended")
			}
			release()
			blocked.wait().body200("waited")
			waitFor(t, "the end of the zygote", func() bool { return gonePid(before.Zygote) })
			r.get("/hello").body200("hello")
			if err := r.pool.Reload(t.Context()); err != nil {
				t.Error(err)
			}
			r.get("/hello").body200("hello")
		})
	}
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		c := Config{Apps: []App{app(t, fmt.Sprintf(speaks, `("exit", 4000, 2, 0)`, 1))}}
		newRig(t, &c, 1)
		_, err := Start(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), "cannot be right") {
			t.Errorf("Start: %v, want it to say that a report cannot be right", err)
		}
	})
}

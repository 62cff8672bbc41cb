package succession

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

const patient = 10 * time.Second

// rig is a role whose log and reports to the service manager are kept.
type rig struct {
	*Role
	lines, states []string
	kept          []bool
}

func newRig(before *Predecessor) *rig {
	g := &rig{Role: NewRole(before)}
	g.Logf = func(format string, args ...any) { g.lines = append(g.lines, fmt.Sprintf(format, args...)) }
	g.Notify = func(state, status string) {
		g.states = append(g.states, strings.ReplaceAll(state, "\n", " ")+": "+status)
	}
	g.KeepFiles = func(keep bool) { g.kept = append(g.kept, keep) }
	return g
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// child is a successor as the test plays it.
type child struct {
	*Successor
	ready *os.File   // what it tells on
	goOn  *os.File   // and hears on
	exit  chan error // its end
}

func newChild(t *testing.T, stopBesides ...func()) *child {
	t.Helper()
	ready, readyEnd := pipe(t)
	goEnd, goOn := pipe(t)
	c := &child{ready: readyEnd, goOn: goEnd, exit: make(chan error, 1)}
	other := exec.Command("sleep", "1000") // something to be signalled
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	})
	c.Successor = follow(other.Process, func() error { return <-c.exit }, ready, goOn, stopBesides)
	return c
}

func (c *child) outcome(t *testing.T) error {
	t.Helper()
	select {
	case err := <-c.Outcome():
		return err
	case <-time.After(patient):
		t.Fatal("nothing is told of the start")
		return nil
	}
}

// The successor that serves goes on once what runs beside this server has ended and its
// pipes are given up, in this order.
func TestHandOver(t *testing.T) {
	defer goleak.VerifyNone(t)
	var order []string
	c := newChild(t, func() { order = append(order, "besides") })
	defer func() { c.exit <- nil }()
	g := newRig(nil)
	g.After = c.Successor
	g.HandBack(func() { order = append(order, "pipes") })
	if _, err := c.ready.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	err := c.outcome(t)
	if over, _, _ := g.HandOver(err); !over || err != nil {
		t.Errorf("over: %v, %v; %q", over, err, g.lines)
	}
	if !slices.Equal(order, []string{"besides", "pipes"}) {
		t.Errorf("given up: %v", order)
	}
	if n, err := c.goOn.Read(make([]byte, 1)); n != 1 {
		t.Errorf("the successor is not told to go on: %v", err)
	}
	if !g.Shared() || !slices.Equal(g.kept, []bool{true}) || !g.After.Serves() {
		t.Error("the files are still this server's")
	}
	if want := []string{fmt.Sprintf("MAINPID=%d READY=1: serving requests", c.PID())}; !slices.Equal(g.states, want) {
		t.Errorf("told: %q, want %q", g.states, want)
	}
	c.Stop() // it is not this server's to end any more
	over, cancel := context.WithCancel(context.Background())
	cancel()
	c.Wait(over)
}

// Where the successor does not get so far, this server goes on as it was.
func TestHandOverFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		play    func(c *child)
		besides bool // has ended
		pipes   bool // have been given up
		want    string
	}{
		{"ends_at_the_start", func(c *child) { c.exit <- errors.New("exit status 22"); _ = c.ready.Close() }, false, false, "exit status 22"},
		{"ends_with_nothing_said", func(c *child) { c.exit <- nil; _ = c.ready.Close() }, false, false, "exit status 0"},
		{"ends_once_it_has_served", func(c *child) {
			_, _ = c.ready.Write([]byte{1})
			c.exit <- errors.New("signal: killed")
			<-c.ended
		}, true, false, "it has ended"},
		{"hears_nothing", func(c *child) { _ = c.goOn.Close(); _, _ = c.ready.Write([]byte{1}) }, true, true, "broken pipe"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			stopped := false
			c := newChild(t, func() { stopped = true })
			g := newRig(nil)
			g.After = c.Successor
			tt.play(c)
			over, besides, pipes := g.HandOver(c.outcome(t))
			if over || besides != tt.besides || pipes != tt.pipes || stopped != tt.besides {
				t.Errorf("over %v, besides %v (%v), pipes %v", over, besides, stopped, pipes)
			}
			if g.After != nil || g.Shared() {
				t.Error("there is still a successor")
			}
			if all := strings.Join(g.lines, "\n"); !strings.Contains(all, "the binary is not replaced") || !strings.Contains(all, tt.want) {
				t.Errorf("the log has %q, want %q", all, tt.want)
			}
			if tt.pipes {
				c.exit <- nil
				if want := []bool{true, false}; !slices.Equal(g.kept, want) {
					t.Errorf("files were kept %v, want %v", g.kept, want)
				}
			}
		})
	}
}

// A server takes over once the one before has let go, be it by its death.
func TestTakeOver(t *testing.T) {
	for _, dies := range []bool{false, true} {
		t.Run(fmt.Sprintf("dies=%v", dies), func(t *testing.T) {
			defer goleak.VerifyNone(t)
			ready, readyEnd := pipe(t)
			goEnd, goOn := pipe(t)
			file := filepath.Join(t.TempDir(), "s")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			b := &Predecessor{ready: readyEnd, goOn: goEnd}
			b.Unwanted(Socket{FD: null, option: "old.sock", file: file})
			g := newRig(b)
			var order []string
			g.Postpone(func() error { order = append(order, "pidfile"); return errors.New("no space") })
			g.Postpone(func() error { order = append(order, "pipes"); return nil })
			done := make(chan error, 1)
			go func() { done <- g.TakeOver(context.Background()) }()
			if n, err := ready.Read(make([]byte, 1)); n != 1 {
				t.Fatalf("the predecessor is told nothing: %v", err)
			}
			if dies {
				_ = goOn.Close()
			} else if _, err := goOn.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if g.Shared() || !slices.Equal(g.kept, []bool{false}) || !slices.Equal(order, []string{"pidfile", "pipes"}) {
				t.Errorf("shared %v, kept %v, done %v", g.Shared(), g.kept, order)
			}
			if _, err := os.Lstat(file); err == nil {
				t.Error("the file of a socket that no option names is left")
			}
			if all := strings.Join(g.lines, "\n"); !strings.Contains(all, "old.sock is closed") || !strings.Contains(all, "WARNING: no space") {
				t.Errorf("the log has %q", all)
			}
		})
	}
	t.Run("stopped_meanwhile", func(t *testing.T) {
		_, readyEnd := pipe(t)
		goEnd, goOn := pipe(t)
		g := newRig(&Predecessor{ready: readyEnd, goOn: goEnd})
		over, cancel := context.WithCancel(context.Background())
		cancel()
		if err := g.TakeOver(over); !errors.Is(err, context.Canceled) || !g.Shared() {
			t.Errorf("%v, shared %v", err, g.Shared())
		}
		_ = goOn.Close()
	})
	t.Run("nobody_before", func(t *testing.T) {
		if g := newRig(nil); g.TakeOver(context.Background()) != nil || g.Shared() {
			t.Error("there is nothing to take over")
		}
	})
}

func TestRefusal(t *testing.T) {
	for _, tt := range []struct {
		name           string
		after          bool
		pid            int
		paused, chroot bool
		want           string
	}{
		{"nothing_against_it", false, 77, false, false, ""},
		{"one_is_under_way", true, 77, false, false, "is being started to take this one's place"},
		{"container", false, 1, false, false, "start a new container"},
		{"paused", false, 77, true, false, "have it go on first"},
		{"chroot", false, 77, false, true, "restart it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newRig(nil)
			if tt.after {
				c := newChild(t)
				g.After = c.Successor
				defer func() { c.exit <- nil; _ = c.ready.Close() }()
			}
			got := g.Refusal(tt.pid, tt.paused, tt.chroot)
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// What a server hands over the next one finds, with paths that hold in another directory.
func TestHandedIsFound(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file := func() (*os.File, error) { return ln.(*net.TCPListener).File() }
	spec := Spec{Home: "/srv", Sockets: []Handed{
		{Option: ":0", Address: ln.Addr().String(), File: file},
		{Option: "s", Address: "s", Owned: true, File: file},
		{Option: "t", Address: "/run/t", Owned: true, Stats: true, File: file},
	}}
	socks, files, err := spec.handed(5)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		defer f.Close()
	}
	var got []string
	for _, s := range socks {
		got = append(got, fmt.Sprint(s.FD, " ", s.Option, " ", s.Address, " ", s.Stats))
	}
	want := []string{"5 :0 " + ln.Addr().String() + " false", "6 s /srv/s false", "7 t /run/t true"}
	if !slices.Equal(got, want) || len(files) != 3 {
		t.Errorf("%d files, %q; want %q", len(files), got, want)
	}
	socks[0].FD = int(files[0].Fd())
	found, err := (&Predecessor{sockets: socks[:2]}).Listening()
	if err != nil || len(found) != 2 || !found[0].IsOf(":0") || !found[0].IsOf(ln.Addr().String()) || !found[1].IsOf("/srv/s") || found[1].file != "/srv/s" {
		t.Errorf("%+v, %v", found, err)
	}
	broken := errors.New("closed")
	spec.Sockets[1].File = func() (*os.File, error) { return nil, broken }
	_, files, err = spec.handed(5)
	for _, f := range files {
		_ = f.Close()
	}
	if !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

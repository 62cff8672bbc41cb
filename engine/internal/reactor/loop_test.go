package reactor

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	t.Cleanup(func() {
		l.Stop()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// onLoop runs fn on the loop and waits for it.
func onLoop(t *testing.T, l *Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	if err := l.Post(func() { defer close(done); fn() }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the loop did not run what was posted")
	}
}

type sourceFunc func(Events)

func (f sourceFunc) Ready(ev Events) { f(ev) }

func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	return fds[0], fds[1]
}

func TestSourceIsToldOfDataAndOfEnd(t *testing.T) {
	l := startLoop(t)
	a, b := pair(t)
	got := make(chan string, 10)
	onLoop(t, l, func() {
		err := l.Add(a, sourceFunc(func(ev Events) {
			if ev&Readable == 0 {
				return
			}
			n, err := unix.Read(a, l.Buffer())
			switch {
			case err != nil:
			case n == 0:
				l.Forget(a)
				_ = unix.Close(a)
				got <- "end"
			default:
				got <- string(l.Buffer()[:n])
			}
		}), true)
		if err != nil {
			t.Error(err)
		}
	})
	for _, step := range []struct {
		do   func() error
		want string
	}{
		{func() error { _, err := unix.Write(b, []byte("one")); return err }, "one"},
		{func() error { _, err := unix.Write(b, []byte("two")); return err }, "two"},
		{func() error { return unix.Close(b) }, "end"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		select {
		case s := <-got:
			if s != step.want {
				t.Fatalf("got %q, want %q", s, step.want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no event; want %q", step.want)
		}
	}
}

func TestTimersFireWhileNothingElseHappens(t *testing.T) {
	l := startLoop(t)
	fired := make(chan int, 3)
	var timers [3]Timer
	var start time.Time
	onLoop(t, l, func() {
		start = time.Now()
		for i, d := range []time.Duration{60 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond} {
			timers[i].Fn = func() { fired <- i }
			l.After(&timers[i], d)
		}
	})
	for _, want := range []int{1, 2, 0} {
		select {
		case got := <-fired:
			if got != want {
				t.Fatalf("timer %d fired, want %d", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a timer did not fire")
		}
	}
	if d := time.Since(start); d < 60*time.Millisecond {
		t.Errorf("the last fired %v after the start, before its time", d)
	}
}

func TestPanicIsContained(t *testing.T) {
	l, err := New(3)
	if err != nil {
		t.Fatal(err)
	}
	var seen atomic.Value
	l.OnPanic = func(reason any, _ []byte) { seen.Store(reason) }
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	_ = l.Post(func() { panic("boom") })
	ran := make(chan struct{})
	_ = l.Post(func() { close(ran) })
	<-ran
	if seen.Load() != "boom" {
		t.Errorf("OnPanic got %v", seen.Load())
	}
	l.Stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := l.Post(func() { t.Error("ran after stop") }); !errors.Is(err, ErrStopped) {
		t.Errorf("post after stop: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// An idle loop must not wake up: nothing due, no polling.
func TestIdleLoopSleeps(t *testing.T) {
	l := startLoop(t)
	onLoop(t, l, func() {
		var far Timer
		far.Fn = func() { t.Error("fired") }
		l.After(&far, time.Hour)
	})
	before := l.Wakeups()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	_ = r.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, _ = r.Read(make([]byte, 1)) // some time in which nothing happens
	if n := l.Wakeups() - before; n != 0 {
		t.Errorf("%d wake-ups of an idle loop", n)
	}
}

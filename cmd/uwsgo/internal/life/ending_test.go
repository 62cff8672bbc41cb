package life

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const patient = 10 * time.Second

// A second signal makes the end quick, and one that does not come even so ends the process.
// What comes right after the first is the first, sent to the group too.
func TestInsist(t *testing.T) {
	defer goleak.VerifyNone(t)
	quit := make(chan struct{})
	e := NewEnding(func() { close(quit) })
	var clock atomic.Int64
	e.now, e.most = func() time.Time { return time.Unix(clock.Load(), 0) }, time.Millisecond
	over := make(chan struct{})
	go func() { defer close(over); e.Insist() }()
	for range 5 {
		e.Asked <- syscall.SIGINT // beyond the room for two: they are taken
	}
	for len(e.Asked) > 0 {
		time.Sleep(time.Millisecond)
	}
	e.Insist() // somebody waits already
	if e.Patience.Err() != nil {
		t.Error("signals of one moment were taken for several")
	}
	clock.Add(1)
	for waiting := true; waiting; {
		select {
		case <-over:
			waiting = false
		default:
			e.Ask(syscall.SIGTERM)
			time.Sleep(time.Millisecond)
		}
	}
	for what, done := range map[string]<-chan struct{}{"patience": e.Patience.Done(), "process": quit} {
		select {
		case <-done:
		case <-time.After(patient):
			t.Errorf("the %s has not ended", what)
		}
	}
}

func TestAskNeverWaits(t *testing.T) {
	e := NewEnding(func() {})
	for range 10 {
		e.Ask(syscall.SIGQUIT)
	}
	if n := len(e.Asked); n != 2 {
		t.Errorf("%d signals wait, want 2", n)
	}
}

func TestUndoIsBackward(t *testing.T) {
	e := NewEnding(func() {})
	var got []int
	for i := range 3 {
		e.Later(func() { got = append(got, i) })
	}
	e.Undo()
	e.Undo() // nothing is left
	if !slices.Equal(got, []int{2, 1, 0}) {
		t.Errorf("got %v", got)
	}
}

func TestWithinEndsInTimeAndWithThePatience(t *testing.T) {
	e := NewEnding(func() {})
	e.Within(time.Millisecond, func(ctx context.Context) { <-ctx.Done() })
	e.Hurry()
	e.Within(time.Hour, func(ctx context.Context) { <-ctx.Done() })
}

// The end may be asked for while the start goes on, and only then is the start given up.
func TestEarly(t *testing.T) {
	for _, early := range []bool{true, false} {
		t.Run(fmt.Sprintf("early=%v", early), func(t *testing.T) {
			defer goleak.VerifyNone(t)
			e := NewEnding(func() {})
			e.most = time.Millisecond
			given := make(chan struct{})
			over := e.Early(func() { close(given) })
			if early {
				e.Ask(syscall.SIGTERM)
				<-given
				for e.Patience.Err() == nil { // a second one makes it quick
					e.Ask(syscall.SIGTERM)
					time.Sleep(10 * time.Millisecond)
				}
			}
			over()
			over()
			if early {
				return
			}
			e.Ask(syscall.SIGTERM)
			select {
			case <-given:
				t.Error("a start that was over has been given up")
			case sig := <-e.Asked:
				if sig != syscall.SIGTERM {
					t.Errorf("got %v", sig)
				}
			}
		})
	}
}

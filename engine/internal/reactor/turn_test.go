package reactor

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// spin keeps the loop busy.
func spin(d time.Duration) {
	for end := Clock() + int64(d); Clock() < end; {
	}
}

// Work that never ends, of whatever kind, must not keep the loop from its events.
// How long an event waits is counted in rounds of that work.
func TestEventsComeBetween(t *testing.T) {
	const parties = 10
	for _, tt := range []struct {
		name string
		work func(l *Loop, round func()) // calls round again and again, each time having waited anew
		most int64                       // rounds that may pass
	}{
		{"turns", func(l *Loop, round func()) {
			for range parties {
				turn := new(Turn)
				turn.Fn = func() { round(); l.Again(turn) }
				l.Again(turn)
			}
		}, 3 * parties},
		{"turns_that_take_long", func(l *Loop, round func()) {
			for range 100 {
				turn := new(Turn)
				turn.Fn = func() { spin(2 * time.Duration(batch)); round(); l.Again(turn) }
				l.Again(turn)
			}
		}, 4},
		{"posts_of_the_loop", func(l *Loop, round func()) {
			for range parties {
				var again func()
				again = func() { round(); _ = l.Post(again) }
				_ = l.Post(again)
			}
		}, 3 * parties},
		{"posts_that_take_long", func(l *Loop, round func()) {
			for range 100 {
				var again func()
				again = func() { spin(2 * time.Duration(batch)); round(); _ = l.Post(again) }
				_ = l.Post(again)
			}
		}, 4},
		{"turns_and_posts", func(l *Loop, round func()) {
			turn := new(Turn)
			turn.Fn = func() { round(); l.Again(turn); _ = l.Post(func() { round() }) }
			l.Again(turn)
		}, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := startLoop(t)
			a, b := pair(t)
			defer unix.Close(b)
			var rounds, sent int64
			waited := make(chan int64, 1000)
			onLoop(t, l, func() {
				err := l.Add(a, sourceFunc(func(ev Events) {
					if n, _ := unix.Read(a, l.Buffer()); n > 0 {
						select {
						case waited <- rounds - sent:
						default:
						}
						sent = 0
					}
				}), false)
				if err != nil {
					t.Error(err)
				}
				tt.work(l, func() {
					if rounds++; sent == 0 {
						sent = rounds
						_, _ = unix.Write(b, []byte{1})
					}
				})
			})
			for range 50 {
				select {
				case n := <-waited:
					if n > tt.most {
						t.Fatalf("an event came after %d rounds, want at most %d", n, tt.most)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("an event never came")
				}
			}
		})
	}
}

// A storm of posts by other goroutines is served in between, and loses nothing.
func TestPostStorm(t *testing.T) {
	l := startLoop(t)
	const posters, posts = 8, 20_000
	var last [posters]int
	var done atomic.Int32
	var failed atomic.Value
	for p := range posters {
		go func() {
			for i := 1; i <= posts; i++ {
				err := l.Post(func() {
					if last[p]++; last[p] != i {
						failed.Store(errors.New("out of order"))
					}
				})
				if err != nil {
					failed.Store(err)
				}
			}
			done.Add(1)
		}()
	}
	a, b := pair(t)
	defer unix.Close(b)
	seen := make(chan struct{}, 1)
	onLoop(t, l, func() {
		_ = l.Add(a, sourceFunc(func(Events) {
			_, _ = unix.Read(a, l.Buffer())
			select {
			case seen <- struct{}{}:
			default:
			}
		}), false)
	})
	for done.Load() < posters {
		_, _ = unix.Write(b, []byte{1})
		select {
		case <-seen:
		case <-time.After(20 * time.Second):
			t.Fatal("no event")
		}
	}
	onLoop(t, l, func() {})
	onLoop(t, l, func() {
		for p, n := range last {
			if n != posts {
				t.Errorf("poster %d: %d of %d ran", p, n, posts)
			}
		}
	})
	if err := failed.Load(); err != nil {
		t.Error(err)
	}
}

func TestTurnsRunInOrder(t *testing.T) {
	l := startLoop(t)
	var order []int
	var turns [5]Turn
	ended := make(chan struct{})
	onLoop(t, l, func() {
		for i := range turns {
			turns[i].Fn = func() {
				order = append(order, i)
				switch {
				case i == 1 && len(order) < 5:
					l.Again(&turns[1])
				case i == 2:
					l.Cancel(&turns[3])
					panic("of a turn")
				}
			}
		}
		for i := range turns {
			l.Again(&turns[i])
		}
		l.Again(&turns[0]) // keeps its place
		var last Turn
		last.Fn = func() {
			if turns[1].Waits() {
				l.Again(&last)
				return
			}
			close(ended)
		}
		l.Again(&last)
	})
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the turns did not end")
	}
	onLoop(t, l, func() {
		if want := []int{0, 1, 2, 4, 1}; !slices.Equal(order, want) {
			t.Errorf("ran in the order %v, want %v", order, want)
		}
	})
}

// Stop ends a loop at once, but for what has been posted.
func TestStopAmongWork(t *testing.T) {
	l, err := New(0)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	var turn Turn
	turn.Fn = func() { l.Again(&turn) }
	_ = l.Post(func() { l.Again(&turn) })
	for range 5000 {
		_ = l.Post(func() { ran++; spin(time.Microsecond) })
	}
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	l.Stop()
	l.Stop()
	if err := l.Post(func() { t.Error("ran") }); !errors.Is(err, ErrStopped) {
		t.Errorf("post after stop: %v", err)
	}
	select {
	case err = <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the loop goes on")
	}
	if err != nil || ran != 5000 {
		t.Errorf("run: %v, %d of 5000 posted functions ran", err, ran)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestTurnsAllocateNothing(t *testing.T) {
	l := startLoop(t)
	var allocs float64
	onLoop(t, l, func() {
		turns := make([]Turn, 10)
		for i := range turns {
			turns[i].Fn = func() {}
		}
		allocs = testing.AllocsPerRun(100, func() {
			for i := range turns {
				l.Again(&turns[i])
			}
			l.runTurns()
		})
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

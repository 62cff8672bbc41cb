package worker

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Stop keeps to its context, whatever has become of the loops and of the workers, and however
// often it is called.
func TestStopKeepsToItsContext(t *testing.T) {
	for _, order := range []string{"block, stop, kill", "block, kill, stop", "stop, kill"} {
		t.Run(order, func(t *testing.T) {
			r := start(t, Config{Apps: []App{app(t, hello)}, Processes: 2}, 1)
			loop, release := r.loops[0], make(chan struct{})
			defer close(release)
			if order != "stop, kill" {
				blocked := make(chan struct{})
				if err := loop.Post(func() { close(blocked); <-release }); err != nil {
					t.Fatal(err)
				}
				<-blocked
			}
			kill := func() {
				if err := unix.Kill(r.pool.Snapshot().Workers[0].PID, unix.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if order == "block, kill, stop" {
				kill()
				loop.Stop()
			} else {
				loop.Stop()
				kill()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			ended := make(chan error, 2)
			for range 2 {
				go func() { ended <- r.pool.Stop(ctx) }()
			}
			for range 2 {
				select {
				case err := <-ended:
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
				case <-time.After(15 * time.Second):
					t.Fatal("Stop goes on long after its context has ended")
				}
			}
		})
	}
}

// Whoever calls Stop while it goes on already has a context of its own.
func TestStopTwice(t *testing.T) {
	r := start(t, Config{Apps: []App{app(t, hello)}}, 1)
	port := r.pool.Port(0)
	port.active.Add(1) // a request that has not ended
	first := make(chan error, 1)
	go func() { first <- r.pool.Stop(t.Context()) }()
	waitFor(t, "Stop to begin", r.pool.stopping.Load)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	second := make(chan error, 1)
	go func() { second <- r.pool.Stop(ctx) }()
	select {
	case err := <-second:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the second: %v", err)
		}
	case <-time.After(patience):
		t.Error("the second waits for the first, not for its context")
	}
	port.inactive()
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
}

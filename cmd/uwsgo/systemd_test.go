package main

import (
	"context"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// The watchdog is told nothing while a loop stands still.
func TestWatch(t *testing.T) {
	srv, err := engine.New(engine.Options{Logf: t.Logf, Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(engine.HandlerFunc(func(x *engine.Exchange) { x.ReplyText(200, "") })) }()
	alive := make(chan struct{})
	ended, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		watch(srv.Loops(), time.Millisecond, stop, func() { alive <- struct{}{} })
	}()
	<-alive
	<-alive

	stuck, release := make(chan struct{}), make(chan struct{})
	if err := srv.Loops()[1].Post(func() { close(stuck); <-release }); err != nil {
		t.Fatal(err)
	}
	<-stuck
	// One may have been under way when the loop stopped; the next waits for it.
	over := time.After(100 * time.Millisecond)
	for told, waiting := 0, true; waiting; {
		select {
		case <-alive:
			if told++; told > 1 {
				t.Fatal("told that all loops are alive while one stands still")
			}
		case <-over:
			waiting = false
		}
	}
	close(release)
	<-alive
	close(stop)
	for done := false; !done; {
		select {
		case <-alive:
		case <-ended:
			done = true
		}
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != engine.ErrServerClosed {
		t.Error(err)
	}
}

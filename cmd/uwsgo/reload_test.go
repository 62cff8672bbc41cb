package main

import (
	"context"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

// However often a reload is asked for, one is under way and one waits.
func TestRepeated(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, stop := context.WithCancel(t.Context())
	begun, end := make(chan struct{}), make(chan struct{})
	r := newRepeated(func(context.Context) { begun <- struct{}{}; <-end })
	over := make(chan struct{})
	go func() { defer close(over); r.serve(ctx) }()
	var lines atomic.Int64
	log := func(string, ...any) { lines.Add(1) }
	r.ask(log, "first")
	<-begun
	for range 1000 {
		r.ask(log, "more")
	}
	if n := lines.Load(); n != 3 { // the first, the second, and that it is for all others
		t.Errorf("%d lines in the log, want 3", n)
	}
	end <- struct{}{}
	<-begun // the second
	r.ask(log, "third")
	end <- struct{}{}
	<-begun
	stop()
	end <- struct{}{}
	<-over
	if n := lines.Load(); n != 4 {
		t.Errorf("%d lines in the log, want 4", n)
	}
}

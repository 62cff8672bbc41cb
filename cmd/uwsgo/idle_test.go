package main

import (
	"context"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/emperor"
	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/life"
	"github.com/uwsgo/uwsgo/engine"
)

func TestIdleness(t *testing.T) {
	start := time.Now()
	i := idleness{after: 10 * time.Second}
	for _, step := range []struct {
		name     string
		at       int // seconds
		requests uint64
		running  int64
		want     int
	}{
		{"at_first", 0, 0, 0, 0},
		{"not_yet", 10, 0, 0, 0},
		{"idle", 11, 0, 0, 1},
		{"said_once", 12, 0, 0, 0},
		{"awake", 13, 1, 0, -1},
		{"slow_request", 30, 2, 1, 0},
		{"still_runs", 60, 2, 1, 0},
		{"from_its_end", 65, 2, 0, 0},
		{"idle_again", 71, 2, 0, 1},
	} {
		if got := i.look(start.Add(time.Duration(step.at)*time.Second), step.requests, step.running); got != step.want {
			t.Errorf("%s: %d, want %d", step.name, got, step.want)
		}
	}
}

// With die-on-idle a server ends when it is idle. A vassal tells its emperor instead, which starts it
// again.
func TestDieOnIdle(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cfg := &config.Config{}
	cfg.Idle, cfg.DieOnIdle = time.Minute, true
	for name, v := range map[string]*vassal{"alone": nil, "vassal": {pipe: w}} {
		e := life.NewEnding(func() {})
		act := whenIdle(cfg, &workers{}, v, e, t.Logf)
		act(false) // somebody came
		if len(e.Asked) > 0 {
			t.Errorf("%s: the end is asked for while requests come", name)
		}
		act(true)
		if ends := len(e.Asked) > 0; ends != (v == nil) {
			t.Errorf("%s: it ends by itself: %v", name, ends)
		}
	}
	_ = w.Close()
	if told, err := io.ReadAll(r); string(told) != string([]byte{emperor.Leaving}) {
		t.Errorf("the emperor is told %v: %v", told, err)
	}
}

// Rest begins and ends with the requests.
func TestWatchIdle(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var requests atomic.Uint64
	changes, ended, looks := make(chan bool), make(chan struct{}), time.Tick(time.Millisecond)
	go func() {
		defer close(ended)
		watchIdle(ctx, time.Nanosecond, looks, func() engine.Stats { return engine.Stats{Requests: requests.Load()} }, func(idle bool) { changes <- idle })
	}()
	for i, want := range []bool{true, false, true} {
		select {
		case got := <-changes:
			if got != want {
				t.Errorf("change %d: %v, want %v", i, got, want)
			}
			if got {
				requests.Add(1)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("change %d does not come", i)
		}
	}
	stop()
	<-ended
}

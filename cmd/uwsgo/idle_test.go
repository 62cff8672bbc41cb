package main

import (
	"testing"
	"time"
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

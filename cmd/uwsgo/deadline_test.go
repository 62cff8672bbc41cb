package main

import (
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/handler/route"
)

func TestLeastDeadline(t *testing.T) {
	for _, tt := range []struct {
		name     string
		harakiri time.Duration
		rules    []string
		want     time.Duration
	}{
		{"no_rules", 5, nil, 0},
		{"other_rules", 5, []string{"break:403"}, 0},
		{"rules_alone", 0, []string{"harakiri:7", "last:", "harakiri:3", "harakiri:0"}, 3},
		{"longer_ones", 5, []string{"harakiri:7"}, 5},
		{"shorter_one", 5, []string{"harakiri:7", "harakiri:3"}, 3},
		{"for_ever", 5, []string{"harakiri:0"}, 5},
		{"nothing_else", 0, []string{"harakiri:0"}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &config.Config{}
			cfg.Harakiri = tt.harakiri * time.Second
			for _, value := range tt.rules {
				r, err := route.Parse("route-run", value)
				if err != nil {
					t.Fatal(err)
				}
				cfg.Routes = append(cfg.Routes, r)
			}
			if got := leastDeadline(cfg); got != tt.want*time.Second {
				t.Errorf("got %v, want %v", got, tt.want*time.Second)
			}
		})
	}
}

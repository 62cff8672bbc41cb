package main

import (
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
)

// leastDeadline returns the shortest time that harakiri and the rules of route ask for. It is 0
// where no rule asks for a time.
func leastDeadline(cfg *config.Config) time.Duration {
	least, asked := cfg.Harakiri, false
	for _, r := range cfg.Routes {
		d := r.Harakiri()
		asked = asked || d != 0
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	if !asked {
		return 0
	}
	return least
}

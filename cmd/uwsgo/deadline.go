package main

import (
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/codec"
)

// deadlines says how long a request may run by the rules of route, for
// wsgi.Options.Harakiri: 0 where none matches, negative for ever. Each rule that matches
// is run, as in uWSGI, so the last one holds. Any loop may call the function; it
// allocates nothing and takes time in proportion to rules and length, whatever the
// patterns are.
func deadlines(rules []config.Deadline) func(r *codec.Request) time.Duration {
	return func(r *codec.Request) (limit time.Duration) {
		for i := range rules {
			var subject []byte
			switch rules[i].Option {
			case "route-uri":
				subject = r.Bytes(r.Target)
			case "route-host":
				subject = r.Bytes(r.Authority)
			default:
				subject = r.Path()
			}
			if rules[i].Pattern.Match(subject) {
				if limit = rules[i].Harakiri; limit == 0 {
					limit = -1
				}
			}
		}
		return limit
	}
}

// leastDeadline returns the shortest time that the rules of route and harakiri ask for; 0
// where there are no rules, or nothing but for ever.
func leastDeadline(cfg *config.Config) time.Duration {
	if len(cfg.Deadlines) == 0 {
		return 0
	}
	least := cfg.Harakiri
	for _, d := range cfg.Deadlines {
		if d.Harakiri > 0 && (least == 0 || d.Harakiri < least) {
			least = d.Harakiri
		}
	}
	return least
}

package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/codec"
)

// requestOf makes what the decoder makes of a target without escapes.
func requestOf(host, target string) *codec.Request {
	r := &codec.Request{Buf: []byte(host + target)}
	r.Authority = codec.Span{Off: 0, End: uint32(len(host))}
	r.Target = codec.Span{Off: uint32(len(host)), End: uint32(len(r.Buf))}
	r.RawPath = r.Target
	return r
}

func rule(option, pattern string, limit time.Duration) config.Deadline {
	return config.Deadline{Option: option, Pattern: regexp.MustCompile(pattern), Harakiri: limit}
}

func TestDeadlines(t *testing.T) {
	limit := deadlines([]config.Deadline{
		rule("route", "^/reports", 300*time.Second),
		rule("route", "slow", 60*time.Second),
		rule("route", "^/reports/fast$", time.Second),
		rule("route", "^/stream/", 0),
		rule("route-host", "^batch\\.", 600*time.Second),
		rule("route-uri", "^/%65vents$", 0),
	})
	for _, tt := range []struct {
		name, host, target string
		want               time.Duration
	}{
		{"none_matches", "a", "/", 0},
		{"matches", "a", "/reports", 300 * time.Second},
		{"matches_its_beginning", "a", "/reports/7", 300 * time.Second},
		{"anchored", "a", "/old/reports", 0},
		{"anywhere", "a", "/a/slow/one", 60 * time.Second},
		{"the_last_one_holds", "a", "/reports/slow", 60 * time.Second},
		{"a_shorter_one_that_is_last", "a", "/reports/fast", time.Second},
		{"for_ever", "a", "/stream/1", -1},
		{"host", "batch.example.org", "/reports", 600 * time.Second},
		{"uri_as_sent", "a", "/%65vents", -1},
		{"uri_is_not_the_path", "a", "/events", 0},
		{"not_utf_8", "a", "/reports\xff", 300 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := limit(requestOf(tt.host, tt.target)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// BenchmarkDeadlines is what rules cost a usual request, and one with the longest path.
func BenchmarkDeadlines(b *testing.B) {
	limit := deadlines([]config.Deadline{
		rule("route", "^/reports/", 300*time.Second),
		rule("route", `/export\.(csv|xlsx)$`, 60*time.Second),
	})
	for _, n := range []int{30, 32 << 10} {
		b.Run(fmt.Sprintf("path=%d", n), func(b *testing.B) {
			r := requestOf("example.org", "/shop"+strings.Repeat("/export.x", n/9))
			b.ReportAllocs()
			for b.Loop() {
				limit(r)
			}
		})
	}
}

func TestLeastDeadline(t *testing.T) {
	for _, tt := range []struct {
		name     string
		harakiri time.Duration
		rules    []time.Duration
		want     time.Duration
	}{
		{"no_rules", 5, nil, 0},
		{"rules_alone", 0, []time.Duration{7, 3, 0}, 3},
		{"longer_ones", 5, []time.Duration{7}, 5},
		{"shorter_one", 5, []time.Duration{7, 3}, 3},
		{"for_ever", 5, []time.Duration{0}, 5},
		{"nothing_else", 0, []time.Duration{0}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := &config.Config{Harakiri: tt.harakiri}
			for _, d := range tt.rules {
				cfg.Deadlines = append(cfg.Deadlines, config.Deadline{Harakiri: d})
			}
			if got := leastDeadline(cfg); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

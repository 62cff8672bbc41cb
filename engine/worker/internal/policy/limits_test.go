package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

func TestLimitsDue(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name   string
		limits launch.Limits
		vitals Vitals
		want   string
	}{
		{name: "none", vitals: Vitals{Worker: 1, Spawned: ago(time.Hour), Requests: 1e9, RSS: 1 << 40, AS: 1 << 40}},
		{name: "below", limits: launch.Limits{MaxRequests: 100}, vitals: Vitals{Worker: 1, Spawned: ago(time.Hour), Requests: 99}},
		{name: "requests", limits: launch.Limits{MaxRequests: 100}, vitals: Vitals{Worker: 1, Spawned: ago(time.Hour), Requests: 100}, want: "max requests reached (100 >= 100)"},
		{name: "jitter", limits: launch.Limits{MaxRequests: 100}, vitals: Vitals{Worker: 1, Requests: 104, Luck: 0.5}},
		{name: "jitter_over", limits: launch.Limits{MaxRequests: 100}, vitals: Vitals{Worker: 1, Requests: 105, Luck: 0.5}, want: "max requests reached (105 >= 105)"},
		{name: "delta", limits: launch.Limits{MaxRequests: 100, MaxRequestsDelta: 10}, vitals: Vitals{Worker: 3, Requests: 119}},
		{name: "delta_over", limits: launch.Limits{MaxRequests: 100, MaxRequestsDelta: 10}, vitals: Vitals{Worker: 3, Requests: 120}, want: "max requests"},
		{name: "young", limits: launch.Limits{MaxRequests: 100, MinLifetime: 10 * time.Second}, vitals: Vitals{Worker: 1, Spawned: ago(9 * time.Second), Requests: 200}},
		{name: "lifetime", limits: launch.Limits{MaxLifetime: time.Minute}, vitals: Vitals{Worker: 1, Spawned: ago(61 * time.Second)}, want: "lifetime reached, it was running for 61 second(s)"},
		{name: "lifetime_delta", limits: launch.Limits{MaxLifetime: time.Minute, MaxLifetimeDelta: 5 * time.Second}, vitals: Vitals{Worker: 2, Spawned: ago(61 * time.Second)}},
		{name: "lifetime_delta_without_bound", limits: launch.Limits{MaxLifetime: 1e18, MaxLifetimeDelta: 1e18}, vitals: Vitals{Worker: 10000, Spawned: ago(time.Hour)}},
		{name: "rss", limits: launch.Limits{RSS: 1 << 20}, vitals: Vitals{Worker: 1, RSS: 1 << 21}, want: "rss reached (2097152 >= 1048576)"},
		{name: "as", limits: launch.Limits{AS: 1 << 20}, vitals: Vitals{Worker: 1, AS: 1 << 21}, want: "address space reached"},
		{name: "evil_is_not_due", limits: launch.Limits{EvilRSS: 1, EvilAS: 1}, vitals: Vitals{Worker: 1, RSS: 2, AS: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Due(&c.limits, now, c.vitals)
			if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLimitsEvil(t *testing.T) {
	l := launch.Limits{EvilRSS: 100, EvilAS: 1000}
	for want, v := range map[string]Vitals{"": {RSS: 99, AS: 999}, "RSS: 100": {RSS: 100}, "ADDRESS SPACE: 1000": {AS: 1000}} {
		if got := Evil(&l, v); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestCheaperTrue(t *testing.T) {
	for _, tt := range []struct {
		value string
		min   int
		warn  bool
		ok    bool
	}{
		{"true", 0, true, true},
		{"True", 0, true, true},
		{"false", 0, false, true},
		{"0", 0, false, true},
		{"2", 2, false, true},
		{"many", 0, false, false},
	} {
		t.Run(tt.value, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\nprocesses = 4\ncheaper = " + tt.value + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			if c.Cheaper.Min != tt.min {
				t.Errorf("cheaper %d, want %d", c.Cheaper.Min, tt.min)
			}
			if got := strings.Contains(strings.Join(c.Warnings, " "), "write cheaper = N"); got != tt.warn {
				t.Errorf("warnings %q", c.Warnings)
			}
		})
	}
}

func TestMemoryAndIdleness(t *testing.T) {
	for _, tt := range []struct{ name, args, want string }{
		{"soft", "--cheaper 1 --cheaper-rss-limit-soft 128m", "soft=134217728 hard=0"},
		{"both", "--cheaper 1 --cheaper-rss-limit-soft 100 --cheaper-rss-limit-hard 200", "soft=100 hard=200"},
		{"hard_alone", "--cheaper 1 --cheaper-rss-limit-hard 200", "it needs cheaper-rss-limit-soft"},
		{"hard_too_low", "--cheaper 1 --cheaper-rss-limit-soft 200 --cheaper-rss-limit-hard 200", "has to be more than cheaper-rss-limit-soft"},
		{"without_cheaper", "--cheaper-rss-limit-soft 200", "it does nothing without cheaper"},
		{"idle", "--idle 60", "idle=1m0s die=false least=1 initial=4"},
		{"idle_beside_cheaper", "--idle 60 --cheaper 2", "idle=1m0s die=false least=2 initial=0"},
		{"die_on_idle", "--idle 5m --die-on-idle", "idle=5m0s die=true least=0 initial=0"},
		{"die_alone", "--die-on-idle", "it does nothing without idle"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, nil)
			c, err := load(append([]string{"--module", "shop", "-p", "4"}, strings.Fields(tt.args)...), nil)
			got := fmt.Sprint(err)
			if err == nil {
				k := c.Cheaper
				got = fmt.Sprintf("soft=%d hard=%d idle=%v die=%v least=%d initial=%d %v", k.SoftRSS, k.HardRSS, c.Idle, c.DieOnIdle, k.Min, k.Initial, c.Warnings)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

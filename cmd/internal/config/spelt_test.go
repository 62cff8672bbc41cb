package config

import (
	"strings"
	"testing"
)

// What is a number, or a word for false, to people alone is refused with what to write.
func TestSpelt(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--processes four", `--processes: "four" is not a number such as 1000, 10k or 1M: write processes = 4`},
		{"--threads Twelve", `--threads: "Twelve" is not a number such as 1000, 10k or 1M: write threads = 12`},
		{"--harakiri ten", `--harakiri: "ten" is not a number such as 90, 5m or 1h30m: write harakiri = 10`},
		{"--harakiri=two minutes", `"two minutes" is not a number such as 90, 5m or 1h30m: write harakiri = 2 minutes`},
		{"--buffer-size eleventy", `"eleventy" is not a number such as 65536, 64k or 1MiB`},
		{"--need-app=flase", `"flase" is neither true nor false: write need-app = true, or false`},
		{"--need-app=FASLE", `"FASLE" is neither true nor false`},
		{"--need-app=none", `"none" is neither true nor false`},
		{"--need-app=Disable", `"Disable" is neither true nor false`},
		{`--need-app="false"`, `is neither true nor false`},
		{"--need-app=never mind", `"never mind" is neither true nor false`},
	} {
		t.Run(tt.args, func(t *testing.T) {
			enter(t, nil)
			_, err := load(append([]string{"--module", "shop"}, strings.SplitN(tt.args, " ", 2-strings.Count(tt.args, "="))...), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// A word that uWSGI takes for true, and that nobody means as false, is true with a warning.
func TestTakenForTrue(t *testing.T) {
	for _, tt := range []struct {
		line string
		warn bool
	}{
		{"need-app = Ture", true},
		{"need-app = tru", true},
		{"need-app = need-app", true},
		{"need-app = shop.example", true},
		{"need-app = /run/shop.sock", true},
		{`need-app = "true"`, false},
		{"need-app = 'yes'", false},
		{"need-app = Enabled", false},
		{"need-app = 2", false},
		{"need-app =", false},
	} {
		t.Run(tt.line, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\nmodule = shop\n" + tt.line + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !c.NeedApp {
				t.Error("need-app is off")
			}
			if warned := strings.Contains(strings.Join(c.Warnings, " "), "app.ini:3: need-app: "); warned != tt.warn {
				t.Errorf("warnings %q", c.Warnings)
			}
		})
	}
}

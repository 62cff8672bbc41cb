package config

import (
	"strings"
	"testing"
)

// What is a number, or a word for true or false, to people alone is refused with what to write.
func TestSpelt(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--processes four", `--processes: "four" is not a number such as 1000, 10k or 1M: write processes = 4`},
		{"--threads Twelve", `--threads: "Twelve" is not a number such as 1000, 10k or 1M: write threads = 12`},
		{"--harakiri ten", `--harakiri: "ten" is not a number such as 90, 5m or 1h30m: write harakiri = 10`},
		{"--harakiri=two minutes", `"two minutes" is not a number such as 90, 5m or 1h30m: write harakiri = 2 minutes`},
		{"--buffer-size eleventy", `"eleventy" is not a number such as 65536, 64k or 1MiB`},
		{"--need-app=flase", `"flase" is neither true nor false: write need-app = true, or false`},
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

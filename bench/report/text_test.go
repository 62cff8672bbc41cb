package report

import (
	"testing"

	"github.com/uwsgo/uwsgo/bench/result"
)

func TestNumber(t *testing.T) {
	tests := []struct {
		give float64
		want string
	}{
		{0, "0"},
		{5, "5"},
		{128, "128"},
		{-3, "-3"},
		{1.234, "1.23"},
		{9.996, "10.0"},
		{12.345, "12.3"},
		{99.96, "100"},
		{123.4, "123"},
		{999.6, "1,000"},
		{1234, "1,234"},
		{12345.6, "12,350"},
		{187288, "187,300"},
		{1234567, "1,235,000"},
		{0.05, "0.0500"},
		{0.000123, "0.000123"},
		{0.0000001, "0.000000"},
		{-1500, "-1,500"},
		{inf, "–"},
	}
	for _, tt := range tests {
		if got := number(tt.give); got != tt.want {
			t.Errorf("number(%g) is %q, want %q", tt.give, got, tt.want)
		}
	}
}

func TestRatioText(t *testing.T) {
	tests := []struct {
		name string
		give result.Ratio
		want string
	}{
		{"unknown", result.Ratio{Value: 2}, "–"},
		{"even", result.Ratio{Value: 1.1, Low: 0.9, High: 1.2, Verdict: result.NoDifference}, "no difference"},
		{"better", result.Ratio{Value: 1.85, Low: 1.8, High: 1.9, Verdict: result.Better}, "1.85× (1.80–1.90) better"},
		{"small", result.Ratio{Value: 0.0312, Low: 0.029, High: 0.034, Verdict: result.Better}, "0.031× (0.029–0.034) better"},
		{"large", result.Ratio{Value: 46.95, Low: 44.8, High: 150.2, Verdict: result.Worse}, "47.0× (44.8–150) worse"},
		{"none_here", result.Ratio{Verdict: result.Better}, "better"},
		{"none_there", result.Ratio{Value: inf, Verdict: result.Worse}, "worse than 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ratio(tt.give); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"file", "see /var/log/app/x.log for more", "see x.log for more"},
		{"folder", "alias /tmp/a/static/;", "alias static/;"},
		{"option", "--pidfile=/tmp/a/b.pid", "--pidfile=b.pid"},
		{"socket", "unix:/tmp/a/b.sock", "unix:b.sock"},
		{"url_path_stays", "location /static/x { }", "location /static/x { }"},
		{"url_stays", "http://127.0.0.1:80/a/b/c", "http://127.0.0.1:80/a/b/c"},
		{"relative_stays", "bench/apps/hello.py", "bench/apps/hello.py"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shorten(tt.give); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	give := []string{"/usr/bin/sh", "-c", "cd /tmp\nexec x", "it's", "", "--conf=/home/me/a/b.conf"}
	if got, want := command(give), `sh -c '…' 'it'\''s' '' --conf=b.conf`; got != want {
		t.Errorf("published: got  %s\nwant %s", got, want)
	}
	if got, want := shell(give), "/usr/bin/sh -c 'cd /tmp\nexec x' 'it'\\''s' '' --conf=/home/me/a/b.conf"; got != want {
		t.Errorf("exact: got  %s\nwant %s", got, want)
	}
}

func TestOneLineTakesAwayWhatATerminalObeys(t *testing.T) {
	if got, want := oneLine("a\x1b[2J\n\tb\r\x07 c"), "a[2J b c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

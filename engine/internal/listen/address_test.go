package listen

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	longest := "/" + strings.Repeat("p", MaxPath-1)
	tests := []struct {
		name     string
		give     string
		want     Address
		wantText string // of String, where it is not give
	}{
		{name: "port_only", give: ":8080", want: Address{Port: 8080}},
		{name: "port_zero", give: "127.0.0.1:0", want: Address{Host: "127.0.0.1"}},
		{name: "ipv4", give: "10.0.0.1:65535", want: Address{Host: "10.0.0.1", Port: 65535}},
		{name: "ipv6", give: "[::1]:80", want: Address{Host: "::1", Port: 80}},
		{name: "ipv6_any", give: "[::]:80", want: Address{Host: "::", Port: 80}},
		{name: "ipv6_zone", give: "[fe80::1%lo]:80", want: Address{Host: "fe80::1%lo", Port: 80}},
		{name: "host_name", give: "localhost:3031", want: Address{Host: "localhost", Port: 3031}},
		{name: "leading_zero", give: ":080", want: Address{Port: 80}, wantText: ":80"},
		{name: "absolute_path", give: "/run/app.sock", want: Address{Kind: Unix, Path: "/run/app.sock"}},
		{name: "relative_path", give: "app.sock", want: Address{Kind: Unix, Path: "app.sock"}},
		{name: "path_with_colon", give: "/run/a:1", want: Address{Kind: Unix, Path: "/run/a:1"}},
		{name: "dotted_path_with_colon", give: "./a:1", want: Address{Kind: Unix, Path: "./a:1"}},
		{name: "longest_path", give: longest, want: Address{Kind: Unix, Path: longest}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", tt.give, diff)
			}
			want := tt.give
			if tt.wantText != "" {
				want = tt.wantText
			}
			if got.String() != want {
				t.Errorf("String() = %q, want %q", got, want)
			}
		})
	}
}

func TestParseAbstract(t *testing.T) {
	got, err := Parse("@app")
	if runtime.GOOS != "linux" {
		if err == nil || !strings.Contains(err.Error(), "Linux only") {
			t.Errorf("Parse(@app) = %v, %v; want an error that names Linux", got, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Address{Kind: Abstract, Path: "app"}, got); diff != "" || got.String() != "@app" {
		t.Errorf("Parse(@app) = %s (-want +got):\n%s", got, diff)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"empty", "", "empty address"},
		{"nul", "a\x00b", "NUL"},
		{"port_missing", "localhost:", "port after the colon is missing"},
		{"port_too_large", ":65536", `port "65536" is not a number from 0 to 65535`},
		{"port_negative", ":-1", `port "-1"`},
		{"port_sign", ":+80", `port "+80"`},
		{"port_name", ":http", `port "http"`},
		{"lone_number", "8080", `write ":8080" for a TCP port`},
		{"lone_host", "localhost", `write "localhost:8080", or "./localhost" for a unix socket`},
		{"lone_ipv4", "127.0.0.1", `write "127.0.0.1:8080"`},
		{"lone_address_of_all", "0.0.0.0", "its port is missing"},
		{"bare_ipv6", "::1:80", "brackets"},
		{"brackets_unclosed", "[::1:80", "brackets"},
		{"brackets_around_name", "[localhost]:80", "not an IPv6 address"},
		{"brackets_around_ipv4", "[127.0.0.1]:80", "not an IPv6 address"},
		{"interface_glob", "127.*:80", `":80" listens on every address`},
		{"url", "http://:80", "not a host name"},
		{"nginx_style", "unix:/run/app.sock", `write the path alone, "/run/app.sock"`},
		{"directory", "/run/", "ends in a slash"},
		{"path_too_long", "/" + strings.Repeat("p", MaxPath), "the limit for unix sockets is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.give)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse(%q) = %v, %v; want an error with %q", tt.give, got, err, tt.want)
			}
		})
	}
}

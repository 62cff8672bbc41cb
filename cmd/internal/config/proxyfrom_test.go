package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestProxyFrom(t *testing.T) {
	for _, tt := range []struct{ name, ini, want string }{
		{"off", "http = :80", "<nil>"},
		{"switched_off", "enable-proxy-protocol = false", "<nil>"},
		{"usual", "enable-proxy-protocol = true", "[127.0.0.0/8 ::1/128] unix=true must=false"},
		{"of_the_router", "http-enable-proxy-protocol = true", "[127.0.0.0/8 ::1/128] unix=true must=false"},
		{"bare", "http-enable-proxy-protocol", "[127.0.0.0/8 ::1/128] unix=true must=false"},
		{"address", "enable-proxy-protocol = true\nproxy-protocol-from = 10.0.0.5", "[10.0.0.5/32] unix=false must=true"},
		{"several", "enable-proxy-protocol = true\nproxy-protocol-from = 10.0.0.0/8, unix\nproxy-protocol-from = fd00::/8", "[10.0.0.0/8 fd00::/8] unix=true must=true"},
		{"mapped", "enable-proxy-protocol = true\nproxy-protocol-from = ::ffff:10.0.0.5", "[10.0.0.5/32] unix=false must=true"},
		{"name", "enable-proxy-protocol = true\nproxy-protocol-from = lb.local", `"lb.local" is no address`},
		{"too_wide", "enable-proxy-protocol = true\nproxy-protocol-from = 10.0.0.0/33", `"10.0.0.0/33" is no address`},
		{"empty", "enable-proxy-protocol = true\nproxy-protocol-from = ", "it needs addresses"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.ini": "[uwsgi]\n" + tt.ini + "\n"})
			c, err := load([]string{"app.ini"}, nil)
			got := fmt.Sprint(err)
			if err == nil && c.Proxy != nil {
				got = fmt.Sprintf("%v unix=%v must=%v", c.Proxy.From, c.Proxy.Unix, c.Proxy.Must)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

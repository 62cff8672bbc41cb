package succession

import (
	"net"
	"testing"
)

func TestSameAddress(t *testing.T) {
	tcp := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, tt := range []struct {
		name, option string
		addr         net.Addr
		want         bool
	}{
		{"every_address", ":8080", tcp("[::]:8080"), true},
		{"every_ipv4", ":8080", tcp("0.0.0.0:8080"), true},
		{"one_address", "127.0.0.1:8080", tcp("127.0.0.1:8080"), true},
		{"ipv6", "[::1]:8080", tcp("[::1]:8080"), true},
		{"another_port", ":8081", tcp("[::]:8080"), false},
		{"another_host", "127.0.0.1:8080", tcp("[::]:8080"), false},
		{"every_address_wanted", ":8080", tcp("127.0.0.1:8080"), false},
		{"path", "/run/app.sock", &net.UnixAddr{Name: "/run/app.sock", Net: "unix"}, true},
		{"another_path", "/run/app.sock", &net.UnixAddr{Name: "/run/other.sock", Net: "unix"}, false},
		{"abstract", "@app", &net.UnixAddr{Name: "@app", Net: "unix"}, true},
		{"path_for_tcp", "/run/app.sock", tcp("[::]:8080"), false},
		{"tcp_for_path", ":8080", &net.UnixAddr{Name: "/run/app.sock", Net: "unix"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sameAddress(tt.option, tt.addr); got != tt.want {
				t.Errorf("sameAddress(%q, %v) = %v", tt.option, tt.addr, got)
			}
		})
	}
}

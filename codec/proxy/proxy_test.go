package proxy

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// v2 makes a header of version 2: command, family and transport, then what follows.
func v2(command, family byte, rest string) string {
	return "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

const (
	four = "\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x01\xbb" // 192.0.2.1:51234 to 192.0.2.2:443
	six  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xc8\x22\x01\xbb"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name, in string
		client   string // empty: none is told
		err      error
	}{
		{"tcp4", "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n", "192.0.2.1:51234", nil},
		{"tcp6", "PROXY TCP6 2001:db8::1 2001:db8::2 51234 443\r\n", "[2001:db8::1]:51234", nil},
		{"tcp6_mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", "192.0.2.1:1", nil},
		{"longest", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "", nil},
		{"unknown", "PROXY UNKNOWN\r\n", "", nil},
		{"port_0", "PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", "192.0.2.1:0", nil},

		{"port_too_large", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n", "", ErrMalformed},
		{"port_signed", "PROXY TCP4 192.0.2.1 192.0.2.2 +1 443\r\n", "", ErrMalformed},
		{"port_with_zeros", "PROXY TCP4 192.0.2.1 192.0.2.2 01 443\r\n", "", ErrMalformed},
		{"port_empty", "PROXY TCP4 192.0.2.1 192.0.2.2  443\r\n", "", ErrMalformed},
		{"other_port_wrong", "PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n", "", ErrMalformed},
		{"two_blanks", "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "", ErrMalformed},
		{"tab", "PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n", "", ErrMalformed},
		{"more_fields", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "", ErrMalformed},
		{"fewer_fields", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "", ErrMalformed},
		{"kind_and_address_differ", "PROXY TCP4 ::1 ::2 1 2\r\n", "", ErrMalformed},
		{"tcp6_with_four", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "", ErrMalformed},
		{"name", "PROXY TCP4 localhost 192.0.2.2 1 2\r\n", "", ErrMalformed},
		{"zone", "PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n", "", ErrMalformed},
		{"octal", "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", "", ErrMalformed},
		{"udp", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "", ErrMalformed},
		{"lower_case", "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n", "", ErrMalformed},
		{"line_feed_alone", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "", ErrMalformed},
		{"nothing", "PROXY \r\n", "", ErrMalformed},
		{"too_long", "PROXY UNKNOWN " + long + "\r\n", "", ErrMalformed},
		{"method_of_that_name", "PROXY / HTTP/1.1\r\n", "", ErrMalformed},

		{"v2_tcp4", v2(0x21, 0x11, four), "192.0.2.1:51234", nil},
		{"v2_udp4", v2(0x21, 0x12, four), "192.0.2.1:51234", nil},
		{"v2_tcp6", v2(0x21, 0x21, six), "[2001:db8::1]:51234", nil},
		{"v2_mapped", v2(0x21, 0x21, strings.Repeat("\x00", 10)+"\xff\xff\xc0\x00\x02\x01"+strings.Repeat("\x00", 20)), "192.0.2.1:0", nil},
		{"v2_extensions", v2(0x21, 0x11, four+"\x01\x00\x02h2"+"\xea\x00\x01x"), "192.0.2.1:51234", nil},
		{"v2_local", v2(0x20, 0x00, ""), "", nil},
		{"v2_local_with_address", v2(0x20, 0x11, four), "", nil},
		{"v2_unspecified", v2(0x21, 0x00, "abc"), "", nil},
		{"v2_unix", v2(0x21, 0x31, strings.Repeat("a", 216)), "", nil},
		{"v2_unix_short", v2(0x21, 0x31, "a"), "", ErrMalformed},
		{"v2_tcp4_short", v2(0x21, 0x11, four[:11]), "", ErrMalformed},
		{"v2_tcp6_short", v2(0x21, 0x21, six[:35]), "", ErrMalformed},
		{"v2_version_1", v2(0x11, 0x11, four), "", ErrMalformed},
		{"v2_version_3", v2(0x31, 0x11, four), "", ErrMalformed},
		{"v2_command", v2(0x22, 0x11, four), "", ErrMalformed},
		{"v2_family", v2(0x21, 0x41, four), "", ErrMalformed},
		{"v2_transport", v2(0x21, 0x13, four), "", ErrMalformed},
		{"v2_too_long", v2(0x21, 0x11, strings.Repeat("x", maxMore+1)), "", ErrMalformed},

		{"http", "GET / HTTP/1.1\r\n", "", ErrNone},
		{"http_that_begins_alike", "PROPFIND / HTTP/1.1\r\n", "", ErrNone},
		{"put", "PUT / HTTP/1.1\r\n", "", ErrNone},
		{"empty_line_first", "\r\nGET / HTTP/1.1\r\n", "", ErrNone},
		{"lower", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "", ErrNone},
		{"tls", "\x16\x03\x01", "", ErrNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const behind = "GET / HTTP/1.1\r\n"
			client, n, err := Parse([]byte(tt.in + behind))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			want := netip.AddrPort{}
			if tt.client != "" {
				want = netip.MustParseAddrPort(tt.client)
			}
			if client != want || err == nil && n != len(tt.in) {
				t.Errorf("client %v of %d bytes, want %v of %d", client, n, want, len(tt.in))
			}
			for i := range len(tt.in) { // in pieces it is the same, or not decided yet
				_, n, early := Parse([]byte(tt.in[:i]))
				if n != 0 || early != nil && !errors.Is(early, tt.err) {
					t.Fatalf("of the first %d bytes %d are used, error %v", i, n, early)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\nGET"))
	f.Add([]byte(v2(0x21, 0x11, four)))
	f.Add([]byte(v2(0x20, 0, "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, n, err := Parse(b)
		if n < 0 || n > len(b) || err != nil && (n != 0 || client.IsValid()) {
			t.Errorf("client %v, %d of %d bytes, error %v", client, n, len(b), err)
		}
		if n == 0 && err == nil && len(b) >= fixed2+maxMore {
			t.Errorf("%d bytes are not enough", len(b))
		}
	})
}

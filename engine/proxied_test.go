package engine

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// who answers with the address and the port of its client.
var who = HandlerFunc(func(x *Exchange) {
	b := x.AppendRemoteAddr(nil)
	x.ReplyText(200, string(b)+" "+string(x.Request().Path()))
})

func TestProxyProtocol(t *testing.T) {
	const (
		get  = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
		last = "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
		v1   = "PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n"
		v2   = "\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
			"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xc8\x22\x01\xbb"
	)
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0")}
	for _, tt := range []struct {
		name   string
		o      *ProxyProtocol
		in     string
		want   string // in the answers, in order, separated by |
		refuse string // the id of the refusal
	}{
		{"v1", &ProxyProtocol{From: here}, v1 + last, "192.0.2.1 /b", ""},
		{"v2", &ProxyProtocol{From: here}, v2 + last, "2001:db8::1 /b", ""},
		{"for_all_requests", &ProxyProtocol{From: here}, v1 + get + last, "192.0.2.1 /a|192.0.2.1 /b", ""},
		{"once", &ProxyProtocol{From: here}, v1 + get + v1 + last, "192.0.2.1 /a|400", "proxy_unread"},
		{"unknown", &ProxyProtocol{From: here}, "PROXY UNKNOWN\r\n" + last, "127.0.0.1 /b", ""},
		{"none", &ProxyProtocol{From: here}, last, "127.0.0.1 /b", ""},
		{"none_must", &ProxyProtocol{From: here, Must: true}, last, "400", "proxy_missing"},
		{"none_of_a_stranger", &ProxyProtocol{From: elsewhere, Must: true}, last, "127.0.0.1 /b", ""},
		{"stranger_v1", &ProxyProtocol{From: elsewhere}, v1 + last, "400", "proxy_stranger"},
		{"stranger_v2", &ProxyProtocol{From: elsewhere}, v2 + last, "400", "proxy_stranger"},
		{"stranger_malformed", &ProxyProtocol{From: elsewhere}, "PROXY x\r\n" + last, "400", "proxy_stranger"},
		{"nobody", &ProxyProtocol{}, v1 + last, "400", "proxy_stranger"},
		{"malformed", &ProxyProtocol{From: here}, "PROXY TCP4 x\r\n" + last, "400", "proxy_header"},
		{"not_asked_for", nil, v1 + last, "400", "proxy_unread"},
		{"not_asked_for_v2", nil, v2 + last, "400", "proxy_unread"},
		{"smuggled_behind_an_empty_line", &ProxyProtocol{From: here}, "\r\n" + v1 + last, "400", ""},
	} {
		for _, whole := range []bool{true, false} {
			t.Run(tt.name+map[bool]string{true: "", false: "_in_pieces"}[whole], func(t *testing.T) {
				refused := make(chan string, 4)
				_, addr := start(t, who, Options{OnRefusal: func(r *Refusal) { refused <- r.ID }}, ListenOptions{ProxyProtocol: tt.o})
				c := dial(t, addr)
				if whole {
					_, _ = io.WriteString(c, tt.in)
				} else {
					for _, b := range []byte(tt.in) {
						_, _ = c.Write([]byte{b})
						time.Sleep(50 * time.Microsecond) // to be several packets
					}
				}
				_ = c.CloseWrite()
				raw, _ := io.ReadAll(c)
				rest := string(raw)
				for want := range strings.SplitSeq(tt.want, "|") {
					_, after, ok := strings.Cut(rest, want)
					if !ok {
						t.Fatalf("no %q in %q", want, raw)
					}
					rest = after
				}
				if strings.Contains(rest, "HTTP/1.1 ") {
					t.Errorf("more answers than expected: %q", raw)
				}
				if tt.refuse != "" && (whole || tt.refuse != "proxy_unread") { // of a part it is not known
					if id := <-refused; id != tt.refuse {
						t.Errorf("refused as %s, want %s", id, tt.refuse)
					}
				}
			})
		}
	}
}

func TestProxyProtocolOnUnixSockets(t *testing.T) {
	for _, tt := range []struct {
		name string
		unix bool
		want string
	}{{"may", true, "192.0.2.1 /"}, {"may_not", false, "400"}} {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := New(Options{Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "s")
			if _, err := srv.Listen(path, ListenOptions{ProxyProtocol: &ProxyProtocol{Unix: tt.unix}}); err != nil {
				t.Fatal(err)
			}
			serve(t, srv, who)
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			for _, part := range []string{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "GET / HTTP/1.0\r\n\r\n"} {
				_, _ = io.WriteString(c, part)
			}
			if b, _ := io.ReadAll(c); !strings.Contains(string(b), tt.want) {
				t.Errorf("%q", b)
			}
		})
	}
}

// Where the header would not be read, the listener is not made.
func TestProxyProtocolElsewhere(t *testing.T) {
	srv, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	for name, o := range map[string]ListenOptions{"uwsgi": {Protocol: UWSGI}, "tls": {TLS: &tls.Config{}}} { //nolint:gosec // it is not served
		o.ProxyProtocol = &ProxyProtocol{}
		if _, err := srv.Listen("127.0.0.1:0", o); err == nil {
			t.Errorf("%s: it is made", name)
		}
	}
}

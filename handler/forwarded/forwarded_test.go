package forwarded

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
)

// site serves what it sees of clients, by HTTP and uwsgi, to proxies that are trusted.
func site(t *testing.T, fields []string, trusted ...string) (tcp, unix, packets string) {
	t.Helper()
	p, err := Parse(trusted)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	listen := func(addr string, o engine.ListenOptions) string {
		ln, err := srv.Listen(addr, o)
		if err != nil {
			t.Fatal(err)
		}
		return ln.String()
	}
	tcp = listen("127.0.0.1:0", engine.ListenOptions{})
	unix = listen(filepath.Join(t.TempDir(), "s"), engine.ListenOptions{})
	packets = listen("127.0.0.1:0", engine.ListenOptions{Protocol: engine.UWSGI})
	h, err := New(engine.HandlerFunc(func(x *engine.Exchange) {
		r := x.Request()
		addr, scheme := string(x.AppendRemoteAddr(nil)), "http"
		if r.Proto == codec.UWSGI {
			addr = string(r.Var("REMOTE_ADDR"))
		}
		if x.HTTPS() {
			scheme = "https"
		}
		left := ""
		for _, f := range r.Fields {
			if name := string(r.Bytes(f.Name)); name != "Host" && name != "HOST" {
				left += " " + name
			}
		}
		x.ReplyText(200, fmt.Sprintf("%s|%d|%s|%s|%s|%s|%s", addr, x.RemotePort()*min(1, uint16(len(addr))), scheme, r.Bytes(r.Authority), r.Bytes(r.ScriptName), r.Path(), strings.TrimSpace(left)))
	}), p, fields)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(h) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Error(err)
		}
	})
	return tcp, unix, packets
}

func ask(t *testing.T, network, addr, fields string) string {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET /a HTTP/1.1\r\nHost: inner\r\nConnection: close\r\n"+fields+"\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 {
		return fmt.Sprint(resp.StatusCode)
	}
	return string(b)
}

func TestWhatProxiesSay(t *testing.T) {
	tcp, unix, _ := site(t, names[:], "loopback", "10.0.0.0/8", "2001:db8::/32", "unix")
	for _, tt := range []struct{ name, fields, want string }{
		{"address", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1|0|http|inner||/a"},
		{"address_of_the_real_ip", "X-Real-IP: 192.0.2.1\r\n", "192.0.2.1|0|http|inner||/a"},
		{"a_client_that_lies", "X-Forwarded-For: 198.51.100.9, 192.0.2.1\r\n", "192.0.2.1|0|http|inner||/a"},
		{"behind_two_proxies", "X-Forwarded-For: 198.51.100.9, 192.0.2.1, 10.1.2.3, 2001:db8::7\r\n", "192.0.2.1|0|http|inner||/a"},
		{"in_two_fields", "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1|0|http|inner||/a"},
		{"nothing_but_proxies", "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", "10.0.0.1|0|http|inner||/a"},
		{"with_a_port", "X-Forwarded-For: 192.0.2.1:4711\r\n", "192.0.2.1|4711|http|inner||/a"},
		{"ipv6", "X-Forwarded-For: 2001:db9::1\r\n", "2001:db9::1|0|http|inner||/a"},
		{"ipv6_with_a_port", "X-Forwarded-For: [2001:db9::1]:80\r\n", "2001:db9::1|80|http|inner||/a"},
		{"mapped", "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1|0|http|inner||/a"},
		{"unknown", "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.1\r\n", "10.0.0.1|0|http|inner||/a"},
		{"scheme", "X-Forwarded-Proto: https\r\n", "127.0.0.1|PORT|https|inner||/a"},
		{"scheme_of_the_nearest", "X-Forwarded-Proto: https, http\r\n", "127.0.0.1|PORT|http|inner||/a"},
		{"scheme_of_another_kind", "X-Forwarded-Proto: gopher\r\n", "127.0.0.1|PORT|http|inner||/a"},
		{"ssl", "X-Forwarded-SSL: on\r\n", "127.0.0.1|PORT|https|inner||/a"},
		{"microsoft", "Front-End-Https: on\r\n", "127.0.0.1|PORT|https|inner||/a"},
		{"haproxy_in_recipes", "X-Scheme: https\r\n", "127.0.0.1|PORT|https|inner||/a"},
		{"websocket", "X-Forwarded-Proto: wss\r\n", "127.0.0.1|PORT|https|inner||/a"},
		{"host", "X-Forwarded-Host: example.org:8443\r\n", "127.0.0.1|PORT|http|example.org:8443||/a"},
		{"no_host", "X-Forwarded-Host: a b\r\n", "400"},
		{"host_with_a_path", "X-Forwarded-Host: a/b\r\n", "400"},
		{"prefix", "X-Forwarded-Prefix: /shop/\r\n", "127.0.0.1|PORT|http|inner|/shop|/a"},
		{"no_prefix", "X-Forwarded-Prefix: shop\r\n", "400"},
		{"forwarded", "Forwarded: for=198.51.100.9;proto=http, For=\"[2001:db9::1]:4711\";Proto=HTTPS;host=\"a.example:1\"; by=10.0.0.1\r\n", "2001:db9::1|4711|https|a.example:1||/a"},
		{"forwarded_through_two", "Forwarded: for=192.0.2.1;proto=https;host=a.example, for=10.0.0.9;proto=http;host=b.example\r\n", "192.0.2.1|0|https|a.example||/a"},
		{"forwarded_before_the_others", "X-Forwarded-For: 192.0.2.2\r\nForwarded: for=192.0.2.1\r\nX-Forwarded-Proto: https\r\n", "192.0.2.1|0|http|inner||/a"},
		{"forwarded_hidden", "Forwarded: for=_secret;proto=https, for=10.0.0.1\r\n", "10.0.0.1|0|https|inner||/a"},
		{"forwarded_not_said", "Forwarded: for=198.51.100.9;proto=http, proto=https\r\n", "127.0.0.1|PORT|https|inner||/a"},
		{"forwarded_broken", "Forwarded: for=\"192.0.2.1\r\n", "400"},
		{"forwarded_no_pair", "Forwarded: 192.0.2.1\r\n", "400"},
		{"forwarded_smuggled", "Forwarded: for=1.1.1.1 for=192.0.2.1\r\n", "400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, _ := strings.Cut(ask(t, "tcp", tcp, tt.fields)+"|", "|X")
			got, _, _ = strings.Cut(got, "|F")
			got = strings.TrimSuffix(got, "|")
			if parts := strings.Split(got, "|"); parts[0] == "127.0.0.1" {
				parts[1] = "PORT"
				got = strings.Join(parts, "|")
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := ask(t, "unix", unix, "X-Forwarded-For: 192.0.2.1\r\n"); !strings.HasPrefix(got, "192.0.2.1|") {
		t.Errorf("over a unix socket: %q", got)
	}
}

// A field that the proxy does not write comes from the client, and says nothing: not with the usual
// ones, nor with those that were named.
func TestFieldsThatCount(t *testing.T) {
	all := "Forwarded: for=198.51.100.1;proto=https;host=evil.example\r\nX-Real-IP: 198.51.100.2\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\n" +
		"X-Forwarded-Host: evil.example\r\nX-Forwarded-Prefix: /evil\r\nX-Forwarded-Ssl: on\r\nX-Forwarded-Port: 666\r\nFront-End-Https: on\r\n"
	for _, tt := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"usual", nil, "192.0.2.1|0|http|inner||/a|"},
		{"forwarded", []string{"forwarded"}, "198.51.100.1|0|https|evil.example||/a|"},
		{"real_ip", []string{"X-Real-IP", "X-Forwarded-SSL"}, "198.51.100.2|0|https|inner||/a|"},
		{"host_and_prefix", []string{"x-forwarded-for", "x-forwarded-host", "x-forwarded-prefix"}, "192.0.2.1|0|http|evil.example|/evil|/a|"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tcp, _, _ := site(t, tt.fields, "loopback")
			if got := ask(t, "tcp", tcp, all); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if _, err := New(nil, Proxies{}, []string{"X-Client"}); err == nil {
		t.Error("a field that nobody knows is taken")
	}
}

// Who is not trusted is not heard, and apps do not see what it says.
func TestWhoIsNotTrusted(t *testing.T) {
	tcp, unix, packets := site(t, names[:], "10.0.0.0/8")
	all := "X-Plain: kept\r\n"
	for _, name := range names {
		all += name + ": https\r\n" + strings.ToLower(name) + ": 192.0.2.1\r\n"
	}
	for network, addr := range map[string]string{"tcp": tcp, "unix": unix} {
		got := strings.Split(ask(t, network, addr, all), "|")
		if got[0] == "192.0.2.1" || got[2] != "http" || got[3] != "inner" || got[6] != "X-Plain" {
			t.Errorf("%s: %q", network, got)
		}
	}
	for peer, want := range map[string]string{"10.0.0.1": "192.0.2.1|0|https", "192.0.2.7": "192.0.2.7|PORT|http", "unix:": "unix:|PORT|http"} {
		c, err := net.Dial("tcp", packets)
		if err != nil {
			t.Fatal(err)
		}
		var vars []uwsgi.Var
		for _, kv := range [][2]string{{"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/a"}, {"PATH_INFO", "/a"}, {"HTTP_HOST", "inner"}, {"REMOTE_ADDR", peer}, {"HTTP_X_FORWARDED_FOR", "192.0.2.1"}, {"HTTP_X_FORWARDED_PROTO", "https"}} {
			vars = append(vars, uwsgi.Var{Name: kv[0], Value: kv[1]})
		}
		packet, err := uwsgi.AppendPacket(nil, 0, 0, vars)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(packet)
		b, _ := io.ReadAll(c)
		_ = c.Close()
		_, got, _ := strings.Cut(string(b), "\r\n\r\n")
		parts := strings.Split(got, "|")
		if len(parts) == 7 && parts[0] == peer {
			parts[1] = "PORT" // the socket's, which no app sees
		}
		if got = strings.Join(parts, "|"); !strings.HasPrefix(got, want) {
			t.Errorf("over uwsgi, from %s: %q, want %q", peer, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, word := range []string{"", "*", "0.0.0.0/0", "::/0", "localhost", "10.0.0.0/33", "10.0.0", "10.0.0.1:80"} {
		if _, err := Parse([]string{word}); err == nil {
			t.Errorf("%q is taken", word)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"for=a", `for="[::1]:80";proto=https, for=b;host="x\"y"`, ",;,", `for="`, "=", "a=b c"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		hops, err := parse(b)
		if err == nil && len(hops) > hopsMost+1 {
			t.Errorf("%d hops", len(hops))
		}
		for _, h := range hops {
			address(h.node)
		}
	})
}

package cache

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
)

// Over uwsgi the front server's connection comes from this machine, and REMOTE_ADDR says who the client is.
func TestPurgeOverUwsgi(t *testing.T) {
	server, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(nil, Options{Size: 1 << 20, PurgeFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen("127.0.0.1:0", engine.ListenOptions{Protocol: engine.UWSGI})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(c) }()
	defer func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	}()
	for _, tt := range []struct{ name, addr, want string }{
		{"a client elsewhere", "203.0.113.7", " 403 "},
		{"nobody says who", "", " 403 "},
		{"a unix socket of the front server", "unix:", " 403 "},
		{"one who may", "10.1.2.3", " 200 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vars := []uwsgi.Var{{Name: "REQUEST_METHOD", Value: "PURGE"}, {Name: "REQUEST_URI", Value: "/"}, {Name: "PATH_INFO", Value: "/"}}
			if tt.addr != "" {
				vars = append(vars, uwsgi.Var{Name: "REMOTE_ADDR", Value: tt.addr})
			}
			packet, err := uwsgi.AppendPacket(nil, 0, 0, vars)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", l.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write(packet); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(conn); err != nil || !strings.Contains(string(got), tt.want) {
				t.Errorf("got %q, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// Answers that come at the same time take no more memory than the cache may have.
func TestFillingBound(t *testing.T) {
	const clients = 10
	s := newSite(t, Options{Size: 1 << 20})
	half := strings.Repeat("x", 150_000)
	h := held{make(chan engine.Ref, clients)}
	s.set(func(x *engine.Exchange) {
		x.Start(head(x, 200, []string{"Cache-Control: max-age=60"}))
		x.Write([]byte(half))
		h.answer(x)
	})
	got := make(chan reply, clients)
	for i := range clients {
		go func() { got <- s.get("/" + string(rune('a'+i))) }()
	}
	var refs []engine.Ref
	for range clients {
		refs = append(refs, h.next(t))
	}
	if n := s.cache.filling.Load(); n == 0 || n > 1<<20 {
		t.Errorf("%d bytes wait to be stored", n)
	}
	for _, ref := range refs {
		_ = ref.Post(func(x *engine.Exchange) {
			x.Write([]byte(half))
			x.End()
		})
	}
	for range clients {
		if r := <-got; r.err != nil || len(r.body) != 2*len(half) {
			t.Errorf("a client got %d bytes, %v", len(r.body), r.err)
		}
	}
	wait(t, "nothing is held any more", func() bool { return s.cache.filling.Load() == 0 })
}

// Who asks for nothing to be kept has nobody wait for an answer that only one may have.
func TestNoStoreDoesNotLead(t *testing.T) {
	const clients = 20
	s := newSite(t, Options{})
	h := held{make(chan engine.Ref, clients)}
	s.set(h.answer)
	alone := s.herd(1, "Cache-Control: no-store")
	first := h.next(t)
	got := s.herd(clients)
	second := h.next(t)
	wait(t, "all others wait", func() bool { return s.cache.waiting() == clients-1 })
	answer := says(200, "a", "Cache-Control: max-age=60")
	_ = first.Post(answer)
	<-alone
	if n := s.cache.waiting(); n != clients-1 {
		t.Errorf("%d wait", n)
	}
	_ = second.Post(answer)
	for range clients {
		if r := <-got; r.err != nil || r.body != "a" {
			t.Errorf("got %+v", r)
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("the origin was asked %d times", n)
	}
}

// What one client says by these fields is in no answer that another one gets.
func TestFieldsOfFrameworks(t *testing.T) {
	s := newSite(t, Options{})
	s.set(says(200, "a", "Cache-Control: max-age=60"))
	for _, name := range []string{
		"X-Forwarded-Host", "x-forwarded-host", "X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Port",
		"X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Forwarded-User", "X-Forwarded-Client-Cert", "Forwarded", "X-Host", "X-Scheme",
		"X-Url-Scheme", "X-Script-Name", "X-Original-Url", "X-Original-Uri", "X-Original-Host", "X-Rewrite-Url", "X-HTTP-Method-Override", "X-HTTP-Method",
		"X-HTTP-Host-Override", "X-Method-Override", "Front-End-Https",
	} {
		target := "/" + name
		s.get(target, name+": evil")
		if word := s.get(target).Get("X-Cache"); word != "MISS" {
			t.Errorf("%s: others get %s", name, word)
		}
	}
	for _, name := range []string{"X-Forwarded-For", "User-Agent", "Referer", "X-Request-Id", "X-Forwarded"} {
		target := "/" + name
		s.get(target, name+": one")
		if word := s.get(target, name+": other").Get("X-Cache"); word != "HIT" {
			t.Errorf("%s: others get %s", name, word)
		}
	}
}

// A client that asks for one page in many ways does not push it out of the cache.
func TestVariantsBound(t *testing.T) {
	s := newSite(t, Options{Size: 1 << 20})
	s.set(says(200, strings.Repeat("x", 50_000), "Cache-Control: max-age=60", "Vary: Accept-Language"))
	for i := range mostVariants + 8 {
		s.get("/", "Accept-Language: l"+strconv.Itoa(i))
		if word := s.get("/", "Accept-Language: l"+strconv.Itoa(i)).Get("X-Cache"); word != "HIT" {
			t.Fatalf("variant %d: %s", i, word)
		}
	}
	if n := s.cache.Stats().Bytes; n > 256<<10+50_000 {
		t.Errorf("one page takes %d bytes", n)
	}
}

// The order in which the fields of a request come is no part of the key: over HTTP/2 it is any.
func TestKeyWithoutOrder(t *testing.T) {
	s := newSite(t, Options{})
	s.set(says(200, "a", "Cache-Control: max-age=60"))
	fields := []string{"X-Forwarded-Host: a", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443"}
	send := func(fields ...string) string {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+strings.Join(fields, "\r\n")+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(conn)
		return string(b)
	}
	send(fields...)
	if got := send(fields[2], fields[0], fields[1]); !strings.Contains(got, "X-Cache: HIT") {
		t.Errorf("got %q", got)
	}
	if got := send("X-Forwarded-Host: https", "X-Forwarded-Proto: a", fields[2]); !strings.Contains(got, "X-Cache: MISS") {
		t.Errorf("other values: %q", got)
	}
}

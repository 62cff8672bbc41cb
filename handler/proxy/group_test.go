package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/uwsgo/uwsgo/codec/proxy"
	"github.com/uwsgo/uwsgo/engine"
)

// backend is an upstream that says its name, and that can be killed.
type backend struct {
	name, addr string
	ln         net.Listener
	mu         sync.Mutex
	conns      map[net.Conn]bool
	asked      atomic.Int64
	ill        atomic.Bool
	wg         sync.WaitGroup
}

func newBackend(t *testing.T, name, addr string) *backend {
	t.Helper()
	b := &backend{name: name, addr: addr}
	b.start(t)
	b.addr = b.ln.Addr().String()
	t.Cleanup(b.kill)
	return b
}

func (b *backend) start(t *testing.T) {
	ln, err := net.Listen("tcp", b.addr)
	for end := time.Now().Add(surely); err != nil && time.Now().Before(end); ln, err = net.Listen("tcp", b.addr) {
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Error(err)
		return
	}
	b.mu.Lock()
	b.ln, b.conns = ln, map[net.Conn]bool{}
	b.mu.Unlock()
	b.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			if b.ln != ln {
				_ = c.Close()
			} else {
				b.conns[c] = true
			}
			b.mu.Unlock()
			b.wg.Go(func() { b.serve(c) })
		}
	})
}

func (b *backend) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		head := readHead(r)
		if !strings.HasSuffix(head, "\r\n\r\n") {
			return
		}
		status := 200
		if strings.HasPrefix(head, "GET /health ") {
			if b.ill.Load() {
				status = 500
			}
		} else {
			b.asked.Add(1)
		}
		if _, err := fmt.Fprintf(c, "HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s", status, len(b.name), b.name); err != nil {
			return
		}
	}
}

// kill resets all connections, as the death of a process does.
func (b *backend) kill() {
	b.mu.Lock()
	if b.ln != nil {
		_ = b.ln.Close()
		b.ln = nil
	}
	for c := range b.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	b.mu.Unlock()
	b.wg.Wait()
}

func backends(t *testing.T, n int) (all []*backend, cfg Config) {
	for i := range n {
		b := newBackend(t, string(rune('a'+i)), "127.0.0.1:0")
		all = append(all, b)
		cfg.Servers = append(cfg.Servers, Server{Address: b.addr})
	}
	return all, cfg
}

// client has a connection for each of its requests that run at a time.
func client4(t *testing.T, addr string) func(path string, header http.Header) (string, error) {
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return func(path string, header http.Header) (string, error) {
		req, err := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			return "", err
		}
		if header != nil {
			req.Header = header
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 {
			return "", fmt.Errorf("status %d", resp.StatusCode)
		}
		return string(b), err
	}
}

func TestBalance(t *testing.T) {
	count := func(t *testing.T, cfg Config, n int, header func(i int) http.Header) map[string]int {
		t.Helper()
		f := newFront(t, cfg, nil, engine.HTTP)
		get := client4(t, f.addr)
		who := map[string]int{}
		for i := range n {
			name, err := get("/", header(i))
			if err != nil {
				t.Fatal(err)
			}
			who[name]++
		}
		return who
	}
	none := func(int) http.Header { return http.Header{} }
	t.Run("round_robin", func(t *testing.T) {
		_, cfg := backends(t, 3)
		cfg.Servers[0].Weight = 2
		if who := count(t, cfg, 40, none); who["a"] != 20 || who["b"] != 10 || who["c"] != 10 {
			t.Errorf("%v", who)
		}
	})
	t.Run("least", func(t *testing.T) {
		_, cfg := backends(t, 3)
		cfg.Balance = LeastOpen
		if who := count(t, cfg, 30, none); who["a"] != 10 || who["b"] != 10 {
			t.Errorf("of equals that have nothing to do: %v", who)
		}
	})
	t.Run("random", func(t *testing.T) {
		_, cfg := backends(t, 3)
		cfg.Balance = RandomOfTwo
		if who := count(t, cfg, 300, none); len(who) != 3 || who["a"] < 40 {
			t.Errorf("%v", who)
		}
	})
	for _, key := range []string{"header:X-User", "cookie:sid"} {
		t.Run("hash_of_"+key, func(t *testing.T) {
			all, cfg := backends(t, 4)
			cfg.Balance, cfg.HashKey = Hash, key
			f := newFront(t, cfg, nil, engine.HTTP)
			get := client4(t, f.addr)
			ask := func(i int) string {
				h := http.Header{"X-User": {fmt.Sprint(i)}, "Cookie": {fmt.Sprintf("a=b; sid=%d", i)}}
				name, err := get("/", h)
				if err != nil {
					t.Fatal(err)
				}
				return name
			}
			var first []string
			who := map[string]int{}
			for i := range 100 {
				first = append(first, ask(i))
				who[first[i]]++
			}
			if len(who) != 4 {
				t.Errorf("100 users are on %v", who)
			}
			all[1].kill()
			for i := range 100 {
				if now := ask(i); now != first[i] && first[i] != "b" || now == "b" {
					t.Fatalf("user %d moves from %s to %s as b goes", i, first[i], now)
				}
			}
		})
	}
	t.Run("hash_of_address", func(t *testing.T) {
		_, cfg := backends(t, 4)
		cfg.Balance = Hash
		if who := count(t, cfg, 20, none); len(who) != 1 {
			t.Errorf("one client is on %v", who)
		}
	})
}

// One of four is killed again and again under load: no request that may be repeated is lost.
func TestKilledUpstreams(t *testing.T) {
	all, cfg := backends(t, 4)
	f := newFront(t, cfg, nil, engine.HTTP)
	get := client4(t, f.addr)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	var asked, lost atomic.Int64
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				asked.Add(1)
				if _, err := get("/", nil); err != nil && lost.Add(1) < 5 {
					t.Errorf("%v", err)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for i := range 12 {
		b := all[i%4]
		time.Sleep(120 * time.Millisecond)
		b.kill()
		time.Sleep(50 * time.Millisecond)
		b.start(t)
	}
	close(stop)
	wg.Wait()
	t.Logf("%d requests, %d lost", asked.Load(), lost.Load())
	for _, b := range all {
		if b.asked.Load() == 0 {
			t.Errorf("%s was never asked", b.name)
		}
	}
}

func TestLeftOut(t *testing.T) {
	all, cfg := backends(t, 2)
	f := newFront(t, cfg, nil, engine.HTTP)
	get := client4(t, f.addr)
	all[0].kill()
	for range 10 {
		if name, err := get("/", nil); name != "b" || err != nil {
			t.Fatal(name, err)
		}
	}
	if n := strings.Count(f.log.String(), "is left out for 1s: connect: connection refused"); n != 1 {
		t.Errorf("%d lines say so:\n%s", n, f.log)
	}
	all[0].start(t)
	await(t, "it is asked again", func() bool {
		name, err := get("/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return name == "a"
	})
	all[0].kill()
	all[1].kill()
	if _, err := get("/", nil); err == nil || err.Error() != "status 502" {
		t.Errorf("with none: %v", err)
	}
}

func TestHealth(t *testing.T) {
	all, cfg := backends(t, 2)
	cfg.Health = Health{Path: "/health", Interval: 5 * time.Millisecond, Falls: 2, Rises: 2}
	cfg.SlowStart = time.Millisecond
	f := newFront(t, cfg, nil, engine.HTTP)
	get := client4(t, f.addr)
	all[0].ill.Store(true)
	await(t, "it is left out", func() bool {
		return strings.Contains(f.log.String(), "upstream http://"+all[0].addr+" is not well and gets no requests: /health answers 500")
	})
	for range 10 {
		if name, err := get("/", nil); name != "b" || err != nil {
			t.Fatal(name, err)
		}
	}
	all[0].ill.Store(false)
	await(t, "it is asked again", func() bool {
		name, err := get("/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return name == "a"
	})
}

// An upstream that is new begins with less than its share, and has all of it in the end.
func TestSlowStart(t *testing.T) {
	_, cfg := backends(t, 1)
	cfg.SlowStart = time.Hour
	f := newFront(t, cfg, nil, engine.HTTP)
	loop := f.srv.Loops()[0]
	shares := make(chan int, 3)
	if err := loop.Post(func() {
		p := f.h.port(loop)
		s := &slot{server: &server{weight: 2}, port: p}
		shares <- p.share(s)
		s.joins.Store(joinsNow)
		shares <- p.share(s)
		s.joins.Store(loop.Now() - int64(30*time.Minute))
		shares <- p.share(s)
	}); err != nil {
		t.Fatal(err)
	}
	if a, b, c := <-shares, <-shares, <-shares; a != 200 || b != 1 || c != 100 {
		t.Errorf("shares are %d, %d and %d", a, b, c)
	}
}

// names is a name server whose answers change.
type names struct {
	mu   sync.Mutex
	a    []string
	srv  []uint16 // ports
	addr string
}

func newNames(t *testing.T) *names {
	n := &names{}
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.addr = pc.LocalAddr().String()
	ready := make(chan struct{})
	s := &dns.Server{PacketConn: pc, Handler: n, NotifyStartedFunc: func() { close(ready) }}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return n
}

func (n *names) set(a ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.a = a
}

func (n *names) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	hdr := dns.RR_Header{Name: q.Question[0].Name, Class: dns.ClassINET, Ttl: 0}
	switch hdr.Rrtype = q.Question[0].Qtype; hdr.Rrtype {
	case dns.TypeA:
		for _, a := range n.a {
			m.Answer = append(m.Answer, &dns.A{Hdr: hdr, A: net.ParseIP(a)})
		}
	case dns.TypeSRV:
		for i, port := range n.srv {
			m.Answer = append(m.Answer, &dns.SRV{Hdr: hdr, Priority: 1, Weight: uint16(i + 1), Port: port, Target: "host.test."})
		}
		m.Answer = append(m.Answer, &dns.SRV{Hdr: hdr, Priority: 2, Port: 1, Target: "worse.test."})
	}
	if len(m.Answer) == 0 {
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m)
}

// The members of a name come and go, each second as the TTL of 0 is taken for one, and nothing is lost.
func TestNames(t *testing.T) {
	n := newNames(t)
	a := newBackend(t, "a", "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(a.addr)
	newBackend(t, "b", "127.0.0.2:"+port)
	newBackend(t, "c", "127.0.0.3:"+port)
	n.set("127.0.0.1", "127.0.0.2")
	cfg := to("http://pods.test:" + port)
	cfg.NameServers = []string{n.addr}
	f := newFront(t, cfg, nil, engine.HTTP)
	get := client4(t, f.addr)
	see := func(want string) {
		t.Helper()
		await(t, "the members "+want, func() bool {
			seen := map[string]bool{}
			for range 12 {
				name, err := get("/", nil)
				if err != nil {
					t.Fatal(err)
				}
				seen[name] = true
			}
			got := ""
			for _, name := range []string{"a", "b", "c"} {
				if seen[name] {
					got += name
				}
			}
			return got == want
		})
	}
	see("ab")
	n.set("127.0.0.2", "127.0.0.3")
	see("bc")
	n.set("127.0.0.3")
	see("c")
	n.set() // a name that is gone takes nobody with it
	await(t, "the log says so", func() bool { return strings.Contains(f.log.String(), "cannot look up the name") })
	see("c")
	n.set("127.0.0.1")
	see("a")

	t.Run("srv", func(t *testing.T) {
		one, two := newBackend(t, "a", "127.0.0.1:0"), newBackend(t, "b", "127.0.0.1:0")
		n.mu.Lock()
		for _, b := range []*backend{one, two} {
			n.srv = append(n.srv, netip.MustParseAddrPort(b.addr).Port())
		}
		n.mu.Unlock()
		cfg := to("srv:_http._tcp.api.test")
		cfg.NameServers = []string{n.addr}
		f := newFront(t, cfg, nil, engine.HTTP)
		get := client4(t, f.addr)
		who := map[string]int{}
		for range 30 {
			name, err := get("/", nil)
			if err != nil {
				t.Fatal(err)
			}
			who[name]++
		}
		if who["a"] != 10 || who["b"] != 20 {
			t.Errorf("by weights 1 and 2: %v", who)
		}
	})
	t.Run("there_only_later", func(t *testing.T) {
		n.set()
		cfg := to("http://later.test:" + port)
		cfg.NameServers = []string{n.addr}
		f := newFront(t, cfg, nil, engine.HTTP)
		if _, err := client4(t, f.addr)("/", nil); err == nil || err.Error() != "status 503" {
			t.Errorf("%v", err)
		}
		if !strings.Contains(f.log.String(), "there is no upstream for /: the client gets 503") {
			t.Errorf("log: %s", f.log)
		}
	})
}

func TestProxyProtocolOut(t *testing.T) {
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			var conns atomic.Int64
			told := make(chan netip.AddrPort, 10)
			up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
				conns.Add(1)
				if _, err := r.Peek(1); err != nil {
					return
				}
				b, _ := r.Peek(r.Buffered())
				from, n, err := proxy.Parse(b)
				if err != nil || n == 0 {
					t.Errorf("%q: %v", b, err)
					return
				}
				_, _ = r.Discard(n)
				told <- from
				for readHead(r) != "" {
					_, _ = io.WriteString(c, ok)
				}
			})
			cfg := to(up)
			cfg.ProxyProtocol = version
			f := newFront(t, cfg, nil, engine.HTTP)
			for i := range 3 {
				c := dial(t, f.addr)
				c.send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				c.expect(t, "HTTP/1.1 200 OK\r\n")
				if from := <-told; from.String() != c.LocalAddr().String() {
					t.Errorf("the upstream is told of %v, the client is %v", from, c.LocalAddr())
				}
				if conns.Load() != int64(i+1) {
					t.Errorf("%d connections for %d requests", conns.Load(), i+1)
				}
			}
		})
	}
}

// The memory of clients that wait for an answer.
func TestWaitingClients(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP: short")
	}
	release := make(chan struct{})
	var waiting atomic.Int64
	up := raw(t, func(_ int, c net.Conn, r *bufio.Reader) {
		readHead(r)
		waiting.Add(1)
		<-release
		_, _ = io.WriteString(c, ok)
	})
	f := newFront(t, to(up), nil, engine.HTTP)
	const n = 200
	var clients []*open
	for range n {
		c := dial(t, f.addr)
		c.send(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		clients = append(clients, c)
	}
	await(t, "all of them wait", func() bool { return waiting.Load() == n })
	close(release)
	for _, c := range clients {
		c.expect(t, "HTTP/1.1 200 OK\r\n")
	}
}

func TestAppendProxy(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"1.2.3.4:5", "10.0.0.1:80", "1.2.3.4:5"},
		{"[2001:db8::1]:5", "[::1]:80", "[2001:db8::1]:5"},
		{"1.2.3.4:5", "[::1]:80", "1.2.3.4:5"},
		{"[2001:db8::1]:5", "10.0.0.1:80", "[2001:db8::1]:5"},
		{"", "10.0.0.1:80", "invalid AddrPort"},
		{"1.2.3.4:5", "", "1.2.3.4:5"},
	} {
		from, _ := netip.ParseAddrPort(tt.from)
		dst, _ := netip.ParseAddrPort(tt.to)
		for version := 1; version <= 2; version++ {
			b := proxy.Append(nil, version, from, dst)
			got, n, err := proxy.Parse(b)
			if err != nil || n != len(b) || !bytes.Equal(proxy.Append([]byte("x"), version, from, dst)[1:], b) {
				t.Errorf("%d: %q: %d, %v", version, b, n, err)
			}
			if got.Addr().Is4In6() || got.String() != tt.want {
				t.Errorf("%d: %v is read as %v", version, tt.from, got)
			}
		}
	}
}

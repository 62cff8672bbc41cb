package engine

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// testCert makes a certificate for localhost, and the pool that trusts it.
func testCert(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost", Organization: []string{"uwsgo"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// tlsServer serves h over TLS and returns its address and what clients need.
func tlsServer(t *testing.T, h Handler, o Options, change func(*tls.Config)) (*Server, string, *tls.Config) {
	t.Helper()
	cert, pool := testCert(t)
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	if change != nil {
		change(config)
	}
	o.Logf, o.TempDir = t.Logf, t.TempDir()
	srv, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", ListenOptions{TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv, h)
	return srv, ln.String(), &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func tlsFiles(t *testing.T, big []byte) Handler {
	name := tempFile(t, big)
	handle := echo
	return HandlerFunc(func(x *Exchange) {
		switch string(x.Request().Path()) {
		case "/file":
			x.ReplyFile(x.Response(), openFile(t, name), 0, int64(len(big)))
		case "/cut":
			pieces(x, -1, "begun")
			x.Abort()
		case "/large":
			x.Reply(x.Response(), big)
		case "/tls":
			state := x.TLS()
			if state == nil || !x.HTTPS() {
				x.ReplyText(500, "no TLS")
				return
			}
			who := "nobody"
			if len(state.PeerCertificates) > 0 {
				who = state.PeerCertificates[0].Subject.CommonName
			}
			x.ReplyText(200, fmt.Sprintf("%s %s %s", state.ServerName, tls.VersionName(state.Version), who))
		default:
			if !x.BodyComplete() {
				x.AwaitBody(handle)
				return
			}
			echo(x)
		}
	})
}

// What holds of a bare connection holds of an encrypted one: bodies, files, large answers,
// kept connections, pipelines, cut answers.
func TestTLS(t *testing.T) {
	large := pattern(3 << 20)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			_, addr, client := tlsServer(t, tlsFiles(t, large), Options{}, nil)
			client.MinVersion, client.MaxVersion = version, version
			c, err := tls.Dial("tcp", addr, client)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			r := bufio.NewReader(c)
			get := func(method, path, body string) string {
				t.Helper()
				got, err := http.ReadResponse(r, &http.Request{Method: method})
				if err != nil {
					t.Fatalf("%s %s: %v", method, path, err)
				}
				defer got.Body.Close()
				b, err := io.ReadAll(got.Body)
				if err != nil || got.StatusCode != 200 {
					t.Fatalf("%s %s: %d, %d bytes, %v", method, path, got.StatusCode, len(b), err)
				}
				return string(b)
			}
			ask := func(method, path, body string) string {
				t.Helper()
				go func() {
					_, _ = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
				}()
				return get(method, path, body)
			}
			if got, want := ask("GET", "/tls", ""), "localhost "+tls.VersionName(version)+" nobody"; got != want {
				t.Errorf("state: %q, want %q", got, want)
			}
			for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 1 << 20} {
				body := strings.Repeat("x", size)
				if got := ask("POST", "/echo", body); !strings.HasSuffix(got, ":"+body) {
					t.Errorf("a body of %d bytes comes back as %d: %.60q", size, len(got), got)
				}
			}
			for _, path := range []string{"/file", "/large", "/file"} {
				if got := ask("GET", path, ""); got != string(large) {
					t.Errorf("%s: %d bytes that are not those of the file", path, len(got))
				}
			}
			go func() {
				_, _ = io.WriteString(c, strings.Repeat("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\nGET /tls HTTP/1.1\r\nHost: localhost\r\n\r\n", 5))
			}()
			for range 5 {
				if got := get("GET", "/large", ""); got != string(large) {
					t.Errorf("pipelined: %d bytes", len(got))
				}
				get("GET", "/tls", "")
			}
		})
	}
}

// The end of an answer that has no other end is told apart from a cut.
func TestTLSCut(t *testing.T) {
	_, addr, client := tlsServer(t, tlsFiles(t, pattern(100)), Options{}, nil)
	for path, whole := range map[string]bool{"/large": true, "/cut": false} {
		c, err := tls.Dial("tcp", addr, client)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET "+path+" HTTP/1.0\r\n\r\n")
		if b, err := io.ReadAll(c); (err == nil) != whole {
			t.Errorf("%s: %q, error %v, want whole: %v", path, b, err, whole)
		}
		_ = c.Close()
	}
}

// Clients that do not do as they should get an alert or a hint, and keep nobody out.
func TestTLSWrongClients(t *testing.T) {
	var failed atomic.Int32
	o := Options{HeadTimeout: 30 * time.Second, OnHandshakeError: func(_ *Listener, peer string, err error) {
		if peer == "127.0.0.1" && err != nil {
			failed.Add(1)
		}
	}}
	srv, addr, client := tlsServer(t, tlsFiles(t, nil), o, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })
	dial := func() net.Conn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	stuck := dial()
	_, _ = stuck.Write([]byte{22, 3, 1, 1, 0, 1}) // the beginning of a ClientHello
	for _, tt := range []struct{ name, give, want string }{
		{"http", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"noise", "\x00\x01\x02\x03\x04\x05\x06\x07", ""},
		{"bad_hello", "\x16\x03\x01\x00\x04\x01\x00\x00\x00", "\x15\x03"},
		{"record_too_long", "\x16\x03\x01\xff\xff" + strings.Repeat("x", 70_000), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial()
			_, _ = io.WriteString(c, tt.give)
			b, _ := io.ReadAll(c)
			if !strings.HasPrefix(string(b), tt.want) {
				t.Errorf("got %q, want %q", b, tt.want)
			}
			if tt.name == "http" && !strings.Contains(string(b), "https://") {
				t.Errorf("no hint: %q", b)
			}
		})
	}
	t.Run("old_version", func(t *testing.T) {
		old := client.Clone()
		old.MaxVersion = tls.VersionTLS12
		_, err := tls.Dial("tcp", addr, old)
		if err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("error %v, want an alert on the version", err)
		}
	})
	if failed.Load() < 2 || srv.Stats().HandshakeErrors < 2 {
		t.Errorf("told of %d failed handshakes, counted %d", failed.Load(), srv.Stats().HandshakeErrors)
	}
	c, err := tls.Dial("tcp", addr, client)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// A crowd that begins handshakes and says no more gives way.
func TestTLSHandshakesShed(t *testing.T) {
	_, addr, client := tlsServer(t, tlsFiles(t, nil), Options{Loops: 1, HeadTimeout: time.Minute}, nil)
	hello := clientHello(t, client)
	for range handshakesMax + 50 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(hello); err != nil {
			t.Fatal(err)
		}
	}
	c, err := tls.Dial("tcp", addr, client)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// clientHello is what a client sends first.
func clientHello(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		_ = tls.Client(theirs, config).Handshake()
	}()
	b := make([]byte, 8<<10)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	_ = ours.Close()
	return b[:n]
}

func TestTLSClientCertificate(t *testing.T) {
	mine, pool := testCert(t)
	_, addr, client := tlsServer(t, tlsFiles(t, nil), Options{}, func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, pool
	})
	for _, given := range []bool{false, true} {
		config := client.Clone()
		want := "nobody"
		if given {
			config.Certificates, want = []tls.Certificate{mine}, "localhost"
		}
		web := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		b := body(t, web, "https://"+addr+"/tls")
		if !strings.HasSuffix(b, " "+want) {
			t.Errorf("given %v: %q", given, b)
		}
		web.CloseIdleConnections()
	}
}

func body(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Over HTTP/2, which clients choose where it is offered, all is as over HTTP/1.
func TestTLSHTTP2(t *testing.T) {
	large := pattern(3 << 20)
	srv, addr, client := tlsServer(t, tlsFiles(t, large), Options{}, func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} })
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}}
	defer web.CloseIdleConnections()
	resp, err := web.Get("https://" + addr + "/tls")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 || string(b) != "localhost TLS 1.3 nobody" {
		t.Errorf("%s %q", resp.Proto, b)
	}
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			if i%2 == 0 {
				if got := body(t, web, "https://"+addr+[]string{"/large", "/file"}[i/2%2]); got != string(large) {
					t.Errorf("%d bytes", len(got))
				}
				return
			}
			sent := strings.Repeat("y", 200_000)
			resp, err := web.Post("https://"+addr+"/echo", "text/plain", strings.NewReader(sent))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if b, err := io.ReadAll(resp.Body); err != nil || !bytes.HasSuffix(b, []byte(":"+sent)) {
				t.Errorf("echo: %d bytes, %v", len(b), err)
			}
		})
	}
	all.Wait()
	if resp, err := web.Get("https://" + addr + "/cut"); err == nil {
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a cut answer ends well: %q", b)
		}
		_ = resp.Body.Close()
	}
	if n := srv.conns.Load(); n != 1 {
		t.Errorf("%d connections are counted, want 1", n)
	}
}

// A server that drains answers what was asked, over both versions.
func TestTLSDrain(t *testing.T) {
	for _, proto := range []string{"http/1.1", "h2"} {
		t.Run(proto, func(t *testing.T) {
			asked, goOn := make(chan struct{}), make(chan struct{})
			srv, addr, client := tlsServer(t, HandlerFunc(func(x *Exchange) {
				ref := x.Ref()
				close(asked)
				go func() {
					<-goOn
					_ = ref.Post(func(x *Exchange) { x.ReplyText(200, "done") })
				}()
			}), Options{}, func(c *tls.Config) { c.NextProtos = []string{proto} })
			web := &http.Client{Transport: &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: proto == "h2"}}
			defer web.CloseIdleConnections()
			got := make(chan string)
			go func() {
				resp, err := web.Get("https://" + addr + "/")
				if err != nil {
					got <- err.Error()
					return
				}
				defer resp.Body.Close()
				b, _ := io.ReadAll(resp.Body)
				got <- resp.Proto + " " + string(b)
			}()
			<-asked
			drained := make(chan error, 1)
			go func() { drained <- srv.Drain(t.Context()) }()
			select {
			case err := <-drained:
				t.Errorf("drained (%v) while a request is being answered", err)
			case <-time.After(50 * time.Millisecond):
			}
			close(goOn)
			if b := <-got; !strings.HasSuffix(b, " done") {
				t.Errorf("got %q", b)
			}
			if err := <-drained; err != nil {
				t.Error(err)
			}
		})
	}
}

// A session is resumed, as its ticket says.
func TestTLSResumes(t *testing.T) {
	_, addr, client := tlsServer(t, tlsFiles(t, nil), Options{}, nil)
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for i := range 3 {
		c, err := tls.Dial("tcp", addr, client)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, "GET /tls HTTP/1.0\r\n\r\n")
		if _, err := io.ReadAll(c); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if resumed := c.ConnectionState().DidResume; resumed != (i > 0) {
			t.Errorf("connection %d resumed: %v", i, resumed)
		}
		_ = c.Close()
	}
}

// heldConn keeps what is written after the ClientHello, until it is let go.
type heldConn struct {
	net.Conn
	writes int
	held   []byte
}

func (h *heldConn) Write(p []byte) (int, error) {
	if h.writes++; h.writes == 1 {
		return h.Conn.Write(p)
	}
	h.held = append(h.held, p...)
	return len(p), nil
}

// A client may send the end of its handshake, its request and its end at once.
func TestTLSEndsWithItsRequest(t *testing.T) {
	srv, addr, client := tlsServer(t, tlsFiles(t, nil), Options{}, nil)
	for i, request := range []string{"GET /tls HTTP/1.1\r\nHost: localhost\r\n\r\n", ""} {
		raw, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		held := &heldConn{Conn: raw}
		c := tls.Client(held, client)
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, request)
		_, _ = raw.Write(held.held)
		_ = raw.(*net.TCPConn).CloseWrite()
		b, err := io.ReadAll(c)
		if err != nil || i == 0 && !strings.HasSuffix(string(b), "localhost TLS 1.3 nobody") {
			t.Errorf("request %q: got %q, %v", request, b, err)
		}
	}
	plain, err := net.Dial("tcp", addr) // it ends with what is no TLS
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	_, _ = io.WriteString(plain, "GET / HTTP/1.0\r\n\r\n")
	_ = plain.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(plain); err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 400 ") {
		t.Errorf("got %q, %v", b, err)
	}
	eventually(t, "all connections end", func() bool { return srv.conns.Load() == 0 })
}

// What crypto/tls writes while it reads, such as the answer to a new key, does not keep a
// connection from its end.
func TestTLSWritesWhileItReads(t *testing.T) {
	srv, addr, client := tlsServer(t, tlsFiles(t, nil), Options{Loops: 1}, nil)
	c, err := tls.Dial("tcp", addr, client)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET /tls HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	l := srv.loops[0]
	put := make(chan struct{})
	_ = l.Post(func() {
		_, _ = l.conns[0].tls.wire.Write([]byte("written by a read"))
		close(put)
	})
	<-put
	_ = c.Close()
	eventually(t, "the connection ends", func() bool { return srv.conns.Load() == 0 })
}

// HTTP/2 that only the settings for one client offer is served too.
func TestTLSHTTP2BySettingsForAClient(t *testing.T) {
	_, addr, client := tlsServer(t, tlsFiles(t, nil), Options{}, func(c *tls.Config) {
		other := c.Clone()
		other.NextProtos = []string{"h2"}
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return other, nil }
	})
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}}
	defer web.CloseIdleConnections()
	if got := body(t, web, "https://"+addr+"/tls"); got != "localhost TLS 1.3 nobody" {
		t.Errorf("got %q", got)
	}
}

package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serial atomic.Int64

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign(name, true, a)
	return a
}

func (a *authority) sign(name string, ca bool, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}, Country: []string{"DE"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name},
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if by.cert != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// pair writes a certificate for name into files with that name.
func (a *authority) pair(name string) Pair {
	a.t.Helper()
	cert, key := a.sign(strings.Replace(name, "_", "*", 1), false, a)
	p := Pair{Cert: filepath.Join(a.dir, name+".crt"), Key: filepath.Join(a.dir, name+".key")}
	a.write(p.Cert, 0o644, "CERTIFICATE", cert.Raw)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(p.Key, 0o600, "PRIVATE KEY", der)
	return p
}

func (a *authority) write(name string, mode os.FileMode, kind string, der []byte) {
	a.t.Helper()
	// By a rename, as those that renew certificates do.
	next := name + ".new"
	if err := os.WriteFile(next, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(next, name); err != nil {
		a.t.Fatal(err)
	}
}

// file is the authority's own certificate.
func (a *authority) file() string {
	name := filepath.Join(a.dir, "ca.pem")
	a.write(name, 0o644, "CERTIFICATE", a.cert.Raw)
	return name
}

// log keeps what a store tells.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// site serves by TLS with store, and by plain HTTP with a redirect.
func site(t *testing.T, store *Store, o HandlerOptions) (secure, plain string) {
	t.Helper()
	srv, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{TLS: store.Config()})
	if err != nil {
		t.Fatal(err)
	}
	other, err := srv.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o.Stores, o.Redirects = map[*engine.Listener]*Store{ln: store}, map[*engine.Listener]uint16{other: 8443}
	h := NewHandler(engine.HandlerFunc(func(x *engine.Exchange) {
		r := x.Request()
		x.ReplyText(200, fmt.Sprintf("dn=%s der=%d pem=%d", r.Var("HTTPS_DN"), len(r.Var("HTTPS_CLIENT_CERTIFICATE")), len(r.Var("HTTPS_CC"))))
	}), o)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(h) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Error(err)
		}
	})
	return ln.String(), other.String()
}

// seen is the common name of the certificate that a client gets who asks for name.
func seen(t *testing.T, addr, name string, config *tls.Config) string {
	t.Helper()
	config = config.Clone()
	config.ServerName, config.InsecureSkipVerify = name, true
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func TestChoosesByName(t *testing.T) {
	a := newAuthority(t, "authority")
	dir := newAuthority(t, "directory")
	dir.pair("late.example")
	store, err := New(Options{
		Pair: a.pair("default"),
		Sites: []Site{
			{Name: "a.example", Pair: a.pair("a.example")},
			{Name: "*.b.example", Pair: a.pair("_.b.example")},
			{Pattern: regexp.MustCompile(`^c[0-9]+\.example$`), Pair: a.pair("c.example")},
		},
		Dir: dir.dir, Logf: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := site(t, store, HandlerOptions{})
	for name, want := range map[string]string{
		"": "default", "unknown.example": "default", "a.example": "a.example", "A.Example": "a.example",
		"x.b.example": "*.b.example", "b.example": "default", "x.y.b.example": "default", "c17.example": "c.example",
		"late.example": "late.example", "../late.example": "default",
	} {
		if got := seen(t, addr, name, &tls.Config{}); got != want {
			t.Errorf("%q gets the certificate of %q, want %q", name, got, want)
		}
	}
}

// Renewals hold for the next handshake. What cannot be used leaves what there was.
func TestFollowsFiles(t *testing.T) {
	a := newAuthority(t, "authority")
	var told log
	p := a.pair("first")
	store, err := New(Options{Pair: p, Logf: told.printf})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := site(t, store, HandlerOptions{})
	config := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	open, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for _, next := range []string{"second", "third"} {
		q := a.pair(next)
		for from, to := range map[string]string{q.Key: p.Key, q.Cert: p.Cert} {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		store.Look()
		if got := seen(t, addr, "", config); got != next {
			t.Errorf("after the renewal the certificate is %q, want %q", got, next)
		}
	}
	if err := os.WriteFile(p.Cert, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	store.Look()
	if got := seen(t, addr, "", config); got != "third" {
		t.Errorf("after a file that is none: %q", got)
	}
	if !strings.Contains(told.String(), "stays in use") || !strings.Contains(told.String(), "reloaded") {
		t.Errorf("told: %s", told.String())
	}
	_, _ = io.WriteString(open, "GET / HTTP/1.0\r\n\r\n")
	if b, err := io.ReadAll(open); err != nil || !bytes.Contains(b, []byte("200 OK")) {
		t.Errorf("a connection from before: %q, %v", b, err)
	}
}

// A client comes without its files being asked for by anybody: the handshake looks at them.
func TestHandshakesLook(t *testing.T) {
	a := newAuthority(t, "authority")
	p := a.pair("first")
	store, err := New(Options{Pair: p})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := site(t, store, HandlerOptions{})
	q := a.pair("second")
	_ = os.Rename(q.Key, p.Key)
	_ = os.Rename(q.Cert, p.Cert)
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if got := seen(t, addr, "", &tls.Config{}); got == "second" {
			return
		}
		if time.Now().After(until) {
			t.Fatal("the renewed certificate is never seen")
		}
	}
}

func TestRefusesBadFiles(t *testing.T) {
	a := newAuthority(t, "authority")
	good, other := a.pair("good"), a.pair("other")
	open := a.pair("open")
	if err := os.Chmod(open.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(a.dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		give       Options
	}{
		{"no_certificate", "no such file", Options{Pair: Pair{Cert: "/nowhere", Key: good.Key}}},
		{"no_key", "no such file", Options{Pair: Pair{Cert: good.Cert, Key: "/nowhere"}}},
		{"another_key", "does not match", Options{Pair: Pair{Cert: good.Cert, Key: other.Key}}},
		{"key_for_all", "chmod o= ", Options{Pair: open}},
		{"key_is_a_directory", "is not a file", Options{Pair: Pair{Cert: good.Cert, Key: a.dir}}},
		{"empty_authorities", "holds no certificate", Options{Pair: Pair{Cert: good.Cert, Key: good.Key, ClientCA: empty}}},
		{"no_authorities", "authorities of clients", Options{Pair: Pair{Cert: good.Cert, Key: good.Key, ClientCA: "/nowhere"}}},
		{"weak_ciphers", "is offered", Options{Pair: Pair{Cert: good.Cert, Key: good.Key, Ciphers: "RC4-MD5:DES-CBC3-SHA"}}},
		{"site", "no such file", Options{Pair: good, Sites: []Site{{Name: "a", Pair: Pair{Cert: "/nowhere"}}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	for _, words := range []string{"", "HIGH:!aNULL:!MD5", "ECDHE-RSA-AES128-GCM-SHA256:DES-CBC3-SHA", "TLS_AES_128_GCM_SHA256", "@SECLEVEL=2"} {
		p := good
		p.Ciphers = words
		if _, err := New(Options{Pair: p}); err != nil {
			t.Errorf("ciphers %q: %v", words, err)
		}
	}
}

// Who has to show a certificate, who may, and what the app gets of it. Nobody gets to a site
// with what another one has looked at.
func TestClientCertificates(t *testing.T) {
	servers, ours, theirs := newAuthority(t, "servers"), newAuthority(t, "ours"), newAuthority(t, "theirs")
	must := servers.pair("must.example")
	must.ClientCA, must.ClientMust = ours.file(), true
	may := servers.pair("may.example")
	may.ClientCA = ours.file()
	store, err := New(Options{
		Pair:  servers.pair("open.example"),
		Sites: []Site{{Name: "must.example", Pair: must}, {Name: "may.example", Pair: may}},
		HTTP2: true, Logf: t.Logf,
	})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := site(t, store, HandlerOptions{ExportCert: true})
	client := func(a *authority) []tls.Certificate {
		if a == nil {
			return nil
		}
		p := a.pair("me")
		c, err := tls.LoadX509KeyPair(p.Cert, p.Key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{c}
	}
	for _, tt := range []struct {
		name, sni, host string
		who             *authority
		want            string
	}{
		{"open", "open.example", "open.example", nil, "200 dn= der=0 pem=0"},
		{"open_with_a_certificate", "open.example", "open.example", ours, "200 dn= der=0 pem=0"},
		{"must_with_one", "must.example", "must.example", ours, "200 dn=/C=DE/O=Example/CN=me der=9 pem=9"},
		{"must_without", "must.example", "must.example", nil, ""},
		{"must_with_another", "must.example", "must.example", theirs, ""}, // net/http words it differently
		{"may_with_one", "may.example", "may.example:443", ours, "200 dn=/C=DE/O=Example/CN=me der=9 pem=9"},
		{"may_without", "may.example", "may.example", nil, "200 dn= der=0 pem=0"},
		{"fronted_by_the_open_one", "open.example", "must.example", nil, "421"},
		{"fronted_by_no_name", "", "MUST.example.:8443", nil, "421"},
		{"fronted_by_the_other", "may.example", "must.example", ours, "421"},
		{"back_to_the_open_one", "must.example", "open.example", ours, "200 dn=/C=DE/O=Example/CN=me der=9 pem=9"},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/h2=%v", tt.name, h2), func(t *testing.T) {
				web := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{
					ServerName: tt.sni, InsecureSkipVerify: true, Certificates: client(tt.who),
				}}}
				defer web.CloseIdleConnections()
				r, _ := http.NewRequest("GET", "https://"+addr+"/", nil)
				r.Host = tt.host
				got := ""
				resp, err := web.Do(r)
				if err != nil {
					got = err.Error()
				} else {
					b, _ := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					got = fmt.Sprintf("%d %s", resp.StatusCode, b)
				}
				got = regexp.MustCompile(`(der|pem)=[1-9]\d*`).ReplaceAllString(got, "$1=9")
				if !strings.Contains(got, tt.want) || tt.want == "" && strings.HasPrefix(got, "200") {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// A session that was begun at one site is of no use at another with other authorities.
func TestSessionsStayAtTheirSite(t *testing.T) {
	servers, ours := newAuthority(t, "servers"), newAuthority(t, "ours")
	must := servers.pair("must.example")
	must.ClientCA, must.ClientMust = ours.file(), true
	store, err := New(Options{Pair: servers.pair("open.example"), Sites: []Site{{Name: "must.example", Pair: must}}})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := site(t, store, HandlerOptions{})
	cache := tls.NewLRUClientSessionCache(4)
	talk := func(name string) (resumed bool, err error) {
		c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true, ClientSessionCache: oneKey{cache}})
		if err != nil {
			return false, err
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET / HTTP/1.0\r\nHost: "+name+"\r\n\r\n")
		_, err = io.ReadAll(c)
		return c.ConnectionState().DidResume, err
	}
	for i := range 2 {
		if resumed, err := talk("open.example"); err != nil || resumed != (i > 0) {
			t.Errorf("open, time %d: resumed %v, %v", i, resumed, err)
		}
	}
	if resumed, err := talk("must.example"); err == nil {
		t.Errorf("a session of the open site opens the other: resumed %v", resumed)
	}
}

// oneKey offers the same session to every site.
type oneKey struct{ cache tls.ClientSessionCache }

func (o oneKey) Get(string) (*tls.ClientSessionState, bool) { return o.cache.Get("") }
func (o oneKey) Put(_ string, s *tls.ClientSessionState)    { o.cache.Put("", s) }

func TestRedirects(t *testing.T) {
	a := newAuthority(t, "authority")
	store, err := New(Options{Pair: a.pair("default")})
	if err != nil {
		t.Fatal(err)
	}
	addr, plain := site(t, store, HandlerOptions{StrictTransport: time.Hour})
	web := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	defer web.CloseIdleConnections()
	for _, tt := range []struct {
		method, target, host, want string
		status                     int
	}{
		{"GET", "/a%20b?c=d", "example.org:8080", "https://example.org:8443/a%20b?c=d", 301},
		{"POST", "/", "[::1]:80", "https://[::1]:8443/", 308},
		{"HEAD", "/x", "Example.org", "https://example.org:8443/x", 301},
	} {
		r, _ := http.NewRequest(tt.method, "http://"+plain+tt.target, nil)
		r.Host = tt.host
		resp, err := web.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := resp.Header.Get("Location"); got != tt.want || resp.StatusCode != tt.status {
			t.Errorf("%s %s: %d %s, want %d %s", tt.method, tt.target, resp.StatusCode, got, tt.status, tt.want)
		}
		if resp.Header.Get("Strict-Transport-Security") != "" {
			t.Error("a plain answer asks for strict transport")
		}
	}
	resp, err := web.Get("https://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=3600" {
		t.Errorf("Strict-Transport-Security: %q", got)
	}
}

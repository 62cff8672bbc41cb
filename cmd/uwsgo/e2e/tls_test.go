package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var serials atomic.Int64

// certify writes name.pem and name.key into dir, signed by themselves.
func certify(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)), Subject: pkix.Name{Organization: []string{"Example"}, CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost", name},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".key": {Type: "PRIVATE KEY", Bytes: secret}, name + ".pem": {Type: "CERTIFICATE", Bytes: der}} {
		next := filepath.Join(dir, file+".new")
		if err := os.WriteFile(next, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
}

// The whole way of TLS: what the app is told, over both versions of HTTP and by the uwsgi
// protocol, the redirect, who is let in, and renewals under load with nothing lost.
func TestHTTPS(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	for _, name := range []string{"site", "staff", "other"} {
		certify(t, dir, name)
	}
	write(t, dir, "app.py", `
def application(environ, start_response):
    n = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = ("wsgi.url_scheme", "HTTPS", "HTTPS_DN", "SERVER_PROTOCOL", "REQUEST_METHOD", "HTTP_HTTPS_DN")
    yield " ".join(str(environ.get(n, "-")) for n in names).encode() + b" %d" % n
`)
	secure, plain := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	write(t, dir, "app.ini", `[uwsgi]
https = `+secure+`,site.pem,site.key,HIGH,staff.pem
ssl-socket = 127.0.0.1:0,site.pem,site.key
http-to-https = `+plain+`,8443
sni = other other.pem,other.key,,!staff.pem
hsts = 1d
ssl-verbose = true
wsgi-file = app.py
threads = 2
`)
	start(t, dir, "app.ini").waitLog(t, "is ready")
	client := func(h2 bool, name, cert string) *http.Client {
		config := &tls.Config{InsecureSkipVerify: true, ServerName: name}
		if cert != "" {
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, cert+".pem"), filepath.Join(dir, cert+".key"))
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{pair}
		}
		web := &http.Client{
			Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: h2}, Timeout: 30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		t.Cleanup(web.CloseIdleConnections)
		return web
	}
	for _, tt := range []struct{ name, sni, cert, want string }{
		{"nobody", "localhost", "", "https on - VERSION POST spoofed 100000"},
		{"somebody", "localhost", "staff", "https on /O=Example/CN=staff VERSION POST spoofed 100000"},
		{"somebody_else", "localhost", "other", "https on - VERSION POST spoofed 100000"}, // it keeps to the authorities that are asked for
		{"nobody_where_somebody_must_be", "other", "", "error"},
		{"who_must_be", "other", "staff", "https on /O=Example/CN=staff VERSION POST spoofed 100000"},
	} {
		for version, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
			t.Run(tt.name+"/"+version, func(t *testing.T) {
				r, _ := http.NewRequest("POST", "https://"+secure+"/", strings.NewReader(strings.Repeat("x", 100_000)))
				r.Header.Set("HTTPS-DN", "spoofed")
				r.Host = tt.sni
				got := "error"
				if resp, err := client(h2, tt.sni, tt.cert).Do(r); err == nil {
					b, _ := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					got = string(b)
					if sts := resp.Header.Get("Strict-Transport-Security"); sts != "max-age=86400" {
						t.Errorf("Strict-Transport-Security: %q", sts)
					}
				}
				if want := strings.Replace(tt.want, "VERSION", version, 1); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
	resp, err := client(false, "", "").Get("http://" + plain + "/a?b=c")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("Location"); resp.StatusCode != 301 || got != "https://127.0.0.1:8443/a?b=c" {
		t.Errorf("plain: %d, Location %q", resp.StatusCode, got)
	}

	// A new certificate every so often, beside clients that keep their connections and others that do not.
	var stop atomic.Bool
	var done atomic.Int64
	var all sync.WaitGroup
	seen := sync.Map{}
	for i := range 4 {
		all.Go(func() {
			web := client(i%2 == 0, "localhost", "")
			for !stop.Load() {
				if i >= 2 {
					web.CloseIdleConnections()
				}
				resp, err := web.Get("https://" + secure + "/")
				if err != nil {
					t.Error(err)
					return
				}
				if b, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(b), "https on") {
					t.Errorf("%q, %v", b, err)
				}
				_ = resp.Body.Close()
				seen.Store(resp.TLS.PeerCertificates[0].SerialNumber.String(), true)
				done.Add(1)
			}
		})
	}
	for until := time.Now().Add(time.Minute); ; {
		certify(t, dir, "site")
		at := done.Load()
		for done.Load() < at+50 && !t.Failed() {
			time.Sleep(10 * time.Millisecond)
		}
		n := 0
		seen.Range(func(any, any) bool { n++; return true })
		if n >= 3 || t.Failed() {
			break
		}
		if time.Now().After(until) {
			t.Errorf("clients have seen %d certificates", n)
			break
		}
	}
	stop.Store(true)
	all.Wait()
}

// A start that would serve with less than it was asked for ends, and says why.
func TestHTTPSRefusedStarts(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	certify(t, dir, "site")
	certify(t, dir, "open")
	if err := os.Chmod(filepath.Join(dir, "open.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "app.py", "def application(e, s):\n    s('200 OK', [])\n    return [b'']\n")
	for _, tt := range []struct{ name, line, want string }{
		{"no_files", "https = 127.0.0.1:0", "the certificate file is missing"},
		{"no_key", "https = 127.0.0.1:0,site.pem", "the key file is missing"},
		{"not_there", "https = 127.0.0.1:0,nowhere.pem,site.key", "no such file"},
		{"another_key", "https = 127.0.0.1:0,site.pem,open.key", "chmod o="},
		{"key_for_all", "https = 127.0.0.1:0,open.pem,open.key", "can be read by everybody"},
		{"no_authorities", "https = 127.0.0.1:0,site.pem,site.key,,!nowhere.pem", "authorities of clients"},
		{"forgotten_authorities", "https = 127.0.0.1:0,site.pem,site.key,,!", "where all clients must have a certificate"},
		{"weak", "https = 127.0.0.1:0,site.pem,site.key,RC4-MD5", "none of the ciphers"},
		{"site", "https = 127.0.0.1:0,site.pem,site.key\nsni = a.example nowhere.pem,site.key", "no such file"},
		{"port", "http-to-https = 127.0.0.1:0,https", "is no port"},
		{"flags", "https = 127.0.0.1:0,site.pem,site.key\nssl-option = 67108864", "ssl-option: not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(t, dir, "app.ini", "[uwsgi]\n"+tt.line+"\nwsgi-file = app.py\n")
			cmd := command(dir, "app.ini")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("error %v, output without %q:\n%s", err, tt.want, out)
			}
		})
	}
}

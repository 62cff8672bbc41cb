package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair writes NAME.crt and NAME.key of a certificate that ends at a time.
func writePair(t *testing.T, dir, name string, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until}
	cert, err := x509.CreateCertificate(rand.Reader, &c, &c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: cert}, name + ".key": {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckLooksAtCertificates(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writePair(t, dir, "good", time.Now().Add(time.Hour))
	writePair(t, dir, "old", time.Now().Add(-time.Hour))
	writePair(t, dir, "early", time.Now().Add(72*time.Hour))
	writePair(t, dir, "open", time.Now().Add(time.Hour))
	if err := os.Chmod("open.key", 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, https string
		code        int
		want        string // in what is printed
	}{
		{"good", "good.crt,good.key", exitOK, "app.ini: a server would start: 0 errors, "},
		{"expired", "old.crt,old.key", exitOK, "app.ini:2: warning: https: "},
		{"not_yet_good", "early.crt,early.key", exitOK, "it is not good before"},
		{"keys_of_another", "good.crt,old.key", exitConfig, "app.ini:2: error: https: "},
		{"no_key", "good.crt,none.key", exitConfig, "none.key"},
		{"no_certificate", "none.crt,good.key", exitConfig, "none.crt"},
		{"key_for_everybody", "open.crt,open.key", exitConfig, "open.key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile("app.py", []byte("def application(environ, start_response): pass\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("app.ini", []byte("[uwsgi]\nhttps = 127.0.0.1:0,"+tt.https+"\nwsgi-file = app.py\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			code := checkConfig([]string{"--no-import", "app.ini"}, &out)
			if code != tt.code || !strings.Contains(out.String(), tt.want) {
				t.Errorf("exit code %d, want %d and %q in:\n%s", code, tt.code, tt.want, out.String())
			}
		})
	}
}

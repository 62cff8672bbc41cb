package proxy

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// secure starts an upstream by TLS, and returns the file of its authority.
func secure(t *testing.T, h http.Handler) (srv *httptest.Server, ca string) {
	t.Helper()
	srv = httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = nil
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return srv, ca
}

func TestCarried(t *testing.T) {
	began, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/told", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a", "b"}
		_, _ = fmt.Fprintf(w, "%s %s %s %s %q %q", r.Proto, r.Host, r.RequestURI, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("User-Agent"))
	})
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/cached", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/length", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "7") })
	mux.HandleFunc("/hints", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		_, _ = io.WriteString(w, "hi")
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "%d%s", i, strings.Repeat("x", 40_000))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/wait", func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 20_000_000)) })

	plain := httptest.NewUnstartedServer(mux)
	plain.Config.Protocols = new(http.Protocols)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	t.Cleanup(plain.Close)
	tls, ca := secure(t, mux)

	for name, addr := range map[string]string{"https": tls.URL, "h2c": strings.Replace(plain.URL, "http", "h2c", 1)} {
		t.Run(name, func(t *testing.T) {
			cfg := to(addr)
			cfg.CA, cfg.ServerName, cfg.ReadTimeout = ca, "example.com", 300*time.Millisecond
			f := newFront(t, cfg, nil, engine.HTTP)
			get := func(t *testing.T, method, path string, body io.Reader) (*http.Response, string, error) {
				t.Helper()
				req, err := http.NewRequest(method, "http://"+f.addr+path, body)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("User-Agent", "ua")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				return resp, string(b), err
			}
			resp, got, err := get(t, "GET", "/told?a=%20b", nil)
			if want := fmt.Sprintf("HTTP/2.0 %s /told?a=%%20b 127.0.0.1 %q %q", f.addr, "http", "ua"); err != nil || got != want || len(resp.Header["Set-Cookie"]) != 2 {
				t.Errorf("got %q, %v\nwant %q", got, err, want)
			}
			for _, size := range []int{1, 100_000, 3_000_000} {
				body := bytes.Repeat([]byte("x"), size)
				if _, got, err := get(t, "POST", "/echo", bytes.NewReader(body)); err != nil || got != string(body) {
					t.Errorf("%d bytes: %d came back, %v", size, len(got), err)
				}
			}
			if resp, _, err := get(t, "GET", "/cached", nil); err != nil || resp.StatusCode != 304 {
				t.Errorf("304: %v", err)
			}
			if resp, _, err := get(t, "GET", "/empty", nil); err != nil || resp.StatusCode != 204 {
				t.Errorf("204: %v", err)
			}
			if resp, _, err := get(t, "HEAD", "/length", nil); err != nil || resp.ContentLength != 7 {
				t.Errorf("HEAD: %v", err)
			}
			if _, got, err := get(t, "GET", "/stream", nil); err != nil || len(got) != 120_003 {
				t.Errorf("stream: %d, %v", len(got), err)
			}
			if _, got, err := get(t, "GET", "/large", nil); err != nil || len(got) != 20_000_000 {
				t.Errorf("large: %d, %v", len(got), err)
			}
			if _, _, err := get(t, "GET", "/cut", nil); err == nil {
				t.Error("a part is taken for the whole")
			}
			if resp, _, _ := get(t, "GET", "/slow", nil); resp.StatusCode != 504 {
				t.Errorf("slow: %d", resp.StatusCode)
			}
			if got := ask(t, f.addr, "GET /hints HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n") {
				t.Errorf("hints: %q", got)
			}
			c := dial(t, f.addr)
			c.send(t, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
			<-began
			_ = c.Close()
			select {
			case <-ended:
			case <-time.After(surely):
				t.Error("the upstream goes on for a client that has gone")
			}
		})
	}
	for name, change := range map[string]func(cfg *Config){
		"unknown_authority": func(cfg *Config) { cfg.CA = "" },
		"another_name":      func(cfg *Config) { cfg.ServerName = "elsewhere.example" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := to(tls.URL)
			cfg.CA, cfg.ServerName = ca, "example.com"
			change(&cfg)
			f := newFront(t, cfg, nil, engine.HTTP)
			if got := ask(t, f.addr, "GET /told HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
				t.Errorf("got %q", got)
			}
			if !strings.Contains(f.log.String(), "certificate") {
				t.Errorf("log: %s", f.log)
			}
		})
	}
	if _, err := New(Config{Servers: []Server{{Address: tls.URL}}, CA: "/nonexistent"}); err == nil {
		t.Error("a CA file that is not there is no error")
	}
}

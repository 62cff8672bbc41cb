package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// onReactor serves a net/http handler and returns where.
func onReactor(t *testing.T, p Protocol, size, queue int, h http.HandlerFunc) (*Server, string) {
	t.Helper()
	pool := NewPool(size, queue, t.Logf)
	t.Cleanup(pool.Close) // runs after the server has ended
	return start(t, FromHTTP(h, pool), Options{}, ListenOptions{Protocol: p})
}

// ask makes one request and reads its answer.
func askOnce(t *testing.T, addr, method, raw string) (*http.Response, string) {
	t.Helper()
	got := talk(t, addr, raw)
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%v in %.200q", err, got)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("body: %v in %.200q", err, got)
	}
	return resp, string(b)
}

func TestFromHTTP(t *testing.T) {
	big := pattern(700_000)
	modified := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	mux := http.NewServeMux()
	mux.HandleFunc("/request", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %s %s %s %d %q %v", r.Method, r.URL.Path, r.URL.RawQuery, r.Host, r.Proto, r.ContentLength, b, err)
	})
	mux.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "b")
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // the first counts
		w.Header().Set("X-Late", "c")
		_, _ = io.WriteString(w, "<html>")
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	mux.HandleFunc("/length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		_, err := io.WriteString(w, "abcd")
		if !errors.Is(err, http.ErrContentLength) {
			t.Errorf("a write past the length: %v", err)
		}
		_, _ = io.WriteString(w, "abc")
	})
	mux.HandleFunc("/flush", func(w http.ResponseWriter, _ *http.Request) {
		rc := http.NewResponseController(w)
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "%d;", i)
			if err := rc.Flush(); err != nil {
				t.Errorf("flush: %v", err)
			}
		}
	})
	mux.HandleFunc("/content", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.bin", modified, strings.NewReader(string(big)))
	})
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("a body of 204: %v", err)
		}
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("as planned") })
	mux.HandleFunc("/evil", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-A", "b\r\nSet-Cookie: c")
	})
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		_, addr := onReactor(t, p, 4, 16, mux.ServeHTTP)
		for _, tt := range []struct {
			name, method, target, body string
			status                     int
			header                     map[string]string
			want                       string
		}{
			{"request", "POST", "/request?q=1", "hello", 200, nil, `POST /request q=1 a HTTP/1.1 5 "hello" <nil>`},
			{"no_body", "GET", "/request", "", 200, map[string]string{"Content-Type": "text/plain; charset=utf-8"}, `GET /request  a HTTP/1.1 0 "" <nil>`},
			{"large_request", "POST", "/request", strings.Repeat("x", 100_000), 200, nil, `POST /request  a HTTP/1.1 100000 "` + strings.Repeat("x", 100_000) + `" <nil>`},
			{"silent", "GET", "/silent", "", 200, map[string]string{"Content-Length": "0", "Content-Type": ""}, ""},
			{"status", "GET", "/status", "", 418, map[string]string{"X-A": "b", "X-Late": "", "Content-Type": "text/html; charset=utf-8"}, "<html>"},
			{"large", "GET", "/large", "", 200, nil, string(big)},
			{"large_head", "HEAD", "/large", "", 200, nil, ""},
			{"length", "GET", "/length", "", 200, map[string]string{"Content-Length": "3"}, "abc"},
			{"flush", "GET", "/flush", "", 200, nil, "0;1;2;"},
			{"content", "GET", "/content", "", 200, map[string]string{"Content-Length": "700000", "Accept-Ranges": "bytes"}, string(big)},
			{"content_head", "HEAD", "/content", "", 200, map[string]string{"Content-Length": "700000"}, ""},
			{"empty", "GET", "/empty", "", 204, map[string]string{"Content-Length": ""}, ""},
			{"panic", "GET", "/panic", "", 500, nil, "Internal Server Error"},
			{"evil", "GET", "/evil", "", 500, map[string]string{"Set-Cookie": ""}, ""},
			{"missing", "GET", "/missing", "", 404, nil, "404 page not found\n"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				resp, body := askOnce(t, addr, tt.method, ask(tt.method, tt.target, tt.body))
				if resp.StatusCode != tt.status || body != tt.want {
					t.Errorf("got %d %.100q, want %d %.100q", resp.StatusCode, body, tt.status, tt.want)
				}
				for name, want := range tt.header {
					if got := resp.Header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
			})
		}
	})
	_, addr := onReactor(t, HTTP, 4, 16, mux.ServeHTTP)
	for _, tt := range []struct {
		name, field string
		status      int
		want        string
	}{
		{"range", "Range: bytes=1000-1999", 206, string(big[1000:2000])},
		{"not_modified", "If-Modified-Since: " + modified.Format(http.TimeFormat), 304, ""},
		{"range_outside", "Range: bytes=700000-", 416, "invalid range: failed to overlap\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := askOnce(t, addr, "GET", "GET /content HTTP/1.1\r\nHost: a\r\n"+tt.field+"\r\n\r\n")
			if resp.StatusCode != tt.status || body != tt.want {
				t.Errorf("got %d %.100q", resp.StatusCode, body)
			}
		})
	}
}

// A packet without REQUEST_URI is served by what it has.
func TestFromHTTPWithoutTarget(t *testing.T) {
	_, addr := onReactor(t, UWSGI, 1, 1, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.URL.Path+"?"+r.URL.RawQuery)
	})
	raw := strings.Replace(request(t, UWSGI, "GET", "/a?b", ""), "REQUEST_URI", "REQUEST_XXX", 1)
	if resp, body := askOnce(t, addr, "GET", raw); resp.StatusCode != 200 || body != "/a?b" {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
}

func TestFromHTTPAbort(t *testing.T) {
	srv, addr := onReactor(t, HTTP, 1, 1, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			_, _ = io.WriteString(w, "some")
			w.(http.Flusher).Flush()
		}
		if r.URL.Path == "/short" {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "some")
			return
		}
		panic(http.ErrAbortHandler)
	})
	c := dial(t, addr)
	write(t, c, request(t, HTTP, "GET", "/late", ""))
	if b, err := io.ReadAll(c); err == nil {
		t.Errorf("the connection ended as if all were well: %q", b)
	}
	for _, path := range []string{"/early", "/short"} {
		if resp, body := askOnce(t, addr, "GET", request(t, HTTP, "GET", path, "")); resp.StatusCode != 500 {
			t.Errorf("%s: got %d %q", path, resp.StatusCode, body)
		}
	}
	if n := srv.Stats().Panics; n != 0 {
		t.Errorf("ErrAbortHandler counted as %d panics", n)
	}
}

func TestFromHTTPClientGone(t *testing.T) {
	begun, ended := make(chan struct{}, 1), make(chan error, 1)
	_, addr := onReactor(t, HTTP, 1, 1, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		if r.URL.Path == "/write" {
			for {
				if _, err := w.Write(make([]byte, 100_000)); err != nil {
					ended <- context.Canceled
					return
				}
			}
		}
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	for _, path := range []string{"/wait", "/write"} {
		c := dialSlow(t, addr)
		write(t, c, request(t, HTTP, "GET", path, ""))
		<-begun
		leave(c)
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the handler was not told", path)
		}
	}
}

// A handler that writes without end is held back while its client reads nothing.
func TestFromHTTPHoldsTheHandlerBack(t *testing.T) {
	const total = 24 << 20
	var srv *Server
	wrote := make(chan int, 1)
	big := pattern(total)
	srv, addr := onReactor(t, HTTP, 1, 1, func(w http.ResponseWriter, _ *http.Request) {
		n, err := w.Write(big)
		if err != nil {
			t.Error(err)
		}
		wrote <- n
	})
	c := dialSlow(t, addr)
	write(t, c, request(t, HTTP, "GET", "/", ""))
	_ = c.CloseWrite()
	most := make(chan int, 1)
	eventually(t, "the handler is held back", func() bool {
		_ = srv.loops[0].Post(func() {
			n := 0
			if len(srv.loops[0].conns) > 0 {
				n = srv.loops[0].conns[0].buffered()
			}
			most <- n
		})
		return <-most > outputHigh
	})
	onLoops(t, srv)
	_ = srv.loops[0].Post(func() { most <- srv.loops[0].conns[0].buffered() })
	if n := <-most; n > outputHigh+DrainedBelow+100 {
		t.Errorf("%d bytes wait", n)
	}
	select {
	case <-wrote:
		t.Error("the handler has written everything though nobody reads")
	default:
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, bodies := answers(t, string(b), "GET"); len(bodies) != 1 || bodies[0] != string(big) {
		t.Errorf("%d bytes arrived", len(b))
	}
	if n := <-wrote; n != total {
		t.Errorf("wrote %d", n)
	}
}

func TestFromHTTPPoolFull(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	srv, addr := onReactor(t, HTTP, 1, 1, func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-release
	})
	first, second := dial(t, addr), dial(t, addr)
	write(t, first, request(t, HTTP, "GET", "/", "with a body"))
	<-begun
	write(t, second, request(t, HTTP, "GET", "/", ""))
	eventually(t, "the second waits", func() bool { return srv.Stats().Requests == 2 })
	resp, body := askOnce(t, addr, "GET", request(t, HTTP, "GET", "/", ""))
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("got %v %q", resp, body)
	}
	close(release)
	<-begun
	for _, c := range []io.Reader{first, second} {
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || resp.StatusCode != 200 {
			t.Errorf("got %v, %v", resp, err)
		}
	}
}

func TestPool(t *testing.T) {
	var logs logLines
	p := NewPool(1, 1, logs.add)
	ran := make(chan struct{})
	if err := p.Go(func() { panic("in a job") }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the goroutine lives on", func() bool { return p.Go(func() { close(ran) }) == nil })
	<-ran
	p.Close()
	p.Close()
	if err := p.Go(func() {}); !errors.Is(err, ErrServerClosed) {
		t.Errorf("after Close: %v", err)
	}
	if logs.count("in a job") != 1 {
		t.Errorf("logged %q", logs.lines)
	}
}

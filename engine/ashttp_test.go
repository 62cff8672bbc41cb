package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

// overNetHTTP runs f behind net/http's own server, over HTTP/1.1 and HTTP/2.
func overNetHTTP(t *testing.T, o Options, h Handler, f func(t *testing.T, srv *Server, client *http.Client, url string)) {
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("http%d", major), func(t *testing.T) {
			o.Logf = t.Logf
			srv, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			serve(t, srv, h)
			front := httptest.NewUnstartedServer(srv.AsHTTP(WholeBody(h)))
			if major == 2 {
				front.EnableHTTP2 = true
				front.StartTLS()
			} else {
				front.Start()
			}
			t.Cleanup(front.Close)
			f(t, srv, front.Client(), front.URL)
		})
	}
}

func TestAsHTTP(t *testing.T) {
	big := pattern(3 << 20)
	name := tempFile(t, big)
	h := HandlerFunc(func(x *Exchange) {
		switch string(x.Request().Path()) {
		case "/file":
			x.ReplyFile(x.Response(), openFile(t, name), 5, 1<<20)
		case "/shrunk":
			x.ReplyFile(x.Response(), openFile(t, name), 1<<20, int64(len(big)))
		case "/stream":
			p := &producer{data: big}
			x.Watch(p)
			x.Start(x.Response())
			p.run(x)
		case "/too_few":
			pieces(x, 10, "123456789")
			x.End()
		case "/too_many":
			pieces(x, 10, "12345678901")
			x.End()
		case "/later":
			ref := x.Ref()
			go func() { _ = ref.Post(func(x *Exchange) { x.ReplyText(202, "later") }) }()
		case "/304":
			resp := x.Response()
			resp.Status = 304
			x.Reply(resp, nil)
		case "/204":
			stream(x, 204, -1)
			x.End()
		case "/panic":
			panic("as planned")
		case "/abort":
			pieces(x, -1, "begun")
			x.Abort()
		default:
			echo(x)
		}
	})
	overNetHTTP(t, Options{Loops: 2, BodyMemory: 1000, TempDir: t.TempDir(), Limits: codec.Limits{Body: 100_000}}, h, func(t *testing.T, srv *Server, client *http.Client, url string) {
		for _, tt := range []struct {
			method, target, body string
			status               int
			want                 string
			cut                  bool
		}{
			{"GET", "/a?b=c", "", 200, "GET /a?b=c 0:", false},
			{"POST", "/a", "hello", 200, "POST /a? 5:hello", false},
			{"POST", "/a", strings.Repeat("x", 50_000), 200, "POST /a? 50000:" + strings.Repeat("x", 50_000), false},
			{"POST", "/a", strings.Repeat("x", 100_001), 413, "Request Entity Too Large: the request body is too large\n\n", false},
			{"HEAD", "/a", "", 200, "", false},
			{"GET", "/file", "", 200, string(big[5 : 5+1<<20]), false},
			{"HEAD", "/file", "", 200, "", false},
			{"GET", "/shrunk", "", 200, "", true},
			{"GET", "/stream", "", 200, string(big), false},
			{"HEAD", "/stream", "", 200, "", false},
			{"GET", "/too_few", "", 200, "", true},
			{"GET", "/too_many", "", 200, "1234567890", false},
			{"GET", "/later", "", 202, "later", false},
			{"GET", "/304", "", 304, "", false},
			{"GET", "/204", "", 204, "", false},
			{"GET", "/panic", "", 500, "Internal Server Error", false},
			{"GET", "/abort", "", 200, "", true},
		} {
			t.Run(fmt.Sprintf("%s%s_%d", tt.method, strings.ReplaceAll(tt.target, "/", "_"), len(tt.body)), func(t *testing.T) {
				req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.target, strings.NewReader(tt.body))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := client.Do(req)
				if err != nil {
					if !tt.cut {
						t.Fatal(err)
					}
					return
				}
				defer resp.Body.Close()
				b, err := io.ReadAll(resp.Body)
				if tt.cut {
					if err == nil {
						t.Errorf("the answer ended as if all were well after %d bytes", len(b))
					}
					return
				}
				if err != nil || resp.StatusCode != tt.status || string(b) != tt.want {
					t.Errorf("got %d %.100q (%d bytes), %v; want %d %.100q", resp.StatusCode, b, len(b), err, tt.status, tt.want)
				}
			})
		}
		eventually(t, "all have ended", func() bool { return srv.Stats().InFlight == 0 })
	})
}

func TestAsHTTPClientGone(t *testing.T) {
	var w watch
	asked := make(chan Ref, 1)
	name := tempFile(t, pattern(100))
	overNetHTTP(t, Options{}, HandlerFunc(func(x *Exchange) {
		x.Watch(&w)
		asked <- x.Ref()
	}), func(t *testing.T, srv *Server, client *http.Client, url string) {
		w.gone.Store(0)
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			resp, err := client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			done <- err
		}()
		ref := <-asked
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the client got %v", err)
		}
		// An answer that crosses with the leaving must not lose its file.
		_ = ref.Post(func(x *Exchange) { x.Start(x.Response()) })
		_ = ref.Post(func(x *Exchange) { x.ReplyFile(x.Response(), openFile(t, name), 0, 100) })
		eventually(t, "Gone is called", func() bool { return w.gone.Load() == 1 })
		if st := srv.Stats(); st.Gone != 1 || st.InFlight != 0 {
			t.Errorf("counted %+v", st)
		}
	})
}

// Closing the server ends what is being answered, begun or not.
func TestAsHTTPServerClosed(t *testing.T) {
	var told atomic.Int32
	asked := make(chan struct{}, 10)
	overNetHTTP(t, Options{}, HandlerFunc(func(x *Exchange) {
		x.Watch(watcherFunc(func() { told.Add(1) }))
		if string(x.Request().Path()) == "/begun" {
			pieces(x, -1, "begun")
		}
		asked <- struct{}{}
	}), func(t *testing.T, srv *Server, client *http.Client, url string) {
		told.Store(0)
		got := make(chan string, 2)
		for _, path := range []string{"/begun", "/waits"} {
			go func() {
				resp, err := client.Get(url + path)
				if err != nil {
					got <- path + " failed"
					return
				}
				defer resp.Body.Close()
				if _, err := io.ReadAll(resp.Body); err != nil {
					got <- path + " cut"
					return
				}
				got <- fmt.Sprint(path, " ", resp.StatusCode)
			}()
			<-asked
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			switch s := <-got; s {
			case "/begun cut", "/begun failed", "/waits 503":
			default:
				t.Errorf("got %q", s)
			}
		}
		if n := told.Load(); n != 2 {
			t.Errorf("%d watchers were told, want 2", n)
		}
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("after the end: %d", resp.StatusCode)
		}
	})
}

type watcherFunc func()

func (watcherFunc) Drained(*Exchange) {}
func (f watcherFunc) Gone(*Exchange)  { f() }

// What the decoder refuses on the server's own connections it refuses here.
func TestAsHTTPRefuses(t *testing.T) {
	srv, err := New(Options{Logf: t.Logf, TempDir: os.DevNull, MaxMemory: 5, BodyMemory: 10, Limits: codec.Limits{Fields: 5}})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv, echo)
	h := srv.AsHTTP(WholeBody(echo))
	for _, tt := range []struct {
		name   string
		change func(r *http.Request)
		want   int
	}{
		{"fine", func(*http.Request) {}, 200},
		{"fields", func(r *http.Request) {
			for i := range 6 {
				r.Header.Set(fmt.Sprintf("X-%d", i), "a")
			}
		}, 431},
		{"method", func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX:" }, 400},
		{"host", func(r *http.Request) { r.Host = "a\r\nX: b" }, 400},
		{"disk", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", 11)))
			r.ContentLength = 11
		}, 507},
		{"cut_short", func(r *http.Request) { r.Body = io.NopCloser(io.LimitReader(failing{}, 5)) }, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			tt.change(r)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("got %d %q, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// A net/http handler within the reactor within net/http.
func TestFromHTTPAsHTTP(t *testing.T) {
	pool := NewPool(2, 2, t.Logf)
	t.Cleanup(pool.Close)
	ended := make(chan struct{}, 1)
	big := pattern(3 << 20)
	h := FromHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			ended <- struct{}{}
			return
		}
		_, _ = w.Write(big)
	}), pool)
	overNetHTTP(t, Options{}, h, func(t *testing.T, srv *Server, client *http.Client, url string) {
		resp, err := client.Get(url + "/big")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(b) != string(big) {
			t.Errorf("got %d bytes, %v", len(b), err)
		}
		if resp, err = client.Get(url + "/wait"); err != nil {
			t.Fatal(err)
		}
		_ = srv.Close() // the handler's context ends
		<-ended
		_ = resp.Body.Close()
	})
}

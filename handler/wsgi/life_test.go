package wsgi

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

func request(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// block has a worker busy, and returns the client that waits and what ends it.
func (r *rig) block() (c *net.TCPConn, release func()) {
	r.t.Helper()
	dir := r.t.TempDir()
	here, gate := filepath.Join(dir, "here"), filepath.Join(dir, "gate")
	c = r.send(request(ask("/gate", "here", here, "gate", gate)))
	r.waitFile(here)
	return c, func() { touch(r.t, gate) }
}

func (r *rig) waitInFlight(n int64) {
	r.t.Helper()
	r.wait(fmt.Sprintf("%d requests in flight", n), func() bool { return r.srv.Stats().InFlight == n })
}

func TestQueueFull(t *testing.T) {
	r := start(t, setup{worker: worker.Config{Queue: 1}})
	first, release := r.block()
	clients := []*net.TCPConn{first}
	// One is being run; as many as the kernel's queue and the pool's hold wait.
	var refused string
	for n := int64(2); refused == ""; n++ {
		c := r.send(request("/hello"))
		answered, looks := false, 0
		r.wait("request", func() bool {
			st := r.srv.Stats()
			answered = st.Requests == uint64(n) && st.InFlight < n
			if st.InFlight == n {
				looks++ // one that is refused is in flight for a moment, too
			}
			return looks == 20 || answered
		})
		if !answered {
			clients = append(clients, c)
			continue
		}
		_ = c.CloseWrite()
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		refused = dates.ReplaceAllString(string(b), "$1*\r\n")
	}
	want := wire("HTTP/1.1 503 Service Unavailable\nRetry-After: 1\nContent-Type: text/plain; charset=utf-8\nContent-Length: 20\nDate: *\n\nService Unavailable\n")
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("refusal (-want +got):\n%s", diff)
	}
	release()
	for i, c := range clients {
		if resp, body, err := read(c, "GET"); err != nil || resp.StatusCode != 200 || body != "Hello World!" {
			t.Errorf("client %d of %d that waited: %v %q, %v", i, len(clients), resp, body, err)
		}
	}
}

func TestWorkerKilled(t *testing.T) {
	r := start(t, setup{worker: worker.Config{Processes: 2}})
	other, release := r.block() // the other worker's client is not affected
	if status, body := r.get("/kill"); status != 502 || body != "Bad Gateway\n" {
		t.Errorf("killed: %d %q", status, body)
	}
	if got, err := r.talk(request("/kill_body")); err == nil {
		t.Errorf("killed in the middle: the answer seems whole: %q", got)
	}
	release()
	if resp, body, err := read(other, "GET"); err != nil || resp.StatusCode != 200 || body != "Hello World!" {
		t.Errorf("the other worker's client: %v %q, %v", resp, body, err)
	}
	r.wantHello()
}

func TestHarakiri(t *testing.T) {
	r := start(t, setup{worker: worker.Config{Harakiri: 200 * time.Millisecond}})
	if status, body := r.get("/hang"); status != 504 || body != "Gateway Timeout\n" {
		t.Errorf("hangs: %d %q", status, body)
	}
	if got, err := r.talk(request("/hang_body")); err == nil {
		t.Errorf("hangs in the middle: the answer seems whole: %q", got)
	}
	r.wantHello()
}

func TestHarakiriOfSomeRequests(t *testing.T) {
	const short = 200 * time.Millisecond
	r := start(t, setup{
		worker: worker.Config{Harakiri: time.Hour, HarakiriLeast: short},
		around: func(next engine.Handler) engine.Handler {
			return engine.HandlerFunc(func(x *engine.Exchange) {
				if string(x.Request().Path()) == "/hang" {
					x.Harakiri = short
				}
				next.Serve(x)
			})
		},
	})
	if status, body := r.get("/hang"); status != 504 || body != "Gateway Timeout\n" {
		t.Errorf("hangs: %d %q", status, body)
	}
	r.wantHello()
}

// leave closes a connection so that the server sees that nobody is there. A mere
// end of input could be that of a client that still reads.
func leave(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func TestClientGone(t *testing.T) {
	r := start(t, setup{})
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }

	t.Run("while_the_app_runs", func(t *testing.T) {
		r.t = t
		c := r.send(request(ask("/gate", "here", path("here"), "gate", path("gate"), "closed", path("closed"))))
		r.waitFile(path("here"))
		leave(c)
		r.waitInFlight(0)
		touch(t, path("gate"))
		r.waitFile(path("closed"))
		r.wantHello()
	})
	t.Run("while_it_waits", func(t *testing.T) {
		r.t = t
		_, release := r.block()
		c := r.send(request(ask("/touch", "file", path("touched"))))
		r.waitInFlight(2)
		leave(c)
		r.waitInFlight(1)
		release()
		r.wantHello()
		if exists(path("touched")) {
			t.Error("a request that nobody waits for was run")
		}
	})
	t.Run("while_it_streams", func(t *testing.T) {
		r.t = t
		c := r.send(request(ask("/forever", "closed", path("closed_stream"))))
		if _, err := io.CopyN(io.Discard, c, 100_000); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		r.waitFile(path("closed_stream"))
		r.wantHello()
	})
}

// TestSlowReader has a client that does not read for a while.
func TestSlowReader(t *testing.T) {
	t.Run("worker_is_free", func(t *testing.T) {
		r := start(t, setup{})
		const n = 900_000
		slow := r.dial(r.http)
		_ = slow.SetReadBuffer(64 << 10)
		_, _ = io.WriteString(slow, request(ask("/big", "n", strconv.Itoa(n))))
		r.wait("request", func() bool { return r.srv.Stats().Requests == 1 })
		r.wantHello() // by the only worker, which the slow client's answer has left
		if _, body, err := read(slow, "GET"); err != nil || len(body) != n {
			t.Errorf("%d bytes of %d, %v", len(body), n, err)
		}
	})
	t.Run("memory_is_bounded", func(t *testing.T) {
		r := start(t, setup{worker: worker.Config{Processes: 2}})
		const mib = 64
		count := filepath.Join(t.TempDir(), "count")
		slow := r.dial(r.http)
		_, _ = io.WriteString(slow, request(ask("/counted", "n", strconv.Itoa(mib), "count", count)))
		made := func() int {
			b, _ := os.ReadFile(count)
			n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
			return n
		}
		r.wait("1 MiB", func() bool { return made() >= 1<<20 })
		for range 200 {
			r.wantHello()
		}
		if n := made(); n > 16<<20 { // the kernel's buffers hold some of it too
			t.Errorf("the app is %d MiB ahead of a client that does not read", n>>20)
		}
		if _, body, err := read(slow, "GET"); err != nil || len(body) != mib<<20 {
			t.Errorf("%d bytes of %d, %v", len(body), mib<<20, err)
		}
	})
}

// TestManyClients mixes clients of all kinds and looks that nobody gets what is
// another's.
func TestManyClients(t *testing.T) {
	clients, lasting := 200, 1500*time.Millisecond
	if testing.Short() {
		clients, lasting = 40, 300*time.Millisecond
	}
	r := start(t, setup{
		engine: engine.Options{Loops: 2, Logf: func(string, ...any) {}},
		worker: worker.Config{Processes: 2, Threads: 2},
	})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("f"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(lasting)
	var wg sync.WaitGroup
	var done sync.Map
	for n := range clients {
		wg.Go(func() {
			// Each has a seed of its own, so that a failure names what to repeat.
			rnd := rand.New(rand.NewPCG(uint64(n), 0))
			for i := 0; time.Now().Before(end); i++ {
				kind := rnd.IntN(6)
				if err := client(r, rnd, kind, fmt.Sprintf("%d.%d", n, i), file); err != nil {
					t.Errorf("client %d, request %d of kind %d: %v", n, i, kind, err)
					return
				}
				done.Store(kind, true)
			}
		})
	}
	wg.Wait()
	for kind := range 6 {
		if _, ok := done.Load(kind); !ok && !t.Failed() {
			t.Errorf("no client of kind %d was served", kind)
		}
	}
	r.waitInFlight(0)
	r.wantHello()
}

func client(r *rig, rnd *rand.Rand, kind int, id, file string) error {
	c, err := net.Dial("tcp", r.http)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	br := bufio.NewReader(c)
	roundTrip := func(raw, want string) error {
		if _, err := io.WriteString(c, raw); err != nil {
			return err
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || string(b) != want {
			return fmt.Errorf("%d %.60q, want %.60q, %w", resp.StatusCode, b, want, err)
		}
		return nil
	}
	body := id + strings.Repeat("-"+id, rnd.IntN(10_000))
	echo := "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	switch kind {
	case 0: // several requests on a connection
		for range 5 {
			if err := roundTrip(echo, body); err != nil {
				return err
			}
		}
	case 1: // pipelined
		_, _ = io.WriteString(c, echo+echo)
		if err := roundTrip("", body); err != nil {
			return err
		}
		return roundTrip("", body)
	case 2: // chunked both ways
		target := respond("200 OK", "[]", `["`+id+`","`+id+`"]`, "iter", "1")
		return roundTrip("POST "+target+" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", id+id)
	case 3: // a file
		return roundTrip(request(ask("/file", "file", file)), strings.Repeat("f", 100_000))
	case 4: // leaves at once
		_, err = io.WriteString(c, echo)
		return err
	case 5: // leaves in the middle of a large answer
		_, _ = io.WriteString(c, request(ask("/big", "n", "2000000")))
		_, err = io.CopyN(io.Discard, br, int64(rnd.IntN(100_000)))
		return err
	}
	return nil
}

// TestBehindNetHTTP serves the app with net/http's server, which alone speaks
// HTTP/2.
func TestBehindNetHTTP(t *testing.T) {
	r := start(t, setup{engine: engine.Options{Loops: 2}, worker: worker.Config{Processes: 2}})
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("f"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		start  func(s *httptest.Server)
		proto  string
		scheme string
	}{
		{"http1", (*httptest.Server).Start, "HTTP/1.1", "http"},
		{"http2", func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() }, "HTTP/2.0", "https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			s := httptest.NewUnstartedServer(r.srv.AsHTTP(r.app))
			s.Config.ErrorLog = nil
			tt.start(s)
			defer s.Close()
			c := s.Client()
			c.Timeout = patience
			do := func(method, target, body string) (*http.Response, string, error) {
				req, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := c.Do(req)
				if err != nil {
					return nil, "", err
				}
				defer func() { _ = resp.Body.Close() }()
				b, err := io.ReadAll(resp.Body)
				return resp, string(b), err
			}
			large := strings.Repeat("0123456789", 100_000)
			for _, q := range []struct {
				name, method, target, body string
				status                     int
				want                       string
			}{
				{"hello", "GET", "/hello", "", 200, "Hello World!"},
				{"head", "HEAD", "/hello", "", 200, ""},
				{"echo", "POST", "/echo", large, 200, large},
				{"write", "GET", "/write", "", 200, "one two three"},
				{"big", "GET", ask("/big", "n", "3000000"), "", 200, strings.Repeat("b", 3_000_000)},
				{"file", "GET", ask("/file", "file", file), "", 200, strings.Repeat("f", 100_000)},
				{"no_content", "GET", respond("204 No Content", "[]", "[]"), "", 204, ""},
				{"not_modified", "GET", respond("304 Not Modified", "[]", "[]"), "", 304, ""},
				{"fail", "GET", "/fail", "", 500, "Internal Server Error\n"},
			} {
				resp, got, err := do(q.method, q.target, q.body)
				if err != nil || resp.StatusCode != q.status || got != q.want || resp.Proto != tt.proto {
					t.Errorf("%s: %v %.60q, %v", q.name, resp, got, err)
				}
			}
			if _, got, err := do("GET", "/fail_body", ""); err == nil {
				t.Errorf("an answer that was cut off seems whole: %q", got)
			}
			_, got, err := do("GET", "/environ?x", "")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				`"wsgi.url_scheme": "` + tt.scheme + `"`, `"REMOTE_ADDR": "127.0.0.1"`, `"HTTP_HOST": "127.0.0.1:`, `"QUERY_STRING": "x"`,
			} {
				if !strings.Contains(got, want) {
					t.Errorf("environ has no %s: %s", want, got)
				}
			}
			closed := filepath.Join(t.TempDir(), "closed")
			resp, err := c.Get(s.URL + ask("/forever", "closed", closed))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, resp.Body, 3<<20); err != nil {
				t.Error(err)
			}
			_ = resp.Body.Close()
			r.waitFile(closed)
		})
	}
}

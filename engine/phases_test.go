package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// phases answers in each of the ways in which a handler may treat a body.
type phases struct {
	hold   atomic.Bool // readers hold the body after its first piece
	pieces atomic.Int64
	failed chan error
	gone   chan string
	refs   chan Ref
}

func newPhases() *phases {
	return &phases{failed: make(chan error, 10), gone: make(chan string, 10), refs: make(chan Ref, 10)}
}

func (h *phases) Serve(x *Exchange) {
	switch path := string(x.Request().Path()); path {
	case "/refuse":
		x.ReplyText(401, "no")
	case "/whole":
		if x.AwaitBody(h) {
			return
		}
		b, err := io.ReadAll(x.Body().Reader())
		if err != nil || !x.BodyComplete() || x.ContentLength() != int64(len(b)) {
			panic(fmt.Sprint(err, x.ContentLength(), len(b)))
		}
		x.ReplyText(200, sum(b))
	case "/late": // the body is asked for by another goroutine, after a while
		ref := x.Ref()
		go func() {
			_ = ref.Post(func(x *Exchange) {
				if !x.AwaitBody(HandlerFunc(func(x *Exchange) { x.ReplyText(200, fmt.Sprint(x.Body().Size())) })) {
					x.ReplyText(200, "0")
				}
			})
		}()
	case "/without": // the handler begins without a body that does not come
		if !x.AwaitBodyFor(HandlerFunc(func(x *Exchange) { x.ReplyText(200, fmt.Sprint("with ", x.Body().Size())) }),
			HandlerFunc(func(x *Exchange) { x.ReplyText(200, fmt.Sprint("without, complete: ", x.BodyComplete())) }), 50*time.Millisecond) {
			x.ReplyText(200, "with 0")
		}
	case "/without_waits": // and takes it when it comes after all
		w := &phasesWaiter{h: h}
		if !x.AwaitBodyFor(w, HandlerFunc(func(x *Exchange) {
			h.refs <- x.Ref()
			x.AwaitBody(w)
		}), 50*time.Millisecond) {
			w.Serve(x)
		}
	case "/ask": // likewise, when the test says so
		x.Watch(phasesWatch{h, path})
		h.refs <- x.Ref()
	case "/stream", "/echo", "/replay":
		r := &phasesReader{h: h, echo: path == "/echo"}
		x.Watch(phasesWatch{h, path})
		if path == "/replay" { // somebody has wanted all of it before
			if !x.AwaitBody(HandlerFunc(func(x *Exchange) { x.ReadBody(r) })) {
				x.ReadBody(r)
			}
			return
		}
		x.ReadBody(r)
	default:
		x.ReplyText(404, "")
	}
}

func sum(b []byte) string { return fmt.Sprintf("%d %08x", len(b), crc32.ChecksumIEEE(b)) }

type phasesWatch struct {
	h    *phases
	path string
}

func (w phasesWatch) Drained(*Exchange) {}
func (w phasesWatch) Gone(*Exchange)    { w.h.gone <- w.path }

type phasesReader struct {
	h    *phases
	echo bool
	got  []byte
	held bool
}

func (r *phasesReader) Data(x *Exchange, p []byte) {
	r.h.pieces.Add(1)
	if r.echo {
		if !x.Streaming() {
			x.Start(x.Response()) // not before the body has been asked for: see ReadBody
		}
		x.Write(p)
		return
	}
	r.got = append(r.got, p...)
	if r.h.hold.Load() && !r.held {
		r.held = true
		x.HoldBody(true)
		r.h.refs <- x.Ref()
	}
}

func (r *phasesReader) End(x *Exchange) {
	if r.echo {
		if !x.Streaming() {
			x.Start(x.Response())
		}
		x.End()
		return
	}
	x.ReplyText(200, sum(r.got))
}

func (r *phasesReader) Failed(x *Exchange, err error) {
	r.h.failed <- err
	x.Refuse(err)
}

// phasesWaiter answers when the body has come, or does not.
type phasesWaiter struct{ h *phases }

func (w *phasesWaiter) Serve(x *Exchange) { x.ReplyText(200, fmt.Sprint("with ", x.Body().Size())) }

func (w *phasesWaiter) BodyFailed(x *Exchange, err error) {
	w.h.failed <- err
	x.Refuse(err)
}

// netPhases is the same as a net/http handler.
func netPhases(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/refuse":
		http.Error(w, "no", http.StatusUnauthorized)
	case "/whole", "/stream", "/late", "/replay":
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if r.URL.Path == "/late" {
			_, _ = fmt.Fprint(w, len(b))
			return
		}
		_, _ = io.WriteString(w, sum(b))
	case "/echo":
		buf := make([]byte, 32<<10)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}
}

// asker makes requests; length is -1 for chunks.
type asker func(t *testing.T, path string, body io.Reader, length int64, expect bool) (status int, got string)

func httpAsker(client *http.Client, url string) asker {
	return func(t *testing.T, path string, body io.Reader, length int64, expect bool) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = length
		if length == 0 {
			req.Body = http.NoBody
		}
		if expect {
			req.Header.Set("Expect", "100-continue")
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("after %d bytes: %v", len(b), err)
		}
		return resp.StatusCode, string(b)
	}
}

func uwsgiAsker(network, addr string) asker {
	return func(t *testing.T, path string, body io.Reader, length int64, _ bool) (int, string) {
		t.Helper()
		if length < 0 {
			t.Skip("uwsgi has no chunks")
		}
		c, err := net.Dial(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(60 * time.Second))
		p, err := uwsgi.AppendPacket(nil, 0, 0, []uwsgi.Var{
			{Name: "REQUEST_METHOD", Value: "POST"},
			{Name: "REQUEST_URI", Value: path},
			{Name: "PATH_INFO", Value: path},
			{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
			{Name: "HTTP_HOST", Value: "a"},
			{Name: "CONTENT_LENGTH", Value: fmt.Sprint(length)},
		})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if _, err := c.Write(p); err == nil && length > 0 {
				_, _ = io.Copy(c, body)
			}
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("after %d bytes: %v", len(b), err)
		}
		return resp.StatusCode, string(b)
	}
}

// overCarriers runs f for each way in which a request comes to a handler, and for net/http's
// handlers on each.
func overCarriers(t *testing.T, o Options, f func(t *testing.T, srv *Server, h *phases, ask asker)) {
	for _, adapted := range []string{"", "from_net_http_", "stream_net_http_"} {
		for _, way := range []string{"http", "http_unix", "uwsgi", "uwsgi_unix", "net_http1", "net_http2"} {
			t.Run(adapted+way, func(t *testing.T) {
				own := o
				own.Logf = t.Logf
				srv, err := New(own)
				if err != nil {
					t.Fatal(err)
				}
				p := newPhases()
				var h Handler = p
				if adapted != "" {
					pool := NewPool(4, 16, t.Logf)
					t.Cleanup(pool.Close)
					if h = FromHTTP(http.HandlerFunc(netPhases), pool); adapted == "stream_net_http_" {
						h = StreamHTTP(http.HandlerFunc(netPhases), pool)
					}
					p = nil
				}
				network, addr := "tcp", "127.0.0.1:0"
				if strings.HasSuffix(way, "_unix") {
					network, addr = "unix", filepath.Join(t.TempDir(), "s")
				}
				lo := ListenOptions{}
				if strings.HasPrefix(way, "uwsgi") {
					lo.Protocol = UWSGI
				}
				ln, err := srv.Listen(addr, lo)
				if err != nil {
					t.Fatal(err)
				}
				addr = ln.String()
				serveHeads(t, srv, h)
				switch {
				case strings.HasPrefix(way, "net_"):
					front := httptest.NewUnstartedServer(srv.AsHTTP(h))
					if way == "net_http2" {
						front.EnableHTTP2 = true
						front.StartTLS()
					} else {
						front.Start()
					}
					t.Cleanup(front.Close)
					f(t, srv, p, httpAsker(front.Client(), front.URL))
				case lo.Protocol == UWSGI:
					f(t, srv, p, uwsgiAsker(network, addr))
				default:
					tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
						return new(net.Dialer).DialContext(ctx, network, addr)
					}}
					t.Cleanup(tr.CloseIdleConnections)
					f(t, srv, p, httpAsker(&http.Client{Transport: tr}, "http://a"))
				}
			})
		}
	}
}

// Each treatment of a body gives the same, whatever carries the request, and whoever
// adapts the handler.
func TestPhases(t *testing.T) {
	big := pattern(3 << 20)
	overCarriers(t, Options{Loops: 2, TempDir: t.TempDir()}, func(t *testing.T, srv *Server, _ *phases, ask asker) {
		for _, path := range []string{"/refuse", "/whole", "/late", "/stream", "/echo", "/replay"} {
			for _, size := range []int{0, 5, 100_000, len(big)} {
				for _, way := range []string{"length", "chunks", "expect"} {
					if size == 0 && way != "length" {
						continue
					}
					t.Run(fmt.Sprintf("%s_%d_%s", path[1:], size, way), func(t *testing.T) {
						body, length := big[:size], int64(size)
						if way == "chunks" {
							length = -1
						}
						want, wantStatus := sum(body), 200
						switch path {
						case "/refuse":
							if size > skipMost {
								t.Skip("a client that does not look for the answer may find a reset: see below")
							}
							want, wantStatus = "no", 401
						case "/late":
							want = fmt.Sprint(size)
						case "/echo":
							want = string(body)
						}
						status, got := ask(t, path, bytes.NewReader(body), length, way == "expect")
						if got = strings.TrimSuffix(got, "\n"); status != wantStatus || got != want {
							t.Errorf("got %d %.60q (%d bytes), want %d %.60q", status, got, len(got), wantStatus, want)
						}
					})
				}
			}
		}
		eventually(t, "all have ended", func() bool { return srv.Stats().InFlight == 0 && srv.files.Load() == 0 })
	})
}

// never is a body that does not come.
type never struct {
	once sync.Once
	end  chan struct{}
}

func (n *never) Read([]byte) (int, error) {
	<-n.end
	return 0, io.ErrUnexpectedEOF
}

func (n *never) Close() error {
	n.once.Do(func() { close(n.end) })
	return nil
}

// A refusal does not wait for the body, whatever carries it.
func TestRefusalBeforeTheBody(t *testing.T) {
	overCarriers(t, Options{Loops: 1}, func(t *testing.T, srv *Server, h *phases, ask asker) {
		if h == nil && strings.Contains(t.Name(), "from_net") {
			t.Skip("FromHTTP wants the body first")
		}
		body := &never{end: make(chan struct{})}
		defer body.Close()
		if status, got := ask(t, "/refuse", body, 1000, false); status != 401 || strings.TrimSpace(got) != "no" {
			t.Errorf("got %d %q", status, got)
		}
	})
}

// A reader that holds the body holds the client, and gets all of it afterwards.
func TestBackPressure(t *testing.T) {
	const most = 6 << 20 // what sockets and their like take on the way, and some
	big := pattern(32 << 20)
	overCarriers(t, Options{Loops: 1}, func(t *testing.T, _ *Server, h *phases, ask asker) {
		if h == nil {
			t.Skip("what is behind a handler of net/http has its own measure")
		}
		h.hold.Store(true)
		body := &counted{r: bytes.NewReader(big)}
		done := make(chan string, 1)
		go func() {
			_, got := ask(t, "/stream", body, int64(len(big)), false)
			done <- got
		}()
		ref := <-h.refs
		still(t, &body.n)
		if n := body.n.Load(); n > most {
			t.Errorf("the client could send %d bytes", n)
		}
		if n := h.pieces.Load(); n != 1 {
			t.Errorf("%d pieces were given to a reader that holds", n)
		}
		if err := ref.Post(func(x *Exchange) { x.HoldBody(false) }); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got != sum(big) {
			t.Errorf("got %s", got)
		}
	})
}

type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// still waits until n has not changed for a while.
func still(t *testing.T, n *atomic.Int64) {
	t.Helper()
	last, same := int64(-1), 0
	for range 2000 {
		if now := n.Load(); now != last {
			last, same = now, 0
		} else if same++; same == 20 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("it goes on and on")
}

// What becomes of bodies that do not come whole, for who waits for the whole and for who
// reads, and of the connection.
func TestBodyFails(t *testing.T) {
	o := Options{BodyTimeout: short, Limits: codec.Limits{Body: 1000}}
	for _, tt := range []struct {
		name, fields, body string
		cut                bool // the client ends its side
		status             int
		err                error
	}{
		{"too slow", "Content-Length: 10\r\n", "some", false, 408, errBodyTimeout},
		{"cut short", "Content-Length: 10\r\n", "some", true, 400, errIncomplete},
		{"no byte, cut", "Content-Length: 10\r\n", "", true, 400, errIncomplete},
		{"malformed chunk", "Transfer-Encoding: chunked\r\n", "4\r\nsome\r\nx\r\n", false, 400, codec.ErrChunkSize},
		{"too large", "Transfer-Encoding: chunked\r\n", "4\r\nsome\r\n400\r\n", false, 413, codec.ErrBodyTooLarge},
	} {
		for _, path := range []string{"/whole", "/stream", "/echo"} {
			t.Run(tt.name+path, func(t *testing.T) {
				h := newPhases()
				finished := make(chan Outcome, 1)
				own := o
				own.Logf, own.OnFinish = t.Logf, func(_ *Exchange, o Outcome) { finished <- o }
				srv, err := New(own)
				if err != nil {
					t.Fatal(err)
				}
				ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
				if err != nil {
					t.Fatal(err)
				}
				serveHeads(t, srv, h)
				c := dial(t, ln.String())
				write(t, c, "POST "+path+" HTTP/1.1\r\nHost: a\r\n"+tt.fields+"\r\n"+tt.body)
				if tt.cut {
					_ = c.CloseWrite()
				}
				b, err := io.ReadAll(c)
				o := <-finished
				if path == "/echo" && h.pieces.Load() > 0 { // it had begun to answer
					if err == nil || !o.Aborted {
						t.Errorf("got %q and a good end, %+v", b, o)
					}
				} else if err != nil || !strings.HasPrefix(string(b), fmt.Sprintf("HTTP/1.1 %d ", tt.status)) || o.Status != tt.status {
					t.Errorf("got %q, %v, %+v", b, err, o)
				}
				if path != "/whole" {
					if err := <-h.failed; !errors.Is(err, tt.err) {
						t.Errorf("the reader was told %v", err)
					}
				}
				if st := srv.Stats(); st.Refused != 1 || st.Requests != 1 {
					t.Errorf("counted %+v", st)
				}
			})
		}
	}
}

// A client that resets its connection during an upload is noticed, and what waited for the
// body lets go.
func TestGoneDuringTheBody(t *testing.T) {
	for _, path := range []string{"/stream", "/echo", "/ask"} {
		t.Run(path[1:], func(t *testing.T) {
			h := newPhases()
			srv, err := New(Options{Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			serveHeads(t, srv, h)
			c := dial(t, ln.String())
			write(t, c, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nsome")
			eventually(t, "it is served", func() bool { return srv.Stats().Requests == 1 })
			leave(c)
			if got := <-h.gone; got != path {
				t.Errorf("%s is told", got)
			}
			eventually(t, "it has ended", func() bool { st := srv.Stats(); return st.InFlight == 0 && st.Conns == 0 && st.Gone == 1 })
		})
	}
}

// "100 Continue" goes out when somebody asks for the body, and only then.
func TestContinueWhenAsked(t *testing.T) {
	h := newPhases()
	srv, err := New(Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	serveHeads(t, srv, h)
	const head = " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
	for _, inTwo := range []bool{false, true} {
		ask := func(path string) (*net.TCPConn, *bufio.Reader) {
			c := dial(t, ln.String())
			whole := "POST " + path + head
			if inTwo {
				write(t, c, whole[:20])
				onLoops(t, srv)
				whole = whole[20:]
			}
			write(t, c, whole)
			return c, bufio.NewReader(c)
		}
		line := func(r *bufio.Reader) string {
			s, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(s)
		}

		_, r := ask("/refuse")
		b, err := io.ReadAll(r)
		if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 401 ") || !strings.Contains(string(b), "Connection: close") {
			t.Errorf("refused: %q, %v", b, err)
		}

		c, r := ask("/ask")
		ref := <-h.refs
		_ = c.SetReadDeadline(time.Now().Add(short))
		if _, err := r.Peek(1); err == nil {
			t.Error("an answer before anybody has asked for the body")
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		r.Reset(c)
		_ = ref.Post(func(x *Exchange) {
			x.AwaitBody(HandlerFunc(func(x *Exchange) { x.ReplyText(200, string(x.Body().Bytes())) }))
		})
		if got := line(r) + line(r); got != "HTTP/1.1 100 Continue" {
			t.Errorf("got %q", got)
		}
		write(t, c, "body")
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != "body" {
			t.Errorf("got %q", b)
		}
	}
}

// After an early answer a small rest of the body is skipped and the connection serves on. A
// large one, or one that the client has not begun, ends it, with the answer whole.
func TestRestOfTheBody(t *testing.T) {
	h := newPhases()
	_, addr := startHeads(t, h)
	const next = "GET /refuse HTTP/1.1\r\nHost: a\r\n\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 1000, strings.Repeat("x", 1000))
	for _, tt := range []struct {
		name, fields string
		body         string
		n            int // answers
	}{
		{"small", "Content-Length: 1000\r\n", strings.Repeat("x", 1000), 2},
		{"small, chunks", "Transfer-Encoding: chunked\r\n", chunk + "0\r\n\r\n", 2},
		{"as large as is skipped", fmt.Sprintf("Content-Length: %d\r\n", skipMost), strings.Repeat("x", skipMost), 2},
		{"larger", fmt.Sprintf("Content-Length: %d\r\n", skipMost+1), strings.Repeat("x", skipMost+1), 1},
		{"much larger", fmt.Sprintf("Content-Length: %d\r\n", 20<<20), strings.Repeat("x", 20<<20), 1},
		{"many chunks", "Transfer-Encoding: chunked\r\n", strings.Repeat(chunk, 1000) + "0\r\n\r\n", 1},
		{"malformed", "Transfer-Encoding: chunked\r\n", "x\r\n", 1},
		{"of a method without bodies", "Content-Length: 3\r\n", "abc", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, addr)
			method := "POST"
			if tt.name == "of a method without bodies" {
				method = "GET"
			}
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				if _, err := io.WriteString(c, method+" /refuse HTTP/1.1\r\nHost: a\r\n"+tt.fields+"\r\n"+tt.body+next); err != nil {
					t.Errorf("the client could not send: %v", err)
				}
				_ = c.CloseWrite()
			}()
			<-sent
			b, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("after %q: %v", b, err)
			}
			statuses, bodies := answers(t, string(b), "GET")
			if fmt.Sprint(statuses) != fmt.Sprint(repeatInt(401, tt.n)) || bodies[0] != "no" {
				t.Errorf("got %v %q", statuses, bodies)
			}
		})
	}
}

func startHeads(t *testing.T, h Handler) (*Server, string) {
	t.Helper()
	srv, err := New(Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	serveHeads(t, srv, h)
	return srv, ln.String()
}

// An answer that is given within a piece of the body, or at its end, and pipelined requests behind
// it.
func TestAnswerWithinTheBody(t *testing.T) {
	_, addr := startHeads(t, HandlerFunc(func(x *Exchange) {
		if x.Request().ContentLength == 0 {
			x.ReplyText(200, "next")
			return
		}
		x.ReadBody(&early{})
	}))
	var all strings.Builder
	var want []string
	for i := range 50 {
		fmt.Fprintf(&all, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n%s", i, strings.Repeat("x", 50))
		all.WriteString("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		want = append(want, "early", "next")
	}
	for _, step := range []int{1, 7, 100, all.Len()} {
		c := dial(t, addr)
		go func() {
			text := all.String()
			for len(text) > 0 {
				n := min(step, len(text))
				_, _ = io.WriteString(c, text[:n])
				text = text[n:]
			}
			_ = c.CloseWrite()
		}()
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, bodies := answers(t, string(b), "GET"); fmt.Sprint(bodies) != fmt.Sprint(want) {
			t.Fatalf("in steps of %d: %q", step, bodies)
		}
	}
}

type early struct{}

func (r *early) Data(x *Exchange, _ []byte) { x.ReplyText(200, "early") }
func (r *early) End(*Exchange)              { panic("called after the answer") }
func (r *early) Failed(*Exchange, error)    { panic("called after the answer") }

// A handler that can do without a body begins when nothing of it has come for a while. It
// hears when the body comes after all, or does not.
func TestBeginWithoutBody(t *testing.T) {
	overCarriers(t, Options{BodyTimeout: 2 * time.Second}, func(t *testing.T, _ *Server, h *phases, ask asker) {
		if h == nil {
			t.Skip("net/http handlers have no such way")
		}
		held := func() (io.Reader, *io.PipeWriter) {
			r, w := io.Pipe()
			t.Cleanup(func() { _ = w.Close() })
			return r, w
		}
		t.Run("nothing_comes", func(t *testing.T) {
			r, _ := held()
			if status, got := ask(t, "/without", r, 5, false); status != 200 || got != "without, complete: false" {
				t.Errorf("got %d %q", status, got)
			}
		})
		t.Run("it_comes_in_time", func(t *testing.T) {
			if status, got := ask(t, "/without", strings.NewReader("12345"), 5, false); status != 200 || got != "with 5" {
				t.Errorf("got %d %q", status, got)
			}
		})
		t.Run("none_is_announced", func(t *testing.T) {
			if status, got := ask(t, "/without", nil, 0, false); status != 200 || got != "with 0" {
				t.Errorf("got %d %q", status, got)
			}
		})
		t.Run("it_has_begun", func(t *testing.T) {
			r, w := held()
			go func() {
				_, _ = w.Write([]byte("1"))
				time.Sleep(200 * time.Millisecond)
				_, _ = w.Write([]byte("2345"))
				_ = w.Close()
			}()
			if status, got := ask(t, "/without", r, 5, false); status != 200 || got != "with 5" {
				t.Errorf("got %d %q", status, got)
			}
		})
		t.Run("it_comes_after_all", func(t *testing.T) {
			r, w := held()
			go func() {
				ref := <-h.refs
				_ = ref.Post(func(x *Exchange) {
					if x.BodyBegun() || ref.Get() != x {
						t.Error("it has begun, or the exchange is not to be had")
					}
				})
				_, _ = w.Write([]byte("12345"))
				_ = w.Close()
			}()
			if status, got := ask(t, "/without_waits", r, 5, false); status != 200 || got != "with 5" {
				t.Errorf("got %d %q", status, got)
			}
		})
		t.Run("it_never_comes", func(t *testing.T) {
			r, _ := held()
			status, got := ask(t, "/without_waits", r, 5, false)
			<-h.refs
			if err := <-h.failed; status != 408 || !errors.Is(err, errBodyTimeout) {
				t.Errorf("got %d %q, the handler %v", status, got, err)
			}
		})
	})
}

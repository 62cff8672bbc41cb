package engine

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
)

// dialSlow connects with a small receive buffer, so that the server soon finds
// its socket full.
func dialSlow(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{Control: func(_, _ string, rc syscall.RawConn) error {
		return rc.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10) })
	}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c.(*net.TCPConn)
}

// readSlowly reads all there is, with pauses at first.
func readSlowly(c net.Conn) ([]byte, error) {
	var all bytes.Buffer
	for range 20 {
		if _, err := io.CopyN(&all, c, 2000); err != nil {
			return all.Bytes(), err
		}
		time.Sleep(time.Millisecond) // a slow client
	}
	_, err := io.Copy(&all, c)
	return all.Bytes(), err
}

// producer streams its data, never more than allowed ahead of the client.
type producer struct {
	data    []byte
	most    int // the most that has been buffered
	drained int
	gone    atomic.Int32
}

func (p *producer) run(x *Exchange) {
	for len(p.data) > 0 {
		if x.Buffered() > outputHigh {
			return
		}
		n := min(len(p.data), 50_000)
		x.Write(p.data[:n])
		p.data = p.data[n:]
		p.most = max(p.most, x.Buffered())
	}
	x.End()
}

func (p *producer) Drained(x *Exchange) { p.drained++; p.run(x) }
func (p *producer) Gone(*Exchange)      { p.gone.Add(1) }

func tempFile(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func openFile(t *testing.T, name string) *os.File {
	f, err := os.Open(name)
	if err != nil {
		t.Error(err)
	}
	return f
}

func TestSlowReadersGetEverything(t *testing.T) {
	big := pattern(6 << 20) // more than the kernel takes and a producer may be ahead
	name := tempFile(t, big)
	var mu sync.Mutex
	var producers []*producer
	h := HandlerFunc(func(x *Exchange) {
		switch string(x.Request().Path()) {
		case "/whole":
			x.Reply(x.Response(), big)
		case "/file":
			x.ReplyFile(x.Response(), openFile(t, name), 0, int64(len(big)))
		case "/length", "/chunked":
			p := &producer{data: big}
			mu.Lock()
			producers = append(producers, p)
			mu.Unlock()
			x.Watch(p)
			resp := x.Response()
			if string(x.Request().Path()) == "/length" {
				resp.ContentLength = int64(len(big))
			}
			x.Start(resp)
			p.run(x)
		default:
			x.ReplyText(200, "small")
		}
	})
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		_, addr := start(t, h, Options{}, ListenOptions{Protocol: p})
		var wg sync.WaitGroup
		for _, path := range []string{"/whole", "/file", "/length", "/chunked"} {
			for range 2 {
				wg.Go(func() {
					c := dialSlow(t, addr)
					all, n := ask("GET", path, ""), 1
					if p == HTTP {
						all, n = ask("GET", "/", "")+all+ask("GET", "/", ""), 3
					}
					if _, err := io.WriteString(c, all); err != nil {
						t.Error(err)
						return
					}
					_ = c.CloseWrite()
					b, err := readSlowly(c)
					if err != nil {
						t.Errorf("%s: %v", path, err)
						return
					}
					_, bodies := answers(t, string(b), "GET")
					if len(bodies) != n {
						t.Errorf("%s: %d answers", path, len(bodies))
						return
					}
					for i, b := range bodies {
						if want := n / 2; i == want && b != string(big) || i != want && b != "small" {
							t.Errorf("%s: answer %d of %d bytes is wrong", path, i, len(b))
						}
					}
				})
			}
		}
		wg.Wait()
	})
	for _, p := range producers {
		if p.most > outputHigh+100_000 || p.drained == 0 || p.gone.Load() > 0 {
			t.Errorf("most buffered %d, drained %d times, gone %d times", p.most, p.drained, p.gone.Load())
		}
	}
}

func TestClientThatNeverReads(t *testing.T) {
	big := pattern(16 << 20)
	name := tempFile(t, big)
	p := &producer{data: big}
	var aborted atomic.Int32
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		switch string(x.Request().Path()) {
		case "/whole", "/more":
			x.Reply(x.Response(), big)
		case "/file":
			x.ReplyFile(x.Response(), openFile(t, name), 0, int64(len(big)))
		case "/stream":
			x.Watch(p)
			x.Start(x.Response())
			p.run(x)
		}
	}), Options{WriteTimeout: 3 * short, HeadTimeout: short, BodyTimeout: short, OnFinish: func(x *Exchange, o Outcome) {
		if o.Aborted && x.Request().Method.Len() > 0 {
			aborted.Add(1)
		}
	}}, ListenOptions{})
	for _, give := range []string{
		request(t, HTTP, "GET", "/whole", ""), request(t, HTTP, "GET", "/file", ""), request(t, HTTP, "GET", "/stream", ""),
		request(t, HTTP, "GET", "/whole", "") + request(t, HTTP, "GET", "/more", ""), // it waits its turn for ever
	} {
		write(t, dialSlow(t, addr), give)
	}
	eventually(t, "all have been closed", func() bool { s := srv.Stats(); return s.Accepted == 4 && s.Conns == 0 })
	if st := srv.Stats(); st.Timeouts != 4 || st.Gone != 4 {
		t.Errorf("counted %+v", st)
	}
	if p.gone.Load() != 1 || aborted.Load() != 4 {
		t.Errorf("Gone %d times; %d outcomes aborted", p.gone.Load(), aborted.Load())
	}
}

// A client that takes nothing must not gain time by sending the next request
// slowly, whole, or wrongly.
func TestBlockedClientMayNotSendItselfTime(t *testing.T) {
	// More than the kernel takes, and then little enough for the next request to be read.
	fits := kernelTakes(t)
	for _, tt := range []struct{ name, then string }{
		{"nothing", ""},
		{"half_a_head", "GET / HT"},
		{"half_a_body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"},
		{"whole_body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"},
		{"malformed", "GET\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, addr := start(t, HandlerFunc(func(x *Exchange) {
				n, _ := strconv.Atoi(string(x.Request().Bytes(x.Request().Query)))
				x.Reply(x.Response(), make([]byte, n))
			}), Options{WriteTimeout: 4 * short, HeadTimeout: short, BodyTimeout: short, Logf: func(string, ...any) {}}, ListenOptions{})
			c := dialSlow(t, addr)
			write(t, c, request(t, HTTP, "GET", fmt.Sprintf("/?%d", fits+40_000), "")+tt.then)
			eventually(t, "closed", func() bool { s := srv.Stats(); return s.Accepted == 1 && s.Conns == 0 })
		})
	}
}

// kernelTakes finds out how many bytes two ends of a connection hold together
// when nobody reads.
func kernelTakes(t *testing.T) int {
	t.Helper()
	got := make(chan int, 1)
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		x.Start(x.Response())
		n := 0
		for x.Buffered() == 0 {
			x.Write(make([]byte, 8192))
			n += 8192
		}
		got <- n
	}), Options{}, ListenOptions{})
	c := dialSlow(t, addr)
	write(t, c, request(t, HTTP, "GET", "/", ""))
	n := <-got
	leave(c)
	eventually(t, "closed", func() bool { return srv.Stats().Conns == 0 })
	return n
}

func TestReplyFile(t *testing.T) {
	big := pattern(1 << 20)
	name := tempFile(t, big)
	h := HandlerFunc(func(x *Exchange) {
		q := strings.Split(string(x.Request().Bytes(x.Request().Query)), ",")
		off, _ := strconv.Atoi(q[0])
		n, _ := strconv.Atoi(q[1])
		x.ReplyFile(x.Response(), openFile(t, name), int64(off), int64(n))
	})
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		_, addr := start(t, h, Options{}, ListenOptions{Protocol: p})
		for _, tt := range []struct {
			name   string
			method string
			off, n int
		}{
			{"empty", "GET", 5, 0},
			{"small", "GET", 0, 10},
			{"small_range", "GET", 1000, smallBody},
			{"just_large", "GET", 77, smallBody + 1},
			{"large", "GET", 0, len(big)},
			{"large_range", "GET", 12345, 700_000},
			{"head_small", "HEAD", 0, 10},
			{"head_large", "HEAD", 0, len(big)},
		} {
			t.Run(tt.name, func(t *testing.T) {
				one := ask(tt.method, fmt.Sprintf("/?%d,%d", tt.off, tt.n), "")
				times := 1
				if p == HTTP {
					times = 3
				}
				got := talk(t, addr, strings.Repeat(one, times))
				if n := strings.Count(got, fmt.Sprintf("Content-Length: %d\r\n", tt.n)); n != times && tt.n > 0 {
					t.Errorf("the length was told %d times, want %d", n, times)
				}
				want := string(big[tt.off : tt.off+tt.n])
				if tt.method == "HEAD" {
					want = ""
				}
				_, bodies := answers(t, got, tt.method)
				if len(bodies) != times {
					t.Fatalf("%d answers, want %d", len(bodies), times)
				}
				for _, b := range bodies {
					if b != want {
						t.Errorf("a body of %d bytes is wrong, want %d bytes", len(b), len(want))
					}
				}
			})
		}
	})
}

// A file shorter than announced never becomes a wrong answer.
func TestFileThatShrinks(t *testing.T) {
	name := tempFile(t, pattern(100_000))
	_, addr := start(t, HandlerFunc(func(x *Exchange) {
		n, _ := strconv.Atoi(string(x.Request().Bytes(x.Request().Query)))
		x.ReplyFile(x.Response(), openFile(t, name), 90_000, int64(n))
	}), Options{}, ListenOptions{})
	if got := talk(t, addr, request(t, HTTP, "GET", "/?20000", "")); !strings.HasPrefix(got, "HTTP/1.1 500 ") {
		t.Errorf("small: got %.100q", got)
	}
	c := dial(t, addr)
	write(t, c, request(t, HTTP, "GET", "/?200000", "")+request(t, HTTP, "GET", "/?1", ""))
	b, err := io.ReadAll(c)
	if err == nil {
		t.Errorf("large: the connection ended as if all were well, after %d bytes", len(b))
	}
	if _, body, _ := strings.Cut(string(b), "\r\n\r\n"); len(body) > 10_000 {
		t.Errorf("large: %d bytes of body", len(body))
	}
}

func TestStreams(t *testing.T) {
	const data = "some data in pieces"
	produce := map[string]func(x *Exchange){
		"/chunked":     func(x *Exchange) { pieces(x, -1, data); x.End() },
		"/length":      func(x *Exchange) { pieces(x, len(data), data); x.End() },
		"/too_few":     func(x *Exchange) { pieces(x, len(data)+1, data); x.End() },
		"/too_many":    func(x *Exchange) { pieces(x, len(data)-1, data); x.Write([]byte("more")); x.End() },
		"/nothing":     func(x *Exchange) { x.Start(x.Response()); x.Write(nil); x.End() },
		"/abort":       func(x *Exchange) { pieces(x, -1, data); x.Abort(); x.Write([]byte("late")); x.End() },
		"/abort_early": func(x *Exchange) { x.Abort() },
		"/panic_early": func(*Exchange) { panic("early") },
		"/panic_late":  func(x *Exchange) { pieces(x, -1, data); panic("late") },
		"/204":         func(x *Exchange) { stream(x, 204, -1); x.Write([]byte("nobody")); x.End() },
		"/304":         func(x *Exchange) { stream(x, 304, 5); x.Write([]byte("nobody")); x.End() },
		"/500_large":   func(x *Exchange) { stream(x, 500, -1); x.Write(pattern(smallBody + 1)); x.End() },
		"/panic_posted": func(x *Exchange) {
			_ = x.Ref().Post(func(*Exchange) { panic("posted") })
		},
	}
	h := HandlerFunc(func(x *Exchange) { produce[string(x.Request().Path())](x) })
	const whole, cut = false, true
	for _, tt := range []struct {
		path    string
		method  string
		version string
		status  int
		body    string
		cut     bool // the client can tell that something is missing
		keep    bool
	}{
		{"/chunked", "GET", "1.1", 200, data, whole, true},
		{"/chunked", "GET", "1.0", 200, data, whole, false},
		{"/chunked", "HEAD", "1.1", 200, "", whole, true},
		{"/length", "GET", "1.1", 200, data, whole, true},
		{"/length", "GET", "1.0", 200, data, whole, false},
		{"/length", "HEAD", "1.1", 200, "", whole, true},
		{"/too_few", "GET", "1.1", 200, data, cut, false},
		{"/too_few", "GET", "1.0", 200, data, cut, false},
		{"/too_many", "GET", "1.1", 200, data[:len(data)-1], whole, false},
		{"/nothing", "GET", "1.1", 200, "", whole, true},
		{"/abort", "GET", "1.1", 200, data, cut, false},
		{"/abort", "GET", "1.0", 200, data, cut, false},
		{"/abort_early", "GET", "1.1", 500, "Internal Server Error", whole, true},
		{"/panic_early", "GET", "1.1", 500, "Internal Server Error", whole, true},
		{"/panic_posted", "GET", "1.1", 500, "Internal Server Error", whole, true},
		{"/panic_late", "GET", "1.1", 200, data, cut, false},
		{"/204", "GET", "1.1", 204, "", whole, true},
		{"/304", "GET", "1.1", 304, "", whole, true},
		{"/500_large", "GET", "1.1", 500, string(pattern(smallBody + 1)), whole, true},
	} {
		t.Run(fmt.Sprintf("%s_%s_%s", tt.path[1:], tt.method, tt.version), func(t *testing.T) {
			_, addr := start(t, h, Options{Logf: func(string, ...any) {}}, ListenOptions{})
			one := fmt.Sprintf("%s %s HTTP/%s\r\nHost: a\r\n\r\n", tt.method, tt.path, tt.version)
			c := dial(t, addr)
			write(t, c, one+one)
			if !tt.cut {
				_ = c.CloseWrite()
			}
			b, readErr := io.ReadAll(c)
			if tt.cut {
				if readErr == nil {
					t.Errorf("the connection ended as if all were well: %q", b)
				}
				return
			}
			if readErr != nil {
				t.Fatal(readErr)
			}
			want := []int{tt.status}
			if tt.keep {
				want = append(want, tt.status)
			}
			statuses, bodies := answers(t, string(b), tt.method)
			if fmt.Sprint(statuses) != fmt.Sprint(want) {
				t.Fatalf("statuses %v, want %v", statuses, want)
			}
			for _, got := range bodies {
				if got != tt.body {
					t.Errorf("body %.60q, want %.60q", got, tt.body)
				}
			}
		})
	}
}

func stream(x *Exchange, status, length int) {
	resp := x.Response()
	resp.Status, resp.ContentLength = status, int64(length)
	x.Start(resp)
}

func pieces(x *Exchange, length int, data string) {
	stream(x, 200, length)
	for len(data) > 0 {
		n := min(4, len(data))
		x.Write([]byte(data[:n]))
		data = data[n:]
	}
}

// What an access log is told must be of the request it is about, also when the
// answer was long in going out.
func TestOutcome(t *testing.T) {
	big := pattern(4 << 20)
	type line struct {
		target string
		o      Outcome
	}
	lines := make(chan line, 10)
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		resp := x.Response()
		resp.Header = append(resp.Header, codec.Header{Name: []byte("X-A"), Value: []byte("b")})
		if string(x.Request().Path()) == "/big" {
			x.Reply(resp, big)
			return
		}
		x.Reply(resp, []byte("small"))
	}), Options{OnFinish: func(x *Exchange, o Outcome) {
		r := x.Request()
		lines <- line{string(r.Bytes(r.Method)) + " " + string(r.Bytes(r.Target)), o}
	}}, ListenOptions{})
	slow := dialSlow(t, addr)
	write(t, slow, request(t, HTTP, "GET", "/big?slow", ""))
	eventually(t, "the answer has begun", func() bool { return srv.Stats().Requests == 1 })
	for range 3 { // others use the loop's buffer meanwhile
		_ = talk(t, addr, request(t, HTTP, "PUT", "/other", ""))
	}
	_ = slow.CloseWrite()
	if _, err := readSlowly(slow); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"PUT /other", "PUT /other", "PUT /other", "GET /big?slow"} {
		got := <-lines
		size := int64(5)
		if i == 3 {
			size = int64(len(big))
		}
		if got.target != want || got.o.Status != http.StatusOK || got.o.BodyBytes != size || got.o.Headers != 1 || got.o.HeadBytes == 0 || got.o.Aborted {
			t.Errorf("line %d: %+v, want %q with %d bytes", i, got, want, size)
		}
	}
}

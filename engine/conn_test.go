package engine

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

const (
	short = 60 * time.Millisecond // a timeout that is to pass
	long  = time.Minute           // one that is not
)

func TestTimeouts(t *testing.T) {
	patient := Options{HeadTimeout: long, BodyTimeout: long, IdleTimeout: long, WriteTimeout: long}
	with := func(change func(*Options)) Options { o := patient; change(&o); return o }
	head := with(func(o *Options) { o.HeadTimeout = short })
	body := with(func(o *Options) { o.BodyTimeout = short })
	idle := with(func(o *Options) { o.IdleTimeout = short })
	get := request(t, HTTP, "GET", "/", "")
	for _, tt := range []struct {
		name string
		o    Options
		lo   ListenOptions
		give string
		want []int
		late uint64
	}{
		{"head", head, ListenOptions{}, "GET / HTT", []int{408}, 1},
		{"head_after_request", head, ListenOptions{}, get + "GET / H", []int{200, 408}, 1},
		{"head_of_listener", patient, ListenOptions{Timeout: short}, "GET / HTT", []int{408}, 1},
		{"head_of_uwsgi", head, ListenOptions{Protocol: UWSGI}, "\x00\xff\x00\x00abc", []int{408}, 1},
		{"body", body, ListenOptions{}, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", []int{408}, 1},
		{"body_chunked", body, ListenOptions{}, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", []int{408}, 1},
		{"body_second", body, ListenOptions{}, get + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", []int{200, 408}, 1},
		{"idle", idle, ListenOptions{}, get, []int{200}, 0},
		{"idle_after_empty_line", idle, ListenOptions{}, get + "\r\n", []int{200}, 0},
		{"silence_from_the_start", head, ListenOptions{}, "\r\n", nil, 0},
		{"keep_alive_off", with(func(o *Options) { o.IdleTimeout = -1 }), ListenOptions{}, get, []int{200}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, addr := start(t, echo, tt.o, tt.lo)
			begun := time.Now()
			c := dial(t, addr)
			write(t, c, tt.give)
			b, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			statuses, _ := answers(t, string(b), "GET")
			if fmt.Sprint(statuses) != fmt.Sprint(tt.want) {
				t.Errorf("statuses %v, want %v", statuses, tt.want)
			}
			if tt.name != "keep_alive_off" && time.Since(begun) < short {
				t.Errorf("closed after %v, before its time", time.Since(begun))
			}
			if n := srv.Stats().Timeouts; n != tt.late {
				t.Errorf("counted %d timeouts, want %d", n, tt.late)
			}
		})
	}
}

// A connection without a byte is not closed at once where keep-alive is off, and
// not answered when its time is over. Unix sockets do not wait for a first byte.
func TestSilentNewConnection(t *testing.T) {
	for _, tt := range []struct {
		name string
		head time.Duration
		give string
		want string
	}{
		{"served_without_keep_alive", long, request(t, HTTP, "GET", "/", ""), "HTTP/1.1 200 OK"},
		{"closed_without_an_answer", short, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := New(Options{Logf: t.Logf, HeadTimeout: tt.head, IdleTimeout: -1})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "s")
			if _, err := srv.Listen(path, ListenOptions{}); err != nil {
				t.Fatal(err)
			}
			serve(t, srv, echo)
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			eventually(t, "accepted", func() bool { return srv.Stats().Accepted == 1 })
			onLoops(t, srv)
			if tt.give != "" { // to write nothing fails where it has been closed by now
				write(t, c, tt.give)
			}
			b, err := io.ReadAll(c)
			if err != nil || !strings.HasPrefix(string(b), tt.want) || tt.want == "" && len(b) > 0 {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
}

// onLoops waits until every loop has been through what it had to do, timers a
// few ticks away included.
func onLoops(t testing.TB, srv *Server) {
	t.Helper()
	for _, l := range srv.loops {
		done := make(chan struct{})
		if err := l.Post(func() {
			tm := new(reactor.Timer)
			tm.Fn = func() { close(done) }
			l.After(tm, 3*reactor.Tick)
		}); err != nil {
			t.Fatal(err)
		}
		<-done
	}
}

// A body timeout bounds silence, not the whole body.
func TestBodyTimeoutIsMovedByEveryByte(t *testing.T) {
	_, addr := start(t, echo, Options{BodyTimeout: 20 * short}, ListenOptions{})
	c := dial(t, addr)
	write(t, c, "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 30\r\n\r\n")
	begun := time.Now()
	for range 30 {
		write(t, c, "x")
		time.Sleep(short) // a slow client
	}
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), strings.Repeat("x", 30)) {
		t.Errorf("after %v got %q, %v", time.Since(begun), b, err)
	}
}

// replies answers what echo does, some requests later and from elsewhere.
type replies struct {
	wg sync.WaitGroup
}

func (h *replies) Serve(x *Exchange) {
	var b bytes.Buffer
	_, _ = fmt.Fprintf(&b, "%s:", x.Request().Path())
	_, _ = io.Copy(&b, x.Body().Reader())
	text := b.String()
	ref := x.Ref()
	later := func(fn func(x *Exchange)) { h.wg.Go(func() { _ = ref.Post(fn) }) }
	switch {
	case strings.HasPrefix(text, "/later"):
		later(func(x *Exchange) { x.ReplyText(200, text) })
	case strings.HasPrefix(text, "/stream"):
		x.Start(x.Response())
		x.Write([]byte(text[:1]))
		later(func(x *Exchange) {
			x.Write([]byte(text[1:]))
			later(func(x *Exchange) { x.End() })
		})
	default:
		x.ReplyText(200, text)
	}
}

func TestPipelining(t *testing.T) {
	h := &replies{}
	_, addr := start(t, h, Options{}, ListenOptions{})
	t.Cleanup(h.wg.Wait)
	for _, tt := range []struct {
		name string
		ways []string
		body int
	}{
		{"at_once", []string{"/now"}, 0},
		{"later", []string{"/later"}, 0},
		{"mixed", []string{"/now", "/later", "/stream", "/now"}, 0},
		{"mixed_with_bodies", []string{"/now", "/later", "/stream"}, 300},
		{"large_bodies", []string{"/later", "/stream", "/now"}, 100_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 400
			if tt.body > 10_000 {
				n = 20
			}
			var all strings.Builder
			var want []string
			for i := range n {
				path := fmt.Sprintf("%s/%d", tt.ways[i%len(tt.ways)], i)
				body := ""
				if i%2 == 0 && tt.body > 0 {
					body = strings.Repeat(string(rune('a'+i%26)), tt.body)
				}
				all.WriteString(request(t, HTTP, "POST", path, body))
				want = append(want, path+":"+body)
			}
			c := dial(t, addr)
			go func() {
				_, _ = io.WriteString(c, all.String())
				_ = c.CloseWrite()
			}()
			b, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			_, bodies := answers(t, string(b), "POST")
			if len(bodies) != n {
				t.Fatalf("%d answers, want %d", len(bodies), n)
			}
			for i := range bodies {
				if bodies[i] != want[i] {
					t.Fatalf("answer %d is %.60q, want %.60q", i, bodies[i], want[i])
				}
			}
		})
	}
}

// While a request is held, reading stops at a bound; afterwards it goes on and
// nothing is lost, also where the pause fell into a body or before the end.
func TestReadingPausesWhileARequestIsHeld(t *testing.T) {
	for _, tt := range []struct {
		name string
		next func(i int) string // what is sent behind the held request
		n    int
	}{
		{"many_requests", func(i int) string { return request(t, HTTP, "POST", fmt.Sprintf("/%d", i), "some") }, 20_000},
		{"large_bodies", func(i int) string {
			return request(t, HTTP, "POST", fmt.Sprintf("/%d", i), strings.Repeat("b", 700_000))
		}, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			held := make(chan Ref, 1)
			var srv *Server
			srv, addr := start(t, HandlerFunc(func(x *Exchange) {
				if string(x.Request().Path()) == "/held" {
					held <- x.Ref()
					return
				}
				x.ReplyText(200, fmt.Sprintf("%s:%d", x.Request().Path(), x.Body().Size()))
			}), Options{}, ListenOptions{})
			c := dial(t, addr)
			write(t, c, request(t, HTTP, "GET", "/held", ""))
			ref := <-held
			go func() {
				for i := range tt.n {
					if _, err := io.WriteString(c, tt.next(i)); err != nil {
						t.Errorf("write: %v", err)
						return
					}
				}
				_ = c.CloseWrite()
			}()
			eventually(t, "much has been read", func() bool { return srv.Stats().BytesIn >= pipelineMax })
			onLoops(t, srv)
			if n := srv.Stats().BytesIn; n > 2*pipelineMax+1000 {
				t.Errorf("read %d bytes ahead", n)
			}
			if err := ref.Post(func(x *Exchange) { x.ReplyText(200, "held") }); err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			_, bodies := answers(t, string(b), "POST")
			if len(bodies) != tt.n+1 || bodies[0] != "held" {
				t.Fatalf("%d answers, want %d", len(bodies), tt.n+1)
			}
			for i, got := range bodies[1:] {
				if !strings.HasPrefix(got, fmt.Sprintf("/%d:", i)) {
					t.Fatalf("answer %d is %q", i, got)
				}
			}
		})
	}
}

// A ping on a uwsgi socket must mean nothing to the loop's other clients.
func TestPingLeavesOthersAlone(t *testing.T) {
	srv, err := New(Options{Logf: t.Logf, Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	http, err := srv.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	packets, err := srv.Listen("127.0.0.1:0", ListenOptions{Protocol: UWSGI})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, srv, echo)
	if got := talk(t, packets.String(), "\x64\x00\x00\x00"); got != string(uwsgi.AppendPong(nil)) {
		t.Fatalf("ping got %q", got)
	}
	if got := talk(t, http.String(), request(t, HTTP, "GET", "/a", "")); !strings.HasSuffix(got, "GET /a? 0:") {
		t.Errorf("after a ping HTTP got %q", got)
	}
}

func TestHalfClosedClientIsAnswered(t *testing.T) {
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		asked := make(chan Ref, 1)
		_, addr := start(t, HandlerFunc(func(x *Exchange) { asked <- x.Ref() }), Options{}, ListenOptions{Protocol: p})
		c := dial(t, addr)
		write(t, c, ask("GET", "/", ""))
		_ = c.CloseWrite()
		ref := <-asked
		if err := ref.Post(func(x *Exchange) { x.ReplyText(200, "still here") }); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "still here") {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

// watch counts what a watcher is told.
type watch struct{ gone, drained atomic.Int32 }

func (w *watch) Drained(*Exchange) { w.drained.Add(1) }
func (w *watch) Gone(x *Exchange) {
	w.gone.Add(1)
	x.Abort() // too late to mean anything
}

func TestClientGone(t *testing.T) {
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		for _, streaming := range []bool{false, true} {
			for _, network := range []string{"tcp", "unix"} {
				t.Run(fmt.Sprintf("%s_streaming=%v", network, streaming), func(t *testing.T) {
					srv, err := New(Options{Logf: t.Logf})
					if err != nil {
						t.Fatal(err)
					}
					addr := "127.0.0.1:0"
					if network == "unix" {
						addr = filepath.Join(t.TempDir(), "s")
					}
					ln, err := srv.Listen(addr, ListenOptions{Protocol: p})
					if err != nil {
						t.Fatal(err)
					}
					var w watch
					asked := make(chan Ref, 1)
					serve(t, srv, HandlerFunc(func(x *Exchange) {
						x.Watch(&w)
						if streaming {
							x.Start(x.Response())
							x.Write([]byte("begun"))
						}
						asked <- x.Ref()
					}))
					c, err := net.Dial(network, ln.String())
					if err != nil {
						t.Fatal(err)
					}
					write(t, c, ask("GET", "/", ""))
					ref := <-asked
					if tcp, ok := c.(*net.TCPConn); ok {
						leave(tcp)
					} else {
						_ = c.Close()
					}
					eventually(t, "Gone is called", func() bool { return w.gone.Load() > 0 })
					eventually(t, "the connection is closed", func() bool { return srv.Stats().Conns == 0 })
					if err := ref.Post(func(*Exchange) { t.Error("posted to an exchange that has ended") }); err != nil {
						t.Fatal(err)
					}
					onLoops(t, srv)
					if n := w.gone.Load(); n != 1 {
						t.Errorf("Gone was called %d times", n)
					}
					if st := srv.Stats(); st.Gone != 1 || st.InFlight != 0 {
						t.Errorf("counted %+v", st)
					}
				})
			}
		}
	})
}

func TestRefAfterTheAnswer(t *testing.T) {
	refs := make(chan Ref, 1)
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		refs <- x.Ref()
		x.ReplyText(200, "first")
	}), Options{}, ListenOptions{})
	for range 2 { // the second time the exchange is one that was used before
		if got := talk(t, addr, request(t, HTTP, "GET", "/", "")); !strings.HasSuffix(got, "first") {
			t.Fatalf("got %q", got)
		}
		if err := (<-refs).Post(func(*Exchange) { t.Error("ran") }); err != nil {
			t.Fatal(err)
		}
	}
	onLoops(t, srv)
}

// Many clients leave at random moments. Whatever they get must belong to what
// they asked: connections and exchanges are used again and again.
func TestClientsAreNeverMixedUp(t *testing.T) {
	h := &replies{}
	srv, err := New(Options{Logf: func(string, ...any) {}, Loops: 2})
	if err != nil {
		t.Fatal(err)
	}
	addrs := map[Protocol]string{}
	for _, p := range []Protocol{HTTP, UWSGI} {
		ln, err := srv.Listen("127.0.0.1:0", ListenOptions{Protocol: p})
		if err != nil {
			t.Fatal(err)
		}
		addrs[p] = ln.String()
	}
	serve(t, srv, h)
	t.Cleanup(h.wg.Wait)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	var whole atomic.Int64
	for client := range 24 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(client)))
			for round := range 25 {
				p := []Protocol{HTTP, HTTP, UWSGI}[r.IntN(3)]
				n := 1
				if p == HTTP {
					n += r.IntN(6)
				}
				var all string
				var want []string
				for i := range n {
					path := fmt.Sprintf("%s/%d/%d/%d", []string{"/now", "/later", "/stream"}[r.IntN(3)], client, round, i)
					body := strings.Repeat(strconv.Itoa(client), r.IntN(3)*r.IntN(2000))
					all += request(t, p, "POST", path, body)
					want = append(want, path+":"+body)
				}
				n, err := visit(addrs[p], all, want, r)
				if err != nil {
					t.Errorf("client %d round %d: %v", client, round, err)
				}
				whole.Add(int64(n))
			}
		})
	}
	wg.Wait()
	if whole.Load() == 0 {
		t.Error("nobody was answered")
	}
	eventually(t, "all connections closed", func() bool { return srv.Stats().Conns == 0 })
}

// visit sends all, in random pieces, and reads answers until it has them or
// leaves at some moment. It returns how many it has got, each as wanted.
func visit(addr, all string, want []string, r *rand.Rand) (int, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	c := conn.(*net.TCPConn)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	leaveAfter := len(all) + 1
	if r.IntN(3) == 0 {
		leaveAfter = r.IntN(len(all) + 1)
	}
	readFirst := r.IntN(len(want) + 1)
	sent := make(chan struct{})
	pieces := []int{}
	for left := len(all); left > 0; {
		n := min(left, 1+r.IntN(3000))
		pieces = append(pieces, n)
		left -= n
	}
	go func() {
		defer close(sent)
		at := 0
		for _, n := range pieces {
			if at+n > leaveAfter {
				leave(c)
				return
			}
			if _, err := io.WriteString(c, all[at:at+n]); err != nil {
				return
			}
			at += n
		}
	}()
	defer func() { <-sent }()
	br := bufio.NewReader(c)
	for i, w := range want {
		if leaveAfter <= len(all) && i == readFirst {
			leave(c)
			return i, nil
		}
		resp, err := http.ReadResponse(br, nil)
		var b []byte
		if err == nil {
			b, err = io.ReadAll(resp.Body)
		}
		if err != nil {
			if leaveAfter <= len(all) {
				return i, nil
			}
			return i, fmt.Errorf("answer %d of %d: %w", i, len(want), err)
		}
		if string(b) != w {
			return i, fmt.Errorf("answer %d is %.60q, want %.60q", i, b, w)
		}
	}
	return len(want), nil
}

func TestExpectContinue(t *testing.T) {
	_, addr := start(t, echo, Options{Limits: codec.Limits{Body: 1000}}, ListenOptions{})
	head := func(version string, length int) string {
		return fmt.Sprintf("POST / HTTP/%s\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", version, length)
	}
	const interim = "HTTP/1.1 100 Continue\r\n\r\n"
	for _, tt := range []struct {
		name     string
		give     string
		want     string // before the body is sent
		body     string
		statuses []int
	}{
		{"asked", head("1.1", 4), interim, "body", []int{200}},
		{"body_is_there", head("1.1", 4) + "body", "", "", []int{200}},
		{"http10", head("1.0", 4), "", "body", []int{200}},
		{"no_body", head("1.1", 0), "", "", []int{200}},
		{"too_large", head("1.1", 1001), "", "", []int{413}},
		{"other_expectation", strings.Replace(head("1.1", 4), "100-continue", "a pony", 1), "", "", []int{417}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, addr)
			write(t, c, tt.give)
			if tt.want != "" {
				got := make([]byte, len(tt.want))
				if _, err := io.ReadFull(c, got); err != nil || string(got) != tt.want {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			write(t, c, tt.body)
			b, err := io.ReadAll(c)
			if err != nil {
				t.Fatal(err)
			}
			if statuses, _ := answers(t, string(b), "POST"); fmt.Sprint(statuses) != fmt.Sprint(tt.statuses) {
				t.Errorf("statuses %v, want %v: %q", statuses, tt.statuses, b)
			}
		})
	}
}

// A refused client gets to read why, though it is still sending.
func TestRefusalArrivesWhileTheClientSends(t *testing.T) {
	srv, addr := start(t, echo, Options{Limits: codec.Limits{Body: 1000}}, ListenOptions{})
	for _, tt := range []struct{ name, head string }{
		{"length", "Content-Length: 200000\r\n\r\n"},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n30d40\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, addr)
			write(t, c, "POST / HTTP/1.1\r\nHost: a\r\n"+tt.head)
			for range 20 {
				write(t, c, strings.Repeat("x", 10_000))
			}
			b, err := io.ReadAll(c)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if statuses, _ := answers(t, string(b), "POST"); fmt.Sprint(statuses) != "[413]" {
				t.Errorf("got %q", b)
			}
		})
	}
	if st := srv.Stats(); st.Refused != 2 || st.Status[4] != 2 {
		t.Errorf("counted %+v", st)
	}
}

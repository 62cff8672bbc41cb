package engine

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// story is what layers and their like have seen, in order.
type story struct {
	mu   sync.Mutex
	said []string
}

func (s *story) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

func (s *story) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := strings.Join(s.said, " ")
	s.said = nil
	return all
}

// told is a layer that tells what it sees, and marks what passes.
type told struct {
	Pass
	name string
	*story
}

func (l *told) mark(resp *codec.Response) *codec.Response {
	r := *resp
	r.Header = append(append([]codec.Header(nil), resp.Header...), codec.Header{Name: []byte("X-Layer"), Value: []byte(l.name)})
	return &r
}

func (l *told) Reply(x *Exchange, resp *codec.Response, body []byte) {
	l.add("%s.reply", l.name)
	l.Next().Reply(x, l.mark(resp), append([]byte(l.name), body...))
}

func (l *told) Start(x *Exchange, resp *codec.Response) {
	l.add("%s.start", l.name)
	l.Next().Start(x, l.mark(resp))
}

func (l *told) Gone(*Exchange) { l.add("%s.gone", l.name) }
func (l *told) Ended(_ *Exchange, o *Outcome) {
	l.add("%s.ended(%d,%v)", l.name, o.Status, o.Aborted)
}

// later is a layer that answers when it is told to, whatever has become of the handler.
type later struct {
	Pass
	refs chan Ref
}

func (l *later) Reply(x *Exchange, _ *codec.Response, _ []byte) { l.refs <- x.Ref() }

// Layers pushed later are nearer to the handler; each sees the answer and the end, and a
// watcher hears nothing once its handler has answered.
func TestLayers(t *testing.T) {
	s := &story{}
	refs := make(chan Ref, 1)
	srv, addr := startHeads(t, HandlerFunc(func(x *Exchange) {
		x.Push(&told{name: "a", story: s})
		path := string(x.Request().Path())
		if strings.HasPrefix(path, "/later") {
			x.Push(&later{refs: refs})
		}
		x.Push(&told{name: "b", story: s})
		x.Watch(watcherFunc(func() { s.add("watcher.gone") }))
		switch path {
		case "/stream":
			x.Start(x.Response())
			x.Write([]byte("!"))
			x.End()
		case "/panic":
			panic("as planned")
		case "/wait":
			s.add("asked")
		default:
			x.ReplyText(200, "!")
		}
		defer func() {
			if recover() == nil && path == "/late" {
				t.Error("a layer was pushed after the answer")
			}
		}()
		if path == "/late" {
			x.Push(&told{name: "c", story: s})
		}
	}))
	ended := func() { eventually(t, "it has ended", func() bool { return srv.Stats().InFlight == 0 }) }
	for _, tt := range []struct{ path, body, want string }{
		{"/", "ab!", "b.reply a.reply b.ended(200,false) a.ended(200,false)"},
		{"/stream", "!", "b.start a.start b.ended(200,false) a.ended(200,false)"},
		{"/panic", "Internal Server Error", "b.ended(500,false) a.ended(500,false)"},
	} {
		resp, b := askOnce(t, addr, "GET", request(t, HTTP, "GET", tt.path, ""))
		ended()
		if got := s.take(); got != tt.want || b != tt.body {
			t.Errorf("%s: %q, %s; want %q, %s", tt.path, b, got, tt.body, tt.want)
		}
		if layers := resp.Header.Values("X-Layer"); resp.StatusCode == 200 && fmt.Sprint(layers) != "[b a]" {
			t.Errorf("%s: marked by %v", tt.path, layers)
		}
	}

	c := dial(t, addr)
	write(t, c, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "it is asked", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.said) > 0 })
	leave(c)
	ended()
	if got, want := s.take(), "asked watcher.gone b.gone a.gone b.ended(0,true) a.ended(0,true)"; got != want {
		t.Errorf("client that leaves: %s, want %s", got, want)
	}

	// The handler has answered; what its client does now is the layer's to know.
	c = dial(t, addr)
	write(t, c, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
	<-refs
	leave(c)
	ended()
	if got, want := s.take(), "b.reply b.gone a.gone b.ended(0,true) a.ended(0,true)"; got != want {
		t.Errorf("layer that answers later: %s, want %s", got, want)
	}
}

// PostOr runs one of its functions, whatever has become of the exchange.
func TestPostOr(t *testing.T) {
	refs := make(chan Ref, 1)
	srv, addr := startHeads(t, HandlerFunc(func(x *Exchange) { refs <- x.Ref() }))
	got := make(chan string, 1)
	post := func(ref Ref) string {
		if err := ref.PostOr(func(x *Exchange) { x.ReplyText(200, ""); got <- "there" }, func() { got <- "gone" }); err != nil {
			t.Fatal(err)
		}
		return <-got
	}
	c := dial(t, addr)
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	ref := <-refs
	if got := post(ref); got != "there" {
		t.Error(got)
	}
	if got := post(ref); got != "gone" {
		t.Errorf("after the answer: %s", got)
	}
	write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	ref = <-refs
	leave(c)
	eventually(t, "it has gone", func() bool { return srv.Stats().InFlight == 0 })
	if got := post(ref); got != "gone" {
		t.Errorf("after the client has left: %s", got)
	}
	_ = srv.Close()
	if err := ref.PostOr(func(*Exchange) { t.Error("ran") }, func() { t.Error("ran") }); err == nil {
		t.Error("no error after the server was closed")
	}
}

var (
	keyCount = NewKey[int]()
	keyNames = NewKey[[]string]()
)

// Values are an exchange's own, and empty for the next one.
func TestKeys(t *testing.T) {
	type seen struct {
		count int
		names string
	}
	atEnd := make(chan seen, 1)
	srv, err := New(Options{Loops: 1, Logf: t.Logf, OnFinish: func(x *Exchange, _ Outcome) {
		atEnd <- seen{*keyCount.Of(x), fmt.Sprint(*keyNames.Of(x))}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	serveHeads(t, srv, HandlerFunc(func(x *Exchange) {
		if string(x.Request().Path()) == "/set" {
			*keyCount.Of(x) += 3
			*keyNames.Of(x) = append(*keyNames.Of(x), "a")
		}
		x.ReplyText(200, "")
	}))
	c := dial(t, ln.String())
	for _, tt := range []struct {
		path string
		want seen
	}{{"/set", seen{3, "[a]"}}, {"/", seen{0, "[]"}}, {"/set", seen{3, "[a]"}}} {
		write(t, c, "GET "+tt.path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := <-atEnd; got != tt.want {
			t.Errorf("%s: %v", tt.path, got)
		}
	}
}

// countLayer is a layer as a program would have it: one that is used again.
type countLayer struct{ Pass }

var countLayers = sync.Pool{New: func() any { return new(countLayer) }}

func (l *countLayer) Ended(x *Exchange, _ *Outcome) { *keyCount.Of(x)++; countLayers.Put(l) }

// A layer with a value of its own, and what it adds to a request, allocate nothing.
func TestLayersAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	name, value, body := []byte("X-Real-Ip"), []byte("192.0.2.1"), []byte("Hello World!\n")
	trip := roundTripsOf(t, 1, HandlerFunc(func(x *Exchange) {
		x.Push(countLayers.Get().(*countLayer))
		*keyCount.Of(x) = 1
		if x.Request().SetField(name, value) != nil || x.Request().SetVar("REMOTE_USER", "jane") != nil {
			panic("refused")
		}
		x.Reply(x.Response(), body)
	}))
	trip()
	if n := testing.AllocsPerRun(200, trip); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Answers that are none get 500 in place of an interim head and silence.
func TestInterimStatusIsNoAnswer(t *testing.T) {
	var logs logLines
	_, addr := start(t, HandlerFunc(func(x *Exchange) {
		resp := x.Response()
		resp.Status = 101
		switch string(x.Request().Path()) {
		case "/reply":
			x.Reply(resp, nil)
		case "/file":
			x.ReplyFile(resp, openFile(t, tempFile(t, []byte("x"))), 0, 1)
		default:
			x.Start(resp)
			x.Write([]byte("x"))
			x.End()
		}
	}), Options{Logf: logs.add}, ListenOptions{})
	for _, path := range []string{"/reply", "/file", "/start"} {
		if got := get(t, addr, path).StatusCode; got != http.StatusInternalServerError {
			t.Errorf("%s: %d", path, got)
		}
	}
	if n := logs.count("status 101"); n != 3 {
		t.Errorf("%d lines say why", n)
	}
}

// What handlers set of the address reaches those behind, over each protocol.
func TestSetRemote(t *testing.T) {
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		_, addr := start(t, HandlerFunc(func(x *Exchange) {
			x.SetRemote("2001:db8::7", 70)
			r := x.Request()
			x.ReplyText(200, fmt.Sprintf("%s %d %s %s", x.AppendRemoteAddr(nil), x.RemotePort(), r.Var("REMOTE_ADDR"), r.Var("REMOTE_PORT")))
		}), Options{}, ListenOptions{Protocol: p})
		want := "2001:db8::7 70  "
		if p == UWSGI {
			want = "2001:db8::7 70 2001:db8::7 70"
		}
		if _, body := askOnce(t, addr, "GET", ask("GET", "/", "")); body != want {
			t.Errorf("got %q", body)
		}
	})
}

// A pool without a log, and jobs that end badly.
func TestPoolOutlivesItsJobs(t *testing.T) {
	for _, tt := range []struct {
		name string
		logf func(string, ...any)
	}{{"no log", nil}, {"log that panics", func(string, ...any) { panic("again") }}} {
		t.Run(tt.name, func(t *testing.T) {
			pool := NewPool(1, 10, tt.logf)
			for _, bad := range []func(){
				func() { panic("as planned") },
				func() { panic(badText{}) },
				func() { panic(nil) },
				goexit,
			} {
				if err := pool.Go(bad); err != nil {
					t.Fatal(err)
				}
			}
			done := make(chan bool)
			if err := pool.Go(func() { close(done) }); err != nil {
				t.Fatal(err)
			}
			select {
			case <-done:
			case <-time.After(20 * time.Second):
				t.Fatal("the pool runs nothing any more")
			}
			pool.Close()
		})
	}
}

type badText struct{}

func (badText) String() string { panic("no text") }

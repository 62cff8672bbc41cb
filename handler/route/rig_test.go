package route

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a server with rules in front of an app that tells what it has got.
type rig struct {
	t           testing.TB
	http, uwsgi string // addresses

	mu     sync.Mutex
	log    []string
	quiet  []bool // of the exchanges that have ended
	status []int
}

func (r *rig) logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf(format, args...))
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.log, "\n")
}

// parse compiles rules as they stand in an ini file.
func parse(t testing.TB, ini string) []*Rule {
	t.Helper()
	var rules []*Rule
	for line := range strings.Lines(ini) {
		option, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok {
			continue
		}
		r, err := Parse(option, value)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rules = append(rules, r)
	}
	return rules
}

// app tells who asks for what.
func app(x *engine.Exchange) {
	r := x.Request()
	user := "none"
	for _, v := range r.Vars {
		if string(r.Bytes(v.Name)) == "REMOTE_USER" {
			user = string(r.Bytes(v.Value))
		}
	}
	resp := x.Response()
	resp.Header = append(resp.Header,
		codec.Header{Name: []byte("X-App"), Value: []byte("1")},
		codec.Header{Name: []byte("X-Limit"), Value: []byte(x.Harakiri.String())})
	x.Reply(resp, fmt.Appendf(nil, "app user=%s path=%s field=%s", user, r.Path(), r.Get("X-Field")))
}

func start(t testing.TB, ini string, o Options) *rig {
	t.Helper()
	r := &rig{t: t}
	o.Rules, o.Logf = parse(t, ini), r.logf
	pool := engine.NewPool(2, 8, t.Logf)
	t.Cleanup(pool.Close)
	if o.Pool == nil {
		o.Pool = pool
	}
	h, err := New(engine.HandlerFunc(app), o)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, r, h)
}

// serve has h answer, and those who ask r ask it.
func serve(t testing.TB, r *rig, h engine.Handler) *rig {
	t.Helper()
	server, err := engine.New(engine.Options{Logf: t.Logf, OnFinish: func(x *engine.Exchange, o engine.Outcome) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.quiet, r.status = append(r.quiet, x.Quiet), append(r.status, o.Status)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ln := range []struct {
		at    *string
		addr  string
		proto engine.Protocol
	}{{&r.http, "127.0.0.1:0", engine.HTTP}, {&r.uwsgi, "127.0.0.1:0", engine.UWSGI}} {
		l, err := server.Listen(ln.addr, engine.ListenOptions{Protocol: ln.proto})
		if err != nil {
			t.Fatal(err)
		}
		*ln.at = l.String()
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(h) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return r
}

// answer is what came back; status 0 means that nothing did.
type answer struct {
	status int
	reason string
	header http.Header
	body   string
}

// talk sends bytes and reads one answer.
func (r *rig) talk(addr, method, request string) answer {
	r.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		r.t.Fatal(err)
	}
	b := bufio.NewReader(c)
	if _, err := b.Peek(1); errors.Is(err, io.EOF) {
		return answer{}
	}
	resp, err := http.ReadResponse(b, &http.Request{Method: method})
	if err != nil {
		r.t.Fatalf("%q: %v", request, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%q: %v", request, err)
	}
	_, reason, _ := strings.Cut(resp.Status, " ")
	return answer{resp.StatusCode, reason, resp.Header, string(body)}
}

// get asks over HTTP.
func (r *rig) get(target string, headers ...string) answer {
	r.t.Helper()
	head := "GET " + target + " HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n"
	for _, h := range headers {
		head += h + "\r\n"
	}
	return r.talk(r.http, "GET", head+"\r\n")
}

// packet asks over uwsgi.
func (r *rig) packet(modifier byte, vars ...string) answer {
	r.t.Helper()
	var list []uwsgi.Var
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		list = append(list, uwsgi.Var{Name: name, Value: value})
	}
	b, err := uwsgi.AppendPacket(nil, modifier, 0, list)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.talk(r.uwsgi, "GET", string(b))
}

// leave sends a request and goes.
func (r *rig) leave(request string) {
	r.t.Helper()
	c, err := net.Dial("tcp", r.http)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		r.t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

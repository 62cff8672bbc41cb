package engine

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// pipe is a tunnel that sends back what it gets, and tells what becomes of it.
type pipe struct{ *story }

func (p *pipe) Data(x *Exchange, b []byte) {
	x.Write(b)
	x.HoldBody(x.Buffered() > DrainedBelow)
}

func (p *pipe) Drained(x *Exchange) { x.HoldBody(false) }
func (p *pipe) Gone(*Exchange)      { p.add("gone") }

func (p *pipe) Failed(x *Exchange, err error) {
	p.add("failed:%v", err)
	x.Abort()
}

func (p *pipe) End(x *Exchange) {
	p.add("end")
	x.Write([]byte("bye"))
	x.End()
}

func tunnels(s *story) Handler {
	return HandlerFunc(func(x *Exchange) {
		r := x.Request()
		resp := x.Response()
		if resp.Status = 101; r.Connect {
			resp.Status = 200
		}
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Upgrade"), Value: []byte("echo")})
		p := &pipe{story: s}
		x.Push(&told{name: "layer", story: s})
		if err := x.TakeOver(resp); err != nil {
			x.ReplyText(501, err.Error())
			return
		}
		x.Watch(p)
		x.ReadBody(p)
	})
}

const upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

func TestTakeOver(t *testing.T) {
	big := pattern(8 << 20)
	for _, tt := range []struct{ name, ask, head string }{
		{"upgrade", upgrade, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"},
		{"connect", "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", "HTTP/1.1 200 OK\r\nUpgrade: echo\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &story{}
			finished := make(chan Outcome, 1)
			srv, err := New(Options{
				Logf: t.Logf, IdleTimeout: short, BodyTimeout: short, HeadTimeout: time.Minute,
				Policy:   codec.Policy{Upgrade: true, Connect: true},
				OnFinish: func(_ *Exchange, o Outcome) { finished <- o },
			})
			if err != nil {
				t.Fatal(err)
			}
			ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			serveHeads(t, srv, tunnels(s))
			c := dial(t, ln.String())
			write(t, c, tt.ask+"first")
			got := make([]byte, len(tt.head)+len("first"))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != tt.head+"first" {
				t.Fatalf("got %q, %v", got, err)
			}
			time.Sleep(3 * short) // silence ends no tunnel
			go func() {
				_, _ = c.Write(big)
				_ = c.CloseWrite()
			}()
			all, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(all, append(append([]byte(nil), big...), "bye"...)) {
				t.Errorf("got %d bytes, %v", len(all), err)
			}
			o := <-finished
			if o.Aborted || o.BodyBytes != int64(len(big)+len("firstbye")) {
				t.Errorf("%+v", o)
			}
			if got, want := s.take(), fmt.Sprintf("end layer.ended(%d,false)", o.Status); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// A tunnel whose client resets, or whose server ends, is told so.
func TestTunnelGone(t *testing.T) {
	for _, how := range []string{"client", "server"} {
		t.Run(how, func(t *testing.T) {
			s := &story{}
			srv, err := New(Options{Logf: t.Logf, Policy: codec.Policy{Upgrade: true}})
			if err != nil {
				t.Fatal(err)
			}
			ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			serveHeads(t, srv, tunnels(s))
			c := dial(t, ln.String())
			write(t, c, upgrade)
			if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			if how == "client" {
				leave(c)
			} else {
				_ = srv.Close()
			}
			eventually(t, "it is told", func() bool { return srv.Stats().InFlight == 0 })
			if got, want := s.take(), "gone layer.gone layer.ended(101,true)"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// What does not ask for a tunnel gets none; what the policy does not let in is refused or
// a usual request.
func TestNoTakeOver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy codec.Policy
		ask    string
		status int
	}{
		{"no upgrade asked for", codec.Policy{Upgrade: true}, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 501},
		{"no option of Connection", codec.Policy{Upgrade: true}, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: echo\r\n\r\n", 501},
		{"no field", codec.Policy{Upgrade: true}, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\n\r\n", 501},
		{"a body", codec.Policy{Upgrade: true}, "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: echo\r\nContent-Length: 1\r\n\r\nx", 501},
		{"HTTP/1.0", codec.Policy{Upgrade: true}, "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n", 501},
		{"not let in", codec.Policy{}, strings.Replace(upgrade, "Connection: ", "Connection: close, ", 1), 501},
		{"CONNECT not let in", codec.Policy{}, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
		{"CONNECT without a port", codec.Policy{Connect: true}, "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT with an empty port", codec.Policy{Connect: true}, "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT to a path", codec.Policy{Connect: true}, "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT to an address without brackets", codec.Policy{Connect: true}, "CONNECT ::1:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := New(Options{Logf: t.Logf, Policy: tt.policy})
			if err != nil {
				t.Fatal(err)
			}
			ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			serveHeads(t, srv, tunnels(&story{}))
			if statuses, _ := answers(t, talk(t, ln.String(), tt.ask), "GET"); len(statuses) != 1 || statuses[0] != tt.status {
				t.Errorf("got %v, want %d", statuses, tt.status)
			}
		})
	}
	overNetHTTP(t, Options{Policy: codec.Policy{Upgrade: true}}, tunnels(&story{}), func(t *testing.T, _ *Server, client *http.Client, url string) {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 501 {
			t.Errorf("behind net/http: %d", resp.StatusCode)
		}
	})
}

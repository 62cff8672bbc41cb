package load

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestIdleClientsKeepTheirConnections(t *testing.T) {
	s := serve(t)
	idle, err := OpenIdle(t.Context(), s.target(), Request{Path: "/", Want: hello}, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if idle.Answered() != 100 || idle.AskAgain(t.Context()) != 100 || len(idle.Errors()) != 0 {
		t.Errorf("%d connections were answered, want 100, and all of them again: %v", idle.Answered(), idle.Errors())
	}
	if s.requests.Load() != 200 || s.conns.Load() != 100 {
		t.Errorf("the server saw %d requests on %d connections, want 200 on 100", s.requests.Load(), s.conns.Load())
	}
}

func TestIdleClientsThatAreNotServed(t *testing.T) {
	answers := map[string]string{
		KindBody:        text([]byte("hallo")),
		KindClosed:      text(hello, "Connection: close"),
		KindMalformed:   "SSH-2.0\r\n\r\n",
		KindNoAnswer:    "",
		KindClosedEarly: "HTTP/1.1 200",
	}
	for kind, answer := range answers {
		t.Run(strings.ReplaceAll(kind, " ", "_"), func(t *testing.T) {
			s := raw(t, func(c net.Conn, _ *http.Request, _ int64) bool {
				fmt.Fprint(c, answer)
				return false
			})
			idle, err := OpenIdle(t.Context(), s.target(), Request{Path: "/", Want: hello}, 5)
			if err != nil {
				t.Fatal(err)
			}
			defer idle.Close()
			if idle.Answered() != 0 || idle.Errors()[kind] != 5 {
				t.Errorf("%d answered, %v, want 5 times %q", idle.Answered(), idle.Errors(), kind)
			}
		})
	}
}

func TestIdleClientsOfAServerThatFallsSilent(t *testing.T) {
	addr := listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1<<20)); time.Sleep(50 * time.Millisecond) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	idle, err := OpenIdle(ctx, Target{Network: "tcp", Address: addr}, Request{Path: "/", Want: hello}, 100)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	var lost int64
	for _, n := range idle.Errors() {
		lost += n
	}
	if idle.Answered() != 0 || lost != 100 {
		t.Errorf("%d answered, %v, want 100 errors", idle.Answered(), idle.Errors())
	}
}

func TestSlowClientsFinishWhole(t *testing.T) {
	upload := Request{Method: http.MethodPost, Path: "/", Body: large, Want: []byte("65536")}
	tests := []struct {
		name  string
		start func(context.Context, Target, Request, int, int) (*Slow, error)
		give  Request
		want  string // kind of error, or empty
	}{
		{"readers", SlowReaders, Request{Path: "/large", Want: large}, ""},
		{"readers_of_chunks", SlowReaders, Request{Path: "/chunked", Want: hello}, ""},
		{"readers_of_another_length", SlowReaders, Request{Path: "/", Want: large}, KindLength},
		{"writers", SlowWriters, upload, ""},
		{"writers_of_another_answer", SlowWriters, Request{Method: http.MethodPost, Path: "/", Body: large, Want: []byte("65537")}, KindBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t)
			slow, err := tt.start(t.Context(), s.target(), tt.give, 5, 1000)
			if err != nil {
				t.Fatal(err)
			}
			for slow.Started() < 5 {
				time.Sleep(time.Millisecond)
			}
			whole, wrong := slow.Finish(), slow.Errors()
			if tt.want == "" && (whole != 5 || len(wrong) != 0) || tt.want != "" && (whole != 0 || wrong[tt.want] != 5) {
				t.Errorf("%d of 5 exchanges were whole, %v, want %q", whole, wrong, tt.want)
			}
		})
	}
}

// What is slow is seen by the server: most of a large answer has not been taken.
func TestSlowReadersAreSlow(t *testing.T) {
	big := make([]byte, 64<<20)
	sent := make(chan struct{})
	s := raw(t, func(c net.Conn, _ *http.Request, _ int64) bool {
		fmt.Fprint(c, text(big))
		close(sent)
		return false
	})
	ctx, cancel := context.WithCancel(t.Context())
	slow, err := SlowReaders(ctx, s.target(), Request{Path: "/", Want: big}, 1, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for slow.Started() < 1 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	select {
	case <-sent:
		t.Error("all was sent to a slow reader at once")
	default:
	}
	cancel() // ends them
	if whole := slow.Finish(); whole != 0 {
		t.Error("a client that was stopped counts as whole")
	}
}

func TestCrowdsRefuse(t *testing.T) {
	r := Request{Path: "/", Want: hello}
	here := Target{Network: "unix", Address: filepath.Join(t.TempDir(), "none")}
	if _, err := OpenIdle(t.Context(), Target{"tcp", "127.0.0.1:1", UWSGI}, r, 1); err == nil {
		t.Error("idle clients over uwsgi were taken")
	}
	if _, err := OpenIdle(t.Context(), here, Request{Path: "x"}, 1); err == nil {
		t.Error("a path without a slash was taken")
	}
	if _, err := SlowReaders(t.Context(), here, r, 1, 1); err == nil {
		t.Error("less than a byte a step was taken")
	}
	idle, err := OpenIdle(t.Context(), here, r, 3)
	if err != nil || idle.Answered() != 0 || idle.Errors()[KindConnect] != 3 {
		t.Errorf("%v, want 3 clients that cannot connect", err)
	}
}

package engine

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// Drop ends the connection, with the answers before it, and says so to OnFinish.
func TestDrop(t *testing.T) {
	outcomes := make(chan Outcome, 3)
	server, err := New(Options{Logf: t.Logf, OnFinish: func(_ *Exchange, o Outcome) { outcomes <- o }})
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(HandlerFunc(func(x *Exchange) {
			if string(x.Request().Path()) == "/drop" {
				x.Drop()
				return
			}
			x.ReplyText(200, "ok")
		}))
	}()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Error(err)
		}
	})
	c, err := net.Dial("tcp", l.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /drop HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if n := len(got); err != nil || n < 10 || string(got[n-2:]) != "ok" {
		t.Errorf("got %q, %v, want one answer and the end", got, err)
	}
	if o := <-outcomes; o.Status != 200 || o.Aborted {
		t.Errorf("first: %+v", o)
	}
	if o := <-outcomes; o.Status != 500 || !o.Aborted {
		t.Errorf("second: %+v", o)
	}
}

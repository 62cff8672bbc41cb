package engine

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// An answer that ends with its connection ends in order, whatever the client sends just then.
// A reset would say that it is not whole.
func TestAnswerThatEndsWithItsConnection(t *testing.T) {
	srv, err := New(Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	if _, err := srv.Listen(path, ListenOptions{}); err != nil {
		t.Fatal(err)
	}
	serve(t, srv, HandlerFunc(func(x *Exchange) {
		x.Start(&codec.Response{Status: 200, ContentLength: -1})
		x.Write([]byte("answer"))
		x.End()
	}))
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	write(t, c, "GET / HTTP/1.0\r\n\r\n")
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(b), "\r\n\r\nanswer") {
		t.Errorf("got %q, %v", b, err)
	}
	for range 3 {
		if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
			t.Errorf("the client sent more: %v", err)
		}
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("then it reads %d bytes, %v", n, err)
		}
	}
	_ = c.Close()
	eventually(t, "the end of the connection", func() bool { return srv.Stats().Conns == 0 })
}

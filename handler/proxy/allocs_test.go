//go:build !race

package proxy

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/uwsgo/uwsgo/engine"
)

// A request that is passed on, and its answer, allocate nothing.
func TestPassingOnAllocates(t *testing.T) {
	answer := []byte(ok)
	up := raw(t, func(_ int, c net.Conn, _ *bufio.Reader) {
		buf := make([]byte, 4<<10)
		for {
			if _, err := c.Read(buf); err != nil { // a head comes in one piece
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	})
	f := newFront(t, to(up), nil, engine.HTTP)
	c := dial(t, f.addr)
	request, buf := []byte("GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: u\r\nCookie: c=d\r\n\r\n"), make([]byte, 4<<10)
	size := 0
	ask := func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		n, err := io.ReadAtLeast(c.Conn, buf, max(size, 1))
		if err != nil {
			t.Fatal(err)
		}
		size = n
	}
	ask()
	if n := testing.AllocsPerRun(500, ask); n >= 1 {
		t.Errorf("it allocates %v times", n)
	}
}

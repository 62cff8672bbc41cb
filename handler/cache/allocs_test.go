//go:build !race

package cache

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// A stored answer costs its client a few small pieces of memory, however large it is.
func TestHitAllocates(t *testing.T) {
	s := newSite(t, Options{})
	s.set(says(200, strings.Repeat("x", 4000), "Cache-Control: max-age=60", "Vary: Accept-Encoding"))
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := []byte("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip, br\r\n\r\n")
	buf := make([]byte, 8<<10)
	ask := func() {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(buf[:n], []byte("xxxx")) || n < 4100; {
			m, err := io.ReadAtLeast(conn, buf[n:], 1)
			if err != nil {
				t.Fatal(err)
			}
			n += m
		}
	}
	ask()
	if n := testing.AllocsPerRun(500, ask); n > 20 {
		t.Errorf("a hit allocates %v times", n)
	}
}

package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const largeSize = 64 << 10

var (
	hello = []byte("hello")
	large = []byte(strings.Repeat("0123456789abcdef", largeSize/16))
)

// server is one that a test starts.
type server struct {
	addr     string
	requests atomic.Int64
	conns    atomic.Int64 // that brought at least one byte
}

func (s *server) target() Target { return Target{Network: "tcp", Address: s.addr} }

// answerFunc answers the n-th request of a server, from 1, on c. It tells whether
// the connection goes on.
type answerFunc func(c net.Conn, r *http.Request, n int64) bool

// raw answers through f, which writes what it likes.
func raw(t *testing.T, f answerFunc) *server {
	t.Helper()
	s := &server{}
	s.addr = listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		if _, err := in.Peek(1); err != nil {
			return
		}
		s.conns.Add(1)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			if !f(c, r, s.requests.Add(1)) || r.Close {
				return
			}
		}
	})
	return s
}

// listen calls f for each connection and closes it behind f. At the end of the
// test it closes all.
func listen(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu      sync.Mutex
		open    = map[net.Conn]bool{}
		running sync.WaitGroup
	)
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			running.Go(func() {
				defer func() {
					c.Close()
					mu.Lock()
					delete(open, c)
					mu.Unlock()
				}()
				f(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// text is a whole answer.
func text(body []byte, fields ...string) string {
	return "HTTP/1.1 200 OK\r\nServer: test\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n" +
		strings.Join(append(fields, ""), "\r\n") + "\r\n" + string(body)
}

// serve answers rightly: GET / with hello, /large with large, /chunked and /rest
// with hello in chunks or until the connection ends, POST with the length of the
// body, HEAD with a head.
func serve(t *testing.T) *server {
	t.Helper()
	return raw(t, func(c net.Conn, r *http.Request, _ int64) bool { return regular(c, r) })
}

func regular(c net.Conn, r *http.Request) bool {
	answer, keep := text(hello), true
	switch {
	case r.Method == http.MethodHead:
		answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
	case r.Method == http.MethodPost:
		answer = text(strconv.AppendInt(nil, r.ContentLength, 10))
	case r.URL.Path == "/large":
		answer = text(large)
	case r.URL.Path == "/chunked":
		answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n"
	case r.URL.Path == "/rest":
		answer, keep = "HTTP/1.1 200 OK\r\n\r\nhello", false
	case r.URL.Path == "/old":
		answer, keep = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false
	case r.URL.Path == "/empty":
		answer = "HTTP/1.1 204 No Content\r\n\r\n"
	case r.URL.Path == "/interim":
		answer = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer
	}
	_, err := fmt.Fprint(c, answer)
	return err == nil && keep
}

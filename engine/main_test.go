package engine

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

// No test may leave a goroutine or a descriptor behind.
func TestMain(m *testing.M) {
	if ln, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = ln.Close() // the runtime has its own poller open from now on
	}
	before := descriptors()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		deadline := time.Now().Add(5 * time.Second)
		after := descriptors()
		for len(after) > len(before) && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
			after = descriptors()
		}
		if code == 0 && len(after) > len(before) {
			fmt.Fprintf(os.Stderr, "descriptors left open:\nbefore %v\nafter  %v\n", before, after)
			code = 1
		}
		os.Exit(code)
	}))
}

// descriptors lists what the process has open, where the system tells.
func descriptors() []string {
	const dir = "/proc/self/fd/"
	entries, _ := os.ReadDir(dir)
	var open []string
	for _, e := range entries {
		if to, err := os.Readlink(dir + e.Name()); err == nil {
			open = append(open, e.Name()+":"+to)
		}
	}
	return open
}

// eventually waits for what other goroutines bring about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// overProtocols runs f for each protocol. ask makes a request in it.
func overProtocols(t *testing.T, f func(t *testing.T, p Protocol, ask func(method, target, body string) string)) {
	for _, p := range []Protocol{HTTP, UWSGI} {
		t.Run(p.String(), func(t *testing.T) {
			f(t, p, func(method, target, body string) string { return request(t, p, method, target, body) })
		})
	}
}

// request makes a request; over HTTP the connection is kept.
func request(t testing.TB, p Protocol, method, target, body string) string {
	if p == HTTP {
		s := method + " " + target + " HTTP/1.1\r\nHost: a\r\n"
		if body != "" {
			s += fmt.Sprintf("Content-Length: %d\r\n", len(body))
		}
		return s + "\r\n" + body
	}
	path, query, _ := strings.Cut(target, "?")
	b, err := uwsgi.AppendPacket(nil, 0, 0, []uwsgi.Var{
		{Name: "REQUEST_METHOD", Value: method},
		{Name: "REQUEST_URI", Value: target},
		{Name: "PATH_INFO", Value: path},
		{Name: "QUERY_STRING", Value: query},
		{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
		{Name: "HTTP_HOST", Value: "a"},
		{Name: "CONTENT_LENGTH", Value: fmt.Sprint(len(body))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + body
}

// write writes s whole.
func write(t testing.TB, w io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
}

// pattern makes n bytes in which every place can be told from its neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16*7)
	}
	return b
}

// leave closes c with a reset.
func leave(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// logLines collects what a server logs.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// count returns how many lines contain s.
func (l *logLines) count(s string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, s) {
			n++
		}
	}
	return n
}

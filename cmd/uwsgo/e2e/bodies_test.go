package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startBodies serves testdata/bodies.py, which checks PEP 3333 with wsgiref, over
// HTTP and behind nginx, with one worker of one thread.
func startBodies(t *testing.T) (*server, *example) {
	t.Helper()
	e := copyExample(t, "nginx-tcp")
	app, err := os.ReadFile(filepath.Join(root, "cmd/uwsgo/e2e/testdata/bodies.py"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, e.dir, "bodies.py", string(app))
	s := start(t, e.dir, "--http", strings.TrimPrefix(e.http, "http://"), "--socket", e.uwsgi, "--wsgi-file", "bodies.py")
	s.waitAnswer(t, e.http+"/", 200)
	return s, e
}

func TestBodies(t *testing.T) {
	s, e := startBodies(t)
	e.startNginx(t)
	for _, size := range []int{0, 1, 1000, 100_000, 1_000_000} { // nginx refuses more than 1 MiB
		body := make([]byte, size)
		random := rand.New(rand.NewPCG(1, uint64(size)))
		for i := range body {
			body[i] = byte(random.Uint32())
		}
		want := fmt.Sprintf("%d %x", size, sha256.Sum256(body))
		for _, over := range []struct {
			name string
			url  string
			body io.Reader
		}{
			{"http", e.http, bytes.NewReader(body)},
			{"http_chunked", e.http, io.MultiReader(bytes.NewReader(body))}, // of unknown length
			{"nginx", e.nginx, bytes.NewReader(body)},
			{"nginx_chunked", e.nginx, io.MultiReader(bytes.NewReader(body))},
		} {
			t.Run(fmt.Sprintf("%s_%d", over.name, size), func(t *testing.T) {
				a, err := ask("POST", over.url+"/", over.body, nil)
				if err != nil {
					t.Fatal(err)
				}
				wantBody(t, a, 200, want)
			})
		}
	}
	if strings.Contains(s.log.String(), "AssertionError") {
		t.Error("wsgiref.validate objects")
	}
}

// crowd is how many slow clients one worker thread must be able to bear.
const crowd = 50

func TestSlowUploadsHoldNoWorker(t *testing.T) {
	_, e := startBodies(t)
	const size = 100_000
	var conns []net.Conn
	for range crowd {
		c := dial(t, e.http)
		fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: e2e\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("a", size/2))
		conns = append(conns, c)
	}
	for range 10 {
		if a := get(t, e.http+"/"); a.status != 200 {
			t.Errorf("beside %d half uploads: %d", crowd, a.status)
		}
	}
	want := fmt.Sprintf("%d %x", size, sha256.Sum256([]byte(strings.Repeat("a", size/2)+strings.Repeat("b", size/2))))
	for _, c := range conns {
		fmt.Fprint(c, strings.Repeat("b", size/2))
		wantBody(t, readResponse(t, c), 200, want)
	}
}

func TestSlowReadersHoldNoWorker(t *testing.T) {
	_, e := startBodies(t)
	var conns []net.Conn
	for range crowd {
		c := dial(t, e.http)
		if err := c.SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /large HTTP/1.1\r\nHost: e2e\r\n\r\n")
		conns = append(conns, c)
	}
	// The first byte shows that the app has run for that client.
	first := make([]byte, 1)
	for _, c := range conns {
		if _, err := io.ReadFull(c, first); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		if a := get(t, e.http+"/"); a.status != 200 {
			t.Errorf("beside %d waiting answers: %d", crowd, a.status)
		}
	}
	for _, c := range conns[:5] {
		resp, err := io.ReadAll(io.LimitReader(c, 8<<20))
		if err != nil || !bytes.HasSuffix(resp, []byte("xxxx")) {
			t.Errorf("a slow reader got %d bytes, %v", len(resp), err)
		}
	}
}

func dial(t *testing.T, base string) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(base, "http://"), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

func readResponse(t *testing.T, c net.Conn) answer {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

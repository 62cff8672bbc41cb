package compress

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// TestMemoryOfJobs: what is compressed apart from the loop is part of the memory that the
// server may hold. What does not fit goes out as it is, and room comes back.
func TestMemoryOfJobs(t *testing.T) {
	const small, large = 200_000, 400_000
	text := strings.Repeat("hello ", large/6+1)
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := engine.NewPool(1, 8, t.Logf)
	t.Cleanup(pool.Close)
	h := New(engine.HandlerFunc(func(x *engine.Exchange) {
		resp := x.Response()
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Content-Type"), Value: []byte("text/plain")})
		what := string(x.Request().Path())
		n := small
		if strings.HasPrefix(what, "/large") {
			n = large
		}
		if !strings.HasSuffix(what, "file") {
			x.Reply(resp, []byte(text[:n]))
			return
		}
		f, err := os.Open(file)
		if err != nil {
			panic(err)
		}
		x.ReplyFile(resp, f, 0, int64(n))
	}), Options{Pool: pool})
	server, err := engine.New(engine.Options{Loops: 1, MaxMemory: 1 << 20, TempDir: t.TempDir(), Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(h) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Error(err)
		}
	})
	c, err := net.Dial("tcp", l.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	ask := func(target string) string {
		t.Helper()
		if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Encoding") == "" && n < small {
			t.Errorf("%s: %d, %d bytes, %v", target, resp.StatusCode, n, err)
		}
		return resp.Header.Get("Content-Encoding")
	}
	for range 5 {
		for target, want := range map[string]string{"/small": "gzip", "/small/file": "gzip", "/large": "", "/large/file": ""} {
			got := ask(target)
			// The job before may be giving back what it had in this very moment.
			for i := 0; want == "gzip" && got == "" && i < 1000; i++ {
				time.Sleep(time.Millisecond)
				got = ask(target)
			}
			if got != want {
				t.Errorf("%s: Content-Encoding %q, not %q", target, got, want)
			}
		}
	}
}

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/bench/load"
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

// TestSlowClientsHoldNoWorker has a crowd keep the only worker thread from nobody.
func TestSlowClientsHoldNoWorker(t *testing.T) {
	const crowd, slowly = 50, 5 << 10
	upload := make([]byte, 100_000)
	type begin = func(context.Context, load.Target, load.Request, int, int) (*load.Slow, error)
	tests := []struct {
		name    string
		start   begin
		request load.Request
	}{
		{"uploads", load.SlowWriters, load.Request{
			Method: "POST", Path: "/", Body: upload, Want: fmt.Appendf(nil, "%d %x", len(upload), sha256.Sum256(upload)),
		}},
		{"readers", load.SlowReaders, load.Request{Path: "/large", Want: bytes.Repeat([]byte("x"), 1<<20)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, e := startBodies(t)
			target := load.Target{Network: "tcp", Address: strings.TrimPrefix(e.http, "http://")}
			slow, err := tt.start(t.Context(), target, tt.request, crowd, slowly)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "slow clients", func() error {
				if n := slow.Started(); n < crowd {
					return fmt.Errorf("%d of %d have begun", n, crowd)
				}
				return nil
			})
			for range 20 {
				if a, err := ask("GET", e.http+"/", nil, nil); err != nil || a.status != 200 {
					t.Errorf("beside %d slow clients: %d, %v", crowd, a.status, err)
				}
			}
			if whole := slow.Finish(); whole != crowd {
				t.Errorf("%d of %d exchanges were whole in the end", whole, crowd)
			}
		})
	}
}

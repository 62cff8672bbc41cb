package wsgi

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// startShared starts a server that shares bodies with its workers.
func startShared(t *testing.T, o engine.Options, c worker.Config) *rig {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("memory shared with workers is Linux's")
	}
	if o.SharedBodies == 0 {
		o.SharedBodies = 1 << 20
	}
	c.Apps = []worker.App{{File: "testdata/shared.py"}}
	return start(t, setup{engine: o, worker: c})
}

func randomBody(size int) []byte {
	b := make([]byte, size)
	random := rand.New(rand.NewPCG(uint64(size), 7))
	for i := 0; i+8 <= len(b); i += 8 {
		v := random.Uint64()
		for j := range 8 {
			b[i+j] = byte(v >> (8 * j))
		}
	}
	return b
}

// post sends a body over HTTP, in chunks or not, or over uwsgi, and returns what came back.
func (r *rig) post(over, target string, body []byte) (string, error) {
	path, query, _ := strings.Cut(target, "?")
	switch over {
	case "uwsgi":
		c := r.dial(r.uwsgi)
		defer c.Close()
		vars := nginx(uwsgi.Var{Name: "REQUEST_METHOD", Value: "POST"}, uwsgi.Var{Name: "PATH_INFO", Value: path}, uwsgi.Var{Name: "QUERY_STRING", Value: query},
			uwsgi.Var{Name: "CONTENT_LENGTH", Value: fmt.Sprint(len(body))})
		if _, err := c.Write(packet(r.t, string(body), vars...)); err != nil {
			return "", err
		}
		_, got, err := read(c, "POST")
		return got, err
	case "chunked":
		var b bytes.Buffer
		for p := body; ; {
			n := min(len(p), 50_000)
			fmt.Fprintf(&b, "%x\r\n%s\r\n", n, p[:n])
			if n == 0 {
				break
			}
			p = p[n:]
		}
		return r.roundTrip("Transfer-Encoding: chunked", target, b.Bytes())
	}
	return r.roundTrip(fmt.Sprintf("Content-Length: %d", len(body)), target, body)
}

func (r *rig) roundTrip(field, target string, body []byte) (string, error) {
	c := r.dial(r.http)
	defer c.Close()
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n\r\n%s", target, field, body); err != nil {
		return "", err
	}
	_, got, err := read(c, "POST")
	return got, err
}

// allFree waits until no request has a part of the shared memory.
func (r *rig) allFree() {
	r.t.Helper()
	r.wait("shared memory to be free", func() bool { return r.srv.SharedBodies().Free() == r.srv.SharedBodies().Size() })
}

// Bodies of all sizes come whole, whichever way they take.
func TestSharedBodies(t *testing.T) {
	for name, c := range map[string]worker.Config{
		"queue":       {},
		"stream_mode": {StreamMode: true},
		"not_mapped":  {LimitAS: 2 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			r := startShared(t, engine.Options{}, c)
			for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 65535, 65536, 65537, 300_000, 1 << 20, 1<<20 + 1} {
				for _, over := range []string{"http", "uwsgi", "chunked"} {
					t.Run(fmt.Sprintf("%s_%d", over, size), func(t *testing.T) {
						body := randomBody(size)
						kind := "BytesIO"
						if size > 1<<20 || over == "chunked" && size > 64<<10 {
							kind = "BufferedReader"
						}
						want := fmt.Sprintf("%s %x", kind, sha256.Sum256(body))
						if got, err := r.post(over, "/digest", body); err != nil || got != want {
							t.Errorf("got %q, %v, want %q", got, err, want)
						}
					})
				}
			}
			r.allFree()
		})
	}
}

// What an app keeps of a body stays as it is, while many others lie where it lay.
func TestKeptSharedBodies(t *testing.T) {
	r := startShared(t, engine.Options{Loops: 2}, worker.Config{Threads: 2})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 10 {
				body := randomBody(100_000 + 1000*i + j)
				want := fmt.Sprintf("%x", sha256.Sum256(body))
				if got, err := r.post([]string{"http", "uwsgi"}[j%2], "/keep", body); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
				}
			}
		})
	}
	all.Wait()
	if _, got := r.get("/kept"); got != "80 kept, 0 changed" {
		t.Error(got)
	}
	r.allFree()
}

// Where a body lies is not used again before nobody can read it, and then it is.
func TestSharedBodiesAreFreed(t *testing.T) {
	body := randomBody(500_000)
	t.Run("client_goes_while_it_runs_and_waits", func(t *testing.T) {
		r := startShared(t, engine.Options{}, worker.Config{})
		dir := t.TempDir()
		gate := filepath.Join(dir, "gate")
		for i, name := range []string{"runs", "waits"} {
			c := r.dial(r.http)
			target := ask("/gate", "here", filepath.Join(dir, name), "gate", gate)
			if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", target, len(body), body); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				r.waitFile(filepath.Join(dir, name))
			} else {
				r.wait("it to wait", func() bool { return r.pool.Snapshot().Waiting == 1 })
			}
			defer c.Close()
			_ = c.SetLinger(0)
			if i == 1 {
				_ = c.Close()
				r.waitInFlight(1)
			}
		}
		if free, size := r.srv.SharedBodies().Free(), r.srv.SharedBodies().Size(); free > size-1<<20 {
			t.Errorf("%d of %d bytes are free while a worker may still read two bodies", free, size)
		}
		touch(t, gate)
		r.allFree()
	})
	t.Run("worker_dies", func(t *testing.T) {
		r := startShared(t, engine.Options{}, worker.Config{Log: func(string) {}})
		for range 3 {
			_, _ = r.post("http", "/die", body)
		}
		r.allFree()
		if got, err := r.post("http", "/digest", body); err != nil || !strings.HasSuffix(got, fmt.Sprintf("%x", sha256.Sum256(body))) {
			t.Errorf("afterwards: %q, %v", got, err)
		}
	})
	t.Run("client_leaves_within_it", func(t *testing.T) {
		r := startShared(t, engine.Options{}, worker.Config{})
		c := r.send("POST /digest HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nsome")
		r.wait("it to lie there", func() bool { return r.srv.SharedBodies().Free() < r.srv.SharedBodies().Size() })
		_ = c.SetLinger(0)
		_ = c.Close()
		r.allFree()
	})
}

// Where there is no room any more bodies go to files, as large ones do.
func TestSharedBodiesAreBounded(t *testing.T) {
	r := startShared(t, engine.Options{MaxMemory: 32 << 20, SharedBodies: 4 << 20}, worker.Config{})
	body := randomBody(1 << 20)
	head := fmt.Sprintf("POST /digest HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(body))
	var slow []io.Writer
	var ends []func() (string, error)
	for range 8 { // slow ones, which take all of it
		c := r.send(head)
		if _, err := c.Write(body[:100]); err != nil {
			t.Fatal(err)
		}
		slow = append(slow, c)
		ends = append(ends, func() (string, error) { _, got, err := read(c, "POST"); return got, err })
	}
	r.wait("it to be full", func() bool { return r.srv.SharedBodies().Free() == 0 })
	want := fmt.Sprintf("BufferedReader %x", sha256.Sum256(body))
	if got, err := r.post("http", "/digest", body); err != nil || got != want {
		t.Errorf("beside them: %q, %v", got, err)
	}
	for i, c := range slow {
		_, err := c.Write(body[100:])
		got, readErr := ends[i]()
		if err := errors.Join(err, readErr); err != nil || !strings.HasPrefix(got, "BytesIO ") {
			t.Errorf("a slow one: %q, %v", got, err)
		}
	}
	r.allFree()
}

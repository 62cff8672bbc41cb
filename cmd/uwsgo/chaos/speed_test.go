package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFullSpeed has four clients upload and four download as fast as they can.
func TestFullSpeed(t *testing.T) {
	const each = 4
	s := start(t, pool...)
	o := steady(time.Minute, 4*time.Second, route("/short"))
	f := newFinding(t, "Clients at full speed", fmt.Sprintf(
		"%s; beside them %d clients upload 64 MiB again and again and %d download 32 MiB, all as fast as they can over loopback, "+
			"on the processors that also run the workers and the load generator. Before that the small requests alone, for half as long.", under(o), each, each))
	alone := o
	alone.Duration /= 2
	quiet := s.ask(t, alone, allowed{})
	quiet.clean(t)
	f.figure("p99 and p99.9 alone", text(quiet.kept.percentile(99))+", "+text(quiet.kept.percentile(99.9)))

	ctx, cancel := context.WithCancel(t.Context())
	var moved atomic.Int64
	var running sync.WaitGroup
	for range each {
		running.Go(func() { s.moves(ctx, t, http.MethodPost, "/upload?full", 64<<20, &moved) })
		running.Go(func() { s.moves(ctx, t, http.MethodGet, "/download?full", 32<<20, &moved) })
	}
	began := time.Now()
	a := s.ask(t, o, allowed{})
	took := time.Since(began)
	cancel()
	running.Wait()
	f.account(a)
	f.must(moved.Load() > 0, "bodies moved meanwhile, a second", fmt.Sprintf("%.0f MB", float64(moved.Load())/1e6/took.Seconds()), "more than none")
	f.figure("p99.9 beside them", a.kept.percentile(99.9))
	f.bound(a.kept.most() <= time.Second, "the longest beside them", a.kept.most(), "1,000 ms")
}

// moves sends a request of that method again and again until ctx ends, and counts the bytes
// of whole bodies. Either body is size bytes long.
func (s *server) moves(ctx context.Context, t *testing.T, method, path string, size int64, moved *atomic.Int64) {
	client := http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		var body io.Reader
		if method == http.MethodPost {
			body = io.LimitReader(zeros{}, size)
		}
		req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, body)
		if err != nil {
			t.Error(err)
			return
		}
		if body != nil {
			req.ContentLength = size
		}
		resp, err := client.Do(req)
		var got int64
		if err == nil {
			got, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil || resp.StatusCode != http.StatusOK || method == http.MethodGet && got != size:
			t.Errorf("%s %s: %v, %d bytes", method, path, err, got)
			return
		}
		moved.Add(size)
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

package engine

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"
)

// Bodies that lie in memory shared with workers come whole over every carrier, at once and in
// pieces, and give it back.
func TestSharedBodies(t *testing.T) {
	overCarriers(t, Options{SharedBodies: 1 << 20}, func(t *testing.T, srv *Server, h *phases, ask asker) {
		if srv.SharedBodies() == nil {
			t.Skip("memory shared with workers is Linux's")
		}
		if h == nil {
			t.Skip("the same as with handlers of the engine")
		}
		for _, size := range []int{16 << 10, 16<<10 + 1, 64 << 10, 300_001, 1 << 20, 1<<20 + 1} {
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(i * i >> 3)
			}
			for _, path := range []string{"/whole", "/replay"} {
				for _, pieces := range []int{1, 3} {
					t.Run(fmt.Sprintf("%d%s_in_%d", size, path, pieces), func(t *testing.T) {
						var r io.Reader = bytes.NewReader(body)
						if pieces > 1 {
							r = &slowly{r: r, each: size/pieces + 1}
						}
						if status, got := ask(t, path, r, int64(size), false); status != 200 || got != sum(body) {
							t.Errorf("got %d %q, want %q", status, got, sum(body))
						}
					})
				}
			}
		}
		for end := time.Now().Add(30 * time.Second); srv.SharedBodies().Free() < srv.SharedBodies().Size(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("some of it is not given back")
			}
		}
	})
}

// slowly gives what it reads in pieces, with a pause before each but the first.
type slowly struct {
	r    io.Reader
	each int
	left int
	went bool
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.left == 0 {
		if s.went {
			time.Sleep(2 * time.Millisecond)
		}
		s.left, s.went = s.each, true
	}
	n, err := s.r.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

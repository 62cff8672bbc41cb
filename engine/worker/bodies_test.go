package worker

import (
	"errors"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/engine/internal/segment"
)

// A body stays where it is for ever when the process that reads it may live on: what came
// there next would be read as that request's body.
func TestBodyOfProcessThatMayLive(t *testing.T) {
	bodies, err := segment.New(1<<20, 1<<20)
	if errors.Is(err, segment.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer bodies.Close()
	for _, c := range []struct {
		name string
		sure bool
		free int
	}{
		{"it has ended", true, 1 << 20},
		{"it may live", false, 1<<20 - 64<<10},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, Config{Apps: []App{app(t, forges)}, Bodies: bodies}, 1)
			pid := r.pid(1, 0)
			piece := bodies.Get(100)
			one := r.send(&call{path: "/forge", hold: true, vars: map[string]string{"HTTP_X": "waits"}, body: Body{Shared: piece, Size: 100}})
			piece.Release() // the server's own hold
			r.wait("the app to be called", func() (called bool) {
				r.on(0, func(p *Port) { called = p.plane.shared.Called(p.streams[0].cores[0].index) == one.id })
				return called
			})
			r.on(0, func(p *Port) { p.detach(append([]*stream{}, p.streams...), c.sure) })
			if one.wait(); !errors.Is(one.err, ErrWorkerDied) {
				t.Errorf("got error %v", one.err)
			}
			if n := bodies.Free(); n != c.free {
				t.Errorf("%d bytes are free, want %d", n, c.free)
			}
			_ = syscall.Kill(pid, syscall.SIGKILL) // its app sleeps
		})
	}
}

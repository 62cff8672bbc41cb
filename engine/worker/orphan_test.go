package worker

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// While a worker of a dead zygote takes its time to be gone, the supervisor does its work;
// what that worker had is decided on when it is gone, or after a while.
func TestOrphans(t *testing.T) {
	for _, goes := range []bool{true, false} {
		c := Config{Processes: 2, Threads: 1, Mercy: time.Minute, Python: "none"}
		newRig(t, &c, 1)
		p := &Pool{config: c, drained: make(chan struct{}, 1), stopped: make(chan struct{})}
		g, err := newSupervisor(p)
		if err != nil {
			t.Fatal(err)
		}
		p.sup = g
		defer g.close()
		defer close(g.done)
		z := deadZygote(t)
		g.zygotes[z] = true
		w := g.workers[0]
		orphan := w.places[0]
		orphan.zygote, orphan.alive, orphan.streams = z, true, [][]*stream{nil}
		orphan.set(Idle)
		w.present.Store(orphan)
		z.processes = 1
		// Its thread may have a request, and nothing says that it is gone.
		word := g.shared.word(orphan.cores[0].index, 24)
		*word = 4711

		g.handle(message{name: "gone", from: z})
		if orphan.streams == nil || !orphan.alive {
			t.Fatal("the supervisor waited for a worker that is not gone")
		}
		if w.present.Load() != nil || w.of(z) != nil || orphan.is(Idle) {
			t.Error("a worker that was killed is taken for one that serves")
		}
		// Others that end meanwhile are dealt with.
		other := g.workers[1].places[0]
		other.zygote, other.alive, other.streams = deadZygote(t), true, [][]*stream{nil}
		g.zygotes[other.zygote] = true
		other.set(Idle)
		g.handle(message{name: "gone", from: other.zygote})
		if other.streams != nil {
			t.Error("another worker's end was not dealt with meanwhile")
		}
		looks := 0
		for deadline := time.Now().Add(patience); orphan.alive || other.alive; {
			if time.Now().After(deadline) {
				t.Fatalf("the end of a worker was never dealt with: %v, %v", orphan.alive, other.alive)
			}
			m := <-g.events
			if m.name == "orphans" {
				if looks++; looks == 3 && goes {
					*word = 0
				}
			}
			g.handle(m)
		}
		if looks < 3 {
			t.Errorf("%d looks, want some", looks)
		}
		if len(g.orphans) > 0 || g.burying {
			t.Error("looks go on when all have gone")
		}
	}
}

// deadZygote returns a zygote that has ended.
func deadZygote(t *testing.T) *zygote {
	t.Helper()
	fds, err := socketpair(unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fds[1])
	f := os.NewFile(uintptr(fds[0]), "zygote")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	z := &zygote{conn: conn.(*net.UnixConn), ended: make(chan struct{}), kill: func() {}}
	close(z.ended)
	return z
}

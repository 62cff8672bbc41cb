package supervisor

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/internal/reactor"
	"github.com/uwsgo/uwsgo/engine/worker/control"
	"github.com/uwsgo/uwsgo/engine/worker/internal/policy"
	"github.com/uwsgo/uwsgo/engine/worker/internal/shared"
	"github.com/uwsgo/uwsgo/engine/worker/internal/zygote"
	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// patience bounds every wait for a condition.
const patience = 20 * time.Second

// fakeLoops is a data plane that does what it is asked for at once. It notes nothing but
// what tests look at.
type fakeLoops struct {
	deadlines map[uint64]int64
}

func (f *fakeLoops) Attach(*shared.Process, [][]int) Streams         { return fakeStreams{} }
func (f *fakeLoops) Serve(*shared.Process)                           {}
func (f *fakeLoops) Retire(*shared.Process)                          {}
func (f *fakeLoops) Resize(int)                                      {}
func (f *fakeLoops) Late(*shared.Process, int, Claim, time.Duration) {}
func (f *fakeLoops) Deadline(id uint64) int64                        { return f.deadlines[id] }
func (f *fakeLoops) Active() int64                                   { return 0 }
func (f *fakeLoops) Quit()                                           {}
func (f *fakeLoops) Close(done func())                               { done() }

type fakeStreams struct{}

func (fakeStreams) Detach(_ bool, done func()) { done() }
func (fakeStreams) Retire()                    {}

func newTest(t *testing.T, c launch.Config) *Supervisor {
	t.Helper()
	if c.Loops == nil {
		c.Loops = make([]*reactor.Handle, 1)
	}
	c.Control = control.NewHub(t.Logf)
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	g.loops = &fakeLoops{}
	t.Cleanup(func() {
		select {
		case <-g.done:
		default:
			close(g.done)
			g.close()
		}
	})
	return g
}

// While a worker of a dead zygote takes its time to be gone, the supervisor does its work;
// what that worker had is decided on when it is gone, or after a while.
func TestOrphans(t *testing.T) {
	for _, goes := range []bool{true, false} {
		g := newTest(t, launch.Config{Processes: 2, Threads: 1, Mercy: time.Minute, Python: "none"})
		z := exitedZygote(t, g)
		w := g.fleet.workers[0]
		orphan := w.places[0]
		orphan.generation, orphan.alive, orphan.streams = z, true, fakeStreams{}
		orphan.Set(shared.Serving)
		w.setPresent(orphan)
		z.processes = 1
		// Its thread may have a request, and nothing says that it is gone.
		word := g.Memory.Word(orphan.threads[0].index, 24)
		atomic.StoreUint64(word, 4711)

		g.report(z.Zygote, zygote.Exited{})
		if orphan.streams == nil || !orphan.alive {
			t.Fatal("the supervisor waited for a worker that is not gone")
		}
		if w.present() != nil || w.of(z) != nil || orphan.Is(shared.Serving) {
			t.Error("a worker that was killed is taken for one that serves")
		}
		// Others that exit meanwhile are dealt with.
		other := g.fleet.workers[1].places[0]
		other.generation, other.alive, other.streams = exitedZygote(t, g), true, fakeStreams{}
		other.Set(shared.Serving)
		g.report(other.generation.Zygote, zygote.Exited{})
		if other.streams != nil {
			t.Error("another worker's exit was not dealt with meanwhile")
		}
		looks := 0
		for deadline := time.Now().Add(patience); orphan.alive || other.alive; {
			if time.Now().After(deadline) {
				t.Fatalf("the exit of a worker was never dealt with: %v, %v", orphan.alive, other.alive)
			}
			fn := <-g.posted
			if looks++; looks == 3 && goes {
				atomic.StoreUint64(word, 0)
			}
			fn()
		}
		if looks < 3 {
			t.Errorf("%d looks, want some", looks)
		}
		if len(g.graves.orphans) > 0 || g.graves.burying {
			t.Error("looks go on when all have gone")
		}
	}
}

// exitedZygote adds a generation whose zygote has exited.
func exitedZygote(t *testing.T, g *Supervisor) *generation {
	t.Helper()
	script := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec cat <&3 >/dev/null\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := g.config
	c.Python = script
	gone := make(chan bool)
	one, err := zygote.Start(&c, false, zygote.Inherited{Memory: g.Memory}, func(_ *zygote.Zygote, r zygote.Report) bool {
		if _, is := r.(zygote.Exited); is {
			close(gone)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	one.Kill()
	<-gone
	peer, calls, err := c.Control.Open(0, 1, func() {})
	if err != nil {
		t.Fatal(err)
	}
	_ = calls.Close()
	z := &generation{Zygote: one, number: 1, peer: peer}
	g.generations.all[one] = z
	return z
}

// A zygote that has sent what cannot be right is replaced, not listened to: what it says
// after that counts for nothing, and it is said once.
func TestMalformed(t *testing.T) {
	said := 0
	g := newTest(t, launch.Config{Processes: 1, Threads: 1, Python: "/does/not/exist", Log: func(string) { said++ }})
	z := &generation{Zygote: &zygote.Zygote{PID: 1 << 29, Config: &g.config}}
	g.generations.all[z.Zygote], g.generations.present = z, z
	for range 3 {
		g.report(z.Zygote, zygote.Malformed{Err: context.Canceled})
	}
	if z.health.Stuck == "" {
		t.Error("it is trusted")
	}
	// Once that it is replaced, and for the one try that there is in a while why there is no
	// other one, and that all stays as it is.
	if said != 3 {
		t.Errorf("%d lines in the log, want 3", said)
	}
	g.fleet.fill()
	if g.fleet.anyAlive() {
		t.Error("it is asked to fork")
	}
}

// What is told of a process that died just then is not taken for the one that is being
// forked in its place.
func TestHarakiriOfTheDead(t *testing.T) {
	g := newTest(t, launch.Config{Processes: 1, Threads: 1})
	p := g.fleet.places[0]
	p.alive = true
	p.Set(shared.Starting)
	g.judge.late(p, 0)
	if p.hung {
		t.Error("a process that has only begun was taken to hang")
	}
}

// The time of a request holds until its app has closed it, although its slot is used
// again; and a slot's next request has nothing of it.
func TestRunning(t *testing.T) {
	const usual, own, id, next = 60, 300, 1<<shared.SlotBits | 7, 2<<shared.SlotBits | 7
	g := newTest(t, launch.Config{Processes: 1, Threads: 1, Harakiri: usual, HarakiriLeast: own})
	loops := &fakeLoops{}
	g.loops = loops
	one := g.fleet.places[0].threads[0]
	for _, step := range []struct {
		name      string
		own       int64  // of the slot's request
		id        uint64 // of the claim
		since     int64
		want      Claim
		wantLimit int64
	}{
		{"nothing", 0, 0, 0, Claim{}, 0},
		{"runs", own, id, 1000, Claim{id, 1000}, own},
		{"closes_and_the_slot_is_free", own, shared.Finishing, 1000, Claim{shared.Finishing, 1000}, own},
		{"closes_and_the_slot_has_another", 0, shared.Finishing, 1000, Claim{shared.Finishing, 1000}, own},
		{"next_runs", 0, next, 2000, Claim{next, 2000}, usual},
		{"for_ever", -1, id, 3000, Claim{id, 3000}, -1},
		{"closes_for_ever", 0, shared.Finishing, 3000, Claim{shared.Finishing, 3000}, -1},
		{"not_seen_before_it_closes", -1, shared.Finishing, 4000, Claim{shared.Finishing, 4000}, usual},
	} {
		loops.deadlines = map[uint64]int64{id: step.own, next: step.own}
		atomic.StoreUint64(g.Memory.Word(0, 8), uint64(step.since))
		atomic.StoreUint64(g.Memory.Word(0, 0), step.id)
		if claim, limit := g.judge.running(one); claim != step.want || limit != step.wantLimit {
			t.Errorf("%s: got %v, %d; want %v, %d", step.name, claim, limit, step.want, step.wantLimit)
		}
	}
}

// That the supervisor waits for something is no pause: requests run meanwhile.
func TestBlockedIsNoPause(t *testing.T) {
	t.Parallel()
	g := newTest(t, launch.Config{Processes: 1, Threads: 1})
	began := time.Now()
	over := make(chan struct{})
	go func() { defer close(over); g.run() }()
	g.post(func() { time.Sleep(policy.LookEach + 2500*time.Millisecond) })
	g.post(func() {})
	now := make(chan time.Duration, 1)
	g.post(func() { now <- g.pauses.Since(began, time.Now()) })
	if lost := <-now; lost != 0 {
		t.Errorf("%v count as a pause, want none", lost)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	<-over
}

package signals

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/engine/worker/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a router with a clock of its own, and processes that are only played.
type rig struct {
	t      *testing.T
	hub    *control.Hub
	r      *Router
	clock  time.Time
	logged []string
}

func newRig(t *testing.T, workers int) *rig {
	g := &rig{t: t, clock: time.Date(2026, 3, 1, 11, 59, 30, 0, time.UTC)}
	logf := func(format string, args ...any) { g.logged = append(g.logged, fmt.Sprintf(format, args...)) }
	g.hub = control.NewHub(logf)
	g.r = New(g.hub, workers, logf)
	g.r.now = func() time.Time { return g.clock }
	t.Cleanup(g.r.close)
	return g
}

func (g *rig) process(number, generation int) *control.Peer {
	g.t.Helper()
	p, f, err := g.hub.Open(number, generation, func() {})
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { p.Close(); _ = f.Close() })
	return p
}

// generation is a zygote and its workers, which serve. ask is what the import asks for.
func (g *rig) generation(number, workers int, ask func(z *control.Peer)) (zygote *control.Peer, list []*control.Peer) {
	z := g.process(0, number)
	ask(z)
	for n := range workers {
		list = append(list, g.process(n+1, number))
	}
	for _, p := range list {
		p.Serving()
	}
	z.Serving()
	return z, list
}

func (g *rig) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// take has a process take all that it may have, and returns the signals.
func (g *rig) take(p *control.Peer) (signals []byte) {
	g.r.mu.Lock()
	pending := append([]delivery{}, g.r.pending...)
	g.r.mu.Unlock()
	for _, d := range pending {
		if g.r.take(p, d.id) {
			signals = append(signals, d.signal)
		}
	}
	return signals
}

// pass lets time pass second by second, in which processes take what comes.
func (g *rig) pass(d time.Duration, each func(second int)) {
	for s := range int(d / time.Second) {
		g.clock = g.clock.Add(time.Second)
		g.r.Tick()
		each(s)
	}
}

// TestHour has timers run for an hour, through a reload and the death of a worker.
func TestHour(t *testing.T) {
	g := newRig(t, 2)
	ask := func(z *control.Peer) {
		for n, target := range []string{"", "workers", "worker2", "active-workers", ""} {
			g.must(g.r.register(z, byte(n), target))
		}
		g.must(g.r.add(z, &source{kind: "timer", signal: 0, every: 7 * time.Second}))
		g.must(g.r.add(z, &source{kind: "timer", signal: 1, every: time.Minute}))
		g.must(g.r.add(z, &source{kind: "timer", signal: 2, every: 5 * time.Minute}))
		g.must(g.r.add(z, &source{kind: "rb timer", signal: 3, every: 10 * time.Second, left: 4}))
		s := &source{kind: "cron", signal: 4}
		s.at.Minute, s.at.Hour, s.at.Day, s.at.Month, s.at.Week = -15, -1, -1, -1, -1
		g.must(g.r.add(z, s))
	}
	_, list := g.generation(1, 2, ask)
	counts := map[string]int{}
	count := func(p *control.Peer) {
		for _, s := range g.take(p) {
			counts[fmt.Sprintf("signal %d", s)]++
			if s == 1 || s == 2 {
				counts[fmt.Sprintf("signal %d in %d", s, p.Worker)]++
			}
		}
	}
	g.pass(time.Hour, func(second int) {
		switch second {
		case 600: // one dies with what it has not taken; another comes
			list[1].Close()
		case 605:
			list[1] = g.process(2, 1)
			list[1].Serving()
		case 1000: // a reload: the same code asks for the same again
			old := list
			_, list = g.generation(2, 2, ask)
			for _, p := range old {
				p.Retiring()
				p.Close()
			}
		}
		if second%20 == 3 { // workers are free now and then
			count(list[second/20%2])
			count(list[(second/20+1)%2])
		}
	})
	count(list[0])
	count(list[1])
	want := map[string]int{
		"signal 0": 3600 / 7, "signal 1": 120, "signal 1 in 1": 60, "signal 1 in 2": 60,
		"signal 2": 12, "signal 2 in 2": 12,
		"signal 3": 16, // four for each of two workers, and again after the reload
		"signal 4": 4,
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("ran\n%v, want\n%v\n%s", counts, want, strings.Join(g.logged, "\n"))
	}
}

// TestLazy has each worker import for itself, and so ask for the same.
func TestLazy(t *testing.T) {
	g := newRig(t, 3)
	z, list := g.generation(1, 0, func(*control.Peer) {})
	for n := range 3 {
		p := g.process(n+1, 1)
		list = append(list, p)
		for range 2 { // it asks for the same twice
			g.must(g.r.register(p, 5, ""))
			g.must(g.r.add(p, &source{kind: "timer", signal: 5, every: time.Second}))
		}
		p.Serving()
	}
	_ = z
	ran := 0
	g.pass(10*time.Second, func(second int) { ran += len(g.take(list[second%3])) })
	if ran != 20 {
		t.Errorf("two timers of a second ran %d times in 10 seconds", ran)
	}
}

func TestTargets(t *testing.T) {
	g := newRig(t, 2)
	z := g.process(0, 1)
	for _, c := range []struct{ target, want string }{
		{"", ""},
		{"worker", ""},
		{"worker0", ""},
		{"workers", ""},
		{"active-workers", ""},
		{"worker2", ""},
		{"worker3", "there is no worker3, as there are 2 workers"},
		{"workerx", `"workerx" is no target`},
		{"mule", ""}, // as in uWSGI the app is loaded; the log says that nobody gets it
		{"mules", ""},
		{"mule1", ""},
		{"mulex", `"mulex" is no target`},
		{"farm_x", ""},
		{"spooler", ""},
		{"subscribed", `"subscribed" is no target`},
		{"everybody", `"everybody" is no target`},
	} {
		err := g.r.register(z, 1, c.target)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.target, err, c.want)
		}
	}
}

// TestBeside has signals go to processes beside the workers, and wait for those that have
// not begun, but no more than they can.
func TestBeside(t *testing.T) {
	g := newRig(t, 1)
	g.r.Beside("mule", 3)
	g.r.Beside("spooler", 1)
	g.r.Farms([]Farm{{"one", []int{1}}, {"two", []int{2, 3}}})
	targets := []string{"mule", "mules", "mule2", "farm_two", "farm1", "spooler", "worker", "mule0", "mule4", "farm_none", "farm3"}
	_, workers := g.generation(1, 1, func(z *control.Peer) {
		for n, target := range targets {
			g.must(g.r.register(z, byte(n), target))
		}
	})
	beside := func(kind string, number int) *control.Peer {
		p, f, err := g.hub.OpenBackground(kind, number, 1, func() {})
		g.must(err)
		t.Cleanup(func() { p.Close(); _ = f.Close() })
		p.Serving()
		return p
	}
	for n := range targets {
		g.r.Send(1, byte(n))
	}
	takes := func(p *control.Peer, want string) {
		t.Helper()
		if got := fmt.Sprintf("%d", g.take(p)); got != want {
			t.Errorf("%v takes %v, want %v", p, got, want)
		}
	}
	takes(workers[0], "[6]")
	takes(beside("mule", 3), "[0 1 3 7]") // what is for any of them goes to the first
	second := beside("mule", 2)
	takes(second, "[1 2]")
	second.Retiring()
	second.Close()
	g.r.Send(1, 2)
	takes(beside("mule", 2), "[2]") // it has waited for the next one
	takes(beside("mule", 1), "[1 4]")
	takes(beside("spooler", 1), "[5]")
	if n := g.r.Waiting(); n != 0 {
		t.Errorf("%d signals wait", n)
	}
	for range 2 * mostBeside {
		g.r.Send(1, 5)
	}
	if n := g.r.Waiting(); n != mostBeside {
		t.Errorf("%d signals wait for one process", n)
	}
	if log := strings.Join(g.logged, "\n"); !strings.Contains(log, "signal 8 is for mule4, and there is no such process") || !strings.Contains(log, "wait for spooler") {
		t.Errorf("the log says %s", log)
	}
}

func TestBounds(t *testing.T) {
	g := newRig(t, 1)
	_, list := g.generation(1, 1, func(z *control.Peer) {
		g.must(g.r.register(z, 1, ""))
		for n := range most {
			g.must(g.r.add(z, &source{kind: "timer", signal: 1, every: time.Duration(n+1) * time.Hour}))
		}
		if err := g.r.add(z, &source{kind: "timer", signal: 1, every: time.Second}); err == nil || !strings.Contains(err.Error(), "there are 64 already") {
			t.Errorf("a 65th timer: %v", err)
		}
		if err := g.r.add(z, &source{kind: "timer", signal: 1}); err == nil {
			t.Error("a timer of 0 seconds is taken")
		}
	})
	for range mostPending + 10 {
		g.r.Send(1, 1)
	}
	g.r.Send(1, 77)
	if n := len(g.take(list[0])); n != mostPending {
		t.Errorf("%d signals waited", n)
	}
	log := strings.Join(g.logged, "\n")
	if !strings.Contains(log, "SIGNAL QUEUE IS FULL") || !strings.Contains(log, "signal 77 is not registered") {
		t.Errorf("the log says %q", log)
	}
}

// TestLeaving has a worker that goes take nothing, and a signal that the new code does not
// know be dropped.
func TestLeaving(t *testing.T) {
	g := newRig(t, 1)
	register := func(signals ...byte) func(*control.Peer) {
		return func(z *control.Peer) {
			for _, s := range signals {
				g.must(g.r.register(z, s, ""))
			}
		}
	}
	_, first := g.generation(1, 1, register(1, 2))
	g.r.Send(1, 1)
	g.r.Send(1, 2)
	_, second := g.generation(2, 1, register(1))
	first[0].Retiring()
	if got := g.take(first[0]); len(got) > 0 {
		t.Errorf("one that goes took %v", got)
	}
	if got := g.take(second[0]); string(got) != "\x01" {
		t.Errorf("its successor took %v", got)
	}
	if n := g.r.Taken(1); n != 1 {
		t.Errorf("worker 1 has handled %d", n)
	}
}

func TestFiles(t *testing.T) {
	g := newRig(t, 1)
	g.r.now = time.Now
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "touched"), filepath.Join(dir, "folder")
	g.must(os.WriteFile(file, nil, 0o600))
	g.must(os.Mkdir(folder, 0o700))
	_, list := g.generation(1, 1, func(z *control.Peer) {
		g.must(g.r.register(z, 1, ""))
		g.must(g.r.register(z, 2, ""))
		g.must(g.r.add(z, &source{kind: "file", signal: 1, path: file}))
		g.must(g.r.add(z, &source{kind: "file", signal: 2, path: folder}))
		if err := g.r.add(z, &source{kind: "file", signal: 1, path: "/no/such/folder/x"}); err == nil {
			t.Error("a file in no folder is taken")
		}
	})
	wait := func(what string, want byte) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			g.r.Tick()
			if got := g.take(list[0]); len(got) > 0 {
				if got[0] != want {
					t.Errorf("%s: signal %d", what, got[0])
				}
				return
			}
		}
		t.Fatalf("%s: no signal", what)
	}
	g.must(os.WriteFile(file, []byte("x"), 0o600))
	wait("a change", 1)
	other := file + ".new"
	g.must(os.WriteFile(other, []byte("y"), 0o600))
	g.must(os.Rename(other, file))
	wait("another file in its place", 1)
	g.must(os.WriteFile(file, []byte("z"), 0o600))
	wait("a change of that", 1)
	g.must(os.WriteFile(filepath.Join(folder, "x"), nil, 0o600))
	wait("a new file in a folder", 2)
}

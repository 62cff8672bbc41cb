package life

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// However often a reload is asked for, one is under way and one waits.
func TestRepeated(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, stop := context.WithCancel(t.Context())
	begun, end := make(chan struct{}), make(chan struct{})
	r := newRepeated(func(context.Context) { begun <- struct{}{}; <-end })
	over := make(chan struct{})
	go func() { defer close(over); r.serve(ctx) }()
	var lines atomic.Int64
	log := func(string, ...any) { lines.Add(1) }
	r.ask(log, "first")
	<-begun
	for range 1000 {
		r.ask(log, "more")
	}
	if n := lines.Load(); n != 3 { // the first, the second, and that it is for all others
		t.Errorf("%d lines in the log, want 3", n)
	}
	end <- struct{}{}
	<-begun // the second
	r.ask(log, "third")
	end <- struct{}{}
	<-begun
	stop()
	end <- struct{}{}
	<-over
	if n := lines.Load(); n != 4 {
		t.Errorf("%d lines in the log, want 4", n)
	}
}

// fakePool is a pool whose reloads end as the test says.
type fakePool struct {
	err                   error
	loading               int
	whole, chain, gaveWay atomic.Int64
}

func (p *fakePool) Reload(context.Context) error      { p.whole.Add(1); return p.err }
func (p *fakePool) ChainReload(context.Context) error { p.chain.Add(1); return p.err }
func (p *fakePool) Loading() int                      { return p.loading }
func (p *fakePool) GiveWay()                          { p.gaveWay.Add(1) }

// rig is a Reloads that runs until the end of the test, and what it said.
type rig struct {
	*Reloads
	mu     sync.Mutex
	lines  []string
	states []string
}

func newRig(t *testing.T, pool Pool, c Causes) *rig {
	t.Helper()
	g := &rig{}
	note := func(to *[]string, line string) {
		g.mu.Lock()
		defer g.mu.Unlock()
		*to = append(*to, line)
	}
	g.Reloads = &Reloads{
		Pool:   pool,
		Logf:   func(format string, args ...any) { note(&g.lines, fmt.Sprintf(format, args...)) },
		Notify: func(state, status string) { note(&g.states, strings.SplitN(state, "\n", 2)[0]+" "+status) },
		Renew:  func() { note(&g.lines, "renewed") },
		Enter:  func() string { return "/srv/app" },
	}
	ctx, stop := context.WithCancel(context.Background())
	wait := g.Start(ctx, c)
	t.Cleanup(func() { stop(); wait() })
	return g
}

// wantLine waits for a line of the log that has this part.
func (g *rig) wantLine(t *testing.T, part string) {
	t.Helper()
	for end := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		all := strings.Join(g.lines, "\n")
		g.mu.Unlock()
		if strings.Contains(all, part) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no line with %q:\n%s", part, all)
		}
	}
}

func (g *rig) wantStates(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		got := slices.Clone(g.states)
		g.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the service manager was told %q, want %q", got, want)
		}
	}
}

func TestReload(t *testing.T) {
	t.Run("succeeds", func(t *testing.T) {
		g := newRig(t, &fakePool{}, Causes{})
		g.Ask("SIGHUP received: reloading")
		g.wantLine(t, "SIGHUP received: reloading\nrenewed\n*** uwsgo has reloaded after ")
		g.wantLine(t, "in /srv/app ***")
		g.wantStates(t, "RELOADING=1 loading new code", "READY=1 serving requests")
	})
	t.Run("fails", func(t *testing.T) {
		g := newRig(t, &fakePool{err: errors.New("no module")}, Causes{})
		g.Ask("reloading")
		g.wantStates(t, "RELOADING=1 loading new code", "READY=1 serving requests with the old code, as the new one could not be loaded")
	})
	t.Run("without_workers", func(t *testing.T) {
		g := newRig(t, nil, Causes{})
		g.Ask("reloading")
		g.AskChain("replacing")
		g.wantLine(t, "there are no workers to reload")
	})
	t.Run("while_one_loads", func(t *testing.T) {
		pool := &fakePool{loading: 42}
		g := newRig(t, pool, Causes{})
		g.Ask("reloading")
		g.wantLine(t, "reloading, after the one that is under way (process 42), which is given up if it hangs")
		if n := pool.gaveWay.Load(); n != 1 {
			t.Errorf("the pool was told %d times that another is to follow, want once", n)
		}
	})
}

// With exit-on-reload a reload of the server is its end; one of the workers is not.
func TestInstead(t *testing.T) {
	pool := &fakePool{}
	g := newRig(t, pool, Causes{})
	var asked []string
	g.Instead = func(why string) { asked = append(asked, why) }
	g.Ask("SIGHUP")
	g.AskWorkers("workers alone")
	g.wantLine(t, "workers alone")
	g.wantLine(t, "*** uwsgo has reloaded after ")
	if n := pool.whole.Load(); n != 1 || !slices.Equal(asked, []string{"SIGHUP"}) {
		t.Errorf("%d reloads, and instead of one %q", n, asked)
	}
}

// Reloads that overlap, one of them of the binary, are one to the service manager.
func TestTellOnce(t *testing.T) {
	g := newRig(t, &fakePool{}, Causes{})
	g.Tell(1, "replacing the binary")
	g.Tell(1, "loading new code")
	g.Tell(-1, "serving requests")
	g.Tell(-1, "serving requests")
	g.wantStates(t, "RELOADING=1 replacing the binary", "READY=1 serving requests")
}

func TestCauses(t *testing.T) {
	dir := t.TempDir()
	touch, chain := filepath.Join(dir, "touch"), filepath.Join(dir, "chain")
	workers, contents := filepath.Join(dir, "workers"), filepath.Join(dir, "contents")
	code := make(chan string)
	pool := &fakePool{}
	g := newRig(t, pool, Causes{Touch: []string{touch}, TouchChain: []string{chain}, TouchWorkers: []string{workers}, Contents: []string{contents}, Every: time.Millisecond, Code: code})
	code <- "/srv/app/shop.py"
	g.wantLine(t, "module/file /srv/app/shop.py has been modified")
	for _, path := range []string{touch, chain, workers, contents} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		g.wantLine(t, path+" has ")
	}
	for end := time.Now().Add(patient); pool.whole.Load() == 0 || pool.chain.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d reloads, %d chain reloads", pool.whole.Load(), pool.chain.Load())
		}
	}
}

package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
)

const (
	workers = 4
	threads = 2
)

// pool are the options of 4 × 2 workers.
var pool = []string{"--processes", fmt.Sprint(workers), "--threads", fmt.Sprint(threads)}

// steady is the load of the scenarios that replace workers.
func steady(inFull, short time.Duration, routes ...load.Route) load.Options {
	return load.Options{Routes: routes, Connections: 256, Rate: rate(1000, 300), Duration: lasting(inFull, short)}
}

func under(o load.Options) string {
	return fmt.Sprintf("%v at %.0f requests a second on %d × %d workers", o.Duration, o.Rate, workers, threads)
}

// killer kills one worker after the other.
type killer struct {
	s  *server
	mu sync.Mutex
	// Guarded by mu.
	killed []int
	n      int
}

// kill kills the next worker that serves.
func (k *killer) kill() {
	got, err := k.s.snapshot()
	if err != nil || len(got.Workers) == 0 {
		return // the server is checked by those it serves
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	pid := got.Workers[k.n%len(got.Workers)].PID
	k.n++
	if pid > 0 && !slices.Contains(k.killed, pid) {
		k.killed = append(k.killed, pid)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

func (k *killer) all() []int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.killed)
}

// killings notes what killing has cost.
func (f *finding) killings(a account, k *killer) {
	f.t.Helper()
	killed, lost := len(k.all()), a.statuses[502]+a.cut
	f.must(killed > 0, "workers killed", killed, "at least 1")
	f.must(lost <= killed*threads, "answered 502 or cut off, running in a killed worker", lost, fmt.Sprintf("at most %d for each worker killed", threads))
}

func TestWorkersKilled(t *testing.T) {
	s := start(t, pool...)
	o := steady(time.Minute, 5*time.Second, route("/short"))
	f := newFinding(t, "A worker killed every second", under(o)+"; every second one worker gets SIGKILL.")
	k := &killer{s: s}
	stop := during(time.Second, k.kill)
	a := s.ask(t, o, allowed{killed: k.all})
	stop()
	f.account(a)
	f.killings(a, k)
}

func TestReloads(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			args := pool
			every := lasting(2*time.Second, time.Second)
			title, about := "Reloads", fmt.Sprintf("; SIGHUP every %v.", every)
			if lazy {
				args = append(slices.Clone(pool), "--lazy-apps")
				title, about = title+", lazy-apps", about+" Each worker loads the app for itself."
			}
			s := start(t, args...)
			o := steady(time.Minute, 5*time.Second, route("/short"))
			f := newFinding(t, title, under(o)+about)
			asked := 0
			stop := during(every, func() {
				asked++
				_ = s.cmd.Process.Signal(syscall.SIGHUP) // a server that has ended answers nobody, either
			})
			a := s.ask(t, o, allowed{})
			stop()
			f.account(a)
			// A SIGHUP that comes during a reload does not have to be one more.
			s.waitLog(t, "uwsgo has reloaded", 1)
			f.figure("reloads asked for, done", fmt.Sprintf("%d, %d", asked, strings.Count(s.log.String(), "uwsgo has reloaded")))
			n := s.respawns(t)
			f.must(n >= workers, "workers replaced", n, fmt.Sprintf("at least %d", workers))
		})
	}
}

func TestReloadsAndKills(t *testing.T) {
	s := start(t, pool...)
	o := steady(time.Minute, 6*time.Second, route("/short"))
	f := newFinding(t, "Both: kills and reloads", under(o)+"; SIGHUP every two seconds, and SIGKILL to a worker every second.")
	k := &killer{s: s}
	stopKills := during(time.Second, k.kill)
	stopReloads := during(2*time.Second, func() { _ = s.cmd.Process.Signal(syscall.SIGHUP) })
	a := s.ask(t, o, allowed{killed: k.all})
	stopKills()
	stopReloads()
	f.account(a)
	f.killings(a, k)
	s.waitLog(t, "uwsgo has reloaded", 1)
}

func TestRecycling(t *testing.T) {
	for _, tt := range []struct {
		name, title, about, path string
		args                     []string
	}{
		{
			"max_requests", "Workers recycled by max-requests", "; max-requests=100 and min-worker-lifetime=1.", "/short",
			[]string{"--max-requests", "100", "--min-worker-lifetime", "1"},
		},
		{
			"reload_on_rss", "An app that leaks", "; each request leaks 100 kB, reload-on-rss=64 and min-worker-lifetime=1.", "/leak",
			[]string{"--reload-on-rss", "64", "--min-worker-lifetime", "1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, append(slices.Clone(pool), tt.args...)...)
			o := steady(time.Minute, 5*time.Second, route(tt.path))
			if tt.path == "/leak" {
				o.Rate = rate(1000, 600)
			}
			f := newFinding(t, tt.title, under(o)+tt.about)
			a := s.ask(t, o, allowed{})
			f.account(a)
			eventually(t, "a recycled worker", func() error {
				if s.respawns(t) == 0 {
					return errNotYet
				}
				return nil
			})
			f.figure("workers replaced", s.respawns(t))
		})
	}
}

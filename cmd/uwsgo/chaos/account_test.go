package chaos

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
)

// key names a request: its path, which is also the name of its route, and its number.
type key struct{ path, number string }

// ran is what the app said of a request: the processes that began it and ended it.
type ran struct{ begun, ended []int }

// account is what became of all requests of one load.
type account struct {
	asked    int
	right    int
	cut      int            // answers that ended with their worker, as the client could tell
	statuses map[int]int    // of answers other than the right one: 502, 503, 504
	faults   []string       // what no client and no operator should see
	kept     latencies      // of right answers
	refused  latencies      // of 503
	late     latencies      // of 504
	outcomes []load.Outcome // in the order in which they came
}

// latencies are the times that answers of a kind took.
type latencies struct {
	times  []time.Duration
	sorted bool
}

func (l *latencies) add(d time.Duration) {
	l.times = append(l.times, d)
	l.sorted = false
}

// percentile is the time within which that many percent were answered, 0 if there
// were none.
func (l *latencies) percentile(p float64) time.Duration {
	if len(l.times) == 0 {
		return 0
	}
	if !l.sorted {
		slices.Sort(l.times)
		l.sorted = true
	}
	return l.times[max(0, int(math.Ceil(p/100*float64(len(l.times))))-1)]
}

func (l *latencies) most() time.Duration { return l.percentile(100) }

// route asks for a path with the number of the request.
func route(path string) load.Route {
	return load.Route{Weight: 1, Request: load.Request{
		Name: path, Path: path + "?" + load.Number, Want: []byte("request " + load.Number + " is done"),
	}}
}

// allowed says which answers other than the right one a scenario may bring.
type allowed struct {
	killed   func() []int // workers that were killed: theirs may be answered 502
	refusals bool         // 503, for requests that are never run
	hangs    bool         // 504, for requests that never end
}

// ask makes a load and accounts for every request of it.
func (s *server) ask(t *testing.T, o load.Options, may allowed) account {
	t.Helper()
	o.Target = s.target()
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	var outcomes []load.Outcome // one thread of load, so nothing is shared
	o.Heard = func(one load.Outcome) { outcomes = append(outcomes, one) }
	before := s.notesSize(t)
	if _, err := load.Run(t.Context(), o); err != nil {
		t.Errorf("making the load: %v", err)
	}
	notes, err := readNotes(s.notes, before)
	if err != nil {
		t.Fatal(err)
	}
	return settle(outcomes, notes, may)
}

func (s *server) notesSize(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(s.notes)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// readNotes reads what the app has said since its file had that size.
func readNotes(path string, from int64) (map[key]*ran, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(from, 0); err != nil {
		return nil, err
	}
	notes := map[key]*ran{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var what string
		var k key
		var pid int
		if _, err := fmt.Sscanf(lines.Text(), "%s %s %s %d", &what, &k.path, &k.number, &pid); err != nil {
			return nil, fmt.Errorf("%q: %w", lines.Text(), err)
		}
		r := notes[k]
		if r == nil {
			r = &ran{}
			notes[k] = r
		}
		if what == "+" {
			r.begun = append(r.begun, pid)
		} else {
			r.ended = append(r.ended, pid)
		}
	}
	return notes, nil
}

// settle compares what the clients were told with what the app ran.
func settle(outcomes []load.Outcome, notes map[key]*ran, may allowed) account {
	a := account{statuses: map[int]int{}, outcomes: outcomes}
	var killed []int
	if may.killed != nil {
		killed = may.killed()
	}
	heard := map[key]bool{}
	for _, o := range outcomes {
		k := key{o.Route, fmt.Sprintf("%010d", o.Number)}
		r := notes[k]
		if r == nil {
			r = &ran{}
		}
		fault := func(what string) {
			a.faults = append(a.faults, fmt.Sprintf("%s?%s, due at %v: %s (%q, status %d, after %v; begun by %v, ended by %v)",
				k.path, k.number, o.Due, what, o.Kind, o.Status, o.Took, r.begun, r.ended))
		}
		if !heard[k] {
			a.asked++
		}
		heard[k] = true
		if o.Kind == load.KindStatus {
			a.statuses[o.Status]++
		}
		switch {
		case len(r.begun) > 1:
			fault("run more than once")
		case o.Kind == "":
			a.right++
			a.kept.add(o.Took)
			if len(r.begun) != 1 || len(r.ended) != 1 {
				fault("answered, but not run to its end")
			}
		case o.Kind == load.KindStatus && o.Status == http.StatusBadGateway && may.killed != nil:
			// One that had been given to the worker may not have reached the app yet.
			if len(r.begun) == 1 && !slices.Contains(killed, r.begun[0]) {
				fault("lost by a worker that was not killed")
			}
		case o.Kind == load.KindClosedEarly && may.killed != nil:
			a.cut++
			if len(r.begun) != 1 || !slices.Contains(killed, r.begun[0]) {
				fault("cut off, but not by the end of its worker")
			}
		case o.Kind == load.KindStatus && o.Status == http.StatusServiceUnavailable && may.refusals:
			a.refused.add(o.Took)
			if len(r.begun) > 0 {
				fault("refused, and run nevertheless")
			}
		case o.Kind == load.KindStatus && o.Status == http.StatusGatewayTimeout && may.hangs:
			a.late.add(o.Took)
			if len(r.begun) != 1 || len(r.ended) != 0 {
				fault("timed out, but not while it ran")
			}
		default:
			fault("lost or wrong")
		}
	}
	return a
}

// clean fails the test for each request that was lost, wrong or run twice.
func (a account) clean(t *testing.T) {
	t.Helper()
	if a.asked == 0 || a.right == 0 {
		t.Errorf("%d requests were asked, %d answered", a.asked, a.right)
	}
	for _, f := range a.faults[:min(len(a.faults), 10)] {
		t.Error(f)
	}
	if more := len(a.faults) - 10; more > 0 {
		t.Errorf("and %d more", more)
	}
}

// during calls f again and again, that far apart, until stop is called.
func during(every time.Duration, f func()) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				f()
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}

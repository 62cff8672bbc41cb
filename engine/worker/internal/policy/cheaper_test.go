package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// cycles makes demands, one a second, and returns what an algorithm says to each.
func cycles(a Scaler, demands ...Demand) (said []int) {
	now := time.Unix(1000, 0)
	for _, d := range demands {
		now = now.Add(time.Second)
		d.Now = now
		said = append(said, a.Decide(d))
	}
	return said
}

func times(n int, d Demand) (list []Demand) {
	for range n {
		list = append(list, d)
	}
	return list
}

func TestAlgorithms(t *testing.T) {
	all := func(parts ...[]Demand) (list []Demand) {
		for _, p := range parts {
			list = append(list, p...)
		}
		return list
	}
	full := Demand{Running: 2, Cheap: 2, Busy: 2}
	half := Demand{Running: 2, Cheap: 2, Busy: 1}
	idle := Demand{Running: 3, Cheap: 1}
	waits := func(n int) Demand { return Demand{Running: 2, Cheap: 2, Busy: 2, Waiting: n} }
	for _, tt := range []struct {
		name    string
		a       Scaler
		demands []Demand
		want    string
	}{
		{"spare_starts_after_overload", &spare{least: 1, step: 1, cycles: 3}, times(4, full), "[0 0 1 0]"},
		{"spare_starts_a_step", &spare{least: 1, step: 5, cycles: 1}, times(1, full), "[2]"},
		{"spare_has_no_more", &spare{least: 1, step: 1, cycles: 1}, times(1, Demand{Running: 4, Busy: 4}), "[0]"},
		{"spare_keeps_one", &spare{least: 1, step: 1, cycles: 1}, times(3, half), "[0 0 0]"},
		{"spare_forgets_slowly", &spare{least: 1, step: 1, cycles: 3}, all(times(2, full), times(1, half), times(2, full)), "[0 0 0 0 1]"},
		{"spare_ends_one_each_time", &spare{least: 1, step: 1, cycles: 2}, times(4, idle), "[0 -1 0 -1]"},
		{"spare_has_the_least", &spare{least: 3, step: 1, cycles: 1}, times(2, idle), "[0 0]"},
		{"backlog_starts", backlogged{least: 1, step: 1, limit: 3}, times(2, waits(4)), "[1 1]"},
		{"backlog_starts_a_step", backlogged{least: 1, step: 9, limit: 3}, times(1, waits(4)), "[2]"},
		{"backlog_is_content", backlogged{least: 1, step: 1, limit: 3}, times(1, waits(3)), "[0]"},
		{"backlog_ends_one", backlogged{least: 1, step: 1, limit: 3}, times(1, waits(2)), "[-1]"},
		{"backlog_has_the_least", backlogged{least: 2, step: 1, limit: 3}, times(1, waits(0)), "[0]"},
		{"manual", manual{}, times(2, waits(99)), "[0 0]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := fmt.Sprint(cycles(tt.a, tt.demands...)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// hours runs the algorithm busyness; each step is so many seconds with that part of the
// time of the running workers' threads busy.
type hours struct {
	*busyness
	Demand
	log []string
}

func newHours(c launch.Cheaper, running, cheap int) *hours {
	h := &hours{Demand: Demand{Now: time.Unix(1000, 0), Running: running, Cheap: cheap}}
	c, err := c.WithDefaults(running + cheap)
	if err != nil {
		panic(err)
	}
	h.busyness = newBusyness(&c, 2, h.Now, func(line string) { h.log = append(h.log, line) })
	return h
}

func (h *hours) pass(seconds int, busy float64) (said []int) {
	for range seconds {
		h.Now = h.Now.Add(time.Second)
		h.Demand.Work += time.Duration(busy * 2 * float64(h.Running) * float64(time.Second))
		n := h.Decide(h.Demand)
		if h.Running, h.Cheap = h.Running+n, h.Cheap-n; n != 0 {
			said = append(said, n)
		}
	}
	return said
}

func TestBusyness(t *testing.T) {
	three := launch.Cheaper{Min: 1, Step: 2, Overload: 3}
	t.Run("starts_when_busy", func(t *testing.T) {
		if got := fmt.Sprint(newHours(three, 1, 3).pass(6, 0.9)); got != "[2 1]" {
			t.Errorf("got %s, want a step and the rest", got)
		}
	})
	t.Run("says_that_there_are_no_more", func(t *testing.T) {
		h := newHours(launch.Cheaper{Min: 1, Overload: 1}, 2, 0)
		h.pass(1, 0.6)
		if got := strings.Join(h.log, "\n"); got != "[busyness] 1s average busyness is at 60% but we already started maximum number of workers (2)" {
			t.Errorf("log: %s", got)
		}
	})
	t.Run("ends_one_after_long", func(t *testing.T) {
		h := newHours(three, 3, 1)
		if got := h.pass(29, 0); len(got) != 0 {
			t.Errorf("after 29 s: %d, want none", got)
		}
		if got := fmt.Sprint(h.pass(61, 0)); got != "[-1 -1]" {
			t.Errorf("after 90 s: %s, want two, 30 s apart", got)
		}
		if got := h.pass(100, 0); len(got) != 0 {
			t.Errorf("the last one was ended: %d", got)
		}
	})
	t.Run("between_nothing_happens", func(t *testing.T) {
		if got := newHours(three, 3, 1).pass(300, 0.4); len(got) != 0 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("penalty_and_its_end", func(t *testing.T) {
		h := newHours(launch.Cheaper{Min: 1, Step: 1, Overload: 1}, 2, 1)
		h.pass(10, 0)
		h.pass(1, 0.9)
		if h.multiplier != 12 {
			t.Errorf("multiplier is %d, want 12: a worker was started right after one was ended", h.multiplier)
		}
		h.pass(100, 0)
		h.pass(1, 0.9)
		if h.multiplier != 11 {
			t.Errorf("multiplier is %d, want 11", h.multiplier)
		}
	})
	t.Run("many_wait", func(t *testing.T) {
		h := newHours(three, 2, 2)
		h.Waiting = 34
		if got := fmt.Sprint(h.pass(1, 0)); got != "[1]" {
			t.Errorf("got %s, want an emergency worker at once", got)
		}
		h.Waiting = 0
		if got := fmt.Sprint(h.pass(11, 0)); got != "[-1]" {
			t.Errorf("got %s, want it to end after three units", got)
		}
	})
	t.Run("some_wait_for_long", func(t *testing.T) {
		h := newHours(launch.Cheaper{Min: 1, Overload: 1000}, 1, 1)
		h.Waiting = 1
		if got := fmt.Sprint(h.pass(60, 0), h.pass(1, 0)); got != "[] [1]" {
			t.Errorf("got %s, want one after a minute", got)
		}
	})
	t.Run("work_of_the_dead", func(t *testing.T) {
		h := newHours(three, 1, 1)
		h.Demand.Work = time.Hour
		h.pass(3, 0.4)
		h.Demand.Work = 0
		if got := h.pass(3, 0); len(got) != 0 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("verbose", func(t *testing.T) {
		h := newHours(launch.Cheaper{Min: 1, Overload: 1, Busyness: launch.Busyness{Verbose: true}}, 2, 1)
		h.pass(1, 0)
		want := "[busyness] 1s average busyness of 2 worker(s) is at 0%\n[busyness] need to wait 9 more second(s) to cheap worker"
		if got := strings.Join(h.log, "\n"); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// constant is an algorithm that always wants the same.
type constant int

func (c constant) Decide(Demand) int { return int(c) }

func TestBoundsOfMemory(t *testing.T) {
	for _, tt := range []struct {
		name       string
		soft, hard int64
		n, running int
		resident   int64
		want       int
	}{
		{"below", 100, 200, 2, 3, 99, 2},
		{"soft", 100, 200, 2, 3, 100, 0},
		{"soft_lets_end", 100, 200, -1, 3, 150, -1},
		{"hard", 100, 200, 2, 3, 200, -1},
		{"hard_last_one", 100, 200, 1, 1, 300, 0},
		{"soft_alone", 100, 0, 1, 3, 1000, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := bounded{constant(tt.n), tt.soft, tt.hard, func(string) {}}
			if got := b.Decide(Demand{Running: tt.running, Resident: tt.resident}); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

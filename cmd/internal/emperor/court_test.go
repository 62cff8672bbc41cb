package emperor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// play is a court with a clock of its own. Its steps are words: what happens, then what is
// ordered.
type play struct {
	*Court
	now   time.Time
	files []File
	log   strings.Builder
}

func newPlay(p Policy) *play {
	s := &play{now: time.Unix(1_000_000, 0)}
	if p.Throttle == 0 {
		p.Throttle, p.MaxThrottle = time.Second, 3*time.Second
	}
	if p.Curse == 0 {
		p.Curse = time.Minute
	}
	s.Court = NewCourt(p, func(f string, a ...any) { fmt.Fprintf(&s.log, f+"\n", a...) })
	return s
}

func (s *play) file(name string) *File {
	for i := range s.files {
		if s.files[i].Name == name {
			return &s.files[i]
		}
	}
	s.files = append(s.files, File{ID: "/v/" + name, Name: name, UID: 1000, GID: 1000, Mark: Mark{Time: s.now}})
	return &s.files[len(s.files)-1]
}

// do is one thing that happens: "touch a" and its kin.
func (s *play) do(t *testing.T, what string) {
	t.Helper()
	verb, rest, _ := strings.Cut(what, " ")
	name, arg, _ := strings.Cut(rest, " ")
	id := "/v/" + name
	scan := false
	switch verb {
	case "new":
		f := s.file(name)
		f.Demand, scan = arg, true
	case "root":
		f := s.file(name)
		f.UID, f.GID, scan = 0, 0, true
	case "chown":
		s.file(name).UID, scan = 1001, true
	case "touch":
		f := s.file(name)
		f.Mark.Time, scan = f.Mark.Time.Add(time.Nanosecond), true
	case "rm":
		for i := range s.files {
			if s.files[i].Name == name {
				s.files = append(s.files[:i], s.files[i+1:]...)
				break
			}
		}
		scan = true
	case "look":
		scan = true
	case "wait":
		d, err := time.ParseDuration(name)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case "loyal":
		s.Told(s.now, id, Loyal)
	case "beat":
		s.Told(s.now, id, Heartbeat)
	case "leave":
		s.Told(s.now, id, Leaving)
	case "connect":
		s.Connected(s.now, id)
	case "die":
		s.Died(s.now, id, "exit code 1")
	case "fail":
		s.Failed(s.now, id, errors.New("no such program"))
	case "hup":
		s.ReloadAll(s.now)
	case "bury":
		s.Bury(s.now)
	case "insist":
		s.Insist(s.now)
	default:
		t.Fatalf("unknown step %q", what)
	}
	if scan {
		s.Scanned(s.now, "/v", append([]File(nil), s.files...))
	}
}

// ordered are the orders of now, in words, and those that follow from them.
func (s *play) ordered() string {
	var words []string
	for {
		orders, _ := s.Orders(s.now)
		if len(orders) == 0 {
			return strings.Join(words, ", ")
		}
		for _, o := range orders {
			words = append(words, o.Act.String()+" "+o.File.Name)
		}
	}
}

func TestCourt(t *testing.T) {
	for _, tt := range []struct {
		name   string
		policy Policy
		steps  []string // "what happens -> what is ordered"
	}{
		{"new_touch_delete", Policy{}, []string{"new a -> start a", "loyal a -> ", "look -> ", "touch a -> renew a", "look -> ", "rm a -> end a", "die a -> dismissed a", "wait 1h -> "}},
		{"several", Policy{}, []string{"new a -> start a", "new b -> start b", "rm a -> end a", "die a -> dismissed a", "touch b -> end b", "die b -> start b"}},
		{"back_off_grows_to_its_bound", Policy{}, []string{
			"new a -> start a", "die a -> start a", "die a -> ", "wait 999ms -> ", "wait 1ms -> start a",
			"die a -> ", "wait 1s -> ", "wait 1s -> start a", "die a -> ", "wait 3s -> start a", "die a -> ", "wait 2s -> ", "wait 1s -> start a",
		}},
		{"touched_in_the_pause", Policy{}, []string{"new a -> start a", "die a -> start a", "die a -> ", "touch a -> start a", "die a -> start a", "die a -> "}},
		{"no_blacklist", Policy{NoBlacklist: true}, []string{"new a -> start a", "die a -> ", "wait 1s -> start a", "die a -> ", "wait 1s -> start a", "die a -> ", "wait 1s -> start a"}},
		{"cannot_be_started", Policy{}, []string{"new a -> start a", "fail a -> start a", "fail a -> ", "wait 1s -> start a"}},
		{"dies_after_years", Policy{}, []string{"new a -> start a", "loyal a -> ", "wait 1h -> ", "die a -> start a", "loyal a -> ", "wait 1h -> ", "die a -> start a"}},
		{"loyal_and_dies_at_once", Policy{}, []string{"new a -> start a", "loyal a -> ", "die a -> start a", "loyal a -> ", "die a -> ", "wait 1s -> start a"}},
		{"hangs_at_its_start_and_is_mended", Policy{}, []string{"new a -> start a", "wait 1h -> ", "touch a -> end a", "touch a -> ", "die a -> start a"}},
		{"does_not_stop", Policy{}, []string{"new a -> start a", "loyal a -> ", "rm a -> end a", "wait 59s -> ", "wait 1s -> kill a", "die a -> dismissed a"}},
		{"comes_back_while_it_stops", Policy{}, []string{"new a -> start a", "loyal a -> ", "rm a -> end a", "new a -> ", "die a -> dismissed a", "look -> start a"}},
		{"heartbeat", Policy{Heartbeat: 30 * time.Second}, []string{"new a -> start a", "loyal a -> ", "wait 1h -> ", "beat a -> ", "wait 29s -> ", "beat a -> ", "wait 29s -> ", "wait 1s -> kill a", "wait 1h -> ", "die a -> start a"}},
		{"asks_to_leave", Policy{}, []string{"new a -> start a", "loyal a -> ", "leave a -> end a", "die a -> start a"}},
		{"on_demand", Policy{}, []string{"new a /run/a.sock -> listen a", "look -> ", "touch a -> ", "connect a -> start a", "connect a -> ", "loyal a -> ", "touch a -> renew a", "leave a -> end a", "die a -> listen a", "rm a -> dismissed a"}},
		{"on_demand_that_fails", Policy{}, []string{"new a /run/a.sock -> listen a", "connect a -> start a", "die a -> listen a", "connect a -> start a", "die a -> ", "wait 1s -> listen a"}},
		{"on_demand_no_more", Policy{}, []string{"new a /run/a.sock -> listen a", "new a -> dismissed a", "look -> start a", "loyal a -> ", "new a /run/a.sock -> end a", "die a -> dismissed a", "look -> listen a"}},
		{"tyrant_and_root", Policy{Tyrant: true}, []string{"root a -> ", "look -> ", "new b -> start b"}},
		{"tyrant_and_another_owner", Policy{Tyrant: true}, []string{"new a -> start a", "loyal a -> ", "chown a -> end a", "look -> ", "die a -> dismissed a", "look -> start a"}},
		{"tyrant_given_to_root", Policy{Tyrant: true}, []string{"new a -> start a", "loyal a -> ", "root a -> end a", "die a -> dismissed a", "look -> "}},
		{"owner_without_tyrant", Policy{}, []string{"root a -> start a", "loyal a -> ", "chown a -> "}},
		{"reload_of_all", Policy{}, []string{"new a -> start a", "new b -> start b", "loyal a -> ", "die b -> start b", "die b -> ", "hup -> renew a, start b"}},
		{"end_of_all", Policy{}, []string{"new a -> start a", "new b /run/b.sock -> listen b", "loyal a -> ", "bury -> end a, dismissed b", "new c -> ", "insist -> kill a", "die a -> dismissed a"}},
		{"end_while_one_starts", Policy{}, []string{"new a -> start a", "bury -> end a", "die a -> dismissed a"}},
		{"end_while_one_restarts", Policy{}, []string{"new a -> start a", "loyal a -> ", "leave a -> end a", "bury -> ", "die a -> dismissed a"}},
		{"few_at_once", Policy{AtOnce: 1}, []string{"new a -> start a", "new b -> ", "new c -> ", "loyal a -> start b", "wait 5s -> start c"}},
		{"gone_before_its_turn", Policy{AtOnce: 1}, []string{"new a -> start a", "new b -> ", "rm b -> dismissed b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newPlay(tt.policy)
			for i, step := range tt.steps {
				what, want, _ := strings.Cut(step, " -> ")
				s.do(t, what)
				if got := s.ordered(); got != strings.TrimSpace(want) {
					t.Fatalf("step %d, %s: %q, want %q\n%s", i, what, got, want, s.log.String())
				}
			}
		})
	}
}

// The court says when to come back, and then there is something to do.
func TestNext(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []string
		want  time.Duration
	}{
		{"nothing", nil, -1},
		{"pause", []string{"new a", "die a", "die a"}, time.Second},
		{"stop", []string{"new a", "rm a"}, time.Minute},
		{"heartbeat", []string{"new a", "loyal a", "beat a"}, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newPlay(Policy{Heartbeat: 30 * time.Second})
			for _, what := range tt.steps {
				s.do(t, what)
				s.ordered()
			}
			_, next := s.Orders(s.now)
			if next.IsZero() != (tt.want < 0) {
				t.Fatalf("next is %v", next)
			}
			if tt.want < 0 {
				return
			}
			if got := next.Sub(s.now); got != tt.want {
				t.Fatalf("%v, want %v", got, tt.want)
			}
			s.now = next
			if s.ordered() == "" {
				t.Error("nothing is to be done then")
			}
		})
	}
}

// Files of one monitor say nothing of those of another, and the first has a file of both.
func TestSeveralMonitors(t *testing.T) {
	s := newPlay(Policy{})
	f := File{ID: "/v/a.ini", Name: "a.ini"}
	s.Scanned(s.now, "/v", []File{f})
	s.Scanned(s.now, "/*/a.ini", []File{f, {ID: "/w/a.ini", Name: "/w/a.ini"}})
	if got := s.ordered(); got != "start a.ini, start /w/a.ini" {
		t.Errorf("%s", got)
	}
	s.Scanned(s.now, "/*/a.ini", nil)
	if got := s.ordered(); got != "end /w/a.ini" {
		t.Errorf("%s", got)
	}
}

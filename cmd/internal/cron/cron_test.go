package cron

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/cmd/internal/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMatches(t *testing.T) {
	// Wednesday, 25 November 2026, 14:30.
	noon := time.Date(2026, 11, 25, 14, 30, 59, 0, time.UTC)
	sunday := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		give Schedule
		at   time.Time
		want bool
	}{
		{"every_minute", Every, noon, true},
		{"that_minute", Schedule{30, -1, -1, -1, -1}, noon, true},
		{"another_minute", Schedule{31, -1, -1, -1, -1}, noon, false},
		{"every_tenth", Schedule{-10, -1, -1, -1, -1}, noon, true},
		{"every_seventh", Schedule{-7, -1, -1, -1, -1}, noon, false},
		{"that_hour", Schedule{30, 14, -1, -1, -1}, noon, true},
		{"another_hour", Schedule{30, 15, -1, -1, -1}, noon, false},
		{"every_second_hour", Schedule{-1, -2, -1, -1, -1}, noon, true},
		{"that_day", Schedule{-1, -1, 25, -1, -1}, noon, true},
		{"another_day", Schedule{-1, -1, 26, -1, -1}, noon, false},
		{"that_month", Schedule{-1, -1, -1, 11, -1}, noon, true},
		{"another_month", Schedule{-1, -1, -1, 10, -1}, noon, false},
		{"that_weekday", Schedule{-1, -1, -1, -1, 3}, noon, true},
		{"another_weekday", Schedule{-1, -1, -1, -1, 4}, noon, false},
		{"sunday_is_0", Schedule{-1, -1, -1, -1, 0}, sunday, true},
		{"sunday_is_7", Schedule{-1, -1, -1, -1, 7}, sunday, true},
		{"midnight", Schedule{0, 0, -1, -1, -1}, sunday, true},
		{"day_or_weekday_by_day", Schedule{-1, -1, 25, -1, 4}, noon, true},
		{"day_or_weekday_by_weekday", Schedule{-1, -1, 1, -1, 3}, noon, true},
		{"neither_day_nor_weekday", Schedule{-1, -1, 1, -1, 4}, noon, false},
		{"every_fifth_day_and_that_weekday", Schedule{-1, -1, -5, -1, 3}, noon, true},
		{"every_fourth_day_and_that_weekday", Schedule{-1, -1, -4, -1, 3}, noon, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.give.Matches(tt.at); got != tt.want {
				t.Errorf("%+v at %v: %v", tt.give, tt.at, got)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, give string
		parse      func(string) (Job, error)
		want       Job
	}{
		{"usual", "59 2 -1 -1 -1 /usr/bin/backup  --all 3", Parse, Job{Schedule: Schedule{59, 2, -1, -1, -1}, Command: "/usr/bin/backup  --all 3"}},
		{"spaces", " 0  0  1  1  7   date ", Parse, Job{Schedule: Schedule{0, 0, 1, 1, 7}, Command: "date"}},
		{"keys", "minute=-5,hour=3,unique=1,harakiri=60 date -u", Parse2, Job{Schedule{-5, 3, -1, -1, -1}, "date -u", true, time.Minute}},
		{"no_keys", "date -u", Parse2, Job{Schedule: Every, Command: "date -u"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.parse(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		name, give string
		parse      func(string) (Job, error)
		want       string
	}{
		{"empty", "", Parse, "not of the form"},
		{"words", "every day at noon do it", Parse, "not of the form"},
		{"crontab", "* * * * * date", Parse, "not of the form"},
		{"four_numbers", "1 2 3 4 date", Parse, "not of the form"},
		{"no_command", "1 2 3 4 5", Parse, "no command"},
		{"minute", "60 -1 -1 -1 -1 date", Parse, "minute is 60"},
		{"day_zero", "-1 -1 0 -1 -1 date", Parse, "day is 0"},
		{"far_below", "-61 -1 -1 -1 -1 date", Parse, "minute is -61"},
		{"overflow", "99999999999999999999 -1 -1 -1 -1 date", Parse, "not of the form"},
		{"key", "second=1 date", Parse2, `"second" is none of`},
		{"value", "minute=x date", Parse2, "KEY=NUMBER"},
		{"harakiri", "harakiri=-1 date", Parse2, "harakiri=-1"},
		{"keys_without_command", "minute=1", Parse2, "no command"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.parse(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want an error with %q", err, tt.want)
			}
		})
	}
}

// FuzzParse: nothing panics, and what is taken can be asked for a time.
func FuzzParse(f *testing.F) {
	f.Add("-1 -1 -1 -1 -1 date")
	f.Add("minute=-5,unique=1 date")
	f.Fuzz(func(t *testing.T, value string) {
		for _, parse := range []func(string) (Job, error){Parse, Parse2} {
			if j, err := parse(value); err == nil {
				if j.Command == "" {
					t.Error("a job without a command")
				}
				j.Matches(time.Unix(0, 0))
			}
		}
	})
}

// lines collects what a runner logs.
type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += fmt.Sprintf(format, args...) + "\n"
}

func (l *lines) wait(t *testing.T, want string) {
	t.Helper()
	for range 4000 {
		l.mu.Lock()
		text := l.text
		l.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never logged %q, but %q", want, l.text)
}

func starter(t *testing.T, jobs ...Job) (*Runner, *lines, string) {
	t.Helper()
	dir := t.TempDir()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	log := &lines{}
	return Start(jobs, func(line string) command.Command { return command.Command{Line: line, Dir: dir, Output: null} }, log.add), log, dir
}

func TestRunner(t *testing.T) {
	r, log, dir := starter(t,
		Job{Schedule: Every, Command: "touch ran; exit 3"},
		Job{Schedule: Schedule{-1, -1, 31, 2, -1}, Command: "touch never"}, // 31 February
	)
	log.wait(t, `command "touch ran; exit 3" running with pid `)
	if _, err := os.Stat(filepath.Join(dir, "ran")); err != nil {
		t.Error(err)
	}
	r.Stop(context.Background())
	if _, err := os.Stat(filepath.Join(dir, "never")); err == nil {
		t.Error("it ran what is never due")
	}
}

func TestRunnerHarakiri(t *testing.T) {
	r, log, _ := starter(t, Job{Schedule: Every, Command: "sleep 1000", Harakiri: 10 * time.Millisecond})
	log.wait(t, "takes longer than 10ms: killed")
	log.wait(t, "exited after 0 second(s)")
	r.Stop(context.Background())
}

func TestRunnerUnique(t *testing.T) {
	for _, unique := range []bool{true, false} {
		t.Run(fmt.Sprint(unique), func(t *testing.T) {
			r, log, _ := starter(t, Job{Schedule: Every, Command: "sleep 1000", Unique: unique})
			log.wait(t, "running")
			if s := r.Snapshot(); s[0].PID == 0 || s[0].Started.IsZero() {
				t.Errorf("while it runs: %+v", s)
			}
			r.begin(r.jobs[0])
			if unique {
				log.wait(t, "not started again")
			}
			want := 2
			if unique {
				want = 1
			}
			r.jobs[0].mu.Lock()
			if n := len(r.jobs[0].runs); n != want {
				t.Errorf("it runs %d times, want %d", n, want)
			}
			r.jobs[0].mu.Unlock()
			r.Stop(context.Background())
			if s := r.Snapshot(); s[0].PID != 0 {
				t.Errorf("after Stop: %+v", s)
			}
		})
	}
}

// One job that never ends must not fill the machine, nor keep the server from stopping.
func TestRunnerBound(t *testing.T) {
	r, log, _ := starter(t, Job{Schedule: Every, Command: "trap '' TERM; sleep 1000"})
	log.wait(t, "running")
	for range maxRunning + 3 {
		r.begin(r.jobs[0])
	}
	log.wait(t, "runs 32 times already")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.Stop(ctx)
}

package logger

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// print runs a shell command with what children have.
func printBy(t *testing.T, s *Sink, script string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Stdout, cmd.Stderr = s.Printed(), s.Printed()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}

func TestPrinted(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for _, tt := range []struct {
		name, options, script, want string
		packets                     bool // only with a pipe of packets
	}{
		{"line", "", "echo one; echo two >&2", "one\ntwo\n", false},
		{"without_newline", "", "printf one", "one\n", false},
		{"put_together", "", "printf o; printf n; echo e", "one\n", false},
		{"long", "", "printf '%s\\n' " + long, long + "\n", false},
		{"several_lines_are_one_message", "log-encoder = prefix >", `printf 'Traceback\n  File\n'; echo next`, ">Traceback\n  File\n>next\n", true},
		{"opened_by_name", "", "echo one > /dev/stderr", "one\n", false},
		{"nothing", "", "true", "", false},
		{"json", "log-json = true", `printf 'a "b"\n  c\n'; echo '{"level": 1}'; echo '{not'`, `app a "b"` + "\n  c\n" + `raw {"level": 1}` + "\n" + "app {not\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.packets && runtime.GOOS != "linux" {
				t.Skip("SKIP: only Linux has pipes of packets")
			}
			path := filepath.Join(t.TempDir(), "log")
			s, err := Open(options(t, "", "logto = "+path+"\n"+tt.options))
			if err != nil {
				t.Fatal(err)
			}
			printBy(t, s, tt.script)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			got := read(t, path)
			if strings.HasPrefix(tt.options, "log-json") {
				got = plainJSON(t, got)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// plainJSON gives source and message of lines of log-json.
func plainJSON(t *testing.T, lines string) string {
	t.Helper()
	plain := ""
	for line := range strings.Lines(lines) {
		var object struct{ Time, Source, Message string }
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if object.Source == "" {
			plain += "raw " + line
			continue
		}
		if len(object.Time) < len("2026-11-28T05:30:07.123456Z") {
			t.Errorf("time %q", object.Time)
		}
		plain += object.Source + " " + object.Message + "\n"
	}
	return plain
}

// TestPrintedDuringAStandstill: children go on when the log stands still.
func TestPrintedDuringAStandstill(t *testing.T) {
	s, w := openStuck(t)
	p, err := newPrinted(s.log.wrap, func() { notify(s.main.wake) })
	if err != nil {
		t.Fatal(err)
	}
	write(t, s, "first\n") // which is being written for ever
	s.printed = p
	p.start()
	line := strings.Repeat("x", 1000) + "\n"
	for range 2 * maxPending / len(line) {
		if _, err := s.Printed().WriteString(line); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return s.Dropped() > 0 })
	close(w.release)
}

// TestPrintedComesBeforeTheLineOfItsRequest: what an app prints, then the line of its request.
func TestPrintedComesBeforeTheLineOfItsRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := open(t, path)
	var want strings.Builder
	for range 200 {
		if _, err := s.Printed().WriteString("printed\n"); err != nil {
			t.Fatal(err)
		}
		write(t, s, "GET /\n")
		given := make(chan struct{})
		s.main.order(func() { close(given) })
		<-given
		want.WriteString("printed\nGET /\n")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != want.String() {
		t.Errorf("out of order: %.200q", got)
	}
}

package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func output(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestRun(t *testing.T) {
	for _, tt := range []struct{ name, line, out, err string }{
		{"simple", "echo one  two", "one two\n", ""},
		{"shell", `echo "one  two" && echo three >&2`, "one  two\nthree\n", ""},
		{"word_of_the_shell", "exit 3", "", "exited with non-zero code: 3"},
		{"environment", "echo $OF_THE_TEST", "yes\n", ""},
		{"directory", "pwd -P", "/\n", ""},
		{"no_such_program", "no-such-program-here", "", "non-zero code: 127"},
		{"empty", "", "", ""},
		{"killed", "kill -9 $$", "", "signal: killed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := output(t)
			err := Command{Line: tt.line, Env: append(os.Environ(), "OF_THE_TEST=yes"), Dir: "/", Output: out}.Run(context.Background())
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%v, want an error with %q", err, tt.err)
			}
			if got, err := os.ReadFile(out.Name()); err != nil || tt.name != "no_such_program" && string(got) != tt.out {
				t.Errorf("it printed %q, %v; want %q", got, err, tt.out)
			}
		})
	}
}

// Whoever waits for a command that does not end can give it up, with what it started.
func TestRunIsGivenUp(t *testing.T) {
	out := output(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			if text, _ := os.ReadFile(out.Name()); strings.Contains(string(text), "here") {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	err := Command{Line: "sleep 1000 & echo $! here; wait", Output: out}.Run(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	waitGone(t, strings.Fields(string(text))[0])
}

// Stop asks first, then kills, and takes along what the command has started.
func TestStop(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		patient    bool
	}{
		{"obeys", "trap 'echo asked; exit 0' TERM; sleep 1000 & echo $! ready; wait", true},
		{"does_not", "trap '' TERM; sleep 1000 & echo $! ready; wait", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := output(t)
			p, err := Command{Line: tt.line, Output: out}.Start()
			if err != nil {
				t.Fatal(err)
			}
			var text []byte
			for !strings.Contains(string(text), "ready") {
				time.Sleep(time.Millisecond)
				text, _ = os.ReadFile(out.Name())
			}
			// Before it is sleep it is a copy of the shell, which takes note of the signal and
			// loses that.
			pid := strings.Fields(string(text))[0]
			for comm := ""; comm != "sleep\n"; time.Sleep(time.Millisecond) {
				b, _ := os.ReadFile("/proc/" + pid + "/comm")
				comm = string(b)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if !tt.patient {
				cancel()
			}
			p.Stop(ctx, syscall.SIGTERM)
			if tt.patient != (p.Err() == nil) {
				t.Errorf("it ended with %v", p.Err())
			}
			waitGone(t, pid)
			p.Signal(syscall.SIGKILL) // hits nobody
		})
	}
}

// waitGone waits until a process has ended; who reaps it is not this test's business.
func waitGone(t *testing.T, pid string) {
	t.Helper()
	for range 2000 {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %s lives on", pid)
}

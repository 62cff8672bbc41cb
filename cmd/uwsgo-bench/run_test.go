package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/bench/load"
	"github.com/uwsgo/uwsgo/bench/report"
	"github.com/uwsgo/uwsgo/bench/result"
	"github.com/uwsgo/uwsgo/bench/workload"
)

// TestMain lets the test binary be the program where a baseline is served by it.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(func() int {
		var err error
		if binDir, err = os.MkdirTemp("", "uwsgo-bench-test-"); err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(binDir)
		return m.Run()
	}())
}

// bench runs the program with arguments and gives what it printed.
func bench(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	err = command(ctx, args, &out, &errs)
	return out.String(), errs.String(), err
}

func TestBadInput(t *testing.T) {
	other := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(other, []byte(`{"format": 99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"unknown_workload", []string{"helo"}, []string{`no workload "helo"`, "did you mean hello?", "list"}},
		{"unknown_server", []string{"-peers", "gunicorn-gthreed", "hello"}, []string{`no server "gunicorn-gthreed"`, "did you mean gunicorn-gthread?"}},
		{"server_pattern_without_match", []string{"-peers", "uwsgo,jboss*"}, []string{`no server "jboss*"`}},
		{"no_rounds", []string{"-rounds", "0"}, []string{"-rounds must be 1 to 100"}},
		{"too_many_rounds", []string{"-rounds", "99999999"}, []string{"-rounds must be 1 to 100"}},
		{"flag_behind_workload", []string{"hello", "-rounds", "1"}, []string{"flags such as -rounds come before"}},
		{"no_python", []string{"-env", filepath.Join(other, "env"), "-python", "no-such-python", "-out", filepath.Dir(other), "hello"}, []string{"no-such-python", "-python"}},
		{"report_where_none_can_be", []string{"-out", filepath.Join(other, "report"), "hello"}, []string{other}},
		{"install_a_workload", []string{"install", "hello"}, []string{"-peers"}},
		{"too_short", []string{"-duration", "1ms"}, []string{"-duration must be 100ms to 10m"}},
		{"no_such_flag", []string{"-round", "3"}, []string{"-round"}},
		{"server_without_command", []string{"-peer", "mine"}, []string{"mine"}},
		{"server_that_is_there_already", []string{"-peer", "uwsgo=./server {addr}"}, []string{`"uwsgo"`, "choose another"}},
		{"two_servers_of_one_name", []string{"-peer", "a=./a {addr}", "-peer", "a=./b {addr}"}, []string{`"a"`, "choose another"}},
		{"compare_one_file", []string{"compare", other}, []string{"name two results.json"}},
		{"compare_other_format", []string{"compare", other, other}, []string{other, "99"}},
		{"report_nothing", []string{"report"}, []string{"name one results.json"}},
		{"report_missing_file", []string{"report", "/does/not/exist.json"}, []string{"/does/not/exist.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := bench(t.Context(), tt.args...)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

// TestCompareExitCodes: a CI job sees nothing but the exit code.
func TestCompareExitCodes(t *testing.T) {
	file := func(rates ...float64) string {
		r := &result.Run{Format: result.Format, Complete: true, Settings: result.Settings{Rounds: len(rates)}}
		if len(rates) > 0 {
			e := result.Entry{Peer: "uwsgo"}
			for i, v := range rates {
				e.Samples = append(e.Samples, result.Sample{Round: i + 1, Values: map[string]float64{"rate": v}})
			}
			r.Workloads = []result.Workload{{Name: "hello", Metrics: []string{"rate"}, Entries: []result.Entry{e}}}
		}
		path := filepath.Join(t.TempDir(), "results.json")
		if err := report.WriteJSON(path, r); err != nil {
			t.Fatal(err)
		}
		return path
	}
	slow, fast, short, empty := file(10, 11, 10, 11, 10), file(20, 21, 20, 21, 20), file(10, 11), file()
	tests := []struct {
		name string
		args []string
		want int
		says string
	}{
		{"better", []string{slow, fast}, 0, ""},
		{"the_same", []string{slow, slow}, 0, ""},
		{"worse", []string{fast, slow}, 1, "worse"},
		{"worse_within_the_threshold", []string{"-threshold", "60", fast, slow}, 0, ""},
		{"help", []string{"-h"}, 0, "help"},
		{"threshold_not_a_number", []string{"-threshold", "NaN", fast, slow}, 2, "-threshold must be 0 to 1000"},
		{"threshold_infinite", []string{"-threshold", "Inf", fast, slow}, 2, "-threshold must be 0 to 1000"},
		{"threshold_too_large", []string{"-threshold", "1001", fast, slow}, 2, "-threshold must be 0 to 1000"},
		{"base_misspelled", []string{"-base", "uwsgj", fast, slow}, 2, "which has uwsgo"},
		{"too_few_rounds", []string{short, short}, 2, "nothing could be compared"},
		{"nothing_measured", []string{empty, empty}, 2, "nothing could be compared"},
		{"no_such_flag", []string{"-treshold", "5", fast, slow}, 2, "-treshold"},
		{"one_file", []string{fast}, 2, "name two"},
		{"no_such_file", []string{fast, "/does/not/exist.json"}, 2, "/does/not/exist.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := bench(t.Context(), append([]string{"compare"}, tt.args...)...)
			if got := exitCode(err); got != tt.want {
				t.Errorf("exit code %d, want %d: %v", got, tt.want, err)
			}
			if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("the error lacks %q: %v", tt.says, err)
			}
		})
	}
}

func TestListNamesAll(t *testing.T) {
	out, _, err := bench(t.Context(), "list")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range workload.All() {
		if !strings.Contains(out, "\n  "+w.Name+" ") {
			t.Errorf("the list lacks workload %s", w.Name)
		}
	}
	for _, name := range []string{"uwsgo", "uwsgi-http11-socket", "nginx+uwsgi", "go-fasthttp"} {
		if !strings.Contains(out, "\n  "+name+" ") {
			t.Errorf("the list lacks server %s", name)
		}
	}
}

// builtUwsgo is the uwsgo binary that make test has built, or one made once for all tests into a folder that TestMain
// removes.
var builtUwsgo = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("UWSGO_BINARY"); path != "" {
		return path, nil
	}
	path := filepath.Join(binDir, "uwsgo")
	if out, err := exec.Command("go", "build", "-o", path, "../uwsgo").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building uwsgo: %w\n%s", err, out)
	}
	return path, nil
})

// binDir is where it is built.
var binDir string

// environment gives the flags that measure with what the tests have, or skips.
func environment(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIP: the harness measures on Linux only")
	}
	env := os.Getenv("UWSGO_TESTENV")
	if env == "" {
		env = "../../build/testenv"
	}
	if _, err := os.Stat(filepath.Join(env, "bin", "python")); err != nil {
		t.Skip("SKIP: no virtualenv for the tests: run make testenv")
	}
	uwsgo, err := builtUwsgo()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-env", env, "-uwsgo", uwsgo, "-out", t.TempDir()}
}

func TestEveryWorkloadOnce(t *testing.T) {
	flags := environment(t)
	dir := flags[len(flags)-1]
	out, log, err := bench(t.Context(), append(flags, "-rounds", "1", "-duration", "1s", "-warmup", "100ms", "-peers", "uwsgo,go-net-http")...)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, log)
	}
	r, err := report.ReadJSON(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Complete || r.Machine.Cores == 0 || r.Machine.Kernel == "" || r.Settings.Pinning == "" {
		t.Errorf("the run is not described: %+v %+v", r.Machine, r.Settings)
	}
	for i, w := range workload.All() {
		t.Run(w.Name, func(t *testing.T) {
			found := r.Workloads[i]
			if found.Name != w.Name || len(found.Entries) == 0 || found.Entries[0].Peer != "uwsgo" {
				t.Fatalf("no entry of uwsgo in %s: %+v", found.Name, found.Entries)
			}
			entry := found.Entries[0]
			// On a busy machine the time may be over before each client has been served.
			for d := 4 * time.Second; leftOut(entry) && d <= 16*time.Second; d *= 2 {
				entry = measure(t, w.Name, d)
			}
			check(t, w, entry)
		})
	}
	for _, file := range []string{markdownFile, pageFile} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range r.Workloads {
			if !bytes.Contains(text, []byte(w.Title)) {
				t.Errorf("%s lacks %q", file, w.Title)
			}
		}
	}
}

// leftOut reports whether clients never got an answer, and nothing else went wrong.
func leftOut(e result.Entry) bool {
	left := false
	for _, s := range e.Samples {
		for kind, n := range s.Errors {
			if kind != load.KindNoAnswer {
				return false
			}
			left = left || n > 0
		}
	}
	return left
}

// measure measures uwsgo under one workload, for that long.
func measure(t *testing.T, name string, d time.Duration) result.Entry {
	t.Helper()
	flags := environment(t)
	out, log, err := bench(t.Context(), append(flags, "-rounds", "1", "-duration", d.String(), "-warmup", "100ms", "-peers", "uwsgo", name)...)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, log)
	}
	r, err := report.ReadJSON(filepath.Join(flags[len(flags)-1], resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	return r.Workloads[0].Entries[0]
}

// check wants a value of the most telling metric for each case, and no error.
func check(t *testing.T, w workload.Workload, e result.Entry) {
	t.Helper()
	if len(e.Samples) == 0 || w.Name != "mix" && len(e.Samples) != max(1, len(w.Cases)) {
		t.Fatalf("%d samples of %d cases", len(e.Samples), len(w.Cases))
	}
	for _, s := range e.Samples {
		if _, ok := s.Values[w.Metrics[0]]; !ok {
			t.Errorf("%q: no value of %s among %v", s.Case, w.Metrics[0], s.Values)
		}
		allowed := 0.0
		if w.Name == "kill" {
			allowed = 3 * float64(w.Setup.Threads) // what ran in the killed workers
		}
		if s.Values["errors"] > allowed {
			t.Errorf("%q: %v", s.Case, s.Errors)
		}
	}
}

func TestInterruptedRunKeepsWhatIsDone(t *testing.T) {
	flags := environment(t)
	dir := flags[len(flags)-1]
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		// Stopped when the first results are there, long before the last.
		for ctx.Err() == nil {
			if r, err := report.ReadJSON(filepath.Join(dir, resultsFile)); err == nil && len(r.Workloads[0].Entries[0].Samples) > 0 {
				stop()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	out, _, err := bench(ctx, append(flags, "-rounds", "100", "-duration", "300ms", "-warmup", "100ms", "-peers", "uwsgo", "hello")...)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("an interrupted run ended with %v", err)
	}
	r, err := report.ReadJSON(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Workloads[0].Entries[0].Samples); r.Complete || n == 0 || n > 50 {
		t.Errorf("complete: %v, with %d samples", r.Complete, n)
	}
	if !strings.Contains(out, "Hello world") && !strings.Contains(out, "hello") {
		t.Errorf("no table of what was measured:\n%s", out)
	}
}

func TestFailingServerIsReportedAndOthersAreMeasured(t *testing.T) {
	flags := environment(t)
	dir := flags[len(flags)-1]
	_, _, err := bench(t.Context(), append(flags, "-rounds", "1", "-duration", "200ms", "-warmup", "100ms", "-peers", "uwsgo",
		"-peer", "broken=sh -c 'echo it cannot work; exit 3' {addr}", "hello")...)
	if err == nil || !strings.Contains(err.Error(), "broken") || !strings.Contains(err.Error(), "it cannot work") {
		t.Errorf("the error does not say what the server said: %v", err)
	}
	r, err := report.ReadJSON(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, e := range r.Workloads[0].Entries {
		states[e.Peer] = fmt.Sprintf("%d %v", len(e.Samples), e.Failed != "")
	}
	if states["uwsgo"] != "1 false" || states["broken"] != "0 true" {
		t.Errorf("samples and failures: %v", states)
	}
}

func TestPinning(t *testing.T) {
	tests := []struct {
		name            string
		cpus            []int
		threads         int
		client, servers []int
	}{
		{"two_are_too_few", []int{0, 1}, 1, nil, nil},
		{"four", []int{0, 1, 2, 3}, 1, []int{3}, []int{0, 1, 2}},
		{"what_is_allowed", []int{4, 6, 8, 10, 12}, 2, []int{10, 12}, []int{4, 6, 8}},
		{"client_would_take_most", []int{0, 1, 2, 3}, 3, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client, servers, sentence := pinning(tt.cpus, tt.threads)
			if fmt.Sprint(client, servers) != fmt.Sprint(tt.client, tt.servers) {
				t.Errorf("client %v, servers %v; want %v and %v", client, servers, tt.client, tt.servers)
			}
			if (client == nil) != strings.Contains(sentence, "Not pinned") {
				t.Errorf("the report would say: %s", sentence)
			}
		})
	}
}

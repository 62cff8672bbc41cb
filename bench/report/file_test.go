package report

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/uwsgo/uwsgo/bench/result"
)

func TestWriteJSONReadJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	run := smallRun()
	for range 2 { // the second replaces the first
		if err := WriteJSON(path, run); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadJSON(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, run) {
		t.Error("what was read is not what was written")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files are left, want only the results", len(entries))
	}
}

func TestWriteJSONLeavesTheOldFileWhenItFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := smallRun()
	run.Workloads[0].Entries[0].Samples[0].Values["rate"] = inf // JSON has no infinity
	if err := WriteJSON(path, run); err == nil {
		t.Error("an infinite value was written")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Errorf("the old file holds %q, %v", b, err)
	}
}

func TestReadJSONRefuses(t *testing.T) {
	tests := []struct {
		name, give, want string
	}{
		{"newer_format", `{"format": 2, "command": {"other": "type"}}`, "format 2, and this uwsgo-bench reads format 1"},
		{"no_format", `{"command": []}`, "it names no format"},
		{"not_json", `hello`, "not a results.json"},
		{"cut_off", `{"format": 1, "command": ["a"`, "not a results.json"},
		{"other_types", `{"format": 1, "command": 7}`, "not a results.json"},
		{"empty", ``, "not a results.json"},
		{"too_large", `{"format": 1, "harness": "` + strings.Repeat("x", 1000) + `"}`, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decode(strings.NewReader(tt.give), 1000)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
	if _, err := ReadJSON(filepath.Join(t.TempDir(), "missing.json")); err == nil {
		t.Error("a missing file was read")
	}
}

// TestOddRunsCanBeShown: whatever a file holds, a report of it has an end and a
// width.
func TestOddRunsCanBeShown(t *testing.T) {
	long := strings.Repeat("long ", 20_000)
	sample := func(values string) string {
		return `{"format": 1, "workloads": [{"name": "hello", "base": "b", "metrics": ["rate", "cpu"], "chart": ["cpu", "rate"], "entries": [` +
			`{"peer": "uwsgo", "samples": [` + values + `]}, {"peer": "b", "samples": [` + values + `]}]}]}`
	}
	tests := []struct{ name, give string }{
		{"nothing", `{"format": 1}`},
		{"nulls", `{"format": 1, "command": null, "peers": null, "workloads": [{"entries": [{"samples": [{"values": null, "errors": null}]}]}]}`},
		{"no_metrics", `{"format": 1, "workloads": [{"name": "hello", "entries": [{"peer": "uwsgo", "samples": [{"round": 1, "values": {"rate": 1}}]}]}]}`},
		{"cases_that_nobody_measured", `{"format": 1, "workloads": [{"name": "mix", "cases": ["1 req/s", "2 req/s"], "metrics": ["p99"], "entries": [{"peer": "uwsgo"}]}]}`},
		{"negative", sample(`{"round": -1, "asked": -5, "values": {"rate": -1, "cpu": -1e9, "errors": -3, "client": -1}, "errors": {"x": -9}, "ticks": [{"at": -1, "ok": -1, "max": -1}], "curve": [{"percent": -5, "ms": -1}]}`)},
		{"huge", sample(`{"round": 1, "asked": 9223372036854775807, "values": {"rate": 1e308, "cpu": 1e-308, "errors": 1e300, "client": 1e300}, "errors": {"x": 9223372036854775807, "y": 9223372036854775807}, "notes": ["999999999 of 0 clients were served"]}`)},
		{"long_texts", `{"format": 1, "harness": "` + long + `", "peers": [{"name": "` + long + `"}], "workloads": [{"name": "` + long + `", "title": "` + long + `", "metrics": ["` + long + `"], ` +
			`"entries": [{"peer": "` + long + `", "failed": "` + long + `", "samples": [{"round": 1, "values": {"` + long + `": 1}, "errors": {"` + long + `": 1}, "notes": ["` + long + `"]}]}]}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run, err := decode(strings.NewReader(tt.give), maxFile)
			if err != nil {
				t.Fatal(err)
			}
			for name, print := range map[string]func(io.Writer, *result.Run) error{"page": HTML, "markdown": Markdown, "terminal": Table} {
				var b strings.Builder
				if err := print(&b, run); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if n := b.Len(); n > 400_000 { // the charting library alone has 210,000
					t.Errorf("%s: %d bytes", name, n)
				}
				for line := range strings.Lines(b.String()) {
					if name == "terminal" && utf8.RuneCountInString(line) > plainWidth+1 {
						t.Errorf("%s: %d columns", name, utf8.RuneCountInString(line))
					}
				}
			}
		})
	}
}

func TestReadJSONRefusesMoreThanCanBeShown(t *testing.T) {
	for name, give := range map[string]string{
		"workloads": `{"format": 1, "workloads": [` + strings.Repeat("{},", 1000) + `{}]}`,
		"servers":   `{"format": 1, "workloads": [{"entries": [` + strings.Repeat("{},", 1000) + `{}]}]}`,
		"cases":     `{"format": 1, "workloads": [{"cases": [` + strings.Repeat(`"",`, 1000) + `""]}]}`,
	} {
		if _, err := decode(strings.NewReader(give), maxFile); err == nil || !strings.Contains(err.Error(), "that a report shows") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format": 1, "workloads": [{"name": "hello", "cases": [""], "metrics": ["rate"], "entries": [{"peer": "uwsgo", "samples": [{"round": 1, "values": {"rate": 1}}]}]}]}`))
	f.Add([]byte(`{"format": 1, "workloads": [{"base": "x", "chart": ["cpu"], "entries": [{}], "absent": [{}]}]}`))
	f.Add([]byte(`{"format": 2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		run, err := decode(strings.NewReader(string(b)), 1<<16)
		if err != nil {
			return
		}
		// What can be read can be shown, whatever it holds.
		var out strings.Builder
		if err := Markdown(&out, run); err != nil {
			t.Errorf("Markdown: %v", err)
		}
		if err := Table(&out, run); err != nil {
			t.Errorf("Table: %v", err)
		}
		if err := HTML(&out, run); err != nil {
			t.Errorf("HTML: %v", err)
		}
		_, _ = Compare(&out, run, run, 0.1, "")
	})
}

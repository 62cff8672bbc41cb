package report

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
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

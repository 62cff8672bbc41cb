package life

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTouched(t *testing.T) {
	dir := t.TempDir()
	there, later := filepath.Join(dir, "there"), filepath.Join(dir, "later")
	at := time.Now().Add(-time.Hour)
	touch := func(path string) {
		t.Helper()
		at = at.Add(time.Second)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	touch(there)
	files := newTouched([]string{there, later})
	want := func(step, path string) {
		t.Helper()
		for _, w := range []string{path, ""} {
			if got := files.look(); got != w {
				t.Errorf("%s: got %q, want %q", step, got, w)
			}
		}
	}
	want("at first", "")
	touch(there)
	want("touched", there)
	touch(later)
	want("made", later)
	if err := os.Remove(later); err != nil {
		t.Fatal(err)
	}
	want("removed", "")
	touch(later)
	want("made again", later)
}

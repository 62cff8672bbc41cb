package life

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Of a directory whose contents count, what is changed in it is a change, too.
func TestTouchedContents(t *testing.T) {
	dir := t.TempDir()
	at := time.Now().Add(-time.Hour)
	file, other := filepath.Join(dir, "file"), filepath.Join(dir, "other")
	set := func(path string, at time.Time) {
		t.Helper()
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{file, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		set(path, at)
	}
	set(dir, at)
	flat, deep := newTouched([]string{dir}, false), newTouched([]string{dir}, true)
	for _, step := range []struct {
		name       string
		do         func()
		flat, deep string
	}{
		{"nothing", func() {}, "", ""},
		{"file_written", func() { set(file, at.Add(time.Second)) }, "", dir},
		{"file_gone_unseen", func() { _ = os.Remove(other); set(dir, at) }, "", dir},
		{"directory", func() { set(dir, at.Add(time.Minute)) }, dir, dir},
	} {
		step.do()
		if got := flat.look(); got != step.flat {
			t.Errorf("%s: %q has changed, want %q", step.name, got, step.flat)
		}
		if got := deep.look(); got != step.deep {
			t.Errorf("%s: with its contents %q has changed, want %q", step.name, got, step.deep)
		}
	}
}

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
	files := newTouched([]string{there, later}, false)
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

package spool

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPrepare(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "there"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	there, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, give, want string
		fails            bool
	}{
		{"missing", "there", "there", false},
		{"there", "there", "there", false},
		{"link", "link", "there", false},
		{"file", "file", "", true},
		{"missing_above", "no/where", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Prepare(filepath.Join(dir, tt.give), -1, -1)
			if tt.fails {
				if err == nil {
					t.Errorf("%s is fine", got)
				}
				return
			}
			if want := filepath.Join(there, tt.want); err != nil || got != want {
				t.Errorf("%s %v, want %s", got, err, want)
			}
		})
	}
}

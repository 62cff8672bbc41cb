package pidfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func file(t *testing.T, path string) *File {
	return &File{
		Path: path, Logf: t.Logf,
		Open: func(path string, mode fs.FileMode) (*os.File, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|syscall.O_NOFOLLOW, mode)
		},
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(path, []byte("12345678901234567890\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := file(t, path)
	if err := p.Write(); err != nil {
		t.Fatal(err)
	}
	if pid, err := Read(path); err != nil || pid != os.Getpid() {
		t.Errorf("%d, %v", pid, err)
	}
	if removed, err := p.Remove(); !removed || err != nil {
		t.Errorf("removed %v, %v", removed, err)
	}
}

// A file that another process has written since stays.
func TestRemoveLeavesAnothers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	p := file(t, path)
	if removed, err := p.Remove(); removed || err != nil {
		t.Errorf("a file that is not there: removed %v, %v", removed, err)
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if removed, err := p.Remove(); removed || err != nil {
		t.Errorf("removed %v, %v", removed, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err != nil {
		t.Fatal(err)
	}
	if err := file(t, link).Write(); err == nil || !strings.Contains(err.Error(), "symbolic link, which is not followed") {
		t.Errorf("%v", err)
	}
	p := file(t, filepath.Join(dir, "pid"))
	p.Open = func(string, fs.FileMode) (*os.File, error) { return nil, fs.ErrPermission }
	if err := p.Write(); err == nil || !strings.Contains(err.Error(), "name a file that this user may write") {
		t.Errorf("%v", err)
	}
}

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       int
	}{
		{"number", "77\n", 77},
		{"blanks", "  77  ", 77},
		{"empty", "", 0},
		{"word", "nginx", 0},
		{"everybody", "-1", 0},
		{"group", "0", 0},
		{"too_large", "99999999999", 0},
		{"long", strings.Repeat("1", 100), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pid")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if pid, err := Read(path); pid != tt.want || (err == nil) != (tt.want > 0) {
				t.Errorf("%d, %v; want %d", pid, err, tt.want)
			}
		})
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
}

func TestSignal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	if err := Signal("stop", path); err == nil || !strings.Contains(err.Error(), "--stop: ") {
		t.Errorf("%v", err)
	}
	const none = 1<<22 + 7 // more than Linux gives
	if err := os.WriteFile(path, fmt.Append(nil, none), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Signal("reload", path); err == nil || !strings.Contains(err.Error(), "the server has ended") {
		t.Errorf("%v", err)
	}
}

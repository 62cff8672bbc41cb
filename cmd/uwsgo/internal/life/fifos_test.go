package life

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// say writes to a pipe.
func say(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func want[T comparable](t *testing.T, from <-chan T, what ...T) {
	t.Helper()
	for _, w := range what {
		select {
		case got := <-from:
			if got != w {
				t.Fatalf("got %v, want %v", got, w)
			}
		case <-time.After(patient):
			t.Fatalf("%v does not come", w)
		}
	}
}

func TestFifos(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	paths := []string{filepath.Join(dir, "0"), filepath.Join(dir, "1")}
	if err := unix.Mkfifo(paths[0], 0o666); err != nil { // left by another
		t.Fatal(err)
	}
	letters, quit, lines := make(chan byte, 2), make(chan byte, 2), make(chan string, 100)
	f := &Fifos{
		Letters: letters, Quit: func(c byte) { quit <- c },
		Logf: func(format string, args ...any) { lines <- fmt.Sprintf(format, args...) },
	}
	remove, err := f.Open(paths)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(paths[0]); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may command: %v, %v", info.Mode(), err)
	}
	say(t, paths[0], "r \nc")
	want(t, letters, 'r', 'c')
	say(t, paths[0], "abcdq") // nobody takes them, and q gets through
	want(t, quit, 'q')
	want(t, lines, "master-fifo: commands come faster than they are obeyed: some are not")
	want(t, letters, 'a', 'b')
	say(t, paths[0], "71")
	want(t, lines, "master-fifo: there is no pipe 7, but 0 to 1", "master-fifo: commands are read from "+paths[1])
	say(t, paths[1], "sQ")
	want(t, letters, 's')
	want(t, quit, 'Q')

	remove()
	if _, err := os.Lstat(paths[1]); err == nil {
		t.Error("the pipes are left")
	}
	if err := unix.Mkfifo(paths[0], 0o600); err != nil { // a successor's
		t.Fatal(err)
	}
	remove()
	if _, err := os.Lstat(paths[0]); err != nil {
		t.Error("the pipe of another server was removed")
	}
	if len(lines) > 0 {
		t.Errorf("the log has %q", <-lines)
	}
}

func TestFifosRefuse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := file + ".fifo"
	f := &Fifos{Logf: t.Logf}
	remove, err := f.Open([]string{pipe, file})
	if err == nil || !strings.Contains(err.Error(), "is no named pipe") {
		t.Errorf("%v", err)
	}
	remove()
	if _, err := os.Lstat(pipe); err == nil {
		t.Error("the pipe that was made before is left")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
	if remove, err := f.Open(nil); err != nil {
		t.Error(err)
	} else {
		remove()
	}
}

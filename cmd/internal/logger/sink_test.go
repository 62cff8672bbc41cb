package logger

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, target string) *Sink {
	t.Helper()
	return openConfig(t, Config{To: target})
}

func openConfig(t *testing.T, c Config) *Sink {
	t.Helper()
	c.Access = cmp.Or(c.Access, Access{UID: -1, GID: -1})
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func write(t *testing.T, s *Sink, line string) {
	t.Helper()
	if n, err := s.Write([]byte(line)); n != len(line) || err != nil {
		t.Errorf("Write: %d, %v", n, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a:b.log")
	for _, line := range []string{"first\n", "second\n"} { // the second time it is appended to
		s := open(t, path)
		write(t, s, line)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, path); got != "first\nsecond\n" {
		t.Errorf("got %q", got)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A line is written without Close and without another line behind it.
func TestLoneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := open(t, path)
	for _, want := range []string{"one\n", "one\ntwo\n"} {
		write(t, s, want[len(want)-4:])
		eventually(t, func() bool { return read(t, path) == want })
	}
}

func TestManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := open(t, path)
	const writers, lines = 4, 5000
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range lines {
				write(t, s, fmt.Sprintf("%d %d\n", w, i))
			}
		})
	}
	all.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var next [writers]int
	for line := range strings.Lines(read(t, path)) {
		var w, i int
		if _, err := fmt.Sscanf(line, "%d %d\n", &w, &i); err != nil {
			t.Fatalf("torn line %q", line)
		}
		if i != next[w] {
			t.Fatalf("line %d of writer %d, want %d", i, w, next[w])
		}
		next[w]++
	}
	if next != [writers]int{lines, lines, lines, lines} || s.Dropped() != 0 {
		t.Errorf("lines %v, %d dropped", next, s.Dropped())
	}
}

// stuck is a target that stands still until it is released.
type stuck struct {
	release chan struct{}
	mu      sync.Mutex
	got     []byte
	err     error
}

func (w *stuck) close() error { return nil }

func (w *stuck) write(b *batch) (uint64, error) {
	<-w.release
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return uint64(len(b.ends)), w.err
	}
	w.got = append(w.got, b.data...)
	return 0, nil
}

func (w *stuck) set(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *stuck) contains(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(string(w.got), text)
}

func openStuck(t *testing.T) (*Sink, *stuck) {
	w := &stuck{release: make(chan struct{})}
	s := &Sink{}
	s.log = &Logger{sink: s}
	s.base = s.add("stuck", w)
	s.main, s.requests = s.base.queue, s.base.queue
	s.watch(s.base)
	go s.main.run()
	t.Cleanup(func() { _ = s.Close() })
	return s, w
}

func TestStuckTarget(t *testing.T) {
	s, w := openStuck(t)
	line := strings.Repeat("x", 1023) + "\n"
	total := 0
	for s.Dropped() < 10 { // never blocks, and the buffer is bounded
		write(t, s, line)
		if total += len(line); total > 3*maxPending {
			t.Fatal("no bound")
		}
	}
	close(w.release)
	eventually(t, func() bool { return w.contains("*** 10 log lines were lost") })
	write(t, s, "goes on\n")
	eventually(t, func() bool { return w.contains("goes on") })
}

func TestFullDisk(t *testing.T) {
	s, w := openStuck(t)
	w.set(errors.New("no space left on device"))
	close(w.release)
	write(t, s, "one\n")
	write(t, s, "two\n")
	eventually(t, func() bool { return s.Dropped() == 2 })
	w.set(nil)
	write(t, s, "three\n")
	eventually(t, func() bool { return w.contains("three\n*** 2 log lines were lost") })
}

func TestCloseOfStuckTarget(t *testing.T) {
	s, w := openStuck(t)
	write(t, s, "x\n")
	if err := s.Close(); err == nil {
		t.Error("no error for a lost line")
	}
	close(w.release) // lets the goroutine end
	<-s.main.done
}

func TestWriteAfterClose(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "log"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("x\n")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
	s.Log().Printf("nowhere to go")
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestUDP(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := open(t, l.LocalAddr().String())
	write(t, s, "one\n")
	write(t, s, "two\n")
	if err := l.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for _, want := range []string{"one\n", "two\n"} {
		n, _, err := l.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(buf[:n]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(Config{To: filepath.Join(t.TempDir(), "no", "log")})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "log target") {
		t.Errorf("no such folder: %v", err)
	}
	if _, err := Open(Config{To: "127.0.0.1:99999"}); err == nil {
		t.Error("no error for a bad port")
	}
}

func TestChildrenShareTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := open(t, path)
	if _, err := s.Printed().WriteString("from a child\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "from a child\n" {
		t.Errorf("got %q", got)
	}
}

func TestLogger(t *testing.T) {
	tests := []struct{ name, date, want string }{
		{"plain", "", "spawned worker 1\nno newline twice\n\n"},
		{"log_date", "at 100%%", "at 100% - spawned worker 1\nat 100% - no newline twice\nat 100% - \n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			s := openConfig(t, Config{To: path, Date: test.date})
			l := s.Log()
			l.Printf("spawned worker %d", 1)
			l.Printf("no newline twice\n")
			l.Printf("")
			eventually(t, func() bool { return read(t, path) == test.want })
		})
	}
}

// eventually waits until condition holds.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to that")
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s, err := Open(Config{To: os.DevNull, Access: Access{UID: -1, GID: -1}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	line := []byte(strings.Repeat("x", 200) + "\n")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = s.Write(line)
		}
	})
	b.ReportMetric(float64(s.Dropped())/float64(b.N), "dropped/op")
}

package engine

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec"
)

func TestBodies(t *testing.T) {
	const inMemory = 1000
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		dir := t.TempDir()
		srv, addr := start(t, HandlerFunc(func(x *Exchange) {
			b, err := io.ReadAll(x.Body().Reader())
			if err != nil || int64(len(b)) != x.Body().Size() || x.Body().File() == nil && string(x.Body().Bytes()) != string(b) {
				t.Errorf("read %d bytes of a body of %d, %v", len(b), x.Body().Size(), err)
			}
			x.ReplyText(200, fmt.Sprintf("%v %s", x.Body().File() != nil, b))
		}), Options{BodyMemory: inMemory, TempDir: dir, Limits: codec.Limits{Body: 500_000}}, ListenOptions{Protocol: p})
		large := string(pattern(400_000))
		for _, tt := range []struct {
			name string
			give string
			want string
		}{
			{"none", ask("POST", "/", ""), "200 false "},
			{"at_the_bound", ask("POST", "/", large[:inMemory]), "200 false " + large[:inMemory]},
			{"past_the_bound", ask("POST", "/", large[:inMemory+1]), "200 true " + large[:inMemory+1]},
			{"large", ask("POST", "/", large), "200 true " + large},
			{"too_large", ask("POST", "/", large+large), "413 Request Entity Too Large: the request body is too large\n"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				statuses, bodies := answers(t, talk(t, addr, tt.give), "POST")
				if len(bodies) != 1 || fmt.Sprintf("%d %s", statuses[0], bodies[0]) != tt.want {
					t.Errorf("got %v %.100q, want %.100q", statuses, bodies, tt.want)
				}
			})
		}
		if n := srv.Stats().Spooled; n != 2 {
			t.Errorf("counted %d spooled bodies, want 2", n)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("files left: %v", left)
		}
	})
}

func TestLargeChunkedBody(t *testing.T) {
	_, addr := start(t, HandlerFunc(func(x *Exchange) {
		b, _ := io.ReadAll(x.Body().Reader())
		x.Reply(x.Response(), b)
	}), Options{TempDir: t.TempDir(), BodyMemory: 100}, ListenOptions{})
	body := string(pattern(300_000))
	var b strings.Builder
	b.WriteString("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	for at, n := 0, 1; at < len(body); at, n = at+n, n*2+1 {
		n = min(n, len(body)-at)
		fmt.Fprintf(&b, "%x;ext=1\r\n%s\r\n", n, body[at:at+n])
	}
	b.WriteString("0\r\nTrailer: x\r\n\r\n")
	_, bodies := answers(t, talk(t, addr, b.String()+request(t, HTTP, "POST", "/", "next")), "POST")
	if len(bodies) != 2 || bodies[0] != body || bodies[1] != "next" {
		t.Errorf("%d answers", len(bodies))
	}
}

// keep does what a connection does with a piece of a body.
func keep(b *Body, p []byte, s *Server) error {
	if err := b.collect(p, s); err != nil || !b.due(false) {
		return err
	}
	return b.store()
}

// A body in tiny pieces must not cost a system call each.
func TestTinyPiecesAreGathered(t *testing.T) {
	writes := func() (n int) {
		b, err := os.ReadFile("/proc/self/io")
		if err != nil {
			t.Skip("this system does not count system calls")
		}
		_, _ = fmt.Sscanf(string(b[strings.Index(string(b), "syscw:"):]), "syscw: %d", &n)
		return n
	}
	srv, err := New(Options{BodyMemory: 1000, TempDir: t.TempDir(), Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	var b Body
	defer b.free()
	before := writes()
	want := pattern(500_000)
	for i := range want {
		if err := keep(&b, want[i:i+1], srv); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.complete(); err != nil {
		t.Fatal(err)
	}
	if n := writes() - before; n > 1000 {
		t.Errorf("%d calls of write for 500,000 pieces", n)
	}
	if got, err := io.ReadAll(b.Reader()); err != nil || string(got) != string(want) {
		t.Errorf("read %d bytes back, %v", len(got), err)
	}
}

// Where there is no folder for bodies they are kept in memory, and the log says so
// before the first comes.
func TestBodiesWithoutAFolder(t *testing.T) {
	if _, err := memoryFile(); err != nil {
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, dir string }{
		{"missing", filepath.Join(t.TempDir(), "missing")},
		{"no_folder", file},
		{"read_only", "/proc"},
		{"full", "/dev/full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
				var logs logLines
				srv, addr := start(t, HandlerFunc(func(x *Exchange) {
					b, err := io.ReadAll(x.Body().Reader())
					if err != nil || x.Body().File() == nil {
						t.Errorf("the body is not in a file, or cannot be read: %v", err)
					}
					x.Reply(x.Response(), b)
				}), Options{BodyMemory: 10, TempDir: tt.dir, Logf: logs.add}, ListenOptions{Protocol: p})
				eventually(t, "a warning at the start", func() bool {
					return logs.count("set TMPDIR") == 1 && logs.count(tt.dir) == 1 && logs.count("kept in memory") == 1
				})
				body := string(pattern(300_000))
				statuses, bodies := answers(t, talk(t, addr, ask("POST", "/", body)), "POST")
				if fmt.Sprint(statuses) != "[200]" || bodies[0] != body {
					t.Errorf("got %v", statuses)
				}
				eventually(t, "everything is given back", func() bool { return srv.memory.Load() < holdStep && srv.files.Load() == 0 })
			})
		})
	}
}

// A disk that becomes full in the middle of a body is no loss either.
func TestDiskFullInTheMiddle(t *testing.T) {
	if _, err := memoryFile(); err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct {
		name   string
		memory int64
		want   error
	}{
		{"room_in_memory", 1 << 20, nil},
		{"none", 300_000, errNoSpace},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := New(Options{BodyMemory: 1000, TempDir: t.TempDir(), MaxMemory: tt.memory, Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			var b Body
			defer b.free()
			want := pattern(600_000)
			if err := keep(&b, want[:200_000], srv); err != nil {
				t.Fatal(err)
			}
			// Like a full disk, what is open for reading only takes no more.
			reading, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", b.file.Fd()))
			if err != nil {
				t.Skip(err)
			}
			_ = b.file.Close()
			b.file = reading
			err = keep(&b, want[200_000:400_000], srv)
			if err == nil {
				err = keep(&b, want[400_000:], srv)
			}
			if err == nil {
				err = b.complete()
			}
			if err != tt.want {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if got, err := io.ReadAll(b.Reader()); tt.want == nil && (err != nil || string(got) != string(want)) {
				t.Errorf("read %d bytes back, %v", len(got), err)
			}
		})
	}
}

func TestNowhereToPutTheBody(t *testing.T) {
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		srv, addr := start(t, echo, Options{BodyMemory: 10, MaxMemory: 500, TempDir: filepath.Join(t.TempDir(), "missing")}, ListenOptions{Protocol: p})
		statuses, bodies := answers(t, talk(t, addr, ask("POST", "/", strings.Repeat("x", 1000))), "POST")
		if fmt.Sprint(statuses) != "[507]" {
			t.Errorf("got %v %q, want 507", statuses, bodies)
		}
		if st := srv.Stats(); st.Refused != 1 || st.Status[5] != 1 || st.Requests != 1 {
			t.Errorf("counted %+v", st)
		}
	})
}

// The log says once, not for each request, why bodies cannot be stored.
func TestStoringFailsIsSaidOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		fail func(*Body, *Server) error
	}{
		{"no descriptors", errBusy, func(b *Body, s *Server) error {
			var r unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
				t.Fatal(err)
			}
			low := r
			low.Cur = 3
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
				t.Skip(err)
			}
			defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &r) }()
			return b.spool(s)
		}},
		{"no space", errNoSpace, func(b *Body, s *Server) error {
			b.srv = s
			return b.noSpace(unix.ENOSPC)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var logs logLines
			srv, err := New(Options{Loops: 1, TempDir: t.TempDir(), Logf: logs.add})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			for range 5 {
				if err := tt.fail(new(Body), srv); err != tt.err {
					t.Fatal(err)
				}
			}
			if n := logs.count("store request body"); n != 1 {
				t.Errorf("said %d times", n)
			}
		})
	}
}

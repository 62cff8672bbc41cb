package engine

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func goexit() { runtime.Goexit() }

// A listener that cannot be watched ends Serve, and says so; nothing is left open.
func TestListenerThatCannotBeWatched(t *testing.T) {
	srv, err := New(Options{Loops: 2, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// A regular file in its place, as when something in the process has closed what is not its own.
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup2(int(f.Fd()), ln.fd()); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	err = srv.Serve(echo)
	if err == nil || errors.Is(err, ErrServerClosed) || !strings.Contains(err.Error(), ln.String()) {
		t.Errorf("Serve: %v", err)
	}
	if err := srv.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// What is said of an error of accept is about that error.
func TestRemedy(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		unix.EMFILE: "ulimit", unix.ENFILE: "fs.file-max", unix.ENOMEM: "memory", unix.ENOBUFS: "memory", unix.EPERM: "firewall",
		unix.EBADF: "listening socket", unix.EINVAL: "listening socket", unix.EIO: "accept(2)",
	} {
		got := remedy(errno)
		if !strings.Contains(got, want) || want != "ulimit" && strings.Contains(got, "ulimit") {
			t.Errorf("%v: %s", errno, got)
		}
	}
}

// The outcome of a large file counts what the kernel took, and says when it was cut off.
func TestFileToAClientThatResets(t *testing.T) {
	const size = 64 << 20
	name := t.TempDir() + "/f"
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		read int64
	}{{"at once", 0}, {"in the middle", 1 << 20}} {
		t.Run(tt.name, func(t *testing.T) {
			finished := make(chan Outcome, 1)
			srv, addr := start(t, HandlerFunc(func(x *Exchange) { x.ReplyFile(x.Response(), openFile(t, name), 0, size) }),
				Options{OnFinish: func(_ *Exchange, o Outcome) { finished <- o }}, ListenOptions{})
			c := dialSlow(t, addr)
			write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if _, err := io.CopyN(io.Discard, c, tt.read); err != nil {
				t.Fatal(err)
			}
			leave(c)
			o := <-finished
			if !o.Aborted || o.Broken == "" || o.BodyBytes >= size || o.BodyBytes < tt.read-1000 {
				t.Errorf("%+v", o)
			}
			if sent := int64(srv.Stats().BytesOut); o.HeadBytes+o.BodyBytes > sent {
				t.Errorf("%d bytes are told, the kernel took %d", o.HeadBytes+o.BodyBytes, sent)
			}
		})
	}
}

package engine

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// get makes a request on a connection of its own.
func get(t *testing.T, addr, path string) *http.Response {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	write(t, c, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp
}

// The memory that connections hold is bounded in sum, whatever they hold it for; what
// is beyond gets a 503; and everything is as before when they have gone.
func TestMemoryBound(t *testing.T) {
	const (
		limit   = 2 << 20
		clients = 100
	)
	for _, tt := range []struct {
		name string
		hold func(t *testing.T, c net.Conn) // has the server hold memory
		more int64                          // that those who were let in may add
	}{
		{"bodies", func(t *testing.T, c net.Conn) {
			write(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 64000\r\n\r\n"+strings.Repeat("x", 60_000))
		}, 1 << 20},
		{"unread_answers", func(t *testing.T, c net.Conn) { write(t, c, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n") }, 16 << 20},
		{"heads", func(t *testing.T, c net.Conn) {
			write(t, c, "GET / HTTP/1.1\r\nHost: a\r\nCookie: "+strings.Repeat("x", 30_000))
		}, 1 << 20},
		{"heads_of_requests_that_run", func(t *testing.T, c net.Conn) {
			write(t, c, "GET /wait HTTP/1.1\r\nHost: a\r\nCookie: "+strings.Repeat("x", 30_000)+"\r\n\r\n")
		}, 1 << 20},
		{"pipelined", func(t *testing.T, c net.Conn) {
			write(t, c, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"+strings.Repeat("x", 60_000))
		}, 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			large := make([]byte, 8<<20)
			var logs logLines
			srv, addr := start(t, HandlerFunc(func(x *Exchange) {
				switch string(x.Request().Path()) {
				case "/large":
					x.Reply(x.Response(), large)
				case "/wait":
					x.Watch(endless{})
				default:
					x.ReplyText(200, "here")
				}
			}), Options{Loops: 1, MaxMemory: limit, TempDir: t.TempDir(), Logf: logs.add}, ListenOptions{})
			if got := get(t, addr, "/").StatusCode; got != 200 {
				t.Fatalf("at first: %d", got)
			}
			var conns []net.Conn
			for range clients {
				c := dialSlow(t, addr)
				tt.hold(t, c)
				conns = append(conns, c)
				if n := srv.memory.Load(); n > limit+tt.more {
					t.Fatalf("%d bytes are held, of %d", n, limit)
				}
			}
			refused := func() bool {
				resp := get(t, addr, "/")
				if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" {
					t.Error("503 without Retry-After")
				}
				return resp.StatusCode == 503
			}
			switch tt.name {
			case "heads": // those that are not complete give way, the oldest first
				for range 2 * clients {
					if refused() {
						t.Fatal("a small request is refused, as others have not sent theirs")
					}
				}
				if n := srv.Stats().Refused; n < clients/3 || n > clients {
					t.Errorf("%d heads of %d were refused", n, clients)
				}
				if logs.count("all 2 MiB of memory") != 1 {
					t.Error("the log does not say why, or too often")
				}
				_ = conns[0].SetReadDeadline(time.Now().Add(20 * time.Second))
				if got, _ := io.ReadAll(conns[0]); !strings.HasPrefix(string(got), "HTTP/1.1 503 ") {
					t.Errorf("the oldest got %.30q", got)
				}
				_ = conns[clients-1].SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				if got, _ := io.ReadAll(conns[clients-1]); len(got) > 0 {
					t.Errorf("the youngest got %.30q", got)
				}
			case "bodies": // these go to files and leave room
				eventually(t, "bodies go to files", func() bool { return srv.files.Load() > clients/4 })
				eventually(t, "a request is served, as bodies go to files", func() bool { return !refused() })
			default:
				eventually(t, "a request is refused", refused)
				if logs.count("all 2 MiB of memory") != 1 {
					t.Error("the log does not say why, or too often")
				}
			}
			for _, c := range conns {
				leave(c.(*net.TCPConn))
			}
			eventually(t, "everything is given back", func() bool { return srv.memory.Load() < holdStep && srv.files.Load() == 0 })
			if got := get(t, addr, "/").StatusCode; got != 200 {
				t.Errorf("afterwards: %d", got)
			}
		})
	}
}

// Files of bodies and answers count as descriptors like connections. Where there are
// none left a request that needs one gets a 503, and others are served.
func TestDescriptorsAreCounted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	const limit, clients = 40, 30
	for _, tt := range []struct{ name, ask string }{
		{"bodies", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 80_000)},
		{"files", "GET /file HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, err := New(Options{Loops: 1, TempDir: t.TempDir(), Logf: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			srv.maxFiles, srv.opt.MaxConns = limit, limit-4
			ln, err := srv.Listen("127.0.0.1:0", ListenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.String()
			serve(t, srv, HandlerFunc(func(x *Exchange) {
				if string(x.Request().Path()) != "/file" {
					x.ReplyText(200, "here")
					return
				}
				f, err := os.Open(file)
				if err != nil {
					x.Abort()
					return
				}
				x.ReplyFile(x.Response(), f, 0, 8<<20)
			}))
			var conns []*net.TCPConn
			for range clients {
				c := dialSlow(t, addr)
				write(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				if _, err := io.ReadFull(c, make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
			}
			for _, c := range conns {
				_, _ = io.WriteString(c, tt.ask) // one that is refused may be closed meanwhile
			}
			full := 0
			eventually(t, "all are served or refused", func() bool {
				full = int(srv.Stats().Status[5])
				return full+int(srv.files.Load()) >= clients
			})
			if n := srv.files.Load() + srv.conns.Load(); full == 0 || n > limit {
				t.Errorf("%d descriptors in use, of %d; %d answers of 503", n, limit, full)
			}
			if got := get(t, addr, "/").StatusCode; got != 200 {
				t.Errorf("one that needs no file, meanwhile: %d", got)
			}
			for _, c := range conns {
				leave(c)
			}
			eventually(t, "everything is given back", func() bool { return srv.files.Load() == 0 && srv.conns.Load() == 0 })
			if got := get(t, addr, "/").StatusCode; got != 200 {
				t.Errorf("afterwards: %d", got)
			}
		})
	}
}

// Connections must leave some descriptors to files, and both some to the rest.
func TestDescriptorShares(t *testing.T) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ limit, reserve, files, conns int }{
		{512, 0, 384, 336},
		{1024, 300, 724, 634},
		{64, 0, 32, 28},
		{20, 0, 16, 14},
	} {
		t.Run(fmt.Sprint(tt.limit), func(t *testing.T) {
			low := r
			setTo(&low.Cur, tt.limit)
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
				t.Skip(err)
			}
			o := Options{ReserveFiles: tt.reserve}.withDefaults()
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
				t.Fatal(err)
			}
			if o.maxFiles != tt.files || o.MaxConns != tt.conns {
				t.Errorf("%d for connections and files, %d for connections; want %d and %d", o.maxFiles, o.MaxConns, tt.files, tt.conns)
			}
		})
	}
}

// Memory that a rush of requests took goes back to the system soon after it.
func TestMemoryIsGivenBack(t *testing.T) {
	srv, addr := start(t, HandlerFunc(func(x *Exchange) { x.ReplyText(200, "here") }), Options{MaxMemory: 1 << 30, TempDir: t.TempDir()}, ListenOptions{})
	kept := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapIdle - m.HeapReleased + m.HeapInuse
	}
	const clients = 1500
	var conns []*net.TCPConn
	for range clients {
		c := dial(t, addr)
		write(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 64000\r\n\r\n"+strings.Repeat("x", 60_000))
		conns = append(conns, c)
	}
	eventually(t, "the bodies are there", func() bool { return srv.memory.Load() > clients*60_000 })
	high := kept()
	for _, c := range conns {
		leave(c)
	}
	for deadline := time.Now().Add(30 * time.Second); kept() > high/2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d MiB are still kept, of %d", kept()>>20, high>>20)
		}
	}
}

// What a connection holds is counted for as long as it holds it: those that are idle after
// their answer hold nothing, wherever the answer came from.
func TestIdleConnectionsWeighNothing(t *testing.T) {
	const clients = 40
	for _, tt := range []struct {
		name   string
		answer func(x *Exchange)
	}{
		{"at once", func(x *Exchange) { x.ReplyText(200, "here") }},
		{"later", func(x *Exchange) {
			ref := x.Ref()
			go func() { _ = ref.Post(func(x *Exchange) { x.ReplyText(200, "here") }) }()
		}},
		{"streamed later", func(x *Exchange) {
			ref := x.Ref()
			go func() {
				_ = ref.Post(func(x *Exchange) { x.Start(x.Response()) })
				_ = ref.Post(func(x *Exchange) { x.Write([]byte("here")); x.End() })
			}()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, addr := start(t, HandlerFunc(tt.answer), Options{Loops: 1, MaxMemory: 1 << 20, TempDir: t.TempDir()}, ListenOptions{})
			request := "GET / HTTP/1.1\r\nHost: a\r\nCookie: " + strings.Repeat("x", 30_000) + "\r\n\r\n"
			for range clients {
				c := dial(t, addr)
				r := bufio.NewReader(c)
				for range 2 {
					write(t, c, request)
					resp, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Fatal(err)
					}
					if _, _ = io.Copy(io.Discard, resp.Body); resp.StatusCode != 200 {
						t.Fatalf("a request is answered %d while all others are idle", resp.StatusCode)
					}
				}
			}
			eventually(t, "idle connections are not counted", func() bool { return srv.memory.Load() < holdStep })
		})
	}
}

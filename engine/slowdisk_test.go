package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

// slowDisk has no file in memory until it is let go of. It returns how many reads wait, and what lets them go.
func slowDisk(t *testing.T) (waiting *atomic.Int64, release func()) {
	t.Helper()
	waiting = new(atomic.Int64)
	gate := make(chan struct{})
	open := false
	release = func() {
		if !open {
			open = true
			close(gate)
		}
	}
	isResident = func(*os.File, int64, int64) bool { return false }
	readAhead = func(f *os.File, p []byte, off int64) (int, error) {
		waiting.Add(1)
		<-gate
		return f.ReadAt(p, off)
	}
	t.Cleanup(func() {
		release()
		isResident, readAhead = resident, (*os.File).ReadAt
	})
	return waiting, release
}

// While a disk does not answer for some, others are served, and those get all of it later.
func TestDiskHoldsNobodyElse(t *testing.T) {
	content := pattern(600_000)
	name := tempFile(t, content)
	waiting, release := slowDisk(t)
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		if string(x.Request().Path()) == "/file" {
			x.ReplyFile(x.Response(), openFile(t, name), 0, int64(len(content)))
			return
		}
		x.ReplyText(200, "at once")
	}), Options{DiskThreads: 2}, ListenOptions{})
	const clients = 5
	got := make(chan []byte, clients)
	for range clients {
		c := dial(t, addr)
		write(t, c, "GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		go func() {
			b, _ := io.ReadAll(c)
			got <- b
		}()
	}
	eventually(t, "the disk is asked", func() bool { return waiting.Load() == 2 })
	for range 10 {
		if answer := talk(t, addr, request(t, HTTP, "GET", "/", "")); !strings.HasSuffix(answer, "at once") {
			t.Errorf("got %q", answer)
		}
	}
	// One whose client goes meanwhile leaves nothing behind.
	gone := dial(t, addr)
	write(t, gone, "GET /file HTTP/1.1\r\nHost: a\r\n\r\n")
	eventually(t, "it waits", func() bool { return srv.files.Load() == clients+1 })
	_ = gone.Close()
	eventually(t, "it is given up", func() bool { return srv.files.Load() == clients })
	release()
	for range clients {
		_, body, _ := bytes.Cut(<-got, []byte("\r\n\r\n"))
		if !bytes.Equal(body, content) {
			t.Errorf("a body of %d bytes is wrong", len(body))
		}
	}
	eventually(t, "everything is given back", func() bool { return srv.files.Load() == 0 })
}

// While bodies cannot be stored, other requests are served; then those bodies are whole. A client that goes
// meanwhile leaves nothing behind.
func TestDiskForBodiesHoldsNobodyElse(t *testing.T) {
	overProtocols(t, func(t *testing.T, p Protocol, ask func(method, target, body string) string) {
		gate := make(chan struct{})
		var waiting atomic.Int64
		newBodyFile = func(dir string) (*os.File, error) {
			waiting.Add(1)
			<-gate
			return unlinked(dir)
		}
		t.Cleanup(func() { newBodyFile = unlinked })
		whole := HandlerFunc(func(x *Exchange) {
			b, err := io.ReadAll(x.Body().Reader())
			if err != nil {
				t.Error(err)
			}
			x.Reply(x.Response(), b)
		})
		srv, addr := start(t, whole, Options{DiskThreads: 2, BodyMemory: 1000, TempDir: t.TempDir(), Logf: t.Logf}, ListenOptions{Protocol: p})
		const clients = 5
		body := string(pattern(700_000))
		got := make(chan string, clients)
		for range clients {
			c := dial(t, addr)
			go func() {
				_, _ = io.WriteString(c, ask("POST", "/", body))
				_ = c.CloseWrite()
				b, _ := io.ReadAll(c)
				got <- string(b)
			}()
		}
		eventually(t, "the disk is asked", func() bool { return waiting.Load() == 2 })
		for range 10 {
			if statuses, bodies := answers(t, talk(t, addr, ask("POST", "/", "small")), "POST"); fmt.Sprint(statuses) != "[200]" || bodies[0] != "small" {
				t.Errorf("got %v %q", statuses, bodies)
			}
		}
		gone := dial(t, addr)
		in := srv.Stats().BytesIn
		write(t, gone, ask("POST", "/", body)[:5000])
		eventually(t, "some of it has come", func() bool { return srv.Stats().BytesIn >= in+5000 })
		leave(gone)
		close(gate)
		for range clients {
			if statuses, bodies := answers(t, <-got, "POST"); fmt.Sprint(statuses) != "[200]" || bodies[0] != body {
				t.Errorf("got %v", statuses)
			}
		}
		eventually(t, "everything is given back", func() bool { return srv.memory.Load() < holdStep && srv.files.Load() == 0 && srv.Stats().InFlight == 0 })
	})
}

func TestOffload(t *testing.T) {
	gate := make(chan struct{})
	var gone atomic.Int64
	srv, addr := start(t, HandlerFunc(func(x *Exchange) {
		how := string(x.Request().Path())
		err := x.Offload(func() {
			switch how {
			case "/panic":
				panic("a job of a test")
			case "/wait":
				<-gate
			}
		}, func(x *Exchange) { x.ReplyText(200, "done") }, func() { gone.Add(1) })
		if err != nil {
			t.Error(err)
		}
	}), Options{DiskThreads: 1, Logf: func(string, ...any) {}}, ListenOptions{})
	for target, want := range map[string]string{"/": "200", "/panic": "500"} {
		if got := talk(t, addr, request(t, HTTP, "GET", target, "")); !strings.HasPrefix(got, "HTTP/1.1 "+want) {
			t.Errorf("%s: %q", target, got)
		}
	}
	eventually(t, "what the job that panicked had is freed", func() bool { return gone.Load() == 1 })
	c := dial(t, addr)
	write(t, c, request(t, HTTP, "GET", "/wait", ""))
	eventually(t, "it is served", func() bool { return srv.Stats().InFlight == 1 })
	leave(c)
	eventually(t, "the client has gone", func() bool { return srv.Stats().InFlight == 0 })
	close(gate)
	eventually(t, "what the job has got is freed", func() bool { return gone.Load() == 2 })
}

// A handler that has a body moved to a file holds up nobody while the disk does not answer.
func TestSpoolBodyHoldsNobodyElse(t *testing.T) {
	gate := make(chan struct{})
	var waiting atomic.Int64
	newBodyFile = func(dir string) (*os.File, error) {
		waiting.Add(1)
		<-gate
		return unlinked(dir)
	}
	t.Cleanup(func() { newBodyFile = unlinked })
	again := HandlerFunc(func(x *Exchange) {
		if x.Body().Size() == 5 {
			x.ReplyText(200, "small")
			return
		}
		x.SpoolBody(func(x *Exchange, err error) {
			b, readErr := io.ReadAll(x.Body().Reader())
			if err != nil || readErr != nil || x.Body().File() == nil || x.Body().Bytes() != nil {
				t.Errorf("%v, %v, file %v", err, readErr, x.Body().File())
			}
			x.Reply(x.Response(), b)
		})
	})
	srv, addr := start(t, WholeBody(again), Options{BodyMemory: 1 << 20, TempDir: t.TempDir(), Logf: t.Logf}, ListenOptions{})
	body := string(pattern(700_000))
	got := make(chan string, 1)
	c := dial(t, addr)
	go func() {
		_, _ = io.WriteString(c, request(t, HTTP, "POST", "/", body))
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		got <- string(b)
	}()
	eventually(t, "the disk is asked", func() bool { return waiting.Load() == 1 })
	if statuses, bodies := answers(t, talk(t, addr, request(t, HTTP, "POST", "/", "small")), "POST"); fmt.Sprint(statuses) != "[200]" || bodies[0] != "small" {
		t.Errorf("got %v %q", statuses, bodies)
	}
	gone := dial(t, addr)
	write(t, gone, request(t, HTTP, "POST", "/", body))
	eventually(t, "the disk is asked again", func() bool { return waiting.Load() == 2 })
	leave(gone)
	close(gate)
	if statuses, bodies := answers(t, <-got, "POST"); fmt.Sprint(statuses) != "[200]" || bodies[0] != body {
		t.Errorf("got %v", statuses)
	}
	eventually(t, "everything is given back", func() bool { return srv.memory.Load() < holdStep && srv.files.Load() == 0 && srv.Stats().InFlight == 0 })
}

// What a server refuses by itself has the layers of all answers.
func TestEveryAnswer(t *testing.T) {
	name := tempFile(t, pattern(100_000))
	for _, tt := range []struct{ name, raw, want string }{
		{"answered", request(t, HTTP, "GET", "/", ""), "200"},
		{"malformed", "GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", "400"},
		{"no_host", "GET / HTTP/1.1\r\n\r\n", "400"},
		{"too_large", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n", "413"},
		{"expectation", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: x\r\n\r\n", "417"},
		{"no_descriptor_for_a_file", request(t, HTTP, "GET", "/file", ""), "503"},
		{"file_that_is_shorter", request(t, HTTP, "GET", "/short", ""), "500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Every: func(x *Exchange) { x.Push(&marking{}) }, Logf: func(string, ...any) {}}
			o.Limits.Body = 1000
			srv, addr := start(t, HandlerFunc(func(x *Exchange) {
				switch string(x.Request().Path()) {
				case "/file":
					x.ReplyFile(x.Response(), openFile(t, name), 0, 100_000)
				case "/short":
					x.ReplyFile(x.Response(), openFile(t, name), 99_990, 1000)
				default:
					x.ReplyText(200, "hello")
				}
			}), o, ListenOptions{})
			c := dial(t, addr)
			eventually(t, "the connection is taken in", func() bool { return srv.conns.Load() == 1 })
			if tt.want == "503" {
				srv.files.Add(1 << 40)
				defer srv.files.Add(-1 << 40)
			}
			write(t, c, tt.raw)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(resp.StatusCode) != tt.want || len(resp.Header.Values("X-Mark")) != 1 {
				t.Errorf("got %v", resp)
			}
			_ = c.Close()
		})
	}
}

// marking adds a header.
type marking struct{ Pass }

func (m *marking) mark(resp *codec.Response) *codec.Response {
	marked := *resp
	marked.Header = append(append([]codec.Header{}, resp.Header...), codec.Header{Name: []byte("X-Mark"), Value: []byte("yes")})
	return &marked
}

func (m *marking) Reply(x *Exchange, resp *codec.Response, body []byte) {
	m.Next().Reply(x, m.mark(resp), body)
}

func (m *marking) ReplyFile(x *Exchange, resp *codec.Response, f *os.File, off, n int64) {
	m.Next().ReplyFile(x, m.mark(resp), f, off, n)
}

func (m *marking) Abort(x *Exchange) {
	resp := x.Response()
	resp.Status = 500
	m.Reply(x, resp, nil)
}

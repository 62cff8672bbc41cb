package wsgi

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

var lateApp = []worker.App{{File: "testdata/late.py"}}

// announce sends a head that announces a body, over one of the protocols.
func (r *rig) announce(over, target string, length int) *net.TCPConn {
	r.t.Helper()
	path, query, _ := strings.Cut(target, "?")
	switch over {
	case "http":
		return r.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", target, length))
	case "chunked":
		return r.send("POST " + target + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	}
	c := r.dial(r.uwsgi)
	vars := nginx(uwsgi.Var{Name: "REQUEST_METHOD", Value: "POST"}, uwsgi.Var{Name: "REQUEST_URI", Value: target},
		uwsgi.Var{Name: "PATH_INFO", Value: path}, uwsgi.Var{Name: "QUERY_STRING", Value: query},
		uwsgi.Var{Name: "CONTENT_LENGTH", Value: fmt.Sprint(length)}, uwsgi.Var{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"})
	if _, err := c.Write(packet(r.t, "", vars...)); err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) wantAnswer(c io.Reader, status int, body string) *http.Response {
	r.t.Helper()
	resp, got, err := read(c, "POST")
	if err != nil {
		r.t.Fatalf("no answer: %v; want %d %q", err, status, body)
	}
	if resp.StatusCode != status || body != "" && got != body {
		r.t.Errorf("got %d %q, want %d %q", resp.StatusCode, got, status, body)
	}
	return resp
}

// An app that does not read answers although the body never comes, and one that reads gets
// it, in every way of reading.
func TestBodyThatDoesNotCome(t *testing.T) {
	r := start(t, setup{worker: worker.Config{Apps: lateApp, Processes: 1, Threads: 8}})
	const text = "one\ntwo\nthree"
	for _, over := range []string{"http", "chunked", "uwsgi"} {
		t.Run(over+"_unread", func(t *testing.T) {
			c := r.announce(over, "/ignore", len(text))
			resp := r.wantAnswer(c, 200, "not read")
			if over != "uwsgi" && !resp.Close {
				t.Error("the connection goes on, though what comes next may be that body or a request")
			}
		})
		t.Run(over+"_length", func(t *testing.T) {
			want := fmt.Sprint(len(text))
			if over == "chunked" {
				want = "none"
			}
			r.wantAnswer(r.announce(over, "/length", len(text)), 200, want)
		})
		for _, way := range []string{"read", "read_n", "readline", "readlines", "iterate", "readinto", "seek", "thread", "stream"} {
			t.Run(over+"_"+way, func(t *testing.T) {
				begun := filepath.Join(t.TempDir(), "begun")
				c := r.announce(over, ask("/"+way+"/"+over, "begun", begun), len(text))
				r.waitFile(begun)
				body := text
				if over == "chunked" {
					body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(text), text)
				}
				for _, piece := range []string{body[:5], body[5:]} {
					if _, err := io.WriteString(c, piece); err != nil {
						t.Fatal(err)
					}
				}
				want := text
				if way == "stream" {
					want = "first " + text
				}
				r.wantAnswer(c, 200, want)
			})
		}
	}
	r.wantHelloOf("/ignore")
}

// wantHelloOf asks for a path that answers, to see that the server is well.
func (r *rig) wantHelloOf(target string) {
	r.t.Helper()
	if status, body := r.get(target); status != 200 {
		r.t.Fatalf("afterwards: %d %q", status, body)
	}
}

// A body that comes in several packets, its first one in time, is waited for in full.
func TestBodyThatHasBegunIsAwaited(t *testing.T) {
	r := start(t, setup{worker: worker.Config{Apps: lateApp}})
	begun := filepath.Join(t.TempDir(), "begun")
	c := r.announce("http", ask("/read", "begun", begun), 3)
	for i, piece := range []string{"a", "b", "c"} {
		if _, err := io.WriteString(c, piece); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			break
		}
		for until := time.Now().Add(2 * firstByte); time.Now().Before(until); {
			time.Sleep(10 * time.Millisecond)
			if exists(begun) {
				t.Fatal("the app has begun although its body is on its way")
			}
		}
	}
	r.wantAnswer(c, 200, "abc")
}

// What becomes of a body that the app waits for.
func TestBodyThatFails(t *testing.T) {
	r := start(t, setup{engine: engine.Options{BodyTimeout: time.Second}, worker: worker.Config{Apps: lateApp, Threads: 8}})
	t.Run("timeout", func(t *testing.T) {
		r.wantAnswer(r.announce("http", "/error/timeout", 10), 200, `OSError('timeout during read(5) on wsgi.input')`)
	})
	t.Run("timeout_that_the_app_lets_pass", func(t *testing.T) {
		r.wantAnswer(r.announce("http", "/read/timeout", 10), 408, "")
	})
	t.Run("timeout_after_the_head", func(t *testing.T) {
		_, body, err := read(r.announce("http", "/stream/timeout", 10), "POST")
		if err == nil {
			t.Errorf("got %q as a whole answer", body)
		}
	})
	t.Run("again", func(t *testing.T) { // now it is known to read
		r.wantAnswer(r.announce("http", "/error/timeout", 10), 408, "")
	})
	for _, over := range []string{"http", "uwsgi"} {
		for _, leave := range []string{"fin", "rst"} {
			t.Run("client_leaves_"+over+"_"+leave, func(t *testing.T) {
				dir := t.TempDir()
				begun, told := filepath.Join(dir, "begun"), filepath.Join(dir, "told")
				c := r.announce(over, ask("/error/"+over+leave, "begun", begun, "told", told), 10)
				r.waitFile(begun)
				if leave == "rst" {
					_ = c.SetLinger(0)
				}
				_ = c.Close()
				r.waitFile(told)
				if got, _ := os.ReadFile(told); !strings.HasPrefix(string(got), "OSError('error during read(5) on wsgi.input") {
					t.Errorf("the app was told %q", got)
				}
			})
		}
	}
	t.Run("malformed", func(t *testing.T) {
		begun := filepath.Join(t.TempDir(), "begun")
		c := r.announce("chunked", ask("/read/malformed", "begun", begun), 0)
		r.waitFile(begun)
		if _, err := io.WriteString(c, "zzz\r\n"); err != nil {
			t.Fatal(err)
		}
		r.wantAnswer(c, 400, "")
	})
	t.Run("worker_dies", func(t *testing.T) { r.wantAnswer(r.announce("http", "/die", 10), 502, "") })
}

// Harakiri and a reload find a request that waits for its body as they find others.
func TestBodyThatIsAwaitedMeanwhile(t *testing.T) {
	t.Run("harakiri", func(t *testing.T) {
		r := start(t, setup{worker: worker.Config{Apps: lateApp, Harakiri: time.Second, Log: func(string) {}}})
		r.wantAnswer(r.announce("http", "/read", 10), 504, "")
		r.wantHelloOf("/ignore")
	})
	t.Run("reload", func(t *testing.T) {
		r := start(t, setup{worker: worker.Config{Apps: lateApp}})
		begun := filepath.Join(t.TempDir(), "begun")
		c := r.announce("http", ask("/read", "begun", begun), 4)
		r.waitFile(begun)
		old := r.pool.Snapshot().Workers[0].PID
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := r.pool.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "body"); err != nil {
			t.Fatal(err)
		}
		resp := r.wantAnswer(c, 200, "body")
		if got := resp.Header.Get("X-Pid"); got != fmt.Sprint(old) {
			t.Errorf("worker %s has answered, not %d, which had the request", got, old)
		}
	})
}

// A crowd of clients who hold their bodies back, or send them slowly, takes the threads from
// nobody: such requests hold a quarter of them together.
func TestCrowdsThatHoldBodiesBack(t *testing.T) {
	const crowd = 200
	for _, tt := range []struct {
		name  string
		path  string
		first string // what each sends at once
		most  int    // how many of them may be with a worker
	}{
		{"held_back_and_read", "/read/%d", "", 2},
		{"held_back_and_hung", "/hang/%d", "", 2},
		{"slow_uploads", "/read/%d", "b", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, setup{engine: engine.Options{Loops: 2}, worker: worker.Config{Apps: lateApp, Processes: 2, Threads: 4}})
			dir := t.TempDir()
			gate := filepath.Join(t.TempDir(), "gate")
			var all []*net.TCPConn
			for i := range crowd {
				c := r.announce([]string{"http", "uwsgi"}[i%2], ask(fmt.Sprintf(tt.path, i), "gate", gate, "begun", filepath.Join(dir, fmt.Sprint(i))), 2)
				if _, err := io.WriteString(c, tt.first); err != nil {
					t.Fatal(err)
				}
				all = append(all, c)
			}
			begun := func() int {
				names, _ := filepath.Glob(filepath.Join(dir, "*"))
				return len(names)
			}
			r.wait("requests that begin", func() bool { return begun() >= tt.most })
			for until := time.Now().Add(3 * firstByte); time.Now().Before(until); time.Sleep(time.Millisecond) {
				r.wantHelloOf("/ignore")
				if n := begun(); n > tt.most {
					t.Fatalf("%d of them are with a worker, more than %d", n, tt.most)
				}
			}
			if tt.path == "/hang/%d" {
				for _, c := range all {
					_ = c.SetLinger(0)
					_ = c.Close()
				}
				for until := time.Now().Add(2 * firstByte); time.Now().Before(until); time.Sleep(time.Millisecond) {
					if n := begun(); n > tt.most { // their threads are not free before the app is done
						t.Fatalf("%d of them are with a worker, more than %d", n, tt.most)
					}
				}
				touch(t, gate)
				return
			}
			for _, c := range all {
				if _, err := io.WriteString(c, "bb"[len(tt.first):]); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range all {
				r.wantAnswer(c, 200, tt.first+"bb"[len(tt.first):])
			}
		})
	}
	t.Run("held_back_and_unread", func(t *testing.T) { // they take turns, and all are answered
		r := start(t, setup{engine: engine.Options{Loops: 2}, worker: worker.Config{Apps: lateApp}})
		var wg sync.WaitGroup
		for range crowd {
			c := r.announce("http", "/ignore", 2)
			wg.Go(func() {
				if b, err := io.ReadAll(c); err != nil || !bytes.HasSuffix(b, []byte("not read")) {
					t.Errorf("got %q, %v", b, err)
				}
			})
		}
		wg.Wait()
	})
}

package wsgi

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// What the front server says counts as waiting, for HTTP and for uwsgi.
func TestQueueTimeInEnviron(t *testing.T) {
	r := start(t, setup{})
	ask := func(t *testing.T, raw string, overUWSGI bool, min time.Duration) {
		var body string
		var err error
		if overUWSGI {
			_, body, err = r.overUWSGI(raw)
		} else {
			_, body, err = read(r.send(raw), "GET")
		}
		if err != nil {
			t.Fatal(err)
		}
		if d, err := queueTime(body); err != nil || d < min || d > min+patience {
			t.Errorf("the app was told %q; want %v and a bit", body, min)
		}
	}
	const plain = "GET /queue_time HTTP/1.1\r\nHost: a\r\n\r\n"
	t.Run("own", func(t *testing.T) { ask(t, plain, false, 0) })
	t.Run("own_over_uwsgi", func(t *testing.T) { ask(t, plain, true, 0) })
	then := fmt.Sprint("t=", time.Now().Add(-time.Minute).UnixMilli())
	t.Run("front", func(t *testing.T) {
		ask(t, "GET /queue_time HTTP/1.1\r\nHost: a\r\nX-Request-Start: "+then+"\r\n\r\n", false, time.Minute)
	})
	t.Run("front_over_uwsgi", func(t *testing.T) {
		c := r.dial(r.uwsgi)
		vars := nginx(uwsgi.Var{Name: "PATH_INFO", Value: "/queue_time"}, uwsgi.Var{Name: "HTTP_X_REQUEST_START", Value: then},
			uwsgi.Var{Name: "uwsgo.queue_time", Value: "forged"})
		if _, err := c.Write(packet(t, "", vars...)); err != nil {
			t.Fatal(err)
		}
		_, body, err := read(c, "GET")
		if err != nil {
			t.Fatal(err)
		}
		if d, err := queueTime(body); err != nil || d < time.Minute || d > time.Minute+patience {
			t.Errorf("the app was told %q; want a minute and a bit", body)
		}
	})
}

// queueTime reads what str makes of a float, which may be 4.3e-05.
func queueTime(text string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	return time.Duration(seconds * float64(time.Second)), err
}

// A client may end its side and read on. Only one that waits for long is taken to
// have gone, and is told all the same.
func TestClientEndsItsSide(t *testing.T) {
	r := start(t, setup{})
	ended := func(target string) *net.TCPConn {
		c := r.send(request(target))
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	resp, _, err := read(ended("/hello"), "GET")
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("at once: %v, %v; want 200", resp, err)
	}

	first, release := r.block()
	var ahead []*net.TCPConn
	for n := range 40 { // more than the kernel's queue gets
		ahead = append(ahead, r.send(request("/hello")))
		r.waitInFlight(int64(n + 2))
	}
	file := filepath.Join(t.TempDir(), "ran")
	left, stays := ended(ask("/touch", "file", file)), r.send(request("/hello"))
	r.waitInFlight(43)
	for until := time.Now().Add(1100 * time.Millisecond); time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	release()
	if resp, _, err := read(left, "GET"); err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("after a second: %v, %v; want 503 with Retry-After", resp, err)
	}
	for _, c := range append(ahead, first, stays) {
		if resp, _, err := read(c, "GET"); err != nil || resp.StatusCode != 200 {
			t.Errorf("who stayed: %v, %v; want 200", resp, err)
		}
	}
	if exists(file) {
		t.Error("the request of the one that left was run")
	}
}

// Requests beyond queue-timeout get a 503 that says when to come again.
func TestQueueTimeoutIsAnswered(t *testing.T) {
	r := start(t, setup{worker: worker.Config{QueueTimeout: 100 * time.Millisecond}})
	first, release := r.block()
	late := r.send(request("/hello"))
	resp, body, err := read(late, "GET")
	if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || body != "Service Unavailable\n" {
		t.Errorf("got %v %q, %v; want 503 with Retry-After", resp, body, err)
	}
	if _, err := io.WriteString(late, request("/hello")); err != nil { // the connection goes on
		t.Fatal(err)
	}
	release()
	for _, c := range []*net.TCPConn{first, late} {
		if resp, _, err := read(c, "GET"); err != nil || resp.StatusCode != 200 && c == first {
			t.Errorf("got %v, %v; want 200", resp, err)
		}
	}
	r.wait("requests to be taken again", func() bool { status, _ := r.get("/hello"); return status == 200 })
}

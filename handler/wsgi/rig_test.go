package wsgi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// setup says what a rig is made of.
type setup struct {
	engine engine.Options
	worker worker.Config
	wsgi   Options
	around func(engine.Handler) engine.Handler // put around the handler, if not nil
}

// rig is a server with a pool of real workers.
type rig struct {
	t      testing.TB
	srv    *engine.Server
	pool   *worker.Pool
	app    *Handler
	http   string // address
	uwsgi  string // address
	stderr string // path
}

// start serves testdata/app.py, unless s says otherwise, until the test ends.
func start(t testing.TB, s setup) *rig {
	t.Helper()
	needPython(t)
	r := &rig{t: t}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	r.stderr = stderr.Name()
	if s.engine.Logf == nil {
		s.engine.Logf = t.Logf
	}
	if s.wsgi.Logf == nil {
		s.wsgi.Logf = t.Logf
	}
	if r.srv, err = engine.New(s.engine); err != nil {
		t.Fatal(err)
	}
	for _, ln := range []struct {
		addr  *string
		proto engine.Protocol
	}{{&r.http, engine.HTTP}, {&r.uwsgi, engine.UWSGI}} {
		l, err := r.srv.Listen("127.0.0.1:0", engine.ListenOptions{Protocol: ln.proto})
		if err != nil {
			t.Fatal(err)
		}
		*ln.addr = l.String()
	}
	if s.worker.Apps == nil {
		s.worker.Apps = []worker.App{{File: "testdata/app.py"}}
	}
	if s.worker.Log == nil {
		s.worker.Log = func(line string) {
			if strings.Contains(line, "killing it") { // another worker answers, so nothing else shows it
				t.Error(line)
			}
		}
	}
	s.worker.Bodies = r.srv.SharedBodies()
	s.worker.Loops, s.worker.Stderr, s.worker.NeedApp = r.srv.Loops(), stderr, true
	if r.pool, err = worker.Start(t.Context(), s.worker); err != nil {
		t.Fatalf("%v\n%s", err, r.output())
	}
	if r.app, err = New(r.pool, s.wsgi); err != nil {
		t.Fatal(err)
	}
	var handler engine.Handler = r.app
	if s.around != nil {
		handler = s.around(handler)
	}
	served := make(chan error, 1)
	go func() { served <- r.srv.Serve(handler) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var pids []int
		for _, w := range r.pool.Snapshot().Workers {
			pids = append(pids, w.PID)
		}
		if err := r.srv.Drain(ctx); err != nil {
			t.Errorf("drain: %v", err)
		}
		if err := r.pool.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := r.srv.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
		for _, pid := range pids {
			if pid != 0 && syscall.Kill(pid, 0) == nil {
				t.Errorf("worker %d is left", pid)
			}
		}
		_ = stderr.Close()
		if t.Failed() {
			t.Logf("stderr of the apps:\n%s", r.output())
		}
	})
	return r
}

func (r *rig) output() string {
	b, _ := os.ReadFile(r.stderr)
	return string(b)
}

// wait waits until ok.
func (r *rig) wait(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("no %s after %v", what, patience)
		}
	}
}

func (r *rig) waitFile(path string) {
	r.t.Helper()
	r.wait("file "+filepath.Base(path), func() bool { return exists(path) })
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func touch(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) dial(addr string) *net.TCPConn {
	r.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// send sends a request over HTTP.
func (r *rig) send(raw string) *net.TCPConn {
	r.t.Helper()
	c := r.dial(r.http)
	if _, err := io.WriteString(c, raw); err != nil {
		r.t.Fatal(err)
	}
	return c
}

var dates = regexp.MustCompile(`(\r\nDate: )[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n`)

// talk sends raw and returns all that comes back until the server closes, dates
// replaced by a star, and the error that it ended with.
func (r *rig) talk(raw string) (string, error) {
	r.t.Helper()
	b, err := io.ReadAll(r.send(raw))
	return dates.ReplaceAllString(string(b), "$1*\r\n"), err
}

// get asks for target on a connection of its own and returns status and body.
func (r *rig) get(target string) (int, string) {
	r.t.Helper()
	resp, body, err := read(r.send("GET "+target+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "GET")
	if err != nil {
		r.t.Fatalf("%s: %v", target, err)
	}
	return resp.StatusCode, body
}

// wantHello asks for /hello, to see that the server is well.
func (r *rig) wantHello() {
	r.t.Helper()
	if status, body := r.get("/hello"); status != 200 || body != "Hello World!" {
		r.t.Fatalf("afterwards: %d %q", status, body)
	}
}

func read(c io.Reader, method string) (*http.Response, string, error) {
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// overUWSGI sends the packet that nginx would make of an HTTP request.
func (r *rig) overUWSGI(raw string) (*http.Response, string, error) {
	r.t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		r.t.Fatal(err)
	}
	body, _ := io.ReadAll(req.Body)
	vars := nginx(uwsgi.Var{Name: "REQUEST_METHOD", Value: req.Method}, uwsgi.Var{Name: "REQUEST_URI", Value: req.RequestURI},
		uwsgi.Var{Name: "PATH_INFO", Value: req.URL.Path}, uwsgi.Var{Name: "QUERY_STRING", Value: req.URL.RawQuery},
		uwsgi.Var{Name: "CONTENT_LENGTH", Value: fmt.Sprint(len(body))}, uwsgi.Var{Name: "SERVER_PROTOCOL", Value: req.Proto})
	c := r.dial(r.uwsgi)
	if _, err := c.Write(packet(r.t, string(body), vars...)); err != nil {
		r.t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil {
		return nil, string(all), err
	}
	return read(bytes.NewReader(all), req.Method)
}

// ask returns a target from a path and pairs of name and value.
func ask(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + q.Encode()
}

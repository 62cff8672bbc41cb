package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for a condition.
const patience = 20 * time.Second

// bench is a pool with loops that run, and what it logged.
type rig struct {
	t     testing.TB
	pool  *Pool
	loops []*Loop
	out   *os.File // stdout and stderr of the apps

	mu   sync.Mutex
	logs []string
}

// app writes an app to a file and returns its Config.
func app(t testing.TB, source string) App {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.py")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return App{File: path}
}

// start runs a pool until the test ends, and then looks that no process is left.
func start(t testing.TB, c Config, loops int) *rig {
	t.Helper()
	r := newRig(t, &c, loops)
	pool, err := Start(t.Context(), c)
	if err != nil {
		t.Fatalf("Start: %v\nstderr: %s", err, r.output())
	}
	r.pool = pool
	return r
}

func newRig(t testing.TB, c *Config, loops int) *rig {
	t.Helper()
	r := &rig{t: t}
	out, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	r.out = out
	var running sync.WaitGroup
	for i := range loops {
		l, err := reactor.New(i)
		if err != nil {
			t.Fatal(err)
		}
		l.OnPanic = func(reason any, stack []byte) { t.Errorf("panic on loop %d: %v\n%s", i, reason, stack) }
		r.loops = append(r.loops, l)
		running.Go(func() { _ = l.Run() })
	}
	c.Loops, c.Stderr, c.NeedApp = r.loops, out, true
	log := c.Log
	c.Log = func(line string) {
		r.mu.Lock()
		r.logs = append(r.logs, line)
		r.mu.Unlock()
		if log != nil {
			log(line)
		}
	}
	t.Cleanup(func() {
		if r.pool != nil {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := r.pool.Stop(ctx); err != nil {
				t.Errorf("Stop: %v\nstderr: %s", err, r.output())
			}
		}
		for _, l := range r.loops {
			l.Stop()
		}
		running.Wait()
		for _, l := range r.loops {
			_ = l.Close()
		}
		_ = out.Close()
		if t.Failed() {
			t.Logf("stderr: %s\nlog: %s", r.output(), strings.Join(r.logged(), "\n"))
		}
	})
	return r
}

func (r *rig) output() string {
	b, _ := os.ReadFile(r.out.Name())
	return string(b)
}

func (r *rig) logged() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.logs...)
}

// waitLog waits for a log line that contains text.
func (r *rig) waitLog(text string) {
	r.t.Helper()
	r.wait("log line "+text, func() bool { return strings.Contains(strings.Join(r.logged(), "\n"), text) })
}

// wait waits for a condition.
func (r *rig) wait(what string, ok func() bool) {
	r.t.Helper()
	waitFor(r.t, what, ok)
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}

// call is one request and what became of it.
type call struct {
	r      *rig
	loop   int
	id     uint32
	app    int
	method string
	path   string
	vars   map[string]string
	body   Body
	hold   bool // give no credit

	mu       sync.Mutex
	status   string
	headers  []string
	got      bytes.Buffer
	streamed bool
	file     bool
	err      error
	done     chan struct{}
	headed   chan struct{}
	core     *Core
}

func (c *call) head(core *Core, status []byte, headers *Headers) {
	c.core = core
	c.status = string(status)
	for {
		name, value, ok := headers.Next()
		if !ok {
			return
		}
		c.headers = append(c.headers, string(name)+": "+string(value))
	}
}

func (c *call) Reply(core *Core, status []byte, headers *Headers, body []byte) {
	c.mu.Lock()
	c.head(core, status, headers)
	c.got.Write(body)
	c.mu.Unlock()
	close(c.done)
}

func (c *call) Head(core *Core, status []byte, headers *Headers) {
	c.mu.Lock()
	c.head(core, status, headers)
	c.streamed = true
	c.mu.Unlock()
	close(c.headed)
}

func (c *call) Data(p []byte) {
	c.mu.Lock()
	c.got.Write(p)
	c.mu.Unlock()
	if !c.hold {
		c.r.pool.Port(c.loop).Credit(c.id, len(p))
	}
}

func (c *call) End() { close(c.done) }

func (c *call) File(core *Core, status []byte, headers *Headers, f *os.File, offset, n int64) {
	c.mu.Lock()
	c.head(core, status, headers)
	c.file = true
	_, c.err = io.Copy(&c.got, io.NewSectionReader(f, offset, n))
	_ = f.Close()
	c.mu.Unlock()
	close(c.done)
}

func (c *call) Fail(err error) {
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	close(c.done)
}

func (c *call) Describe() string { return "127.0.0.1 - " + c.method + " " + c.path }

// environ appends the environ of a request.
func (c *call) environ(dst []byte) []byte {
	dst = pymarshal.AppendDictStart(dst)
	for k, v := range map[string]string{
		"REQUEST_METHOD": c.method, "PATH_INFO": c.path, "SCRIPT_NAME": "", "QUERY_STRING": "",
		"SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
	} {
		dst = pymarshal.AppendStr(pymarshal.AppendKey(dst, k), []byte(v))
	}
	for k, v := range c.vars {
		dst = pymarshal.AppendStr(pymarshal.AppendKey(dst, k), []byte(v))
	}
	return pymarshal.AppendDictEnd(dst)
}

// send starts a call on its loop.
func (r *rig) send(c *call) *call {
	r.t.Helper()
	c.r, c.done, c.headed = r, make(chan struct{}), make(chan struct{})
	if c.method == "" {
		c.method = "GET"
	}
	if c.path == "" {
		c.path = "/"
	}
	sent := make(chan struct{})
	err := r.loops[c.loop].Post(func() {
		defer close(sent)
		port := r.pool.Port(c.loop)
		dst, id, err := port.Begin(c, c.app)
		if err == nil {
			c.id = id
			err = port.Send(id, c.environ(dst), c.body)
		}
		if err != nil {
			c.Fail(err)
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
	<-sent
	return c
}

// wait waits for the end of a call.
func (c *call) wait() *call {
	c.r.t.Helper()
	select {
	case <-c.done:
		return c
	case <-time.After(patience):
		c.r.t.Fatalf("no answer to %s %s; stderr: %s", c.method, c.path, c.r.output())
		return nil
	}
}

func (r *rig) get(path string) *call {
	r.t.Helper()
	return r.send(&call{path: path}).wait()
}

func (c *call) body200(want string) {
	c.r.t.Helper()
	if c.err != nil || c.status != "200 OK" || c.got.String() != want {
		c.r.t.Errorf("%s %s: got %q %.200q, error %v; want 200 OK %.200q", c.method, c.path, c.status, c.got.String(), c.err, want)
	}
}

const hello = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello, world\n"]
`

func TestHello(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream_mode=%v", stream), func(t *testing.T) {
			r := start(t, Config{Apps: []App{app(t, hello)}, Processes: 2, Threads: 2, StreamMode: stream}, 1)
			for range 10 {
				c := r.get("/")
				c.body200("Hello, world\n")
				if len(c.headers) != 1 || c.headers[0] != "Content-Type: text/plain" {
					t.Errorf("headers: %q", c.headers)
				}
			}
		})
	}
}

var _ = errors.Is

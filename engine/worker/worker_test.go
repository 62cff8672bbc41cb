package worker

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine/internal/reactor"
)

func TestMain(m *testing.M) {
	// What nohup or a shell's & has told this process to ignore, Python's processes would
	// inherit.
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every wait for a condition.
const patience = 20 * time.Second

// rig is a pool with loops that run, and what it logged.
type rig struct {
	t     testing.TB
	pool  *Pool
	loops []*reactor.Loop
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
		c.Loops = append(c.Loops, l.Handle())
		running.Go(func() { _ = l.Run() })
	}
	c.Stderr, c.NeedApp = out, true
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
			for _, pid := range r.pids() {
				// Workers of a zygote that was killed may still be on their way out.
				waitFor(t, "process "+strconv.Itoa(pid)+" to go after Stop", func() bool { return gonePid(pid) })
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

// pypy reports whether the pools of tests run on PyPy.
func pypy(t testing.TB) bool {
	t.Helper()
	return runPython(t, "import sys; print(sys.implementation.name)") == "pypy"
}

// runPython returns what the Python of tests prints.
func runPython(t testing.TB, script string) string {
	t.Helper()
	path, err := FindPython("")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
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

var pidPattern = regexp.MustCompile(`pid: (\d+)`)

// pids returns the processes that the log has ever mentioned.
func (r *rig) pids() (pids []int) {
	for _, line := range r.logged() {
		for _, m := range pidPattern.FindAllStringSubmatch(line, -1) {
			if pid, _ := strconv.Atoi(m[1]); pid > 1 {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// pid returns the process id of a worker, once it has one other than not.
func (r *rig) pid(worker, not int) (pid int) {
	r.t.Helper()
	r.wait("a process of worker "+strconv.Itoa(worker), func() bool {
		pid = r.pool.Snapshot().Workers[worker-1].PID
		return pid != 0 && pid != not
	})
	return pid
}

// on runs fn on a loop and waits for it.
func (r *rig) on(loop int, fn func(p *Port)) {
	r.t.Helper()
	done := make(chan struct{})
	if err := r.loops[loop].Post(func() { defer close(done); fn(r.pool.Port(loop)) }); err != nil {
		r.t.Fatal(err)
	}
	<-done
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

	route    uint64
	before   time.Duration // that it waited before
	harakiri time.Duration
	left     bool
	waited   time.Duration

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
	c.waited = c.r.pool.Port(c.loop).Waited()
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

func (c *call) HalfClosed() bool { return c.left }

func (c *call) Fail(err error) {
	c.mu.Lock()
	c.waited = c.r.pool.Port(c.loop).Waited()
	c.err = err
	c.mu.Unlock()
	close(c.done)
}

func (c *call) Describe() string { return "127.0.0.1 - " + c.method + " " + c.path }

// environ appends the environ of a request.
func (c *call) environ(dst []byte) []byte {
	values := map[string]string{
		"REQUEST_METHOD": c.method, "PATH_INFO": c.path,
		"SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
	}
	dst = pymarshal.AppendTupleHead(dst, len(Variables))
	for _, name := range Variables {
		dst = pymarshal.AppendStr(dst, []byte(values[name]))
	}
	dst = pymarshal.AppendDictStart(dst)
	for k, v := range c.vars {
		dst = pymarshal.AppendStr(pymarshal.AppendKey(dst, k), []byte(v))
	}
	return pymarshal.AppendDictEnd(dst)
}

// send starts a call on its loop.
func (r *rig) send(c *call) *call {
	r.t.Helper()
	c.prepare(r)
	r.on(c.loop, c.begin)
	return c
}

func (c *call) prepare(r *rig) {
	c.r, c.done, c.headed = r, make(chan struct{}), make(chan struct{})
	if c.method == "" {
		c.method = "GET"
	}
	if c.path == "" {
		c.path = "/"
	}
}

// begin runs on the loop.
func (c *call) begin(p *Port) {
	dst, id, err := p.Begin(c, Job{App: c.app, Route: c.route, Waited: c.before, Harakiri: c.harakiri})
	if err == nil {
		c.id = id
		err = p.Send(id, c.environ(dst), c.body)
	}
	if err != nil {
		c.Fail(err)
	}
}

// over reports whether the call has ended.
func (c *call) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
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

package worker

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/control"
)

// asks is an app that speaks with the server by the channel that the uwsgi module uses.
const asks = `
import os, signal, sys, threading, time

def channel():
    return sys.modules["_uwsgo.control"].channel

at_import = channel().call("who")
rung = []
channel().subscribe("ring", lambda *args: rung.append((args, threading.get_ident())))

class Late(Exception):
    pass

def raises(*_):
    raise Late

def many(n, wrong):
    for i in range(n):
        if channel().call("add", i, n) != i + n:
            wrong.append(i)

def threads(environ):
    wrong = []
    ts = [threading.Thread(target=many, args=(50 + t, wrong)) for t in range(8)]
    [t.start() for t in ts]
    [t.join() for t in ts]
    return f"{len(wrong)} wrong"

def storm(environ):
    """Whatever is raised in between, no answer is another call's."""
    before = signal.signal(signal.SIGALRM, raises)
    late = wrong = 0
    for i in range(2000):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.00001 + (i % 50) * 0.000002)
            wrong += channel().call("add", i, 1) != i + 1
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Late:
            late += 1
    while True:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            break
        except Late:
            pass
    assert late, "nothing was raised"
    return f"{wrong} wrong"

def nested(environ):
    """A handler of a signal calls while a call waits, and reads the answers to both."""
    numbers, wrong = [], []

    def ask(name, *args):
        if channel().call(name, *args) != sum(args):
            wrong.append(args)

    def handler(*_):
        numbers.append(len(numbers))
        if len(numbers) % 3 == 0:
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            ask("slowly", len(numbers))
        ask("add", len(numbers), 1)

    before = signal.signal(signal.SIGALRM, handler)
    for i in range(40):
        signal.setitimer(signal.ITIMER_REAL, 0.001 + (i % 10) * 0.0005)
        ask("slowly", i)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    return f"{len(wrong)} wrong, {'some' if numbers else 'none'} nested"

def refused(environ):
    try:
        channel().call("refuse")
    except ValueError as e:
        return str(e)

def too_long(environ):
    try:
        channel().call("add", b"x" * (2 << 20))
    except ValueError as e:
        return str(e)[:7]

def fork(environ):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            channel().call("who")
        except OSError as e:
            os.write(write, str(e).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return f"{os.read(read, 100).decode()}, {channel().call('who')}"

def ring(environ):
    channel().serve()
    channel().tell("ring me", 5)
    end = time.monotonic() + 20
    while not rung and time.monotonic() < end:
        time.sleep(0.001)
    # Calls from the thread that reads, and from others, go on.
    return f"{rung[0][0]} {rung[0][1] != threading.get_ident()} {threads(environ)}"

def malformed(environ):
    channel().sock.send(b"\xff" * 8)
    time.sleep(20)

def application(environ, start_response):
    start_response("200 OK", [])
    name = environ["PATH_INFO"][1:]
    if name == "who":
        return [f"{at_import} {channel().call('who')}".encode()]
    return [globals()[name](environ).encode()]
`

func services(logf func(string, ...any)) *control.Hub {
	h := control.NewHub(logf)
	h.Handle("add", func(_ *control.Peer, args []any) (any, error) { return args[0].(int) + args[1].(int), nil })
	h.Handle("slowly", func(_ *control.Peer, args []any) (any, error) {
		time.Sleep(5 * time.Millisecond)
		return args[0], nil
	})
	h.Handle("who", func(p *control.Peer, _ []any) (any, error) { return fmt.Sprint(p.Worker, p.Generation), nil })
	h.Handle("refuse", func(*control.Peer, []any) (any, error) { return nil, control.Refuse("not today") })
	h.Handle("ring me", func(p *control.Peer, args []any) (any, error) { return nil, p.Tell("ring", args...) })
	return h
}

func TestControl(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{
			Apps: []App{app(t, asks)}, StreamMode: stream, Threads: 2,
			Control: services(t.Logf),
		}, 1)
		for _, c := range []struct{ path, want string }{
			{"/who", "0 1 1 1"},
			{"/threads", "0 wrong"},
			{"/refused", "not today"},
			{"/too_long", "2097175"},
			{"/fork", "a process that the app has forked cannot speak with the server, 1 1"},
			{"/ring", "(5,) True 0 wrong"},
			{"/refused", "not today"},
		} {
			r.get(c.path).wait().body200(c.want)
		}
	})
}

func TestControlInterrupted(t *testing.T) {
	if pypy(t) {
		t.Skip("PyPy raises in between only where it likes to")
	}
	r := start(t, Config{Apps: []App{app(t, asks)}, Control: services(t.Logf)}, 1)
	r.get("/nested").wait().body200("0 wrong, some nested")
	r.get("/storm").wait().body200("0 wrong")
	r.get("/who").wait().body200("0 1 1 1")
}

// noted notes what became of which process.
type noted struct {
	mu  sync.Mutex
	all []string
}

func (n *noted) note(what string, p *control.Peer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, fmt.Sprintf("%s %d of %d", what, p.Worker, p.Generation))
}
func (n *noted) Serving(p *control.Peer)  { n.note("serving", p) }
func (n *noted) Retiring(p *control.Peer) { n.note("retiring", p) }
func (n *noted) Exited(p *control.Peer)   { n.note("exited", p) }
func (n *noted) has(lines ...string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	text := strings.Join(n.all, "\n") + "\n"
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			return false
		}
	}
	return true
}

// TestControlMalformed writes noise into the channel: that ends the worker, and nobody else.
func TestControlMalformed(t *testing.T) {
	h, n := services(t.Logf), &noted{}
	h.Observe(n)
	r := start(t, Config{Apps: []App{app(t, asks)}, Control: h}, 1)
	first := r.pid(1, 0)
	r.get("/malformed").wait()
	r.pid(1, first)
	r.get("/who").wait().body200("0 1 1 1")
	if err := r.pool.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wait("the end of the first generation", func() bool {
		return n.has("serving 0 of 1", "serving 1 of 1", "exited 1 of 1", "serving 0 of 2", "serving 1 of 2", "retiring 1 of 1", "exited 0 of 1")
	})
	r.get("/who").wait().body200("0 2 1 2")
}

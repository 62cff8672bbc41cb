package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// rpcServer registers functions, as apps under uWSGI do.
const rpcServer = `
import time
from uwsgidecorators import rpc

@rpc("join")
def join(*args):
    return b",".join(args)

@rpc("large")
def large(size):
    return b"x" * int(size)

@rpc("nothing")
def nothing():
    return None

@rpc("slow")
def slow():
    time.sleep(1)
    return b"done"

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"ready"]
`

const rpcClient = `
import os, time
import uwsgi

AT, SOCKET = os.environ["AT"], os.environ["RPC_SOCKET"]

def both():
    """Two calls at a time, under gevent in one thread."""
    import gevent
    began = time.monotonic()
    calls = [gevent.spawn(uwsgi.rpc, AT, b"slow") for _ in range(2)]
    return [c.get() for c in calls], time.monotonic() - began < 1.9

CALLS = [
    (uwsgi.rpc, AT, b"join", b"a", b"", b"b\0c"),
    (uwsgi.rpc, SOCKET.encode(), b"join", b"a"),
    (uwsgi.rpc, AT, b"join", b"y" * 60000),
    (uwsgi.rpc, AT, b"large", b"65535"),
    (uwsgi.rpc, AT, b"large", b"65536"),
    (uwsgi.rpc, AT, b"large", b"3000000"),
    (uwsgi.rpc, AT, b"nothing"),
    (uwsgi.rpc, AT, b"none"),
    (uwsgi.rpc, AT, b"join", b"y" * 65536),
    (uwsgi.rpc, "/no/such.sock", b"join"),
    (uwsgi.rpc, AT, "join"),
    (uwsgi.rpc, AT, b"join", 5),
]

def told(call, *args):
    try:
        result = call(*args)
    except Exception as e:
        return type(e).__name__
    return repr(result) if result is None or len(result) < 20 else f"{len(result)} {set(result)}"

def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/both":
        return [repr(both()).encode()]
    return ["\n".join(told(*c) for c in CALLS).encode()]
`

// Functions of a uWSGI server are called from threads and from greenlets.
func TestRPC(t *testing.T) {
	t.Parallel()
	reference := filepath.Join(testenv(t), "bin", "uwsgi")
	if _, err := os.Stat(reference); err != nil {
		t.Skip("SKIP: no reference uWSGI: run make testenv")
	}
	dir := t.TempDir()
	write(t, dir, "app.py", rpcServer)
	write(t, dir, "client.py", rpcClient)
	remote, http := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	s := launch(t, servertest.Command(reference, dir, testenv(t), "--master", "--die-on-term", "--buffer-size", "65535", "--processes", "2", "--wsgi-file", "app.py", "--socket", remote, "--socket", "rpc.sock", "--http-socket", http))
	s.waitAnswer(t, "http://"+http+"/ready", 200)
	// uWSGI leaves empty arguments out.
	const want = `b'a,b\x00c'
b'a'
60000 {121}
65535 {120}
65536 {120}
3000000 {120}
None
None
None
None
ValueError
ValueError`
	for name, args := range map[string][]string{"threads": {"--threads", "2"}, "gevent": {"--gevent", "4"}} {
		at := "127.0.0.1:" + freePort(t)
		c := start(t, dir, append([]string{"--http", at, "--wsgi-file", "client.py", "--env", "AT=" + remote, "--env", "RPC_SOCKET=" + filepath.Join(dir, "rpc.sock")}, args...)...)
		c.waitLog(t, "uwsgo is ready")
		if got := get(t, "http://"+at+"/calls").body; got != want {
			t.Errorf("%s:\n%s\nwant\n%s\n%s", name, got, want, c.log)
		}
		if name == "gevent" {
			if got := get(t, "http://"+at+"/both").body; got != "([b'done', b'done'], True)" {
				t.Errorf("two calls at a time: %s", got)
			}
		}
		if err := c.stop(t, syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	}
}

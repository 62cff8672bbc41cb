package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patchedApp answers in every way that a worker knows, after PATCH, which says how the
// app changes Python.
const patchedApp = `
import sys, threading, time
PATCH_AT_IMPORT
first = threading.Lock()
patched = []

def application(environ, start_response):
    with first:
        if not patched:
            patched.append(1)
PATCH_IN_REQUEST
    path = environ["PATH_INFO"]
    token = environ["QUERY_STRING"].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/blocks":
        return blocks(token)
    if path == "/large":
        return [token * 625000]
    if path == "/file":
        return environ["wsgi.file_wrapper"](OPEN(__file__, "rb"))
    if path == "/upload":
        body = environ["wsgi.input"].read()
        return [token, b"%d" % body.count(b"u")]
    if path == "/raise":
        raise ValueError("as asked")
    if path == "/hang":
        while True:
            SLEEP(0.05)
    SLEEP(0.002)
    return [token]

def blocks(token):
    for _ in RANGE(20):
        SLEEP(0.0005)
        yield token * 1000

# What the app itself needs, whatever it does to Python.
OPEN, RANGE, SLEEP = open, range, time.sleep
if "LATE":
    SLEEP = lambda seconds: time.sleep(seconds)
`

// vandal replaces, deletes and wraps whatever the workers' own code might use.
const vandal = `
import builtins, io, marshal, os, select, signal, socket, struct, threading, traceback, array, mmap
import _thread, _io, _socket, _signal, posix, linecache
def broken(*args, **kwargs):
    raise RuntimeError("the app has replaced this")
for module, names in {
    os: "read write close fork waitpid kill pread fstat getpid _exit sched_setscheduler system",
    posix: "read write close fork waitpid kill pread fstat getpid _exit",
    socket: "socket socketpair fromfd SocketType CMSG_SPACE",
    _socket: "socket socketpair CMSG_SPACE",
    select: "select poll epoll",
    signal: "signal set_wakeup_fd getsignal",
    _signal: "signal set_wakeup_fd getsignal",
    threading: "Thread Lock current_thread get_ident get_native_id",
    _thread: "start_new_thread allocate_lock get_ident get_native_id _count",
    time: "sleep monotonic monotonic_ns time",
    marshal: "loads dumps load",
    struct: "pack unpack Struct",
    io: "BytesIO BufferedReader FileIO open",
    _io: "BytesIO BufferedReader FileIO open",
    array: "array",
    mmap: "mmap",
    traceback: "format_exception format_exc print_exc",
}.items():
    for name in names.split():
        setattr(module, name, broken)
for name in list(sys.modules):
    if name.split(".")[0] in ("os", "posix", "socket", "_socket", "select", "signal", "_signal", "_thread", "marshal", "struct", "io", "traceback", "linecache", "posixpath", "contextlib", "re", "_uwsgo"):
        del sys.modules[name]
for name in "len isinstance issubclass type open print bytes bytearray memoryview map sum hasattr getattr any all max min range zip dict tuple list next iter str int enumerate __import__ compile exec BaseException Exception OSError".split():
    setattr(builtins, name, broken)
`

// Workers use nothing that an app can replace, so they serve whatever it does to Python.
func TestPatchedApps(t *testing.T) {
	virtualenv := testenv(t)
	for _, c := range []struct {
		name, needs, patch string
		late               bool // in the first request
		options            []string
	}{
		{name: "gevent", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_all()"},
		{name: "gevent, four threads", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_all()", options: []string{"--threads", "4"}},
		{name: "gevent, lazy-apps", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_all()", options: []string{"--threads", "2", "--lazy-apps"}},
		{name: "gevent in the first request", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_all()", late: true},
		{name: "gevent in the first request, four threads", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_all()", late: true, options: []string{"--threads", "4"}},
		{name: "gevent's socket", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_socket()", options: []string{"--threads", "2"}},
		{name: "gevent's os", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_os()", options: []string{"--threads", "2"}},
		{name: "gevent's signal", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_signal()", options: []string{"--threads", "2"}},
		{name: "gevent's select", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_select()", options: []string{"--threads", "2"}},
		{name: "gevent's thread", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_thread()", options: []string{"--threads", "2"}},
		{name: "gevent's hub at import", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_all(); import gevent; gevent.spawn(gevent.sleep, 0.001).join()", options: []string{"--threads", "2"}},
		{name: "gevent = 20, patched early", needs: "gevent", options: []string{"--gevent", "20", "--gevent-early-monkey-patch"}},
		{name: "gevent = 20, patched late, lazy-apps", needs: "gevent", options: []string{"--gevent", "20", "--gevent-monkey-patch", "--lazy-apps"}},
		{name: "gevent = 3, not patched", needs: "gevent", options: []string{"--gevent", "3"}},
		{name: "gevent = 20, its hub at import", needs: "gevent", patch: "import gevent.monkey; gevent.monkey.patch_all(); import gevent; gevent.spawn(gevent.sleep, 0.001).join(); gevent.get_hub().threadpool.apply(len, (\"\",))", options: []string{"--gevent", "20", "--processes", "2"}},
		{name: "eventlet", needs: "eventlet", patch: "import eventlet; eventlet.monkey_patch()"},
		{name: "eventlet, four threads", needs: "eventlet", patch: "import eventlet; eventlet.monkey_patch()", options: []string{"--threads", "4"}},
		{name: "eventlet in the first request", needs: "eventlet", patch: "import eventlet; eventlet.monkey_patch()", late: true},
		{name: "everything is replaced", patch: vandal, late: true},
		{name: "everything is replaced, four threads", patch: vandal, late: true, options: []string{"--threads", "4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.needs != "" && exec.Command(filepath.Join(virtualenv, "bin", "python"), "-W", "ignore", "-c", "import "+c.needs).Run() != nil {
				t.Skipf("SKIP: no %s in %s: run make testenv", c.needs, virtualenv)
			}
			source := patchedApp
			if c.late {
				source = strings.Replace(source, "PATCH_AT_IMPORT", "", 1)
				source = strings.Replace(source, "PATCH_IN_REQUEST", strings.ReplaceAll("\n"+c.patch, "\n", "\n            "), 1)
			} else {
				source = strings.Replace(source, "PATCH_AT_IMPORT", c.patch, 1)
				source = strings.Replace(source, "PATCH_IN_REQUEST", "", 1)
			}
			if c.patch == vandal {
				source = strings.Replace(source, `"LATE"`, `""`, 1) // what the app itself uses has to stay
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(source), 0o600); err != nil {
				t.Fatal(err)
			}
			port := freePort(t)
			url := "http://127.0.0.1:" + port
			s := start(t, dir, append([]string{
				"--http-socket", "127.0.0.1:" + port, "--wsgi-file", "app.py", "--processes", "2", "--route", "^/hang harakiri:1",
			}, c.options...)...)
			s.waitAnswer(t, url+"/?ready", http.StatusOK)
			askAll(t, url, source)
			if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			askAll(t, url, source)
			s.waitLog(t, "uwsgo has reloaded")
			if a := get(t, url+"/raise"); a.status != http.StatusInternalServerError {
				t.Errorf("an app that raises: got %d, want 500", a.status)
			}
			for _, line := range []string{"malformed frame", "ConcurrentObjectUseError", "DAMN ! worker"} {
				if strings.Contains(s.log.String(), line) {
					t.Errorf("the log has %q", line)
				}
			}
			if a := get(t, url+"/hang"); a.status != http.StatusGatewayTimeout {
				t.Errorf("an app that hangs: got %d, want 504 of harakiri", a.status)
			}
			askAll(t, url, source)
			began := time.Now()
			if err := s.stop(t, stopSignal); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("an idle server took %v to stop", took)
			}
			if log := s.log.String(); strings.Contains(log, "did not end in time") {
				t.Error("workers had to be killed at the stop")
			}
		})
	}
}

// askAll has clients ask for each kind of answer at the same time, with tokens of their own.
func askAll(t *testing.T, url, source string) {
	t.Helper()
	upload := strings.Repeat("u", 200_000)
	var clients sync.WaitGroup
	for n := range 6 {
		clients.Go(func() {
			for i := range 8 {
				token := fmt.Sprintf("%04d%04d", n, i)
				for path, want := range map[string]string{
					"/":       token,
					"/blocks": strings.Repeat(token, 20_000),
					"/file":   source,
					"/upload": token + fmt.Sprint(len(upload)),
					"/large":  strings.Repeat(token, 625_000),
				} {
					if path == "/large" && i%4 > 0 {
						continue
					}
					method, body := http.MethodGet, ""
					if path == "/upload" {
						method, body = http.MethodPost, upload
					}
					a, err := ask(method, url+path+"?"+token, strings.NewReader(body), nil)
					if err == nil && (a.status != http.StatusOK || a.body != want) {
						err = fmt.Errorf("status %d, %d bytes %.40q; want %d bytes %.40q", a.status, len(a.body), a.body, len(want), want)
					}
					if err != nil {
						t.Error(errors.Join(fmt.Errorf("%s %s", method, path), err))
						return
					}
				}
			}
		})
	}
	clients.Wait()
}

package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// interrupts is an app of answers that carry the token they were asked with, in a
// process where something raises all the time.
const interrupts = `
import _thread, ctypes, os, signal, threading, time

FILE = os.environ["TEST_FILE"]
HOW = os.environ["TEST_HOW"]

class Stop(BaseException):
    pass

def handler(signum, frame):
    raise {"timeout": TimeoutError, "base": Stop, "interrupt": KeyboardInterrupt, "exit": GeneratorExit}[HOW]("now")

if HOW != "async":
    signal.signal(signal.SIGALRM, handler)

def raise_in(idents):
    while True:
        for ident in idents:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Stop))
        time.sleep(0.0005)

begun = []

def storm():
    if not begun:
        begun.append(1)
        if HOW == "async":
            _thread.start_new_thread(raise_in, ([_thread.get_ident()],))
        else:
            signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)

def application(environ, start_response):
    storm()
    path, token = environ["PATH_INFO"], environ["HTTP_X"].encode()
    if path == "/calm":
        signal.setitimer(signal.ITIMER_REAL, 0)
    write = start_response("200 OK", [("X-Token", environ["HTTP_X"])])
    if path == "/small":
        return [token]
    if path == "/large":
        return [token * 8000]
    if path == "/huge":
        return [token * 100000]
    if path == "/blocks":
        return (token * 100 for _ in range(30))
    if path == "/write":
        for _ in range(20):
            write(token * 100)
        return []
    if path == "/caught":
        for _ in range(20):
            try:
                write(token * 100)
            except (TimeoutError, Stop, KeyboardInterrupt, GeneratorExit):
                pass
        return []
    if path == "/file":
        with open(FILE, "rb") as f:
            f.seek(int(token) % 1000)
            return environ["wsgi.file_wrapper"](open(os.dup(f.fileno()), "rb"))
    if path == "/upload":
        return [token, environ["wsgi.input"].read()]
    return [b"calm"]
`

// Whatever is raised at whatever moment, an answer is right, or it has failed; and no
// other answer suffers.
func TestInterrupted(t *testing.T) {
	content := []byte(strings.Repeat("0123456789", 30_000))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	upload := strings.Repeat("u", 100_000)
	want := map[string]func(token string) string{
		"/small":  func(s string) string { return s },
		"/large":  func(s string) string { return strings.Repeat(s, 8000) },
		"/huge":   func(s string) string { return strings.Repeat(s, 100_000) },
		"/blocks": func(s string) string { return strings.Repeat(s, 3000) },
		"/write":  func(s string) string { return strings.Repeat(s, 2000) },
		"/caught": nil, // blocks may be missing
		"/file": func(s string) string {
			var n int
			_, _ = fmt.Sscan(s, &n)
			return string(content[n%1000:])
		},
		"/upload": func(s string) string { return s + upload },
	}
	for _, how := range []string{"timeout", "base", "interrupt", "exit", "async"} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stream_mode=%v", how, stream), func(t *testing.T) {
				r := start(t, Config{
					Apps: []App{app(t, interrupts)}, Processes: 1, Threads: 1, StreamMode: stream,
					Env: append(os.Environ(), "TEST_FILE="+file, "TEST_HOW="+how),
				}, 1)
				pid := r.pid(1, 0)
				var clients sync.WaitGroup
				var mu sync.Mutex
				good, bad, number := 0, 0, 100_000
				end := time.Now().Add(700 * time.Millisecond)
				for path, body := range want {
					clients.Go(func() {
						for time.Now().Before(end) {
							mu.Lock()
							number++
							token := fmt.Sprint(number)
							mu.Unlock()
							c := &call{path: path, vars: map[string]string{"HTTP_X": token}}
							if path == "/upload" {
								f, err := os.CreateTemp(t.TempDir(), "body")
								if err != nil {
									t.Error(err)
									return
								}
								defer f.Close()
								_, _ = f.WriteString(upload)
								c.method, c.body.File = "POST", f
							}
							r.send(c).wait()
							mu.Lock()
							switch {
							case c.err == nil && (body != nil && c.got.String() != body(token) || body == nil && strings.ReplaceAll(c.got.String(), token, "") != ""):
								t.Errorf("%s with token %s: got %d bytes that are not its answer: %.40q", path, token, c.got.Len(), c.got.String())
							case c.err == nil:
								good++
							case errors.Is(c.err, ErrAppFailed), errors.Is(c.err, ErrAborted):
								bad++
							default:
								t.Errorf("%s: %v", path, c.err)
							}
							mu.Unlock()
						}
					})
				}
				clients.Wait()
				t.Logf("%d answers, %d of which failed", good+bad, bad)
				if good == 0 {
					t.Error("no answer was whole")
				}
				if now := r.pid(1, 0); now != pid {
					t.Errorf("the worker was replaced: %d, then %d", pid, now)
				}
			})
		}
	}
}

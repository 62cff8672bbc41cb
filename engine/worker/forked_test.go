package worker

import (
	"fmt"
	"strings"
	"testing"
)

// forks is an app whose requests fork; the child comes back to the worker's code.
const forks = `
import os, sys

class Closes:
    def __iter__(self):
        return iter([b"0"])
    def close(self):
        child = os.fork()
        if child:
            os.waitpid(child, 0)

def blocks(before):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        yield b"0"
    elif before:
        yield b"child"

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ("/yields", "/ends", "/closes"):
        start_response("200 OK", [])
        return Closes() if path == "/closes" else blocks(path == "/yields")
    if path != "/pid":
        child = os.fork()
        if child == 0:
            if path == "/exits":
                sys.exit(7)
            if path == "/raises":
                raise ValueError("in the child")
        else:
            start_response("200 OK", [])
            status = os.waitpid(child, 0)[1]
            return [b"%d" % os.waitstatus_to_exitcode(status)]
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
`

// What an app forks and does not end must not answer, nor take requests.
func TestAppForks(t *testing.T) {
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, forks)}, StreamMode: stream}, 1)
		for _, c := range []struct{ name, code string }{{"returns", "0"}, {"exits", "7"}, {"raises", "1"}, {"yields", "0"}, {"ends", "0"}, {"closes", "0"}} {
			t.Run(c.name, func(t *testing.T) {
				r.get("/" + c.name).body200(c.code)
				for range 3 {
					r.get("/pid").body200(fmt.Sprint(r.pid(1, 0)))
				}
			})
		}
		if n := strings.Count(r.output(), "forked by the app, came back"); n != 6 {
			t.Errorf("%d children are named in the log, want 6", n)
		}
	})
}

// A child of the import is no second zygote, which would take every other command.
func TestImportForks(t *testing.T) {
	for _, c := range []struct{ name, code string }{
		{"returns", "import os\nos.fork()\n"},
		{"exits", "import os, sys\nif os.fork() == 0:\n    sys.exit(0)\n"},
		{"raises", "import os\nif os.fork() == 0:\n    raise ValueError('in the child')\n"},
	} {
		for _, lazy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/lazy=%v", c.name, lazy), func(t *testing.T) {
				r := start(t, Config{Apps: []App{app(t, c.code+paths)}, Processes: 2, LazyApps: lazy, NeedApp: true}, 1)
				r.get("/hello").body200("hello")
				if err := r.pool.Reload(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.get("/hello").body200("hello")
			})
		}
	}
}

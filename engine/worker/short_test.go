package worker

import (
	"os"
	"path/filepath"
	"testing"
)

// A worker whose app has used up all descriptors says so and is replaced; the request whose
// body it could not take is run by its successor.
func TestNoDescriptorsForABody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("a body"), 0o600); err != nil {
		t.Fatal(err)
	}
	modes(t, func(t *testing.T, stream bool) {
		r := start(t, Config{Apps: []App{app(t, `
import os, resource
kept = []
def application(environ, start_response):
    if environ["PATH_INFO"] == "/leak":
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
    start_response("200 OK", [])
    return [environ["wsgi.input"].read() or b"hello"]
`)}, StreamMode: stream}, 1)
		pid := r.pid(1, 0)
		r.get("/leak").body200("hello")
		r.get("/").body200("hello")
		for range 3 {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r.send(&call{body: Body{File: f}}).wait().body200("a body")
		}
		r.pid(1, pid)
		r.waitLog("are open, RLIMIT_NOFILE is 100; it is replaced")
		r.waitLog("no file descriptors left). Seeya!")
		r.idle()
	})
}

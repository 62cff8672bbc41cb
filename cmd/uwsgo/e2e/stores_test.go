package e2e

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// storesApp makes calls of the uwsgi module, and tells what each has given.
const storesApp = `
import os, uwsgi

CALLS = r'''
cache_set("a", "1"); cache_set("a", "2"); cache_get("a"); cache_get(b"a"); cache_update("a", b"\xff\x00"); cache_get("a")
cache_exists("a"); cache_exists("b"); cache_get("b"); cache_del("a"); cache_del("a"); cache_get("a"); cache_set("", "x"); cache_set("k", "")
cache_set("big", "x" * 65); cache_set("fits", "x" * 64); cache_set("k" * 33, "v"); cache_set("k" * 32, "v")
cache_inc("n"); cache_inc("n", 41); cache_num("n"); cache_get("n"); cache_dec("n", 2); cache_num("n"); cache_mul("n"); cache_num("n")
cache_div("n", 3); cache_num("n"); cache_div("n", 0); cache_num("n"); cache_num("none"); cache_dec("m", 7); cache_num("m"); cache_div("m"); cache_num("m")
cache_set("one", "v", 0, "second"); cache_get("one"); cache_get("one", "second"); cache_get("one", "third"); cache_set("one", "v", 0, "third")
cache_set("a", "v", 0, "second"); cache_set("b", "v", 0, "second"); sorted(cache_keys("second")); cache_clear("second"); cache_keys("second")
cache_set("a", "v", 0, "lru"); cache_set("b", "v", 0, "lru"); cache_get("a", "lru"); cache_set("c", "v", 0, "lru"); sorted(cache_keys("lru"))
cache_set("wide", "w" * 200, 0, "wide"); cache_get("wide", "wide"); cache_update("wide", "v" * 10, 0, "wide"); cache_get("wide", "wide"); cache_set("w2", "w" * 300, 0, "wide")
cache_set(1, "v"); cache_set("a"); cache_get(); cache_num("fits") != 0
queue_push("a"); queue_push(b"b"); queue_push("c"); queue_last(); queue_last(2); queue_get(0); queue_get(99); queue_slot(); queue_pull_slot()
queue_pull(); queue_pop(); queue_pull(); queue_pull(); queue_push(""); queue_push("x" * 5000); queue_set(1, "z"); queue_get(1); queue_set(99, "z")
sharedarea_write(0, 0, "hello"); sharedarea_read(0, 1, 3); sharedarea_write64(0, 8, -5); sharedarea_inc64(0, 8, 7); sharedarea_read64(0, 8); sharedarea_readlong(0, 8)
sharedarea_write32(0, 16, 70000); sharedarea_dec32(0, 16, 1); sharedarea_read32(0, 16); sharedarea_write16(0, 24, 300); sharedarea_read16(0, 24)
sharedarea_write8(0, 30, 7); sharedarea_read8(0, 30); sharedarea_writebyte(0, 30, 9); sharedarea_readbyte(0, 30); len(sharedarea_read(0, 0)); sharedarea_rlock(0); sharedarea_unlock(0)
sharedarea_wlock(0); sharedarea_unlock(0); sharedarea_read64(0, 4089); sharedarea_read64(9, 0); len(sharedarea_memoryview(0)); bytes(sharedarea_memoryview(0)[0:5])
'''

def call(text):
    try:
        return repr(eval(text, vars(uwsgi)))
    except Exception as e:
        return type(e).__name__

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    path = environ["PATH_INFO"]
    if path == "/calls":
        calls = [c.strip() for line in CALLS.strip().splitlines() for c in line.split("; ")]
        return ["\n".join(f"{c} = {call(c)}" for c in calls).encode()]
    if path == "/count":
        uwsgi.cache_inc("hits")
        return [b""]
    if path == "/die":
        uwsgi.cache_update("left", "here")
        os.kill(os.getpid(), 9)
    return [f"{uwsgi.cache_num('hits')} {uwsgi.cache_get('left')} {uwsgi.queue_last()}".encode()]
`

const storesINI = `
cache2 = name=first,items=100,blocksize=64,keysize=32
cache2 = name=second,items=2,blocksize=64
cache2 = name=lru,items=2,blocksize=64,purge_lru=1,ignore_full=1
cache2 = name=wide,items=4,blocksize=64,blocks=6,bitmap=1
queue = 4
queue-blocksize = 4096
sharedarea = 1
`

const holds = "a cache for N items holds N, one of uWSGI N-1"

// storesDiffer are the calls that are answered otherwise than by uWSGI, with the reason.
var storesDiffer = map[string]string{
	`cache_set("a", "v", 0, "second")`:      holds,
	`sorted(cache_keys("second"))`:          holds,
	`cache_get("a", "lru")`:                 holds,
	`sorted(cache_keys("lru"))`:             holds,
	`cache_set("w2", "w" * 300, 0, "wide")`: "a smaller value stays where it was, and leaves the other blocks together",
}

// The same calls give what they give in uWSGI.
func TestStoresBesideUWSGI(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	write(t, dir, "app.py", storesApp)
	write(t, dir, "app.ini", "[uwsgi]\nwsgi-file = app.py\nmaster = true\n"+storesINI)
	answer := func(cmd *exec.Cmd) []string {
		port := freePort(t)
		cmd.Args = append(cmd.Args, "--http-socket", "127.0.0.1:"+port)
		s := launch(t, cmd)
		return strings.Split(s.waitAnswer(t, "http://127.0.0.1:"+port+"/calls", 200).body, "\n")
	}
	ours := answer(command(dir, "app.ini"))
	reference := command(dir, "app.ini")
	reference.Path = filepath.Join(os.Getenv("UWSGO_TESTENV"), "bin", "uwsgi")
	reference.Args = []string{"uwsgi", "app.ini", "--die-on-term"}
	theirs := answer(reference)
	if len(ours) != len(theirs) {
		t.Fatalf("%d answers, of uWSGI %d", len(ours), len(theirs))
	}
	for i := range ours {
		call, _, _ := strings.Cut(ours[i], " = ")
		if reason := storesDiffer[call]; (ours[i] == theirs[i]) != (reason == "") {
			t.Errorf("%s\n uWSGI: %s\n reason to differ: %q", ours[i], theirs[i], reason)
		}
	}
}

// What apps share is shared by all workers, and outlives them, reloads, and with a file the server.
func TestStoresLast(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	write(t, dir, "app.py", storesApp)
	port := freePort(t)
	write(t, dir, "app.ini", "[uwsgi]\nhttp-socket = 127.0.0.1:"+port+`
wsgi-file = app.py
processes = 3
disable-logging = true
threads = 2
stats = stats.sock
cache2 = name=first,items=100,store=cache.bin
queue = 4
queue-store = queue.bin
`)
	url := "http://127.0.0.1:" + port
	s := start(t, dir, "app.ini")
	s.waitLog(t, "is ready")
	count := func(n int) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range n / 8 {
					resp, err := http.Get(url + "/count")
					if err != nil {
						t.Error(err)
						return
					}
					_ = resp.Body.Close()
				}
			})
		}
		all.Wait()
	}
	count(400)
	if resp, err := http.Get(url + "/die"); err == nil {
		_ = resp.Body.Close()
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.waitLog(t, "uwsgo has reloaded")
	count(400)
	if got := get(t, url+"/").body; !strings.HasPrefix(got, "800 b'here'") {
		t.Errorf("after a death and a reload: %q", got)
	}
	c, err := net.Dial("unix", filepath.Join(dir, "stats.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, _ := io.ReadAll(c)
	var told struct {
		Caches []struct {
			Name  string
			Items int
			Hits  int
		}
	}
	if err := json.Unmarshal(b, &told); err != nil || len(told.Caches) != 1 || told.Caches[0].Name != "first" || told.Caches[0].Items != 2 || told.Caches[0].Hits == 0 {
		t.Errorf("stats: %+v, %v", told, err)
	}
	if err := s.stop(t, stopSignal); err != nil {
		t.Fatal(err)
	}
	s = start(t, dir, "app.ini")
	s.waitLog(t, "cache first goes on with what")
	s.waitLog(t, "is ready")
	if got := get(t, url+"/").body; !strings.HasPrefix(got, "800 b'here'") {
		t.Errorf("after a restart: %q", got)
	}
	if err := s.stop(t, stopSignal); err != nil {
		t.Fatal(err)
	}
	for change, want := range map[string]string{
		"cache2 = name=first,items=50,store=cache.bin": "has another shape",
		"cache2 = name=first,items=9,nodes=10.0.0.1:1": "not kept in step",
		"cache2 = items=9": "the name is missing",
		"cache2 = name=a,items=9\ncache2=name=a,items=9": "there is a cache of that name",
		"queue = 5\nqueue-store = queue.bin":             "does not have the size",
		"sharedarea = file=nowhere,size=10":              "no such file",
		"sharedarea = none":                              "is no part of it",
	} {
		write(t, dir, "bad.ini", "[uwsgi]\nhttp-socket = 127.0.0.1:"+port+"\nwsgi-file = app.py\n"+change+"\n")
		out, err := command(dir, "bad.ini").CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: error %v, output without %q:\n%s", change, err, want, out)
		}
	}
}

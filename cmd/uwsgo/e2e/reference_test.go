package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// beside runs the same app.py in uwsgo and in the reference uWSGI.
func beside(t *testing.T, dir string, args ...string) map[string]*server {
	t.Helper()
	reference := filepath.Join(testenv(t), "bin", "uwsgi")
	if _, err := os.Stat(reference); err != nil {
		t.Skip("SKIP: no reference uWSGI: run make testenv")
	}
	args = append([]string{"--http-socket", "", "--wsgi-file", "app.py", "--die-on-term", "--master", "--need-app", "--disable-logging"}, args...)
	servers := map[string]*server{}
	for name, program := range map[string]string{"uwsgo": binary, "uWSGI": reference} {
		own := slices.Clone(args)
		own[1] = "127.0.0.1:" + freePort(t)
		s := launch(t, servertest.Command(program, dir, testenv(t), own...))
		s.waitAnswer(t, "http://"+own[1]+"/ready", 200)
		servers[name] = s
		s.address = own[1]
	}
	return servers
}

const blocksApp = `
import array, io, mmap
class Hex(bytes):
    def __len__(self): return 1
    def __iter__(self): return iter(())
def mapped(b):
    m = mmap.mmap(-1, len(b)); m.write(b); return m
def made(): # anew for each request, as a result is closed
    return {
        "bytes": b"abcdef",
        "subclass": Hex(b"abcdef"),
        "bytearray": bytearray(b"abcdef"),
        "memoryview": memoryview(b"abcdef"),
        "numbers": memoryview(b"abcdef").cast("H"),
        "gaps": memoryview(b"a_b_c_d_e_f_")[::2],
        "array": array.array("B", b"abcdef"),
        "shorts": array.array("H", b"abcdef"),
        "mmap": mapped(b"abcdef"),
        "str": "abcdef",
        "int": 7,
        "none": None,
        "list": [b"abcdef"],
        "mixed": [b"abc", "def"],
        "generator": (b for b in [b"abcdef"]),
    }
def application(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/ready":
        return [b"ready"]
    _, where, kind = environ["PATH_INFO"].split("/")
    block = made()[kind]
    if where == "write":
        write(block)
        return []
    return {"result": block, "list": [block], "tuple": (b"", block), "iterator": iter([block]), "generator": (b for b in [block])}[where]
`

// TestBlocks has each kind of block in each place, beside the reference. Where uwsgo does
// otherwise the row says what uWSGI does, and why.
func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "app.py", blocksApp)
	plain := beside(t, dir)
	accepting := beside(t, dir, "--wsgi-accept-buffer")
	const all, failed, nothing = "200 abcdef", "500 Internal Server Error", "200 "
	places := []string{"result", "list", "tuple", "iterator", "generator", "write"}
	for _, c := range []struct {
		kind  string
		uwsgo string // in every place but those of other
		uwsgi string
		// other has places with another outcome, as uwsgo and as uWSGI.
		other map[string][2]string
		why   string // uwsgo does otherwise
	}{
		{kind: "bytes", uwsgo: all, uwsgi: all},
		{kind: "subclass", uwsgo: all, uwsgi: all},
		{kind: "bytearray", uwsgo: all, uwsgi: nothing, why: "an empty answer is nobody's intention"},
		{kind: "memoryview", uwsgo: all, uwsgi: nothing, why: "likewise"},
		{kind: "numbers", uwsgo: all, uwsgi: nothing, why: "likewise"},
		{kind: "gaps", uwsgo: all, uwsgi: nothing, why: "likewise"},
		{kind: "array", uwsgo: all, uwsgi: nothing, why: "likewise"},
		{kind: "shorts", uwsgo: all, uwsgi: nothing, why: "likewise"},
		{kind: "mmap", uwsgo: all, uwsgi: nothing, other: map[string][2]string{"result": {all, all}}, why: "likewise; iterated, a map gives bytes"},
		{kind: "str", uwsgo: failed, uwsgi: nothing, why: "PEP 3333: a str has no bytes"},
		{kind: "int", uwsgo: failed, uwsgi: nothing, why: "PEP 3333"},
		{kind: "none", uwsgo: failed, uwsgi: nothing, why: "PEP 3333: an app that forgets to return is broken"},
		{kind: "list", uwsgo: failed, uwsgi: nothing, other: map[string][2]string{"result": {all, all}}, why: "PEP 3333"},
		{kind: "mixed", uwsgo: failed, uwsgi: nothing, other: map[string][2]string{"result": {failed, "200 abc"}}, why: "half an answer must not pass for the whole"},
	} {
		for _, place := range places {
			want := [2]string{c.uwsgo, c.uwsgi}
			if o, ok := c.other[place]; ok {
				want = o
			}
			for i, name := range []string{"uwsgo", "uWSGI"} {
				a := get(t, "http://"+plain[name].address+"/"+place+"/"+c.kind)
				if got := fmt.Sprintf("%d %s", a.status, a.body); strings.TrimSpace(got) != strings.TrimSpace(want[i]) {
					t.Errorf("%s as %s: %s gives %q, want %q (%s)", c.kind, place, name, got, want[i], c.why)
				}
			}
			if place == "write" || c.uwsgo != all || c.kind == "gaps" {
				continue
			}
			for _, name := range []string{"uwsgo", "uWSGI"} { // with the option both are the same
				a := get(t, "http://"+accepting[name].address+"/"+place+"/"+c.kind)
				if got := fmt.Sprintf("%d %s", a.status, a.body); got != all {
					t.Errorf("%s as %s: %s with wsgi-accept-buffer gives %q", c.kind, place, name, got)
				}
			}
		}
	}
}

const goneApp = `
import time
def note(*words):
    with open("notes", "a") as f:
        f.write(" ".join(map(str, words)) + "\n")
def application(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/ready":
        return [b"ready"]
    if environ["PATH_INFO"] == "/write":
        try:
            for _ in range(80):
                write(b"x" * 100000)
                time.sleep(0.005)
            note("write: all")
        except Exception as e:
            note("write:", type(e).__name__, e)
        return []
    return blocks()
def blocks():
    try:
        for n in range(80):
            yield b"x" * 100000
            time.sleep(0.005)
        note("blocks: all")
    except GeneratorExit:
        note("blocks: closed")
        raise
    except Exception as e:
        note("blocks:", type(e).__name__, e)
        raise
`

// TestWriteErrors shows what an app hears of a client that has gone, with each option of
// uWSGI's, beside the reference.
func TestWriteErrors(t *testing.T) {
	const raises, all = "write: OSError write error", "write: all"
	const closed, whole = "blocks: closed", "blocks: all"
	for _, c := range []struct {
		name   string
		args   []string
		write  string
		blocks string
		uWSGI  string // of blocks, where it differs
	}{
		{name: "default", write: raises, blocks: closed},
		{name: "disable-write-exception", args: []string{"--disable-write-exception"}, write: all, blocks: closed},
		{name: "tolerance of 0", args: []string{"--write-errors-tolerance", "0"}, write: raises, blocks: closed},
		{name: "tolerance of 1", args: []string{"--write-errors-tolerance", "1"}, write: all, blocks: whole},
		// uWSGI leaves the exception pending: the next call of the app's fails, with SystemError.
		{name: "exception-only", args: []string{"--write-errors-exception-only"}, write: raises, blocks: "blocks: OSError write error", uWSGI: "blocks: SystemError"},
		{name: "exception-only, disabled", args: []string{"--write-errors-exception-only", "--disable-write-exception"}, write: all, blocks: whole},
		{name: "exception-only, tolerant", args: []string{"--write-errors-exception-only", "--write-errors-tolerance", "3"}, write: all, blocks: "blocks: OSError write error", uWSGI: "blocks: SystemError"},
		{name: "disabled, tolerant", args: []string{"--disable-write-exception", "--write-errors-tolerance", "3"}, write: all, blocks: whole},
		{name: "those of the log", args: []string{"--ignore-sigpipe", "--ignore-write-errors"}, write: raises, blocks: closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "app.py", goneApp)
			for name, s := range beside(t, dir, c.args...) {
				for path, want := range map[string]string{"/write": c.write, "/blocks": c.blocks} {
					if path == "/blocks" && name == "uWSGI" && c.uWSGI != "" {
						want = c.uWSGI
					}
					notes := filepath.Join(dir, "notes")
					_ = os.Remove(notes)
					leave(t, s.address, path)
					eventually(t, "what the app notes", func() error {
						if got, err := os.ReadFile(notes); err != nil || !strings.HasSuffix(string(got), "\n") {
							return errors.New("nothing yet")
						}
						return nil
					})
					if got, _ := os.ReadFile(notes); !strings.HasPrefix(string(got), want) {
						t.Errorf("%s %s: %q, want %q", name, path, got, want)
					}
				}
				if log := s.log.String(); name == "uwsgo" && strings.Contains(log, "Error") {
					t.Errorf("uwsgo logs that a client has gone:\n%s", log)
				}
			}
		})
	}
}

// leave asks for path and goes, with a reset, once some of the answer has come.
func leave(t *testing.T, address, path string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.0\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// Of two apps at one mountpoint the first answers, in both servers.
func TestMountpointTwice(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"app", "one", "two"} {
		write(t, dir, name+".py", fmt.Sprintf(`
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%s"]
`, name))
	}
	args := []string{"--manage-script-name", "--mount", "/m=one.py", "--mount", "/m=two.py"}
	for name, s := range beside(t, dir, args...) {
		if a := get(t, "http://"+s.address+"/m/x"); a.body != "one" {
			t.Errorf("%s: %d %q", name, a.status, a.body)
		}
		s.waitLog(t, "already configured. skip.")
	}
}

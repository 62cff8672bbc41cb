package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// packet reads a uwsgi packet and the body behind it.
func packet(r io.Reader) (vars map[string]string, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil, err
	}
	p := make([]byte, binary.LittleEndian.Uint16(head[1:3]))
	if _, err := io.ReadFull(r, p); err != nil {
		return nil, nil, err
	}
	vars = map[string]string{}
	var name string
	for i := 0; len(p) > 0; i++ {
		n := int(binary.LittleEndian.Uint16(p))
		if word := string(p[2 : 2+n]); i%2 == 0 {
			name = word
		} else {
			vars[name] = word
		}
		p = p[2+n:]
	}
	n, err := strconv.Atoi(vars["CONTENT_LENGTH"])
	if err != nil {
		return vars, nil, nil // none
	}
	body = make([]byte, n)
	_, err = io.ReadFull(r, body)
	return vars, body, err
}

func TestUwsgi(t *testing.T) {
	t.Parallel()
	for name, give := range map[string]string{
		"http_head":   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello",
		"with_length": text(hello),
		"cgi_head":    "Status: 200 OK\r\n\r\nhello",
		"without":     "Content-Type: text/plain\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			var last atomic.Pointer[map[string]string]
			var sent atomic.Pointer[[]byte]
			addr := listen(t, func(c net.Conn) {
				vars, body, err := packet(c)
				if err != nil {
					return
				}
				last.Store(&vars)
				sent.Store(&body)
				_, _ = io.WriteString(c, give)
			})
			upload := Request{
				Method: http.MethodPut, Path: "/a%20b?c=%20d", Body: []byte("abc"), Want: hello,
				Header: []Header{{"X-Trace", "1"}, {"Content-Type", "text/css"}},
			}
			r := mustRun(t, Options{
				Target: Target{"tcp", addr, UWSGI}, Routes: []Route{{Request: upload}}, Connections: 4, Duration: short,
			})
			if r.Connects < r.Requests {
				t.Errorf("%d connections for %d requests", r.Connects, r.Requests)
			}
			want := map[string]string{
				"REQUEST_METHOD": "PUT", "REQUEST_URI": "/a%20b?c=%20d", "PATH_INFO": "/a b", "QUERY_STRING": "c=%20d",
				"CONTENT_LENGTH": "3", "CONTENT_TYPE": "text/css", "HTTP_X_TRACE": "1", "HTTP_HOST": addr,
				"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_SCHEME": "http",
			}
			got := maps.Clone(*last.Load())
			maps.DeleteFunc(got, func(name, _ string) bool { _, ok := want[name]; return !ok })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("variables (-want +got)\n%s", diff)
			}
			if !bytes.Equal(*sent.Load(), upload.Body) {
				t.Errorf("the body %q came", *sent.Load())
			}
		})
	}
}

func TestUwsgiAnswerCutShort(t *testing.T) {
	addr := listen(t, func(c net.Conn) {
		if _, _, err := packet(c); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nhel")
		}
	})
	r, err := Run(t.Context(), Options{
		Target: Target{"tcp", addr, UWSGI}, Routes: get("/", hello), Connections: 2, Duration: short,
	})
	if err != nil || r.Requests != 0 || r.Errors[KindLength] == 0 || len(r.Errors) != 1 {
		t.Errorf("%d right, %v, %v", r.Requests, r.Errors, err)
	}
}

// The reference server, over its own protocol and over HTTP.
func TestReferenceUWSGI(t *testing.T) {
	t.Parallel()
	env := os.Getenv("UWSGO_TESTENV")
	if env == "" {
		env = filepath.Join("..", "..", "build", "testenv")
	}
	uwsgi, err := filepath.Abs(filepath.Join(env, "bin", "uwsgi"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(uwsgi); err != nil {
		t.Skip("SKIP: no reference uWSGI here: run make testenv")
	}
	const app = `
def application(environ, start_response):
    body = environ["wsgi.input"].read() or b"hello"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`
	dir, err := os.MkdirTemp("", "load") // short: the path of a unix socket is limited
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "app.py")
	if err := os.WriteFile(file, []byte(app), 0o600); err != nil {
		t.Fatal(err)
	}
	for option, protocol := range map[string]Protocol{"--socket": UWSGI, "--http-socket": HTTP} {
		t.Run(option, func(t *testing.T) {
			socket := filepath.Join(dir, option)
			var log bytes.Buffer
			cmd := exec.Command(uwsgi, option, socket, "--wsgi-file", file, "--master", "--processes", "2", "--disable-logging", "--need-app")
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &log, &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Signal(syscall.SIGQUIT) // to uWSGI: stop at once
				_ = cmd.Wait()
				if t.Failed() {
					t.Log(log.String())
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			target := Target{"unix", socket, protocol}
			for !served(ctx, t, target) {
				if ctx.Err() != nil {
					t.Fatal("it does not come up")
				}
				time.Sleep(10 * time.Millisecond)
			}
			body := bytes.Repeat([]byte("0123456789"), 10_000)
			r := mustRun(t, Options{
				Target: target, Connections: 4, Duration: 2 * short, PerConnection: 1,
				Routes: []Route{
					{Request{Name: "hello", Path: "/", Want: hello}, 9},
					{Request{Name: "upload", Method: http.MethodPost, Path: "/", Body: body, Want: body}, 1},
				},
			})
			for _, name := range []string{"hello", "upload"} {
				if r.Routes[name].Requests == 0 {
					t.Errorf("no answer to %s: %s", name, fmt.Sprint(r.Routes))
				}
			}
		})
	}
}

// served tells whether a server answers.
func served(ctx context.Context, t *testing.T, target Target) bool {
	t.Helper()
	w, err := newWire(target, Request{Path: "/", Want: hello})
	if err != nil {
		t.Fatal(err)
	}
	c, err := dial(ctx, target, time.Second, nil)
	if err != nil {
		return false
	}
	defer c.Close()
	if _, err := c.Write(w.last); err != nil {
		return false
	}
	_, err = readAnswer(c, &w, make([]byte, 4096))
	return err == nil
}

package stats

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patient has a server wait for a request until a busy machine has sent it.
const patient = 10 * time.Second

// start runs a server on addr until the end of the test.
func start(t *testing.T, addr string, options Options) *Server {
	t.Helper()
	s, err := New(addr, busy, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// exchange connects to s, sends request and returns everything that comes back.
func exchange(t *testing.T, s *Server, request string) string {
	t.Helper()
	c, err := net.Dial(s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestPlainReader(t *testing.T) {
	want, err := os.ReadFile("testdata/busy.json")
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{
		"tcp":       "127.0.0.1:0",
		"unix_path": filepath.Join(t.TempDir(), "stats.sock"),
	}
	if runtime.GOOS == "linux" {
		addresses["abstract"] = fmt.Sprintf("@uwsgo-stats-test-%d", os.Getpid())
	}
	for name, addr := range addresses {
		t.Run(name, func(t *testing.T) {
			if got := exchange(t, start(t, addr, Options{}), ""); got != string(want) {
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func TestHTTP(t *testing.T) {
	document, err := os.ReadFile("testdata/busy_minified.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name       string
		options    Options
		request    string
		wantStatus int
		wantBody   string
	}{
		{"get", Options{Minified: true}, "GET / HTTP/1.1\r\nHost: localhost:1717\r\n\r\n", 200, string(document)},
		{"get_any_path_http10", Options{Minified: true}, "GET /stats?x HTTP/1.0\r\n\r\n", 200, string(document)},
		{"get_with_stats_http", Options{Minified: true, HTTP: true}, "GET / HTTP/1.1\r\nHost: localhost:1717\r\n\r\n", 200, string(document)},
		{"head", Options{Minified: true}, "HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200, ""},
		{"post", Options{}, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi", 405, "Method Not Allowed\n"},
		{"no_http", Options{}, "\x16\x03\x01\x00\n\n", 400, "Bad Request\n"},
		{"endless_head", Options{}, "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", maxRequest), 400, "Bad Request\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.options.peek = patient
			raw := exchange(t, start(t, "127.0.0.1:0", test.options), test.request)
			method, _, _ := strings.Cut(test.request, " ")
			response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%v in:\n%s", err, raw)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.wantStatus || string(body) != test.wantBody {
				t.Errorf("got %d %q, want %d %q", response.StatusCode, body, test.wantStatus, test.wantBody)
			}
			if test.wantStatus == 200 {
				if got := response.Header.Get("Content-Type"); got != "application/json" {
					t.Errorf("Content-Type: %q", got)
				}
				if response.ContentLength != int64(len(document)) {
					t.Errorf("Content-Length: %d, want %d", response.ContentLength, len(document))
				}
			}
			if !response.Close {
				t.Error("no Connection: close")
			}
			if got := response.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("open to web pages: %q", got)
			}
		})
	}
}

func TestNoCores(t *testing.T) {
	var got struct{ Workers []map[string]any }
	if err := json.Unmarshal([]byte(exchange(t, start(t, "127.0.0.1:0", Options{NoCores: true}), "")), &got); err != nil {
		t.Fatal(err)
	}
	if _, ok := got.Workers[0]["cores"]; ok {
		t.Error("cores are there")
	}
}

func TestUnixSocketFile(t *testing.T) {
	t.Run("mode", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		start(t, path, Options{Mode: 0o600})
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
	})
	t.Run("removed_on_close", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		if err := start(t, path, Options{}).Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
	})
	t.Run("of_a_successor_stays", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		old := start(t, path, Options{})
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}
		successor := start(t, path, Options{})
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
		if exchange(t, successor, "") == "" {
			t.Error("the successor gives nothing")
		}
	})
	t.Run("left_behind_is_replaced", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		start(t, path, Options{})
	})
}

func TestNewErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, "taken")
	start(t, taken, Options{})
	tests := []struct{ name, addr, want string }{
		{"empty", "", "write :port, host:port"},
		{"a_file", file, "there is a regular file at that path"},
		{"in_use", taken, "a server answers on"},
		{"no_such_folder", filepath.Join(dir, "no", "s"), "create it"},
		{"bad_port", "127.0.0.1:x", "127.0.0.1:x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := New(test.addr, busy, Options{})
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("%q does not say %q", err, test.want)
			}
		})
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file at the address was touched: %q, %v", got, err)
	}
}

func TestCloseEndsConnections(t *testing.T) {
	s := start(t, "127.0.0.1:0", Options{HTTP: true}) // waits for a request that never comes
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// TestUwsgitop runs the real uwsgitop, in a terminal of script(1), where both
// are installed.
func TestUwsgitop(t *testing.T) {
	for _, name := range []string{"uwsgitop", "script"} {
		if _, err := exec.LookPath(name); err != nil || runtime.GOOS != "linux" {
			t.Skipf("needs %s on Linux", name)
		}
	}
	http := start(t, "127.0.0.1:0", Options{})
	unix := start(t, filepath.Join(t.TempDir(), "s"), Options{})
	for name, addr := range map[string]string{
		"tcp": http.Addr().String(), "http": "http://" + http.Addr().String(), "unix": unix.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("script", "-qefc", "uwsgitop "+addr, "/dev/null")
			cmd.Env = append(os.Environ(), "TERM=xterm", "LINES=40", "COLUMNS=160")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			watchdog := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
			defer watchdog.Stop()
			var screen bytes.Buffer
			buf := make([]byte, 4096)
			for quit := false; ; {
				n, err := out.Read(buf)
				screen.Write(buf[:n])
				if err != nil {
					break
				}
				// The line of the worker is the last one drawn.
				if !quit && strings.Contains(screen.String(), "busy") {
					quit = true
					_, _ = io.WriteString(in, "q")
				}
			}
			_ = cmd.Wait()
			for _, want := range []string{"uwsgi-2.0.31", "busy", "101"} {
				if !strings.Contains(screen.String(), want) {
					t.Errorf("no %q on the screen:\n%s", want, &screen)
				}
			}
			if strings.Contains(screen.String(), "Traceback") {
				t.Errorf("uwsgitop failed:\n%s", &screen)
			}
		})
	}
}

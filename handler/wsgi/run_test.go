package wsgi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
	"github.com/uwsgo/uwsgo/handler/wsgi"
)

// visit asks for a page, prints the answer, and presses Ctrl+C.
func visit(addr string) {
	status, body, err := get(addr, "/")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(status, " ", body)
	_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
}

func get(addr, path string) (status, body string, err error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + path)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.Status, string(text), err
}

func config() wsgi.Config {
	return wsgi.Config{Addr: "127.0.0.1:0", File: "testdata/hello.py"}
}

func start(t *testing.T, c wsgi.Config) *wsgi.Server {
	t.Helper()
	if _, err := worker.FindPython(""); err != nil {
		t.Skip(err)
	}
	s, err := wsgi.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func TestStart(t *testing.T) {
	module := config()
	module.File, module.Module, module.PythonPath, module.Processes, module.Threads = "", "hello:application", []string{"testdata"}, 2, 2
	wrapped := config()
	wrapped.Wrap = func(app engine.Handler) engine.Handler {
		return engine.HandlerFunc(func(x *engine.Exchange) {
			if x.Path() == "/go" {
				x.ReplyText(200, "Go answers\n")
				return
			}
			app.Serve(x)
		})
	}
	for _, tt := range []struct {
		name   string
		config wsgi.Config
		path   string
		want   string
	}{
		{"file", config(), "/a", "Python answers /a\n"},
		{"module", module, "/b", "Python answers /b\n"},
		{"wrapped", wrapped, "/go", "Go answers\n"},
		{"wrapped_app", wrapped, "/c", "Python answers /c\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.config)
			if _, body, err := get(s.Addr(), tt.path); err != nil || body != tt.want {
				t.Errorf("%q, %v; want %q", body, err, tt.want)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := net.Dial("tcp", s.Addr()); err == nil {
				t.Error("it still listens")
			}
		})
	}
}

// Stop may be called at any time, by anybody, as often as they like.
func TestStopInAnyOrder(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, s *wsgi.Server) error
	}{
		{"at_once", func(t *testing.T, s *wsgi.Server) error { return s.Stop(t.Context()) }},
		{"twice", func(t *testing.T, s *wsgi.Server) error {
			return errors.Join(s.Stop(t.Context()), s.Stop(t.Context()))
		}},
		{"pool_first", func(t *testing.T, s *wsgi.Server) error {
			return errors.Join(s.Pool().Stop(t.Context()), s.Stop(t.Context()))
		}},
		{"by_many", func(t *testing.T, s *wsgi.Server) error {
			var all sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				all.Go(func() { errs[i] = s.Stop(t.Context()) })
			}
			all.Wait()
			return errors.Join(errs...)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, config())
			if err := tt.do(t, s); err != nil {
				t.Error(err)
			}
			select {
			case <-s.Done():
			default:
				t.Error("requests are still served")
			}
		})
	}
}

// A stop whose time is over ends what is left, and says so.
func TestStopEndsWhatIsLeft(t *testing.T) {
	c := config()
	c.File = "testdata/app.py"
	s := start(t, c)
	answered := make(chan error, 1)
	go func() {
		_, _, err := get(s.Addr(), "/stream?gate=/no/such")
		answered <- err
	}()
	for busy := false; !busy; time.Sleep(time.Millisecond) {
		busy = s.Pool().Snapshot().Workers[0].Busy()
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Stop(over); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want it to be canceled", err)
	}
	if err := <-answered; err == nil {
		t.Error("an answer that was cut off looks whole to its client")
	}
}

// A start that fails leaves neither a socket nor a process, and says what to do.
func TestStartFails(t *testing.T) {
	if _, err := worker.FindPython(""); err != nil {
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "u")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	broken := filepath.Join(dir, "broken.py")
	if err := os.WriteFile(broken, []byte("import no_such_module\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		c    wsgi.Config
		want string
	}{
		{"no_app", t.Context(), wsgi.Config{Addr: path}, "set File or Module"},
		{"no_address", t.Context(), wsgi.Config{File: "testdata/hello.py"}, "empty address"},
		{"app_does_not_load", t.Context(), wsgi.Config{Addr: path, File: broken}, "no_such_module"},
		{"no_virtualenv", t.Context(), wsgi.Config{Addr: path, File: "testdata/hello.py", Virtualenv: "/no/such"}, "no such virtualenv"},
		{"over_already", over, wsgi.Config{Addr: path, File: "testdata/hello.py"}, "context canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := wsgi.Start(tt.ctx, tt.c)
			if err == nil {
				_ = s.Stop(t.Context())
				t.Fatal("it has started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if _, err := os.Lstat(path); err == nil {
				t.Error("the socket is left")
			}
		})
	}
	if err := wsgi.Run(over, wsgi.Config{Addr: path, File: "testdata/hello.py"}); err != nil {
		t.Errorf("%v: who asks for the end gets no error", err)
	}
}

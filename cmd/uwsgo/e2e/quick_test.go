package e2e

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/cmd/uwsgo/internal/servertest"
)

// TestQuickPython looks which Python serves an app that is only named: under pipx and uv the
// program lies in a virtualenv of its own, which has nothing of the app.
func TestQuickPython(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", strings.Replace(prefixApp, "def application", "def app", 1))
	tool, injected, project, active := makeVirtualenv(t, dir, "tool"), makeVirtualenv(t, dir, "injected"), makeVirtualenv(t, dir, ".venv"), makeVirtualenv(t, dir, "active")
	for _, venv := range []string{tool, injected} {
		if err := os.Symlink(binary, filepath.Join(venv, "bin", "uwsgo")); err != nil {
			t.Fatal(err)
		}
		write(t, venv, "uv-receipt.toml", "")
	}
	site, err := filepath.Glob(filepath.Join(injected, "lib", "python3*", "site-packages"))
	if err != nil || len(site) != 1 {
		t.Fatal(site, err)
	}
	if err := os.Mkdir(filepath.Join(site[0], "flask-3.1.dist-info"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "local", "uwsgo")
	if err := os.Mkdir(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(tool, "bin", "uwsgo"), link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, program string
		env           []string
		args          []string
		want          string
	}{
		{"tool_and_project", tool + "/bin/uwsgo", nil, nil, project},
		{"linked_tool", link, nil, nil, project},
		{"tool_and_VIRTUAL_ENV", link, []string{"VIRTUAL_ENV=" + active}, nil, active},
		{"tool_and_option", link, []string{"VIRTUAL_ENV=" + active}, []string{"--virtualenv", project}, project},
		{"tool_with_the_app", injected + "/bin/uwsgo", nil, nil, injected},
		{"python_m", link, []string{"UWSGO_PYTHON=" + active + "/bin/python", "VIRTUAL_ENV=" + project}, nil, active},
		{"no_tool_and_project", binary, nil, nil, project},
	} {
		t.Run(tt.name, func(t *testing.T) {
			port := servertest.FreePort(t)
			cmd := exec.Command(tt.program, append([]string{"app:app"}, tt.args...)...)
			cmd.Dir, cmd.Env = dir, append([]string{"PATH=/usr/bin:/bin", "PORT=" + port}, tt.env...)
			var log strings.Builder
			cmd.Stdout, cmd.Stderr = &log, &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Signal(os.Interrupt)
				if err := cmd.Wait(); err != nil {
					t.Errorf("%v\n%s", err, log.String())
				}
			}()
			if got := getWhenReady(t, "http://127.0.0.1:"+port); got != tt.want {
				t.Errorf("the app runs in %q, want %q", got, tt.want)
			}
		})
	}
}

// getWhenReady returns the answer of a server that may still start.
func getWhenReady(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			time.Sleep(20 * time.Millisecond) // until it listens
			continue
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	t.Error("no answer")
	return ""
}

// TestQuickApps serves apps of many names by their file alone.
func TestQuickApps(t *testing.T) {
	const answer = "(environ, start_response):\n    start_response('200 OK', [])\n    return [b'here']\n"
	for _, tt := range []struct{ name, text string }{
		{"application", "def application" + answer},
		{"app", "def app" + answer},
		{"wsgi", "def wsgi" + answer},
		{"both", "def application" + answer + "app = 3\n"},
		{"app_that_is_none", "app = 3\ndef application" + answer},
		{"factory", "def create_app(config=None):\n    return lambda environ, start_response: site(environ, start_response)\ndef site" + answer},
		{"flask_like", "class Site:\n    def wsgi_app(self, environ, start_response):\n        start_response('200 OK', [])\n        return [b'here']\n    def __call__(self, e, s):\n        return self.wsgi_app(e, s)\nshop = Site()\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "site.py", tt.text)
			port := servertest.FreePort(t)
			cmd := exec.Command(binary, "site.py")
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "PORT="+port)
			var log strings.Builder
			cmd.Stdout, cmd.Stderr = &log, &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Signal(os.Interrupt)
				_ = cmd.Wait()
				if t.Failed() {
					t.Log(log.String())
				}
			}()
			if got := getWhenReady(t, "http://127.0.0.1:"+port); got != "here" {
				t.Errorf("%q", got)
			}
		})
	}
}

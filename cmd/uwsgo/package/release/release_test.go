package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestVersions(t *testing.T) {
	for _, tt := range []struct{ text, python, next string }{
		{"1.2.3", "1.2.3", "1.2.4"},
		{"0.1.9", "0.1.9", "0.1.10"},
		{"1.2.3-rc.1", "1.2.3rc1", "1.2.3"},
		{"1.2.3-alpha.2", "1.2.3a2", "1.2.3"},
		{"1.2.3-beta.10", "1.2.3b10", "1.2.3"},
		{"0.1.0-dev.304", "0.1.0.dev304", "0.1.0"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			v, err := parseVersion(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if v.String() != tt.text || v.python() != tt.python || v.next() != tt.next {
				t.Errorf("%s, %s, next %s; want %s, %s, %s", v, v.python(), v.next(), tt.text, tt.python, tt.next)
			}
		})
	}
	for _, text := range []string{"", "1.2", "v1.2.3", "1.2.3-rc1", "1.2.3-gamma.1", "1.2.3+x", "1.2.3-rc.1\n"} {
		if v, err := parseVersion(text); err == nil {
			t.Errorf("%q is taken as %s", text, v)
		}
	}
}

func TestSection(t *testing.T) {
	const log = "# Changelog\n\n## [Unreleased]\n\n### Added\n- new\n\n## [1.0.0] - 2026-01-01\n\n- old\n"
	for _, tt := range []struct{ version, want, err string }{
		{"1.1.0-rc.1", "# uwsgo 1.1.0-rc.1\n\n### Added\n- new\n", ""},
		{"1.0.0", "# uwsgo 1.0.0\n\n- old\n", ""},
		{"1.1.0", "", "no part ## [1.1.0]"},
	} {
		v, err := parseVersion(tt.version)
		if err != nil {
			t.Fatal(err)
		}
		got, err := section(log, v)
		if got != tt.want || err == nil != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v", tt.version, got, err)
		}
	}
}

// A folder of somebody's own is not emptied.
func TestEmpty(t *testing.T) {
	dir := t.TempDir()
	theirs := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(theirs, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := empty(dir); err == nil {
		t.Error("it may be built into")
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Error(err)
	}
}

// readAll returns the files of a release, by name.
func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, path := range files {
		if all[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestWheel builds what pip installs for this machine twice, compares, and installs it as a
// user would: the app is served by the virtualenv's Python.
func TestWheel(t *testing.T) {
	if _, ok := platforms[target{runtime.GOOS, runtime.GOARCH}]; !ok {
		t.Skip("SKIP: no wheel is built for this system")
	}
	python := "python3"
	if env := os.Getenv("UWSGO_TESTENV"); env != "" {
		python = filepath.Join(env, "bin", "python")
	}
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	for _, out := range []string{first, second} {
		args := []string{"-out", out, "-targets", runtime.GOOS + "/" + runtime.GOARCH, "-kinds", "wheel,sdist,archive"}
		if err := run(t.Context(), args); err != nil {
			t.Fatal(err)
		}
	}
	made, again := readAll(t, first), readAll(t, second)
	if len(made) < 7 || len(made) != len(again) {
		t.Errorf("%d files, and %d of the second build", len(made), len(again))
	}
	for name, content := range made {
		if !bytes.Equal(content, again[name]) {
			t.Errorf("%s differs between two builds", name)
		}
	}

	venv := filepath.Join(dir, "venv")
	command := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	command(python, "-m", "venv", venv)
	venv, err := filepath.EvalSymlinks(venv)
	if err != nil {
		t.Fatal(err)
	}
	bin := func(name string) string { return filepath.Join(venv, "bin", name) }
	command(bin("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--find-links", first, "uwsgo[uwsgi]")
	for _, args := range [][]string{{bin("uwsgo"), "--version"}, {bin("python"), "-m", "uwsgo", "--version"}} {
		if got := command(args[0], args[1:]...); !strings.Contains(got, "commit ") || !strings.Contains(got, runtime.Version()) || !strings.Contains(got, " at "+bin("python")) {
			t.Errorf("%q names not all of commit, Go and %s", got, bin("python"))
		}
	}
	if got := command(bin("uwsgi"), "--version"); got != "2.0.31\n" {
		t.Errorf("uwsgi --version is %q", got)
	}
	write(t, filepath.Join(dir, "app.py"), `
import sys
def app(environ, start_response):
    start_response("200 OK", [])
    return [sys.prefix.encode()]
`)
	for _, args := range [][]string{
		{bin("uwsgo"), "app:app"},
		{bin("uwsgo"), "app.py"},
		{bin("python"), "-m", "uwsgo", "app"},
		{bin("uwsgi"), "app.py"},
	} {
		if got := answer(t, dir, args); got != venv {
			t.Errorf("%q: the app runs in %q, want %q", args, got, venv)
		}
	}
	command(bin("python"), "-m", "pip", "uninstall", "--quiet", "--yes", "uwsgo", "uwsgo-uwsgi")
	for _, left := range []string{bin("uwsgo"), bin("uwsgi")} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is left behind", left)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// answer serves with a command on a free port, and returns what the app answers.
func answer(t *testing.T, dir string, args []string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PORT="+port)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%q: %v\n%s", args, err, log.String())
		}
	}()
	for ctx.Err() == nil {
		response, err := http.Get("http://127.0.0.1:" + port)
		if err != nil {
			time.Sleep(20 * time.Millisecond) // it starts
			continue
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil && response.StatusCode == http.StatusOK {
			return string(body)
		}
	}
	return ""
}

package peers

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// wheel writes a package that holds nothing, as pip installs it without an index.
func wheel(t *testing.T, dir, name, version string) {
	t.Helper()
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	info := name + "-" + version + ".dist-info/"
	for file, content := range map[string]string{
		"METADATA": fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version),
		"WHEEL":    "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"RECORD":   info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n",
	} {
		w, err := archive.Create(info + file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name+"-"+version+"-py3-none-any.whl")
	if err := os.WriteFile(path, buf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestInstall(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import ensurepip").Run() != nil {
		t.Skip("SKIP: no python3 that can make virtualenvs")
	}
	wheels, env := t.TempDir(), filepath.Join(t.TempDir(), "env")
	wheel(t, wheels, "fast_server", "1.5")
	wheel(t, wheels, "helper", "2.0")
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("PIP_FIND_LINKS", wheels)
	good := Peer{Name: "fast", Install: []string{"Fast-Server==1.5", "helper==2.0"}}
	bad := Peer{Name: "other", Install: []string{"no-such-server==9.9"}}

	var log bytes.Buffer
	if err := Install(t.Context(), env, python, bad, &log); err == nil ||
		!strings.HasPrefix(err.Error(), "other cannot be installed: ") || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "no-such-server") {
		t.Errorf("error of a peer that does not exist: %v\n%s", err, &log)
	}
	log.Reset()
	if err := Install(t.Context(), env, python, good, &log); err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	if v := version(env, "fast-server"); v != "1.5" {
		t.Errorf("version %q is installed, want 1.5\n%s", v, &log)
	}
	if !strings.Contains(log.String(), "installing Fast-Server==1.5 helper==2.0\n") {
		t.Errorf("log: %q", &log)
	}
	if need := missingPackage(Tools{Env: env}, "fast-server", "other"); !strings.HasPrefix(need, "other in the virtualenv") {
		t.Errorf("need %q", need)
	}

	log.Reset()
	t.Setenv("PIP_FIND_LINKS", "")
	if err := Install(t.Context(), env, "no-such-python", good, &log); err != nil || log.Len() > 0 {
		t.Errorf("what is there was not left alone: %v\n%s", err, &log)
	}
}

func TestInstallTellsOfAMissingPython(t *testing.T) {
	var log bytes.Buffer
	err := Install(t.Context(), filepath.Join(t.TempDir(), "env"), "no-such-python", Peer{Name: "x", Install: []string{"a==1"}}, &log)
	if err == nil || !strings.Contains(err.Error(), "no-such-python") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func TestInstallWithoutNetwork(t *testing.T) {
	if tools.Env == "" {
		t.Skip("SKIP: no virtualenv")
	}
	_, port, err := freePort() // nobody answers there
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PIP_INDEX_URL", "http://127.0.0.1:"+port+"/")
	t.Setenv("PIP_FIND_LINKS", "")
	var log bytes.Buffer
	err = InstallPackages(t.Context(), tools.Env, "python3", []string{"no-such-server==9.9"}, &log)
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("error %v\n%s", err, &log)
	}
}

func TestReasonIsOneUsefulLine(t *testing.T) {
	tests := []struct{ name, output, want string }{
		{
			"libev_missing",
			"  error: subprocess-exited-with-error\n      bjoern/request.h:4:10: fatal error: ev.h: No such file or directory\n" +
				"      error: Command '['gcc', '-Wall']' returned non-zero exit status 1.\nERROR: Could not build wheels for bjoern",
			"libev headers are missing (apt-get install libev-dev)",
		},
		{
			"python_headers_missing", "plugins/python/uwsgi_python.h:4:10: fatal error: Python.h: No such file or directory",
			"Python headers are missing (apt-get install python3-dev)",
		},
		{"compiler_missing", "error: command 'gcc' failed: No such file or directory", "there is no C compiler (apt-get install gcc)"},
		{"compiler_missing_for_uwsgi", "Exception: you need a C compiler to build uWSGI\nERROR: Failed", "there is no C compiler (apt-get install gcc)"},
		{
			"no_network", "WARNING: Retrying after connection broken by 'NewConnectionError': /granian/\nERROR: Could not find a version",
			ErrUnreachable.Error(),
		},
		{
			"unknown_version", "ERROR: Could not find a version that satisfies the requirement granian==99 (from versions: 1, 2)\nERROR: No matching distribution",
			"ERROR: Could not find a version that satisfies the requirement granian==99 (from versions: 1, 2)",
		},
		{"other_compile_error", "  error: subprocess-exited-with-error\n  a.c:3:1: error: unknown type name 'foo'\nERROR: Failed", "a.c:3:1: error: unknown type name 'foo'"},
		{"last_line", "something\nhappened\n", "happened"},
		{"nothing", "", "pip failed: killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := reason(tt.output, errors.New("killed")).Error(); got != tt.want {
				t.Errorf("reason %q, want %q", got, tt.want)
			}
		})
	}
}

// A package that was being installed when the power failed is not there.
func TestVersionOfAHalfInstalledPackage(t *testing.T) {
	env := t.TempDir()
	info := filepath.Join(env, "lib", "python3.11", "site-packages", "zope.interface-8.7.dist-info")
	if err := os.MkdirAll(info, 0o755); err != nil {
		t.Fatal(err)
	}
	if v := version(env, "zope-interface"); v != "" {
		t.Errorf("version %q", v)
	}
	if err := os.WriteFile(filepath.Join(info, "RECORD"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if v := version(env, "zope_interface"); v != "8.7" {
		t.Errorf("version %q, want 8.7", v)
	}
	if v := version(env, "zope"); v != "" {
		t.Errorf("version of another package %q", v)
	}
}

package main

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/bench/report"
	"github.com/uwsgo/uwsgo/bench/result"
	"github.com/uwsgo/uwsgo/cmd/internal/config"
)

// ownApp is somebody's own app: it imports a neighbour, reads a file beside it, and
// wants a package of its virtualenv and a variable where the path says so.
const ownApp = `
import os, time, zlib
from urllib.parse import parse_qs
from . import neighbour

def answer(environ):
    path = environ["PATH_INFO"]
    if path == "/same":
        return open("beside.txt").read() + neighbour.NAME + environ["QUERY_STRING"]
    if path == "/time":
        return "%.6f" % time.time()
    if path == "/host":
        return environ["HTTP_HOST"]
    if path == "/post":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        return "%s %d %08x %s" % (environ["REQUEST_METHOD"], len(body), zlib.crc32(body), environ.get("HTTP_X_COLOUR"))
    if path == "/venv":
        import onlythere
        return onlythere.NAME
    if path == "/variable":
        return os.environ["SHOP"]
    if path == "/server":  # what no server may be forgiven: another answer than the app's
        return "other" if "uwsgi.version" in environ else "right"
    return None

def shop(environ, start_response):
    body = answer(environ)
    status = "200 OK" if body is not None else "404 Not Found"
    body = (body or "nothing here").encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

application = shop
`

// shopFolder writes the own app into a folder and gives that.
func shopFolder(t *testing.T, env string) string {
	t.Helper()
	dir := t.TempDir()
	site, err := filepath.Glob(filepath.Join(env, "lib", "python3*"))
	if err != nil || len(site) == 0 {
		t.Fatalf("%s: %v", env, err)
	}
	packages := filepath.Join("venv", "lib", filepath.Base(site[0]), "site-packages")
	for name, text := range map[string]string{
		"shop/__init__.py": "", "shop/neighbour.py": "NAME = ' and neighbour '", "shop/wsgi.py": ownApp, "beside.txt": "beside",
		"alone.py":                            strings.Replace(ownApp, "from . import neighbour", "import shop.neighbour as neighbour", 1),
		"uwsgi.ini":                           "[uwsgi]\nchdir = %d\nmodule = shop.wsgi\ncallable = shop\nenv = SHOP=open\nvirtualenv = venv\nprocesses = 3\nthreads = 1\nmaster = true\nsocket = /nowhere.sock\n",
		"file.ini":                            "[uwsgi]\nchdir = %d\nwsgi-file = alone.py\n",
		"empty.ini":                           "[uwsgi]\nprocesses = 2\n",
		"body.txt":                            strings.Repeat("body ", 1000),
		filepath.Join(packages, "there.pth"):  "more\n",
		packages + "/more/onlythere.py":       "NAME = 'only there'",
		"other/lib/python3.1/site-packages/x": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A person measures an app of their own without a line of Go.
func TestOwnApp(t *testing.T) {
	flags := environment(t)
	shop := shopFolder(t, flags[1])
	tests := []struct {
		name  string
		args  []string
		peers string // uwsgo alone if it is empty
		shape string // of uwsgo, if it is not the usual
		says  string // in the report
		wrong bool   // the answers of the servers are wrong
	}{
		{name: "module", peers: "uwsgo,uwsgi-http-socket", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-url", "/same?a=b"}, says: "shop.wsgi:shop"},
		{name: "module_without_callable", args: []string{"-app", "shop.wsgi", "-chdir", shop, "-url", "/same"}, says: "shop.wsgi:application"},
		{name: "file", peers: "uwsgo,uwsgi-http-socket", args: []string{"-app", "alone.py:shop", "-chdir", shop, "-url", "/same"}, says: "alone.py:shop"},
		{name: "answers_differ_with_time", peers: "uwsgo,uwsgi-http-socket", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-url", "/time"}, says: "only their status is checked"},
		{name: "answers_differ_with_the_port", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-url", "/host"}, says: "only their status is checked"},
		{name: "body_and_header", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-url", "/post", "-data", "@" + filepath.Join(shop, "body.txt"), "-header", "X-Colour: red"}, says: "clients ask POST /post"},
		{name: "method", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-url", "/post", "-method", "put", "-data", "x"}, says: "clients ask PUT /post"},
		{name: "status", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-url", "/nothing", "-status", "404"}},
		{name: "virtualenv", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-venv", "venv", "-url", "/venv"}},
		{name: "ini", peers: "uwsgo,uwsgi-http-socket", args: []string{"-ini", filepath.Join(shop, "uwsgi.ini"), "-url", "/variable"}, shape: "3 × 1", says: "shop.wsgi:shop"},
		{name: "ini_with_virtualenv", args: []string{"-ini", filepath.Join(shop, "uwsgi.ini"), "-url", "/venv"}, shape: "3 × 1"},
		{name: "ini_with_file", args: []string{"-ini", filepath.Join(shop, "file.ini"), "-url", "/same"}, shape: "1 × 1", says: "alone.py:application"},
		{name: "wrong_answers_are_found", args: []string{"-app", "shop.wsgi:shop", "-chdir", shop, "-url", "/server"}, wrong: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			args := append(append([]string{}, flags...), "-out", out, "-rounds", "1", "-duration", "100ms", "-warmup", "100ms", "-clients", "4", "-peers", cmp.Or(tt.peers, "uwsgo"))
			stdout, log, err := bench(t.Context(), append(args, tt.args...)...)
			if tt.wrong {
				// Already the probe holds a server to the app's answer.
				if err == nil || !strings.Contains(err.Error(), "wrong body") {
					t.Errorf("a server that answers otherwise than the app: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, stdout, log)
			}
			r, err := report.ReadJSON(filepath.Join(out, resultsFile))
			if err != nil {
				t.Fatal(err)
			}
			entries := r.Workloads[0].Entries
			if len(entries) == 0 || entries[0].Peer != "uwsgo" {
				t.Fatalf("entries: %+v", entries)
			}
			for _, e := range entries {
				owned(t, e)
			}
			if tt.shape != "" && entries[0].Shape != tt.shape {
				t.Errorf("it ran as %s, want %s", entries[0].Shape, tt.shape)
			}
			page, err := os.ReadFile(filepath.Join(out, pageFile))
			if err != nil || !strings.Contains(string(page), tt.says) {
				t.Errorf("the report does not say %q: %v", tt.says, err)
			}
		})
	}
}

// owned wants right answers and no error.
func owned(t *testing.T, e result.Entry) {
	t.Helper()
	if e.Failed != "" || len(e.Samples) != 1 {
		t.Fatalf("%s: %d samples, failed: %s", e.Peer, len(e.Samples), e.Failed)
	}
	if s := e.Samples[0]; s.Values["rate"] <= 0 || s.Values["errors"] > 0 {
		t.Errorf("%s: %v answers a second, errors %v", e.Peer, s.Values["rate"], s.Errors)
	}
}

// Each mistake is told before anything is measured, with what to do.
func TestOwnAppMistakes(t *testing.T) {
	flags := environment(t)
	shop := shopFolder(t, flags[1])
	in := func(args ...string) []string { return append([]string{"-chdir", shop}, args...) }
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"no_app", in("-app", ":x"), []string{"module:callable"}},
		{"no_such_module", in("-app", "shop.nope:shop"), []string{"No module named 'shop.nope'"}},
		{"no_such_callable", in("-app", "shop.wsgi:nope", "-url", "/same"), []string{"nope"}},
		{"no_such_file", in("-app", "nope.py"), []string{"-app", "nope.py"}},
		{"no_such_folder", []string{"-app", "x:y", "-chdir", "/no/such/folder"}, []string{"-chdir", "/no/such/folder"}},
		{"no_such_page", in("-app", "shop.wsgi:shop", "-url", "/nope"), []string{"status 404", "-url", "-status 404"}},
		{"another_status", in("-app", "shop.wsgi:shop", "-url", "/same", "-status", "404"), []string{"status 200, not 404"}},
		{"no_path", in("-app", "shop.wsgi:shop", "-url", "http://x/"), []string{"want a path"}},
		{"no_header", in("-app", "shop.wsgi:shop", "-header", "X"), []string{"want 'Name: value'"}},
		{"no_such_body", in("-app", "shop.wsgi:shop", "-data", "@/no/such/file"), []string{"-data", "/no/such/file"}},
		{"no_virtualenv", in("-app", "shop.wsgi:shop", "-venv", shop), []string{"-venv", "no virtualenv"}},
		{"virtualenv_of_another_python", in("-app", "shop.wsgi:shop", "-venv", "other"), []string{"python3.1", "-python"}},
		{"ini_without_app", in("-ini", filepath.Join(shop, "empty.ini")), []string{"empty.ini", "-app"}},
		{"no_such_ini", in("-ini", "/no/such.ini"), []string{"/no/such.ini"}},
		{"too_many_clients", in("-app", "shop.wsgi:shop", "-clients", "100000"), []string{"-clients"}},
		{"with_a_workload", in("-app", "shop.wsgi:shop", "hello"), []string{"hello", "alone"}},
		{"flag_without_an_app", []string{"-url", "/x", "hello"}, []string{"-url", "-app"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append(append([]string{}, flags...), "-out", t.TempDir(), "-rounds", "1", "-duration", "100ms", "-peers", "uwsgo")
			_, _, err := bench(t.Context(), append(args, tt.args...)...)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

// What an ini file takes out of the environment the app does not have, whatever came before.
func TestOwnAppWithoutVariables(t *testing.T) {
	cfg := new(config.Config)
	cfg.Module, cfg.Env = "shop", []config.Env{
		{Name: "A", Value: "1"}, {Name: "A", Unset: true}, {Name: "B", Unset: true}, {Name: "C", Unset: true}, {Name: "C", Value: "2"},
	}
	app, err := fromConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(app.Env, map[string]string{"C": "2"}) || !slices.Equal(app.Unset, []string{"A", "B"}) {
		t.Errorf("got %v without %v", app.Env, app.Unset)
	}
}

package apps

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// python gives an interpreter with the frameworks, or one without.
func python(t *testing.T, frameworks bool) string {
	t.Helper()
	env := os.Getenv("UWSGO_TESTENV")
	if env == "" {
		env = "../../build/testenv"
	}
	path, err := filepath.Abs(filepath.Join(env, "bin", "python"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err == nil {
		return path
	}
	if path, err = exec.LookPath("python3"); frameworks || err != nil {
		t.Skip("SKIP: no virtualenv with Flask and Django: run make testenv")
	}
	return path
}

func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestHelloAnswers(t *testing.T) {
	upload := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	tests := []struct {
		name    string
		request Request
		status  int
		want    func(body []byte) bool
	}{
		{"hello", Request{Method: "GET", Path: "/"}, 200, func(b []byte) bool { return string(b) == "Hello World!" }},
		{"json", Request{Method: "GET", Path: "/json?page=2", Headers: Headers[:]}, 200, func(b []byte) bool {
			return len(b) > 900 && len(b) < 1200 && bytes.Contains(b, []byte(`"X-Real-Ip": 11`)) && bytes.Contains(b, []byte(`"query": "page=2"`))
		}},
		{"large", Request{Method: "GET", Path: "/large"}, 200, func(b []byte) bool { return len(b) == 100<<10 }},
		{"mega", Request{Method: "GET", Path: "/mega"}, 200, func(b []byte) bool { return len(b) == 1<<20 }},
		{"upload", Request{Method: "POST", Path: "/upload", Body: upload}, 200, func(b []byte) bool {
			return string(b) == fmt.Sprintf("%d %08x", len(upload), crc32.ChecksumIEEE(upload))
		}},
		{"stream", Request{Method: "GET", Path: "/stream"}, 200, func(b []byte) bool { return len(b) == 100<<10 }},
		{"sleep", Request{Method: "GET", Path: "/sleep"}, 200, func(b []byte) bool { return string(b) == "slept" }},
		{"burn", Request{Method: "GET", Path: "/burn"}, 200, func(b []byte) bool { return string(b) == "burnt" }},
		{"unknown_path", Request{Method: "GET", Path: "/none"}, 404, func(b []byte) bool { return len(b) > 0 }},
	}
	var requests []Request
	for _, tt := range tests {
		requests = append(requests, tt.request)
	}
	answers, err := Expect(t.Context(), python(t, false), written(t), Hello, requests)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := answers[i]; got.Status != tt.status || !tt.want(got.Body) {
				t.Errorf("%s %s gave %d and %d bytes: %.80q", tt.request.Method, tt.request.Path, got.Status, len(got.Body), got.Body)
			}
		})
	}
}

func TestPagesOfTheFrameworks(t *testing.T) {
	python, dir := python(t, true), written(t)
	for _, app := range []string{Flask, Django} {
		t.Run(strings.TrimSuffix(app, ".py"), func(t *testing.T) {
			get := Request{Method: "GET", Path: "/"}
			answers, err := Expect(t.Context(), python, dir, app, []Request{get, get})
			if err != nil {
				t.Fatal(err)
			}
			page := string(answers[0].Body)
			if answers[0].Status != 200 || len(page) < 9000 || len(page) > 12000 {
				t.Errorf("status %d, %d bytes; want 200 and about 10 KB", answers[0].Status, len(page))
			}
			if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") || !strings.Contains(page, "Ada &amp; Söhne") {
				t.Errorf("values are not escaped:\n%s", page)
			}
			again, err := Expect(t.Context(), python, dir, app, []Request{get})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(answers[0], answers[1]) || !reflect.DeepEqual(answers[0], again[0]) {
				t.Error("the page is not the same each time")
			}
		})
	}
}

func TestExpectTellsWhatAnAppDoesWrong(t *testing.T) {
	tests := []struct{ name, source, want string }{
		{"import_fails", "import no_such_module\n", "no_such_module"},
		{"breaks_pep_3333", "def application(environ, start_response):\n    start_response('200', [])\n    return []\n", "Assertion"},
		{"raises", "def application(environ, start_response):\n    raise ValueError('out of beans')\n", "out of beans"},
	}
	python, dir := python(t, false), written(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, tt.name+".py"), []byte(tt.source), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Expect(t.Context(), python, dir, tt.name+".py", []Request{{Method: "GET", Path: "/"}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want one with %q", err, tt.want)
			}
		})
	}
}

// The versions that are measured are those that the other tests use.
func TestRequirementsAreThoseOfTheTests(t *testing.T) {
	all, err := os.ReadFile("../../.ci/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range []string{Hello, Flask, Django} {
		for _, pin := range Requirements(app) {
			if !strings.Contains("\n"+string(all), "\n"+pin+"\n") {
				t.Errorf("%s needs %s, .ci/requirements.txt has another version", app, pin)
			}
		}
	}
}

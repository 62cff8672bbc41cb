package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// behindNginx starts an example whose server listens on a unix socket behind
// nginx, with an app that tells its environ at / and below /myapp.
func behindNginx(t *testing.T, name string) (*example, *server) {
	t.Helper()
	e := copyExample(t, name)
	app, err := os.ReadFile(filepath.Join(root, "cmd/uwsgo/e2e/testdata/environ.py"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, e.dir, "environ.py", string(app))
	ini, err := os.ReadFile(filepath.Join(e.dir, "myapp.ini"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, e.dir, "myapp.ini", strings.Replace(string(ini), "../hello/server.py", "environ.py", 1))
	s := e.start(t, "--mount", "/myapp=environ.py", "--manage-script-name")
	e.startNginx(t)
	s.waitAnswer(t, e.nginx+"/", 200)
	return e, s
}

// connections gives the inodes of the open connections that a unix socket has
// accepted.
func connections(t *testing.T, path string) []string {
	t.Helper()
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	var inodes []string
	// Num RefCount Protocol Flags Type St Inode Path; 03 is connected. The path is the
	// one that was bound, before the server renamed it.
	for _, m := range regexp.MustCompile(`(?m) 03 +(\d+) `+regexp.QuoteMeta(path)+`\S*$`).FindAllStringSubmatch(string(table), -1) {
		inodes = append(inodes, m[1])
	}
	return inodes
}

// TestNginxKeepsHTTPConnections: the example is there for that.
func TestNginxKeepsHTTPConnections(t *testing.T) {
	e := copyExample(t, "nginx-http")
	s := e.start(t)
	e.startNginx(t)
	wantBody(t, s.waitAnswer(t, e.nginx+"/", 200), 200, hello)
	first := connections(t, e.unix)
	if len(first) == 0 {
		t.Fatal("nginx has kept no connection to the server")
	}
	for range 20 {
		wantBody(t, get(t, e.nginx+"/"), 200, hello)
	}
	if diff := cmp.Diff(first, connections(t, e.unix)); diff != "" {
		t.Errorf("20 requests later nginx has other connections (-before +after):\n%s", diff)
	}
	info, err := os.Stat(e.unix)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o660 {
		t.Errorf("socket mode %o, want 660", got)
	}
}

// TestEnvironBehindNginxOverHTTP compares what an app sees over HTTP with what it
// sees over the uwsgi protocol. The example's README has the same table.
func TestEnvironBehindNginxOverHTTP(t *testing.T) {
	overHTTP, _ := behindNginx(t, "nginx-http")
	overUwsgi, _ := behindNginx(t, "nginx-unix")
	tests := []struct {
		name   string
		method string
		path   string
		body   string
		header http.Header
		// What HTTP does not carry, or carries under another name.
		want map[string]string
	}{
		{"plain", "GET", "/", "", nil, map[string]string{"HTTP_HOST": "'127.0.0.1'", "SCRIPT_NAME": "''", "PATH_INFO": "'/'"}},
		{"query_and_escapes", "GET", "/%C3%A9%20x%2Fy?b=c&d=%20", "", nil, nil},
		{"post", "POST", "/form", "a=1", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, map[string]string{"CONTENT_LENGTH": "'3'"}},
		{"headers", "GET", "/", "", http.Header{"X-One": {"1"}, "Cookie": {"a=b; c=d"}, "Authorization": {"Basic eDp5"}}, nil},
		{"mount", "GET", "/myapp/x", "", nil, map[string]string{"SCRIPT_NAME": "'/myapp'", "PATH_INFO": "'/x'"}},
		{
			"forged", "GET", "/", "",
			http.Header{"X-Forwarded-For": {"6.6.6.6"}, "X-Forwarded-Proto": {"https"}},
			map[string]string{"HTTP_X_FORWARDED_FOR": "'127.0.0.1'", "HTTP_X_FORWARDED_PROTO": "'http'", "wsgi.url_scheme": "'http'"},
		},
		{
			"address_and_scheme", "GET", "/", "", nil,
			map[string]string{"REMOTE_ADDR": "''", "HTTP_X_FORWARDED_FOR": "'127.0.0.1'", "HTTP_X_FORWARDED_PROTO": "'http'", "wsgi.url_scheme": "'http'"},
		},
	}
	// What differs, and the README says how.
	differs := []string{
		"REMOTE_ADDR", "REMOTE_PORT", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "SERVER_NAME", "SERVER_PORT", "REQUEST_SCHEME", "DOCUMENT_ROOT",
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			see := func(base string) map[string]string {
				a, err := ask(tt.method, base+tt.path, strings.NewReader(tt.body), tt.header)
				if err != nil {
					t.Fatal(err)
				}
				environ := map[string]string{}
				for line := range strings.Lines(a.body) {
					name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
					// nginx sends these empty where HTTP has none.
					if !strings.HasPrefix(name, "CONTENT_") || value != "''" && value != "'0'" {
						environ[name] = value
					}
				}
				return environ
			}
			http, uwsgi := see(overHTTP.nginx), see(overUwsgi.nginx)
			for name, value := range tt.want {
				if got := http[name]; got != value {
					t.Errorf("over HTTP %s is %s, want %s", name, got, value)
				}
			}
			if got := uwsgi["REMOTE_ADDR"]; got != "'127.0.0.1'" {
				t.Errorf("over uwsgi REMOTE_ADDR is %s", got)
			}
			if _, port, _ := strings.Cut(strings.TrimPrefix(overUwsgi.nginx, "http://"), ":"); uwsgi["SERVER_PORT"] != "'"+port+"'" {
				t.Errorf("over uwsgi SERVER_PORT is %s, nginx has said %s", uwsgi["SERVER_PORT"], port)
			}
			for _, name := range differs {
				delete(http, name)
				delete(uwsgi, name)
			}
			if diff := cmp.Diff(uwsgi, http); diff != "" {
				t.Errorf("over uwsgi (-) and over HTTP (+):\n%s", diff)
			}
		})
	}
}

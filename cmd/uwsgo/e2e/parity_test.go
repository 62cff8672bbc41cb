package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSameEnvironOverHTTPAndUwsgi sends requests directly and through nginx,
// which speaks uwsgi, and compares what the app sees.
func TestSameEnvironOverHTTPAndUwsgi(t *testing.T) {
	e := copyExample(t, "nginx-tcp")
	app, err := os.ReadFile(filepath.Join(root, "cmd/uwsgo/e2e/testdata/environ.py"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, e.dir, "environ.py", string(app))
	s := start(t, e.dir, "--http", strings.TrimPrefix(e.http, "http://"), "--socket", e.uwsgi, "--wsgi-file", "environ.py")
	e.startNginx(t)
	s.waitAnswer(t, e.nginx+"/", 200)
	tests := []struct {
		name   string
		method string
		path   string
		body   string
		header http.Header
	}{
		{"plain", "GET", "/", "", nil},
		{"query", "GET", "/a?b=c&d=%20", "", nil},
		{"escapes", "GET", "/%C3%A9%20x%2Fy", "", nil},
		{"post", "POST", "/form", "a=1", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		{"headers", "GET", "/", "", http.Header{"X-One": {"1"}, "Cookie": {"a=b; c=d"}, "Authorization": {"Basic eDp5"}}},
		{"unusual_method", "PURGE", "/x", "", nil},
	}
	// What must differ: nginx is the client of the one, and speaks to it about itself.
	own := map[string]bool{
		"REMOTE_PORT": true, "SERVER_PORT": true, "SERVER_NAME": true, "DOCUMENT_ROOT": true, "HTTP_HOST": true,
		"REQUEST_SCHEME": true, "HTTP_CONNECTION": true, "CONTENT_LENGTH": true, "CONTENT_TYPE": true,
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			see := func(base string) []string {
				a, err := ask(tt.method, base+tt.path, strings.NewReader(tt.body), tt.header)
				if err != nil {
					t.Fatal(err)
				}
				var lines []string
				for line := range strings.Lines(a.body) {
					line = strings.TrimSuffix(line, "\n")
					// CONTENT_TYPE and CONTENT_LENGTH count where they say something:
					// nginx sends them empty where HTTP has none.
					name, value, _ := strings.Cut(line, "=")
					if !own[name] || strings.HasPrefix(name, "CONTENT_") && value != "''" && value != "'0'" {
						lines = append(lines, line)
					}
				}
				return lines
			}
			if diff := cmp.Diff(see(e.http), see(e.nginx)); diff != "" {
				t.Errorf("over HTTP (-) and over uwsgi (+):\n%s", diff)
			}
		})
	}
}

package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStaticBesideReference has uwsgo and the reference serve the same files with the same options: status,
// headers and body are the same. Where uwsgo does otherwise the row says what uWSGI does, and
// docs/compatibility.md why.
func TestStaticBesideReference(t *testing.T) {
	dir := t.TempDir()
	changed := time.Date(2026, 2, 3, 16, 5, 9, 0, time.UTC)
	for name, content := range map[string]string{
		"app.py":        "def application(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain'), ('X-App', 'yes')])\n    return [b'app ' + environ['PATH_INFO'].encode()]\n",
		"s/a.css":       "a{}",
		"s/a.css.gz":    "a.css.gz",
		"s/a.css.br":    "a.css.br",
		"s/only.css":    "only.css",
		"s/only.css.gz": "only.css.gz",
		"s/b.png":       strings.Repeat("png ", 1000),
		"s/b.png.gz":    "b.png.gz",
		"s/deep/c.txt":  "c.txt",
		"s/d.own":       "own type",
		"s/code.py":     "SOURCE",
		"s/code.py.gz":  "SOURCE",
		"s/i/index.htm": "index",
		"s/e.txt":       "",
		"s/large.png":   strings.Repeat("0123456789abcdef", 16<<10),
		"docs/x.txt":    "checked",
		"safe/in.txt":   "safe",
		"mime.types":    "application/x-own own\ntext/css css\nimage/png png\ntext/plain txt py\ntext/html htm\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Dir(path), filepath.Base(path), content)
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"s/safe.txt": filepath.Join(dir, "safe/in.txt"), "s/out.txt": "../app.py", "s/link.txt": "deep/c.txt"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	servers := beside(t, dir,
		"--static-map", "/s="+filepath.Join(dir, "s"), "--static-map", "/one.css="+filepath.Join(dir, "s/a.css"), "--static-map2", "/docs="+dir,
		"--check-static", filepath.Join(dir, "docs"), "--static-index", "index.htm", "--static-safe", filepath.Join(dir, "safe"),
		"--static-expires-type", "text/css=3600", "--static-expires-type-mtime", "image/png=60",
		"--static-gzip-ext", ".css", "--static-gzip-prefix", filepath.Join(dir, "s/b"), "--static-skip-ext", ".py",
		"--mimefile", filepath.Join(dir, "mime.types"), "--honour-range", "--add-header", "X-Added: yes", "--del-header", "X-App",
		"--offload-threads", "2",
	)
	for _, tt := range []struct {
		name, method, target string
		fields               []string
		uWSGI                string // what it does in another way; then only uwsgo's answer is looked at
		status               int
		body                 string
		want                 map[string]string // headers of uwsgo that are its own
	}{
		{"file", "GET", "/s/a.css", nil, "", 200, "a{}", nil},
		{"head", "HEAD", "/s/a.css", nil, "", 200, "", nil},
		{"gzip", "GET", "/s/a.css", []string{"Accept-Encoding: gzip"}, "", 200, "a.css.gz", nil},
		{"brotli", "GET", "/s/a.css", []string{"Accept-Encoding: gzip, deflate, br"}, "", 200, "a.css.br", nil},
		{"no_brotli_there", "GET", "/s/only.css", []string{"Accept-Encoding: gzip, deflate, br"}, "", 200, "only.css.gz", nil},
		{"gzip_by_prefix", "GET", "/s/b.png", []string{"Accept-Encoding: gzip"}, "", 200, "b.png.gz", nil},
		{"gzip_not_covered", "GET", "/s/deep/c.txt", []string{"Accept-Encoding: gzip"}, "", 200, "c.txt", nil},
		{"gzip_refused", "GET", "/s/a.css", []string{"Accept-Encoding: gzip;q=0"}, "sends it", 200, "a{}", map[string]string{"Vary": "Accept-Encoding"}},
		{"mapped_file", "GET", "/one.css", nil, "", 200, "a{}", nil},
		{"mapped_file_gzip", "GET", "/one.css", []string{"Accept-Encoding: gzip"}, "", 200, "a.css.gz", nil},
		{"expires_by_change", "GET", "/s/b.png", nil, "", 200, strings.Repeat("png ", 1000), nil},
		{"large", "GET", "/s/large.png", nil, "", 200, strings.Repeat("0123456789abcdef", 16<<10), nil},
		{"own_type", "GET", "/s/d.own", nil, "", 200, "own type", nil},
		{"empty", "GET", "/s/e.txt", nil, "", 200, "", nil},
		{"index", "GET", "/s/i/", nil, "", 200, "index", nil},
		{"map2", "GET", "/docs/x.txt", nil, "", 200, "checked", nil},
		{"check_static", "GET", "/x.txt", nil, "", 200, "checked", nil},
		{"missing", "GET", "/s/none", nil, "", 200, "app /s/none", nil},
		{"script", "GET", "/s/code.py", nil, "", 200, "app /s/code.py", nil},
		{"script_in_gzip", "GET", "/s/code.py.gz", nil, "sends the source", 200, "app /s/code.py.gz", nil},
		{"safe", "GET", "/s/safe.txt", nil, "", 200, "safe", nil},
		{"outside", "GET", "/s/out.txt", nil, "", 200, "app /s/out.txt", nil},
		{"link", "GET", "/s/link.txt", nil, "", 200, "c.txt", nil},
		{"post", "POST", "/s/a.css", []string{"Content-Length: 0"}, "", 200, "app /s/a.css", nil},
		{"not_modified", "GET", "/s/d.own", []string{"If-Modified-Since: Tue, 03 Feb 2026 16:05:09 GMT"}, "sends no Last-Modified with it", 304, "", map[string]string{"Last-Modified": "Tue, 03 Feb 2026 16:05:09 GMT"}},
		{"modified", "GET", "/s/d.own", []string{"If-Modified-Since: Tue, 03 Feb 2026 16:05:08 GMT"}, "", 200, "own type", nil},
		{"range", "GET", "/s/b.png", []string{"Range: bytes=4-7"}, "", 206, "png ", nil},
		{"range_to_the_end", "GET", "/s/b.png", []string{"Range: bytes=3996-"}, "", 206, "png ", nil},
		{"last_bytes", "GET", "/s/b.png", []string{"Range: bytes=-4"}, "", 206, "png ", nil},
		{"range_of_gzip", "GET", "/s/b.png", []string{"Range: bytes=0-2", "Accept-Encoding: gzip"}, "", 206, "b.p", nil},
		{"beyond", "GET", "/s/d.own", []string{"Range: bytes=100-"}, "ends a kept connection in another way", 416, "", map[string]string{"Content-Range": "bytes */8"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answers := map[string]http.Header{}
			for name, s := range servers {
				if tt.uWSGI != "" && name == "uWSGI" {
					continue
				}
				req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+s.address+tt.target, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Accept-Encoding", "identity")
				for _, f := range tt.fields {
					k, v, _ := strings.Cut(f, ": ")
					req.Header.Set(k, v)
				}
				resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != tt.status || string(body) != tt.body {
					t.Errorf("%s: %d %.60q %v, want %d %.60q", name, resp.StatusCode, body, err, tt.status, tt.body)
				}
				if resp.Header.Get("X-Added") != "yes" || resp.Header.Get("X-App") != "" {
					t.Errorf("%s: headers %v", name, resp.Header)
				}
				answers[name] = resp.Header
			}
			ours, theirs := answers["uwsgo"], answers["uWSGI"]
			for k, v := range tt.want {
				if ours.Get(k) != v {
					t.Errorf("%s: %q, want %q", k, ours.Get(k), v)
				}
			}
			if theirs == nil {
				return
			}
			for _, k := range []string{"Content-Type", "Content-Encoding", "Content-Range", "Last-Modified"} {
				if ours.Get(k) != theirs.Get(k) {
					t.Errorf("%s: %q, and in uWSGI %q", k, ours.Get(k), theirs.Get(k))
				}
			}
			a, errA := http.ParseTime(ours.Get("Expires"))
			b, errB := http.ParseTime(theirs.Get("Expires"))
			if (errA == nil) != (errB == nil) || a.Sub(b).Abs() > time.Minute {
				t.Errorf("Expires: %q, and in uWSGI %q", ours.Get("Expires"), theirs.Get("Expires"))
			}
		})
	}
}

package static

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

func TestExpires(t *testing.T) {
	dir := tree(t)
	root := filepath.Join(dir, "root")
	re := regexp.MustCompile
	addr := start(t, Options{
		Maps: []Map{{Prefix: "/s", Path: root}},
		Expires: []Expires{
			{By: ByType, Type: "text/css", After: time.Hour},
			{By: ByType, Type: "text/plain", After: time.Hour, Modified: true},
			{By: ByURI, Pattern: re(`\?v=\d+$`), After: 2 * time.Hour},
			{By: ByURI, Pattern: re(`\?m=`), After: 2 * time.Hour, Modified: true},
			{By: ByPath, Pattern: re(`^/s/docs/`), After: 3 * time.Hour, Modified: true},
			{By: ByFile, Pattern: re(`root/noindex/x`), After: 4 * time.Hour, Modified: true},
			{By: ByFile, Pattern: re(`root/docs/home`), After: 5 * time.Hour, Modified: true},
			{By: ByFile, Pattern: re(`root/docs/home`), After: 6 * time.Hour},
		},
	}, engine.ListenOptions{})
	for _, tt := range []struct {
		name, target string
		after        time.Duration // from the change of the file; 0 is none
		fromNow      time.Duration
	}{
		{"type", "/s/a.css", 0, time.Hour},
		{"type_modified", "/s/empty.txt", time.Hour, 0},
		{"none", "/s/big.bin", 0, 0},
		{"uri_before_type", "/s/a.css?v=1", 0, 2 * time.Hour},
		{"uri_modified", "/s/big.bin?m=1", 2 * time.Hour, 0},
		{"path_before_uri", "/s/docs/index.html?v=1", 3 * time.Hour, 0},
		{"file", "/s/noindex/x.txt", 4 * time.Hour, 0},
		{"file_before_path_and_now_before_modified", "/s/docs/home.htm", 0, 6 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, fields := range [][]string{nil, {"If-Modified-Since: Tue, 03 Feb 2026 16:05:09 GMT"}} {
				before := time.Now().Truncate(time.Second)
				resp, _ := get(t, addr, "GET", tt.target, fields...)
				got := resp.Header.Values("Expires")
				if tt.after == 0 && tt.fromNow == 0 {
					if len(got) > 0 {
						t.Errorf("Expires: %q", got)
					}
					continue
				}
				if len(got) != 1 {
					t.Fatalf("%d: Expires: %q", resp.StatusCode, got)
				}
				at, err := http.ParseTime(got[0])
				if err != nil {
					t.Fatal(err)
				}
				if tt.after != 0 && !at.Equal(modified.Add(tt.after).Truncate(time.Second)) {
					t.Errorf("%v, want %v after the change", at, tt.after)
				}
				if tt.fromNow != 0 && (at.Before(before.Add(tt.fromNow)) || at.After(time.Now().Add(tt.fromNow))) {
					t.Errorf("%v, want %v from now", at, tt.fromNow)
				}
			}
		})
	}
}

func TestSiblings(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"all.css", "all.css.gz", "all.css.br", "all.css.zst", "gz.js", "gz.js.gz", "none.css", "other.txt", "other.txt.gz",
		"deep/in.txt", "deep/in.txt.gz", "match.xyz", "match.xyz.gz", "docs/index.css", "docs/index.css.gz", "app.py", "app.py.gz", "app.py.Br", "fifo.css",
		"link.css",
	} {
		put(t, dir, name, "content of "+name)
	}
	put(t, dir, "secret/app.py.gz", "SOURCE")
	link(t, dir, "link.css.gz", "app.py.gz")
	if err := os.Mkdir(filepath.Join(dir, "fifo.css.gz"), 0o755); err != nil {
		t.Fatal(err)
	}
	addr := start(t, Options{
		Maps:  []Map{{Prefix: "/s", Path: dir}, {Prefix: "/one.css", Path: filepath.Join(dir, "all.css")}},
		Index: []string{"index.css"}, SkipExt: []string{".py"},
		Siblings: Siblings{Ends: []string{".css", ".js", ".py"}, Folders: []string{filepath.Join(dir, "deep")}, Patterns: []*regexp.Regexp{regexp.MustCompile(`/match\.`)}},
	}, engine.ListenOptions{})
	for _, tt := range []struct {
		name, target, accept string
		body, coding         string
		varies               bool
	}{
		{"browser", "/s/all.css", "gzip, deflate, br, zstd", "content of all.css.br", "br", true},
		{"no_field", "/s/all.css", "", "content of all.css", "", true},
		{"gzip_alone", "/s/all.css", "gzip", "content of all.css.gz", "gzip", true},
		{"zstd_and_gzip", "/s/all.css", "gzip, zstd", "content of all.css.zst", "zstd", true},
		{"by_weight", "/s/all.css", "br;q=0.5, gzip;q=0.8", "content of all.css.gz", "gzip", true},
		{"refused", "/s/all.css", "br;q=0, gzip;q=0", "content of all.css", "", true},
		{"the_next_best", "/s/gz.js", "br, gzip", "content of gz.js.gz", "gzip", true},
		{"none_there", "/s/none.css", "br, gzip", "content of none.css", "", true},
		{"not_asked_for", "/s/other.txt", "gzip", "content of other.txt", "", false},
		{"by_folder", "/s/deep/in.txt", "gzip", "content of deep/in.txt.gz", "gzip", true},
		{"by_pattern", "/s/match.xyz", "gzip", "content of match.xyz.gz", "gzip", true},
		{"of_an_index", "/s/docs/", "gzip", "content of docs/index.css.gz", "gzip", true},
		{"of_a_mapped_file", "/one.css", "gzip", "content of all.css.gz", "gzip", true},
		{"itself", "/s/all.css.gz", "gzip", "content of all.css.gz", "", false},
		{"sibling_is_no_file", "/s/fifo.css", "gzip", "content of fifo.css", "", true},
		{"script", "/s/app.py", "gzip", "app /s/app.py", "", false},
		{"sibling_of_a_script", "/s/app.py.gz", "gzip", "app /s/app.py.gz", "", false},
		{"sibling_of_a_script_in_capitals", "/s/app.py.Br", "br", "app /s/app.py.Br", "", false},
		{"sibling_that_leads_to_a_script", "/s/link.css", "gzip", "content of link.css", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 3 { // from the disk, from the kernel's memory, from ours
				resp, body := get(t, addr, "GET", tt.target, "Accept-Encoding: "+tt.accept)
				if body != tt.body || resp.Header.Get("Content-Encoding") != tt.coding || (resp.Header.Get("Vary") != "") != tt.varies {
					t.Errorf("got %q, %v", body, resp.Header)
				}
				if strings.HasSuffix(strings.TrimSuffix(tt.target, ".gz"), ".css") && tt.coding != "" && resp.Header.Get("Content-Type") != "text/css" {
					t.Errorf("Content-Type: %q", resp.Header.Get("Content-Type"))
				}
			}
		})
	}
	plain, _ := get(t, addr, "GET", "/s/all.css")
	coded, body := get(t, addr, "GET", "/s/all.css", "Accept-Encoding: gzip", "Range: bytes=0-6")
	if coded.StatusCode != 206 || body != "content" || coded.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a part: %d %q %v", coded.StatusCode, body, coded.Header)
	}
	if a, b := plain.Header.Get("ETag"), coded.Header.Get("ETag"); a == b || strings.HasPrefix(b, "W/") || !strings.HasSuffix(b, `-gzip"`) {
		t.Errorf("ETags %s and %s", a, b)
	}
	if resp, _ := get(t, addr, "GET", "/s/all.css", "Accept-Encoding: gzip", "If-None-Match: "+coded.Header.Get("ETag")); resp.StatusCode != 304 || resp.Header.Get("Vary") == "" {
		t.Errorf("a client that has it: %d %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := get(t, addr, "HEAD", "/s/all.css", "Accept-Encoding: br"); resp.ContentLength != int64(len("content of all.css.br")) {
		t.Errorf("HEAD: %v", resp.Header)
	}
}

func TestDocumentRoot(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{DocumentRoot: true}, engine.ListenOptions{Protocol: engine.UWSGI})
	for _, tt := range []struct{ name, root, path, want string }{
		{"file", filepath.Join(dir, "root"), "/a.css", "a{}"},
		{"another_root", filepath.Join(dir, "root/static"), "/a.css", "with prefix"},
		{"missing", filepath.Join(dir, "root"), "/none", "app /none"},
		{"outside", filepath.Join(dir, "root"), "/../secret", "app /../secret"},
		{"link_outside", filepath.Join(dir, "root"), "/outside", "app /outside"},
		{"no_such_root", filepath.Join(dir, "none"), "/a.css", "app /a.css"},
		{"relative", "root", "/a.css", "app /a.css"},
		{"empty", "", "/a.css", "app /a.css"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := packet(t, "REQUEST_METHOD", "GET", "REQUEST_URI", tt.path, "PATH_INFO", tt.path, "QUERY_STRING", "", "SERVER_PROTOCOL", "HTTP/1.1", "DOCUMENT_ROOT", tt.root)
			if _, body := talk(t, addr, "GET", p); body != tt.want {
				t.Errorf("got %q, want %q", body, tt.want)
			}
		})
	}
}

func TestFallback(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "dist/index.html", "the app")
	put(t, dir, "dist/app.js", "code")
	put(t, dir, "404.html", "not here")
	o := Options{
		Maps: []Map{{Prefix: "/", Path: filepath.Join(dir, "dist")}}, Index: []string{"index.html"},
		Fallback: []Map{{Prefix: "/", Path: filepath.Join(dir, "dist/index.html")}}, FallbackExcept: []string{"/api", "/"},
	}
	addr := start(t, o, engine.ListenOptions{})
	o.NotFound = filepath.Join(dir, "404.html")
	addr404 := start(t, o, engine.ListenOptions{})
	for _, tt := range []struct {
		name, method, target, accept string
		want, want404                string
	}{
		{"file", "GET", "/app.js", "*/*", "code", "code"},
		{"root", "GET", "/", "text/html", "the app", "the app"},
		{"page", "GET", "/users/7", "text/html,application/xhtml+xml", "the app", "the app"},
		{"page_any", "GET", "/users/7", "*/*", "the app", "the app"},
		{"data", "GET", "/users/7", "application/json", "app /users/7", "not here"},
		{"missing_file", "GET", "/old.js", "text/html", "app /old.js", "not here"},
		{"app", "GET", "/api/users", "text/html", "app /api/users", "not here"},
		{"beside_the_app", "GET", "/apis", "text/html", "the app", "the app"},
		{"another_method", "POST", "/users/7", "text/html", "app /users/7", "app /users/7"},
		{"dots", "GET", "/a/../b", "text/html", "app /a/../b", "app /a/../b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if resp, body := get(t, addr, tt.method, tt.target, "Accept: "+tt.accept); body != tt.want || resp.StatusCode != 200 {
				t.Errorf("got %d %q, want %q", resp.StatusCode, body, tt.want)
			}
			resp, body := get(t, addr404, tt.method, tt.target, "Accept: "+tt.accept)
			status := 200
			if tt.want404 == "not here" {
				status = 404
			}
			if body != tt.want404 || resp.StatusCode != status {
				t.Errorf("with a page for 404: got %d %q, want %q", resp.StatusCode, body, tt.want404)
			}
		})
	}
}

func TestListing(t *testing.T) {
	dir := tree(t)
	put(t, dir, "root/noindex/<b>.txt", "x")
	put(t, dir, "root/noindex/app.py.gz", "SOURCE")
	put(t, dir, "root/noindex/a:b", "x")
	addr := start(t, Options{Maps: []Map{{Prefix: "/s", Path: filepath.Join(dir, "root")}}, Index: []string{"index.html"}, SkipExt: []string{".py"}, Listing: true}, engine.ListenOptions{})
	resp, body := get(t, addr, "GET", "/s/noindex/")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || resp.Header.Get("ETag") != "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	for _, want := range []string{`<a href="../">../</a>`, `<a href="./x.txt">x.txt</a>`, `<a href="./%3Cb%3E.txt">&lt;b&gt;.txt</a>`, `<a href="./a:b">a:b</a>`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	if strings.Contains(body, ".py") {
		t.Errorf("a script is shown:\n%s", body)
	}
	if resp, _ := get(t, addr, "GET", "/s/noindex"); resp.StatusCode != 301 {
		t.Errorf("without a slash: %d", resp.StatusCode)
	}
	if _, body := get(t, addr, "GET", "/s/docs/"); body != "docs index" {
		t.Errorf("an index: %q", body)
	}
	_, body = get(t, addr, "GET", "/s/")
	if strings.Contains(body, "hidden") || strings.Contains(body, "outside") || strings.Contains(body, "../") || !strings.Contains(body, `<a href="./docs/">docs/</a>`) {
		t.Errorf("the root:\n%s", body)
	}
	if _, body := get(t, addr, "GET", "/s/folder/"); body != "app /s/folder/" {
		t.Errorf("a folder outside: %q", body)
	}
	if resp, body := get(t, addr, "HEAD", "/s/noindex/"); resp.StatusCode != 200 || body != "" || resp.ContentLength <= 0 {
		t.Errorf("HEAD: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestImmutable(t *testing.T) {
	for name, want := range map[string]bool{
		"app.3f2a9c1bd04e.css": true, "index-BdX3a9Qk.js": true, "index-BdX3a9_k.js": true, "main.8f4e2d1c.chunk.js": true,
		"app.css": false, "jquery-3.7.1.min.js": false, "report-20240101.pdf": false, "bootstrap.bundle.min.js": false,
		"3f2a9c1bd04e": false, "a.deadbeef.css": false, "x.ABCDEF12.js": false, "photo-original2.jpg": false,
	} {
		if got := HashedNames.MatchString(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	dir := t.TempDir()
	put(t, dir, "app.3f2a9c1bd04e.css", "x")
	put(t, dir, "app.css", "x")
	addr := start(t, Options{Check: []string{dir}, Immutable: HashedNames}, engine.ListenOptions{})
	if resp, _ := get(t, addr, "GET", "/app.3f2a9c1bd04e.css"); resp.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("%v", resp.Header)
	}
	if resp, _ := get(t, addr, "GET", "/app.css"); resp.Header.Get("Cache-Control") != "" {
		t.Errorf("%v", resp.Header)
	}
}

// What is in memory is asked for again when the file has changed, in whatever way.
func TestChanges(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	write := func(name, content string) {
		t.Helper()
		put(t, dir, name, content)
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "one")
	write("new", "three")
	before := keepSettled
	t.Cleanup(func() { keepSettled = before }) // after the server has ended
	keepSettled = 50 * time.Millisecond
	addr := start(t, Options{Check: []string{dir}}, engine.ListenOptions{})
	want := func(what, content string) {
		t.Helper()
		for range 3 {
			if _, body := get(t, addr, "GET", "/a"); body != content {
				t.Errorf("%s: %q, want %q", what, body, content)
			}
		}
	}
	deadline := time.Now().Add(2 * keepSettled)
	for time.Now().Before(deadline) {
		want("at first", "one")
		time.Sleep(keepSettled / 5)
	}
	write("a", "two")
	want("written, of the same size and time", "two")
	if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	want("renamed", "three")
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	want("removed", "app /a")
}

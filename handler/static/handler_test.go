package static

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// app is what is behind the files.
var app = engine.HandlerFunc(func(x *engine.Exchange) {
	x.ReplyText(200, "app "+string(x.Request().Path()))
})

var modified = time.Date(2026, 2, 3, 16, 5, 9, 123456789, time.UTC)

// tree makes files, below a folder "root" and beside it, and returns the folder
// above.
func tree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"root/a.css":               "a{}",
		"root/big.bin":             strings.Repeat("0123456789abcdef", 64<<10),
		"root/empty.txt":           "",
		"root/.hidden":             "dotfile",
		"root/noext":               "?",
		"root/UP.JPG":              "jpeg",
		"root/with space ü.txt":    "named",
		"root/docs/index.html":     "docs index",
		"root/docs/home.htm":       "docs home",
		"root/noindex/x.txt":       "x",
		"root/home/home.htm":       "home",
		"root/dirindex/index.html": "",
		"root/static/a.css":        "with prefix",
		"root-private/secret":      "SECRET",
		"secret":                   "SECRET",
		"favicon.ico":              "icon",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"root/inside":      "a.css",
		"root/outside":     "../secret",
		"root/absolute":    filepath.Join(dir, "secret"),
		"root/folder":      "../root-private",
		"root/loop":        "loop",
		"root/docs/up.css": "../a.css",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	// An index that is a folder is none.
	if err := os.Remove(filepath.Join(dir, "root/dirindex/index.html")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "root/dirindex/index.html"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "root/fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start serves h and returns the address.
func start(t testing.TB, o Options, lo engine.ListenOptions) string {
	t.Helper()
	h, err := New(app, o)
	if err != nil {
		t.Fatal(err)
	}
	server, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen("127.0.0.1:0", lo)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(h) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.String()
}

// talk sends raw on a connection of its own and returns the answer and its body.
func talk(t testing.TB, addr, method, raw string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// get sends a request with the fields, "Name: value" each.
func get(t testing.TB, addr, method, target string, fields ...string) (*http.Response, string) {
	t.Helper()
	raw := method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	for _, f := range fields {
		raw += f + "\r\n"
	}
	return talk(t, addr, method, raw+"\r\n")
}

func TestLookup(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{
		Check: []string{filepath.Join(dir, "check-not-there-yet")},
		Maps: []Map{
			{Prefix: "/static/", Path: filepath.Join(dir, "root")},
			{Prefix: "/favicon.ico", Path: filepath.Join(dir, "favicon.ico")},
			{Prefix: "/missing", Path: filepath.Join(dir, "no such folder")},
			{Prefix: "/overlaid", Path: filepath.Join(dir, "root-private")},
			{Prefix: "/overlaid", Path: filepath.Join(dir, "root")},
		},
		Index: []string{"index.html", "home.htm"},
	}, engine.ListenOptions{})
	for _, test := range []struct {
		name, target string
		want         string // the body of a 200; "" means that the app answered
	}{
		{"file", "/static/a.css", "a{}"},
		{"query_does_not_matter", "/static/a.css?v=2", "a{}"},
		{"below", "/static/noindex/x.txt", "x"},
		{"doubled_slashes", "/static//noindex//x.txt", "x"},
		{"encoded_name", "/static/with%20space%20%C3%BC.txt", "named"},
		{"dotfile", "/static/.hidden", "dotfile"},
		{"empty_file", "/static/empty.txt", "EMPTY"},
		{"missing", "/static/nothing.css", ""},
		{"file_with_slash", "/static/a.css/", ""},
		{"below_a_file", "/static/a.css/x", ""},
		{"prefix_is_no_segment", "/staticfoo/a.css", ""},
		{"prefix_is_no_segment_sibling", "/static-private/secret", ""},
		{"uwsgi_sibling_hole", "/static%2f..%2froot-private/secret", ""},
		{"traversal", "/static/../secret", ""},
		{"traversal_encoded", "/static/%2e%2e/secret", ""},
		{"traversal_encoded_slash", "/static/..%2fsecret", ""},
		{"traversal_double_encoded", "/static/%252e%252e/secret", ""},
		{"traversal_deep", "/static/docs/../../secret", ""},
		{"traversal_backslash", "/static/..%5csecret", ""},
		{"dots_inside", "/static/docs/../a.css", ""},
		{"dot", "/static/./a.css", ""},
		{"dots_encoded", "/static/docs/%2e%2e/a.css", ""},
		{"dots_after_slash_encoded", "/static/docs/..%2fa.css", ""},
		{"slash_encoded", "/static/noindex%2fx.txt", ""},
		{"slash_encoded_upper", "/static/noindex%2Fx.txt", ""},
		{"slash_of_the_prefix_encoded", "/static%2fa.css", ""},
		{"dots_in_a_name", "/static/...", ""},
		{"long_name", "/static/" + strings.Repeat("a", 300), ""},
		{"long_path", "/static/" + strings.Repeat("a/", 3000), ""},
		{"link_inside", "/static/inside", "a{}"},
		{"link_up_but_inside", "/static/docs/up.css", "a{}"},
		{"link_outside", "/static/outside", ""},
		{"link_absolute", "/static/absolute", ""},
		{"link_to_folder_outside", "/static/folder/secret", ""},
		{"link_loop", "/static/loop", ""},
		{"fifo", "/static/fifo", ""},
		{"index", "/static/docs/", "docs index"},
		{"second_index", "/static/home/", "home"},
		{"no_index", "/static/noindex/", ""},
		{"no_index_no_slash", "/static/noindex", ""},
		{"index_is_a_folder", "/static/dirindex/", ""},
		{"root_without_index", "/static/", ""},
		{"mapped_file", "/favicon.ico", "icon"},
		{"below_a_mapped_file", "/favicon.ico/x", "icon"},
		{"beside_a_mapped_file", "/favicon.icon", ""},
		{"folder_is_not_there", "/missing/x", ""},
		{"first_map", "/overlaid/secret", "SECRET"},
		{"second_map", "/overlaid/a.css", "a{}"},
		{"no_map", "/a.css", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := get(t, addr, "GET", test.target)
			switch {
			case resp.StatusCode != 200:
				t.Errorf("status %d", resp.StatusCode)
			case test.want == "EMPTY":
				if body != "" || resp.Header.Get("ETag") == "" {
					t.Errorf("got %q", body)
				}
			case test.want == "" && !strings.HasPrefix(body, "app /"):
				t.Errorf("got %q, want the app's answer", body)
			case test.want != "" && body != test.want:
				t.Errorf("got %q, want %q", body, test.want)
			}
		})
	}
}

func TestCheckAndKeepPrefix(t *testing.T) {
	dir := tree(t)
	for name, o := range map[string]Options{
		"check_static": {Check: []string{filepath.Join(dir, "root-private"), filepath.Join(dir, "root")}},
		"static_map2":  {Maps: []Map{{Prefix: "/static", Path: filepath.Join(dir, "root"), KeepPrefix: true}}},
		"root_map":     {Maps: []Map{{Prefix: "/", Path: filepath.Join(dir, "root")}}},
	} {
		t.Run(name, func(t *testing.T) {
			addr := start(t, o, engine.ListenOptions{})
			if _, body := get(t, addr, "GET", "/static/a.css"); body != "with prefix" {
				t.Errorf("got %q", body)
			}
			if _, body := get(t, addr, "GET", "/nothing"); body != "app /nothing" {
				t.Errorf("got %q", body)
			}
		})
	}
}

// A folder may come later than the server, and be replaced under it.
func TestReplacedFolder(t *testing.T) {
	dir := t.TempDir()
	current := filepath.Join(dir, "current")
	addr := start(t, Options{Maps: []Map{{Prefix: "/s", Path: current}}}, engine.ListenOptions{})
	if _, body := get(t, addr, "GET", "/s/f"); body != "app /s/f" {
		t.Errorf("before there is a folder: %q", body)
	}
	for _, release := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, release), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, release, "f"), []byte(release), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(release, current+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(current+".new", current); err != nil {
			t.Fatal(err)
		}
		if _, body := get(t, addr, "GET", "/s/f"); body != release {
			t.Errorf("got %q, want %q", body, release)
		}
	}
}

func TestRedirectToFolder(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{
		Maps:  []Map{{Prefix: "/static", Path: filepath.Join(dir, "root")}, {Prefix: "/d", Path: filepath.Join(dir, "root/docs")}},
		Index: []string{"index.html"},
	}, engine.ListenOptions{})
	for target, want := range map[string]string{
		"/static/docs":      "./docs/",
		"/static/docs?a=/b": "./docs/?a=/b",
		"/static/%64ocs":    "./%64ocs/",
		"/d":                "./d/",
		"/static//docs":     "./docs/",
	} {
		resp, _ := get(t, addr, "GET", target)
		if got := resp.Header.Get("Location"); resp.StatusCode != 301 || got != want {
			t.Errorf("%s: %d %q, want %q", target, resp.StatusCode, got, want)
		}
	}
}

func TestMethods(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{Check: []string{filepath.Join(dir, "root")}}, engine.ListenOptions{})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get"} {
		if _, body := get(t, addr, method, "/a.css"); body != "app /a.css" {
			t.Errorf("%s: %q", method, body)
		}
	}
	resp, body := get(t, addr, "HEAD", "/big.bin")
	if resp.StatusCode != 200 || resp.ContentLength != 1<<20 || body != "" || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("HEAD: %d, %d bytes, %v", resp.StatusCode, resp.ContentLength, resp.Header)
	}
}

func TestFields(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{Check: []string{filepath.Join(dir, "root")}}, engine.ListenOptions{})
	resp, _ := get(t, addr, "GET", "/a.css")
	resp.Header.Del("Date")
	want := http.Header{
		"Content-Type":   {"text/css"},
		"Content-Length": {"3"},
		"Accept-Ranges":  {"bytes"},
		"Last-Modified":  {"Tue, 03 Feb 2026 16:05:09 GMT"},
		"Etag":           {`"` + strconv.FormatInt(modified.UnixNano(), 16) + `-3"`},
	}
	resp.Header.Del("Connection")
	if diff := cmp.Diff(want, resp.Header); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for target, want := range map[string]string{"/UP.JPG": "image/jpeg", "/noext": "application/octet-stream", "/.hidden": "application/octet-stream"} {
		if resp, _ := get(t, addr, "GET", target); resp.Header.Get("Content-Type") != want {
			t.Errorf("%s: %q", target, resp.Header.Get("Content-Type"))
		}
	}
}

func TestConditions(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{Check: []string{filepath.Join(dir, "root")}}, engine.ListenOptions{})
	resp, _ := get(t, addr, "GET", "/a.css")
	etag := resp.Header.Get("ETag")
	const (
		same  = "Tue, 03 Feb 2026 16:05:09 GMT"
		older = "Tue, 03 Feb 2026 16:05:08 GMT"
	)
	for _, test := range []struct {
		name   string
		fields []string
		want   int
	}{
		{"none_match", []string{"If-None-Match: " + etag}, 304},
		{"none_match_weak", []string{"If-None-Match: W/" + etag}, 304},
		{"none_match_list", []string{`If-None-Match: "x", W/"y, z" , ` + etag}, 304},
		{"none_match_two_fields", []string{`If-None-Match: "x"`, "If-None-Match: " + etag}, 304},
		{"none_match_any", []string{"If-None-Match: *"}, 304},
		{"none_match_other", []string{`If-None-Match: "x"`}, 200},
		{"none_match_malformed", []string{`If-None-Match: x`}, 200},
		{"none_match_unterminated", []string{`If-None-Match: "x`}, 200},
		{"modified_since_same", []string{"If-Modified-Since: " + same}, 304},
		{"modified_since_older", []string{"If-Modified-Since: " + older}, 200},
		{"modified_since_malformed", []string{"If-Modified-Since: yesterday"}, 200},
		{"none_match_beats_modified_since", []string{`If-None-Match: "x"`, "If-Modified-Since: " + same}, 200},
		{"match", []string{"If-Match: " + etag}, 200},
		{"match_weak_is_not_enough", []string{"If-Match: W/" + etag}, 412},
		{"match_other", []string{`If-Match: "x"`}, 412},
		{"unmodified_since_same", []string{"If-Unmodified-Since: " + same}, 200},
		{"unmodified_since_older", []string{"If-Unmodified-Since: " + older}, 412},
		{"match_beats_unmodified_since", []string{"If-Match: *", "If-Unmodified-Since: " + older}, 200},
		{"condition_beats_range", []string{"If-None-Match: " + etag, "Range: bytes=0-0"}, 304},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				resp, body := get(t, addr, method, "/a.css", test.fields...)
				if resp.StatusCode != test.want {
					t.Errorf("%s: %d, want %d", method, resp.StatusCode, test.want)
				}
				if resp.Header.Get("ETag") != etag || resp.StatusCode != 200 && body != "" {
					t.Errorf("%s: %v %q", method, resp.Header, body)
				}
			}
		})
	}
	path := filepath.Join(dir, "root/a.css")
	if err := os.Chtimes(path, modified, modified.Add(time.Nanosecond)); err != nil {
		t.Fatal(err)
	}
	if resp, _ := get(t, addr, "GET", "/a.css", "If-None-Match: "+etag); resp.StatusCode != 200 {
		t.Errorf("a nanosecond later: %d", resp.StatusCode)
	}
}

func TestRanges(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{Check: []string{filepath.Join(dir, "root")}}, engine.ListenOptions{})
	content, err := os.ReadFile(filepath.Join(dir, "root/big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	resp, _ := get(t, addr, "HEAD", "/big.bin")
	etag, lastModified := resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
	const size = 1 << 20
	for _, test := range []struct {
		name      string
		fields    []string
		want      int
		wantRange string
		from, to  int // of the body, where there is one
	}{
		{"first", []string{"Range: bytes=0-9"}, 206, "bytes 0-9/1048576", 0, 10},
		{"one_byte", []string{"Range: bytes=5-5"}, 206, "bytes 5-5/1048576", 5, 6},
		{"from", []string{"Range: bytes=1048570-"}, 206, "bytes 1048570-1048575/1048576", size - 6, size},
		{"large", []string{"Range: bytes=1-999999"}, 206, "bytes 1-999999/1048576", 1, 1000000},
		{"suffix", []string{"Range: bytes=-3"}, 206, "bytes 1048573-1048575/1048576", size - 3, size},
		{"suffix_longer_than_file", []string{"Range: bytes=-9999999"}, 206, "bytes 0-1048575/1048576", 0, size},
		{"end_beyond_file", []string{"Range: Bytes=1048575-9999999"}, 206, "bytes 1048575-1048575/1048576", size - 1, size},
		{"end_beyond_int64", []string{"Range: bytes=1048575-99999999999999999999"}, 206, "bytes 1048575-1048575/1048576", size - 1, size},
		{"beyond_file", []string{"Range: bytes=1048576-"}, 416, "bytes */1048576", 0, 0},
		{"beyond_int64", []string{"Range: bytes=99999999999999999999-"}, 416, "bytes */1048576", 0, 0},
		{"empty_suffix", []string{"Range: bytes=-0"}, 416, "bytes */1048576", 0, 0},
		{"several", []string{"Range: bytes=0-1,5-6"}, 200, "", 0, size},
		{"backwards", []string{"Range: bytes=9-5"}, 200, "", 0, size},
		{"no_numbers", []string{"Range: bytes=-"}, 200, "", 0, size},
		{"signed", []string{"Range: bytes=+1-5"}, 200, "", 0, size},
		{"double_minus", []string{"Range: bytes=--5"}, 200, "", 0, size},
		{"no_minus", []string{"Range: bytes=5"}, 200, "", 0, size},
		{"other_unit", []string{"Range: lines=0-1"}, 200, "", 0, size},
		{"if_range_tag", []string{"Range: bytes=0-0", "If-Range: " + etag}, 206, "bytes 0-0/1048576", 0, 1},
		{"if_range_weak_tag", []string{"Range: bytes=0-0", "If-Range: W/" + etag}, 200, "", 0, size},
		{"if_range_date", []string{"Range: bytes=0-0", "If-Range: " + lastModified}, 206, "bytes 0-0/1048576", 0, 1},
		{"if_range_other_date", []string{"Range: bytes=0-0", "If-Range: Tue, 03 Feb 2026 16:05:10 GMT"}, 200, "", 0, size},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp, body := get(t, addr, "GET", "/big.bin", test.fields...)
			if resp.StatusCode != test.want || resp.Header.Get("Content-Range") != test.wantRange {
				t.Errorf("%d %q", resp.StatusCode, resp.Header.Get("Content-Range"))
			}
			if want := string(content[test.from:test.to]); body != want {
				t.Errorf("%d bytes, want %d", len(body), len(want))
			}
		})
	}
	if resp, _ := get(t, addr, "GET", "/empty.txt", "Range: bytes=0-"); resp.StatusCode != 200 {
		t.Errorf("range of an empty file: %d", resp.StatusCode)
	}
	if resp, _ := get(t, addr, "HEAD", "/big.bin", "Range: bytes=0-0"); resp.StatusCode != 200 || resp.ContentLength != size {
		t.Errorf("range with HEAD: %d, %d bytes", resp.StatusCode, resp.ContentLength)
	}
}

// TestNoOtherSpelling looks up a file by every spelling of the table of paths: a front
// server that denies the file's own path must not be passed by another.
func TestNoOtherSpelling(t *testing.T) {
	table, err := os.ReadFile("../../codec/http1/testdata/paths.tsv")
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t)
	addr := start(t, Options{Maps: []Map{{Prefix: "/static", Path: filepath.Join(dir, "root")}}}, engine.ListenOptions{})
	if _, body := get(t, addr, "GET", "/static/docs/index.html"); body != "docs index" {
		t.Fatalf("the file's own path: %q", body)
	}
	tried := 0
	for line := range strings.Lines(string(table)) {
		quoted, _, _ := strings.Cut(line, "\t")
		target, err := strconv.Unquote(quoted)
		if err != nil {
			continue // the heading
		}
		target = strings.Replace(target, "public", "static", 1)
		target = strings.Replace(target, "admin", "docs/index.html", 1)
		if strings.ContainsAny(target, " #\t\x01\x7f") || target[0] != '/' && target[0] != 'h' {
			continue // the server refuses it
		}
		tried++
		_, body := talk(t, addr, "GET", "GET "+target+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if strings.Contains(body, "docs index") {
			t.Errorf("%s gives the file", target)
		}
	}
	if tried < 85 {
		t.Errorf("only %d spellings", tried)
	}
}

// Over the uwsgi protocol the web server in front says what PATH_INFO is.
func TestOverUWSGI(t *testing.T) {
	dir := tree(t)
	addr := start(t, Options{Maps: []Map{{Prefix: "/static", Path: filepath.Join(dir, "root")}}, Index: []string{"index.html"}},
		engine.ListenOptions{Protocol: engine.UWSGI})
	for _, test := range []struct{ name, path, uri, want string }{
		{"file", "/static/a.css", "/static/a.css", "a{}"},
		{"traversal", "/static/../secret", "/static/../secret", "app"},
		{"traversal_to_sibling", "/static/../root-private/secret", "/x", "app"},
		{"no_slash", "static/a.css", "/static/a.css", "app"},
		{"no_redirect_from_where_it_leads", "/static/docs", "/elsewhere/", "docs index"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, body := talk(t, addr, "GET", packet(t, "REQUEST_METHOD", "GET", "REQUEST_URI", test.uri, "PATH_INFO", test.path, "SERVER_PROTOCOL", "HTTP/1.1"))
			if !strings.HasPrefix(body, test.want) {
				t.Errorf("got %q, want %q", body, test.want)
			}
		})
	}
}

func TestNewErrors(t *testing.T) {
	for name, o := range map[string]Options{
		"prefix_without_slash": {Maps: []Map{{Prefix: "static", Path: "/x"}}},
		"no_folder":            {Maps: []Map{{Prefix: "/static"}}},
		"index_is_a_path":      {Index: []string{"../index.html"}},
		"index_is_empty":       {Index: []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(app, o); err == nil {
				t.Error("no error")
			}
		})
	}
}

// A file that is there and cannot be opened is not for the app to answer.
func TestFileThatCannotBeOpened(t *testing.T) {
	dir := tree(t)
	if err := os.Chmod(filepath.Join(dir, "root/noext"), 0); err != nil {
		t.Fatal(err)
	}
	var said atomic.Int32
	logf := func(format string, args ...any) {
		said.Add(1)
		if line := fmt.Sprintf(format, args...); !strings.Contains(line, dir) || !strings.Contains(line, "too many open files") {
			t.Errorf("logged %q", line)
		}
	}
	addr := start(t, Options{Logf: logf, Index: []string{"index.html"}, Maps: []Map{{Prefix: "/s", Path: filepath.Join(dir, "root")}, {Prefix: "/f", Path: filepath.Join(dir, "favicon.ico")}}}, engine.ListenOptions{})
	skipping := start(t, Options{SkipExt: []string{".py"}, Maps: []Map{{Prefix: "/s", Path: filepath.Join(dir, "root")}}}, engine.ListenOptions{})
	t.Run("forbidden", func(t *testing.T) {
		if os.Getuid() == 0 {
			t.Skip("root may read it")
		}
		if resp, body := get(t, addr, "GET", "/s/noext"); resp.StatusCode != 403 {
			t.Errorf("got %d %q, want 403", resp.StatusCode, body)
		}
	})
	ask := func(addr, target string) func() (int, string) { // on a connection that is open already
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		in := bufio.NewReader(c)
		return func() (int, string) {
			if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			return resp.StatusCode, string(b)
		}
	}
	cases := []struct {
		name string
		ask  func() (int, string)
		want int // while there are no descriptors
	}{
		{"file", ask(addr, "/s/a.css"), 503},
		{"below_a_folder", ask(addr, "/s/docs/index.html"), 503},
		{"index", ask(addr, "/s/docs/"), 503},
		{"mapped_file", ask(addr, "/f"), 503},
		{"where_some_are_skipped", ask(skipping, "/s/docs/index.html"), 503},
		{"app", ask(addr, "/app"), 200},
	}
	for _, tt := range cases {
		if status, body := tt.ask(); status != 200 {
			t.Fatalf("%s at first: %d %q", tt.name, status, body)
		}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = 100
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	var fillers []int
	release := func() {
		for _, fd := range fillers {
			_ = unix.Close(fd)
		}
		fillers = nil
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
	defer release()
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		fillers = append(fillers, fd)
	}
	for _, tt := range cases {
		if status, body := tt.ask(); status != tt.want {
			t.Errorf("%s without descriptors: %d %q, want %d", tt.name, status, body, tt.want)
		}
	}
	if n := said.Load(); n != 1 {
		t.Errorf("the reason was logged %d times, not once", n)
	}
	release()
	for _, tt := range cases {
		if status, body := tt.ask(); status != 200 {
			t.Errorf("%s afterwards: %d %q", tt.name, status, body)
		}
	}
}

func TestTypes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mime.types")
	if err := os.WriteFile(path, []byte("# comment\ntext/x-own\town OWN2 # more\napplication/x-other css\nnonsense foo\nimage/lonely\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, missing := loadTypes([]string{path}), loadTypes([]string{path + "-missing"})
	for name, want := range map[string]string{
		"a.own": "text/x-own", "a.own2": "text/x-own", "a.css": "application/x-other", "a.foo": "application/octet-stream",
		"a": "application/octet-stream", "a.tar.gz": "application/gzip", "A.HTML": "text/html",
	} {
		if got := string(loaded.of(name)); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := string(missing.of("a.js")); got != "text/javascript" {
		t.Errorf("without the file: %q", got)
	}
}

// FuzzLookup asks for any path: no file from outside the folder may come of it.
func FuzzLookup(f *testing.F) {
	for _, seed := range []string{"/s/a.css", "/s/../secret", "/s/folder/secret", "/s/docs/../../secret", "/s/outside", "/s//etc/passwd", "/s/./a.css/", "/s/\x00", "/s"} {
		f.Add(seed)
	}
	h := &finder{index: []string{"index.html"}}
	r := root{prefix: "/s", path: filepath.Join(tree(f), "root")}
	f.Fuzz(func(t *testing.T, path string) {
		if !r.covers(path) {
			return
		}
		var names [2]string
		for i, hot := range []bool{false, true} {
			found, err := h.find(&r, r.name(path), query{hot: hot})
			if err == errCold && hot {
				return
			}
			if err != nil {
				continue
			}
			defer found.Close()
			names[i] = found.path
			content, err := io.ReadAll(found)
			if err != nil {
				t.Fatal(err)
			}
			if string(content) == "SECRET" || int64(len(content)) != found.size || !found.At.Equal(modified.Truncate(time.Second)) {
				t.Errorf("%q serves %s", path, found.Name())
			}
		}
		if names[0] != names[1] {
			t.Errorf("%q is %q on the disk and %q in memory", path, names[0], names[1])
		}
	})
}

// packet makes a uwsgi packet of names and values.
func packet(t *testing.T, vars ...string) string {
	t.Helper()
	var list []uwsgi.Var
	for i := 0; i < len(vars); i += 2 {
		list = append(list, uwsgi.Var{Name: vars[i], Value: vars[i+1]})
	}
	p, err := uwsgi.AppendPacket(nil, 0, 0, list)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// BenchmarkFind is what a loop does for a file, and for a request that is not for
// one where check-static looks.
func BenchmarkFind(b *testing.B) {
	h, d := &finder{}, root{path: filepath.Join(tree(b), "root")}
	for _, hot := range []bool{false, true} {
		for _, name := range []string{"a.css", "docs/index.html", "missing"} {
			b.Run(fmt.Sprintf("name=%s/hot=%v", strings.ReplaceAll(name, "/", "_"), hot), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if f, err := h.find(&d, "/"+name, query{hot: hot}); err == nil {
						_ = f.Close()
					}
				}
			})
		}
	}
}

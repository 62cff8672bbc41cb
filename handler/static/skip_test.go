package static

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
)

// put writes a file below dir.
func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// link makes a link below dir.
func link(t *testing.T, dir, name, target string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestSkipExt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.css", "app.py", "APP.PY", "app.py.txt", "x.pyc", ".py", "py", "sub/b.php", "with index/index.php", "with index/index.html", "only/index.php", "folder.py/in.css", "apart/secret.py"} {
		put(t, dir, name, "SOURCE of "+name)
	}
	link(t, dir, "link.css", "app.py")
	link(t, dir, "link.py", "a.css")
	link(t, dir, "twice.css", "link.css")
	link(t, dir, "sub/up.css", "../app.py")
	link(t, dir, "folder", "sub")
	link(t, dir, "loop.css", "loop.css")
	link(t, dir, "good.css", "a.css")
	link(t, dir, "sub/good.css", "../a.css")
	addr := start(t, Options{
		Check:   []string{filepath.Join(dir, "apart")},
		Maps:    []Map{{Prefix: "/s", Path: dir}, {Prefix: "/one", Path: filepath.Join(dir, "app.py")}, {Prefix: "/two", Path: filepath.Join(dir, "link.css")}},
		Index:   []string{"index.php", "index.html"},
		SkipExt: []string{".py", ".php", "pyc"},
	}, engine.ListenOptions{})
	for _, tt := range []struct {
		name, target string
		file         string // that is served; "" means that the app answered
	}{
		{"another", "/s/a.css", "a.css"},
		{"skipped", "/s/app.py", ""},
		{"upper_case", "/s/APP.PY", ""},
		{"not_at_the_end", "/s/app.py.txt", "app.py.txt"},
		{"without_a_dot", "/s/x.pyc", ""},
		{"nothing_but_the_end", "/s/.py", ""},
		{"shorter_than_the_end", "/s/py", "py"},
		{"below", "/s/sub/b.php", ""},
		{"query", "/s/app.py?x=.css", ""},
		{"encoded", "/s/app%2Epy", ""},
		{"doubled_slash", "/s//app.py", ""},
		{"with_a_slash_behind", "/s/app.py/", ""},
		{"path_info_behind", "/s/app.py/x.css", ""},
		{"second_index", "/s/with%20index/", "with index/index.html"},
		{"no_other_index", "/s/only/", ""},
		{"index_without_slash", "/s/only", ""},
		{"folder_of_that_name", "/s/folder.py/in.css", "folder.py/in.css"},
		{"link_to_it", "/s/link.css", ""},
		{"link_of_that_name", "/s/link.py", ""},
		{"link_to_a_link", "/s/twice.css", ""},
		{"link_upwards", "/s/sub/up.css", ""},
		{"through_a_folder", "/s/folder/b.php", ""},
		{"through_a_folder_and_up", "/s/folder/up.css", ""},
		{"loop", "/s/loop.css", ""},
		{"link_to_another", "/s/good.css", "a.css"},
		{"link_to_another_above", "/s/folder/good.css", "a.css"},
		{"one_file", "/one", ""},
		{"one_link", "/two", ""},
		{"check_static", "/secret.py", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				resp, body := get(t, addr, method, tt.target)
				served := resp.Header.Get("ETag") != ""
				if served != (tt.file != "") || method == "GET" && served && body != "SOURCE of "+tt.file {
					t.Errorf("%s: %d %q, want %q", method, resp.StatusCode, body, tt.file)
				}
			}
		})
	}
}

func TestSafe(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"root/a.css", "safe/b.css", "safe/sub/c.css", "safe/sub/index.html", "safe/app.py", "safe-not/d.css", "one.css", "other"} {
		put(t, dir, name, name)
	}
	link(t, dir, "root/b.css", filepath.Join(dir, "safe/b.css"))
	link(t, dir, "root/relative.css", "../safe/b.css")
	link(t, dir, "root/media", "../safe/sub")
	link(t, dir, "root/all", filepath.Join(dir, "safe"))
	link(t, dir, "root/app.css", "../safe/app.py")
	link(t, dir, "root/sibling", "../safe-not")
	link(t, dir, "root/one.css", "../one.css")
	link(t, dir, "root/other", "../other")
	link(t, dir, "root/above", "..")
	link(t, dir, "safe/out.css", "../other")
	link(t, dir, "alias", "safe")
	addr := start(t, Options{
		Maps: []Map{{Prefix: "/s", Path: filepath.Join(dir, "root")}}, Index: []string{"index.html"}, SkipExt: []string{".py"},
		Safe: []string{filepath.Join(dir, "alias"), filepath.Join(dir, "one.css"), filepath.Join(dir, "not there")},
	}, engine.ListenOptions{})
	for _, tt := range []struct{ name, target, file string }{
		{"inside", "/s/a.css", "root/a.css"},
		{"absolute_link", "/s/b.css", "safe/b.css"},
		{"relative_link", "/s/relative.css", "safe/b.css"},
		{"folder", "/s/media/c.css", "safe/sub/c.css"},
		{"index_of_a_folder", "/s/media/", "safe/sub/index.html"},
		{"folder_that_is_safe_itself", "/s/all/b.css", "safe/b.css"},
		{"safe_file", "/s/one.css", "one.css"},
		{"sibling", "/s/sibling/d.css", ""},
		{"elsewhere", "/s/other", ""},
		{"folder_above", "/s/above/other", ""},
		{"folder_above_to_safe", "/s/above/safe/b.css", "safe/b.css"},
		{"link_out_of_safe", "/s/all/out.css", ""},
		{"skipped", "/s/all/app.py", ""},
		{"link_to_skipped", "/s/app.css", ""},
		{"dots", "/s/%2e%2e/safe/b.css", ""},
		{"dots_and_slash", "/s/..%2fsafe/b.css", ""},
		{"missing", "/s/all/nothing", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := get(t, addr, "GET", tt.target)
			if served := resp.Header.Get("ETag") != ""; served != (tt.file != "") || served && body != tt.file {
				t.Errorf("%d %q, want %q", resp.StatusCode, body, tt.file)
			}
		})
	}
}

func TestOptionsThatCannotHold(t *testing.T) {
	for _, o := range []Options{{SkipExt: []string{""}}, {SkipExt: []string{"a/b"}}} {
		if _, err := New(app, o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// A link that is changed all the time leads to a script now and then, and nobody ever gets its source; nor what is outside, when the
// link leads there.
func TestLinksThatChange(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "root/a.css", "fine")
	put(t, dir, "root/app.py", "SOURCE")
	put(t, dir, "root/app.py.gz", "SOURCE")
	put(t, dir, "secret", "SOURCE")
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"root/a.css", "root/app.py", "root/app.py.gz", "secret"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(dir, "root")
	link(t, root, "link.css", "a.css")
	addr := start(t, Options{Check: []string{root}, SkipExt: []string{".py"}, Siblings: Siblings{All: true}}, engine.ListenOptions{})
	done := make(chan struct{})
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			next := filepath.Join(root, "next")
			_ = os.Symlink([]string{"a.css", "app.py", "../secret", "app.py.gz"}[i%4], next)
			_ = os.Rename(next, filepath.Join(root, "link.css"))
		}
	}()
	fine := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		_, body := get(t, addr, "GET", "/link.css", "Accept-Encoding: gzip")
		if body == "SOURCE" {
			t.Fatal("the source of a script")
		}
		if body == "fine" {
			fine++
		}
	}
	close(done)
	<-changed
	t.Logf("%d times the file that is meant", fine)
}

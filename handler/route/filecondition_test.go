package route

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileConditions(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"file": 0o644, "program": 0o755} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "file", "dangling": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	holds := map[string]string{
		"exists": "file program folder link",
		"isfile": "file program link",
		"isdir":  "folder",
		"islink": "link dangling",
		"isexec": "program folder",
	}
	for condition, names := range holds {
		r := start(t, "route-if = "+condition+":"+dir+"${PATH_INFO} break:402\nroute-if-not = "+condition+":"+dir+"/file break:404", Options{})
		for name := range strings.FieldsSeq("file program folder link dangling nothing") {
			want := 404
			if condition == "exists" || condition == "isfile" {
				want = 200
			}
			if strings.Contains(" "+names+" ", " "+name+" ") {
				want = 402
			}
			if a := r.get("/" + name); a.status != want {
				t.Errorf("%s:%s: %d, want %d", condition, name, a.status, want)
			}
		}
		if a := r.get("/folder/../" + strings.Fields(names)[0]); a.status != 500 {
			t.Errorf("%s: a client leads out of a folder", condition)
		}
	}
	down := filepath.Join(dir, "down")
	r := start(t, "route-if = exists:"+down+" break:503", Options{})
	if a := r.get("/"); a.status != 200 {
		t.Errorf("before: %+v", a)
	}
	if err := os.WriteFile(down, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a := r.get("/"); a.status != 503 {
		t.Errorf("while it is down: %+v", a)
	}
}

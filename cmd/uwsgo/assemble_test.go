package main

import (
	"os"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/engine/worker"
)

func TestMountedApp(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("there.py", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("folder.wsgi", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, app string
		want      worker.App
	}{
		{"django", "mysite.wsgi:application", worker.App{Module: "mysite.wsgi:application", Callable: "own"}},
		{"module_named_py", "vendor.py:app", worker.App{Module: "vendor.py:app", Callable: "own"}},
		{"folder_of_that_name", "folder.wsgi:app", worker.App{Module: "folder.wsgi:app", Callable: "own"}},
		{"module", "shop:app", worker.App{Module: "shop:app", Callable: "own"}},
		{"module_alone", "shop", worker.App{Module: "shop", Callable: "own"}},
		{"file", "wsgi.py", worker.App{File: "wsgi.py", Callable: "own"}},
		{"wsgi_file", "mysite.wsgi", worker.App{File: "mysite.wsgi", Callable: "own"}},
		{"file_with_callable", "there.py:app", worker.App{File: "there.py", Callable: "app"}},
		{"path_with_callable", "none/mysite.wsgi:app", worker.App{File: "none/mysite.wsgi", Callable: "app"}},
	} {
		for _, prefix := range []string{"/m", "/"} {
			t.Run(tt.name+prefix, func(t *testing.T) {
				tt.want.Mount = prefix
				if got := mountedApp(config.Mount{Prefix: prefix, App: tt.app}, "own"); got != tt.want {
					t.Errorf("got %+v, want %+v", got, tt.want)
				}
			})
		}
	}
}

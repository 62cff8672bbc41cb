package config

import (
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/shell"
)

// An app named by position, with and without an address.
func TestPositionalApp(t *testing.T) {
	files := map[string]string{"app.py": "", "shop/__init__.py": "", "shop/wsgi.py": "", "src/app.py": "", "uwsgi.ini": "[uwsgi]\nmodule = other\nhttp = :1\n"}
	type want struct {
		module, file, callable, address string
		path                            string // the first of pythonpath
		quick                           bool   // more than one process and thread
	}
	for _, tt := range []struct {
		name, args string
		env        []string
		want       want
	}{
		{"module_and_callable", "app:app", nil, want{module: "app:app", callable: "application", address: ":8000", quick: true}},
		{"dotted", "shop.wsgi:application", nil, want{module: "shop.wsgi:application", callable: "application", address: ":8000", quick: true}},
		{"attribute", "shop:site.app", nil, want{module: "shop:site.app", callable: "application", address: ":8000", quick: true}},
		{"factory", "shop:create_app()", nil, want{module: "shop:create_app()", callable: "application", address: ":8000", quick: true}},
		{"module_alone", "app", nil, want{module: "app", address: ":8000", quick: true}},
		{"package_alone", "shop", nil, want{module: "shop", address: ":8000", quick: true}},
		{"file", "app.py", nil, want{file: "app.py", address: ":8000", quick: true}},
		{"file_with_callable", "app.py:site", nil, want{file: "app.py", callable: "site", address: ":8000", quick: true}},
		{"file_below", "src/app.py", nil, want{file: "src/app.py", path: "src", address: ":8000", quick: true}},
		{"wsgi_file", "src/site.wsgi", nil, want{file: "src/site.wsgi", path: "src", address: ":8000", quick: true}},
		{"callable_by_option", "app.py --callable site", nil, want{file: "app.py", callable: "site", address: ":8000", quick: true}},
		{"PORT", "app:app", []string{"PORT=5000"}, want{module: "app:app", callable: "application", address: ":5000", quick: true}},
		{"own_address", "app:app --http :9090", []string{"PORT=5000"}, want{module: "app:app", callable: "application", address: ":9090"}},
		{"own_address_before", "--http-socket :9090 app.py", nil, want{file: "app.py", address: ":9090"}},
		{"own_processes", "app:app --processes 1", nil, want{module: "app:app", callable: "application", address: ":8000"}},
		{"own_threads", "app:app --threads 1", nil, want{module: "app:app", callable: "application", address: ":8000"}},
		{"in_the_environment", "app:app", []string{"UWSGI_WORKERS=1"}, want{module: "app:app", callable: "application", address: ":8000"}},
		{"behind_a_flag", "--master app.py", nil, want{file: "app.py", address: ":8000", quick: true}},
		{"ini_is_none", "uwsgi.ini", nil, want{module: "other", callable: "application", address: ":1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, files)
			t.Setenv("PORT", "")
			t.Setenv("LISTEN_FDS", "") // not to be taken from whoever runs the tests
			for _, e := range tt.env {
				if name, value, _ := strings.Cut(e, "="); name == "PORT" {
					t.Setenv(name, value)
				}
			}
			c, err := load(strings.Fields(tt.args), tt.env)
			if err != nil {
				t.Fatal(err)
			}
			got := want{module: c.Module, file: c.WSGIFile, callable: c.Callable, quick: c.Processes > 1 && c.Threads > 1}
			if len(c.Listens) == 1 {
				got.address = c.Listens[0].Addr
			}
			if len(c.PythonPath) > 0 {
				got.path = c.PythonPath[0]
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			next, waiting, err := c.Renew(strings.Fields(tt.args), tt.env, ini.OS(strings.NewReader("")))
			if err != nil || len(waiting) > 0 || next.Callable != c.Callable || next.Processes != c.Processes || next.Threads != c.Threads || next.Module != c.Module || next.WSGIFile != c.WSGIFile {
				t.Errorf("at a reload: %v, waiting %q, callable %q, %d processes of %d threads", err, waiting, next.Callable, next.Processes, next.Threads)
			}
			if tt.want.quick && !strings.Contains(c.Quick, "http://localhost"+tt.want.address+" ") {
				t.Errorf("%q does not say where", c.Quick)
			}
			if word, _, _ := strings.Cut(tt.args, " "); tt.want.quick && word != "--master" && !strings.Contains(c.Quick, "uwsgo "+shell.Quote(word)+" --http ") {
				t.Errorf("%q is no command to paste", c.Quick)
			}
		})
	}
}

func TestPositionalAppErrors(t *testing.T) {
	for _, tt := range []struct{ name, args, port, want string }{
		{"two", "app:app shop:app", "", "two apps are named"},
		{"factory_with_arguments", "shop:create_app('dev')", "", "write a file wsgi.py that says from shop import create_app"},
		{"port", "app:app", "http", "PORT=http in the environment is no port"},
		{"large_port", "app:app", "70000", "is no port"},
		{"neither_file_nor_module", "nothing", "", "unable to load configuration from nothing"},
		{"module_that_is_not_there", "shop", "", "an app shop would be shop.py, which is not here"},
		{"manage_py", "manage.py", "", "name PROJECT.wsgi:application"},
		{"folder", "src/", "", "unable to load configuration"},
		{"section", "uwsgi.ini:prod", "", "write --ini uwsgi.ini:prod"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter(t, map[string]string{"app.py": "", "uwsgi.ini": "[uwsgi]\n"})
			t.Setenv("PORT", tt.port)
			if _, err := load(strings.Fields(tt.args), nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

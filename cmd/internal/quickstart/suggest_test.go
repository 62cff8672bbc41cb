package quickstart

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestSuggest(t *testing.T) {
	const flask = "from flask import Flask\n\napp = Flask(__name__)\n"
	manage := "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string // a line of the text; empty for no suggestion
	}{
		{"nothing", nil, ""},
		{"notes", map[string]string{"notes.txt": "x", "data.py": "x = 1\n"}, ""},
		{"ini", map[string]string{"myapp.ini": "[uwsgi]\nmodule = x\n", "app.py": flask}, "uwsgo myapp.ini"},
		{"ini_of_something_else", map[string]string{"tox.ini": "[tox]\n", "app.py": flask}, "uwsgo app:app"},
		{"flask", map[string]string{"app.py": flask}, "uwsgo app:app"},
		{"flask_by_another_name", map[string]string{"main.py": "import flask\nserver: flask.Flask = flask.Flask(__name__)\n"}, "uwsgo main:server"},
		{"wsgi_before_app", map[string]string{"app.py": flask, "wsgi.py": "from app import app as application\napplication = application\n"}, "uwsgo wsgi:application"},
		{"plain_wsgi", map[string]string{"server.py": "def application(environ, start_response):\n    pass\n"}, "uwsgo server:application"},
		{"factory", map[string]string{"app.py": "def create_app():\n    pass\n"}, "uwsgo 'app:create_app()'"},
		{"factory_with_default", map[string]string{"app.py": "def create_app(config=None):\n    pass\n"}, "uwsgo 'app:create_app()'"},
		{"factory_that_needs_something", map[string]string{"app.py": "def create_app(config):\n    pass\n"}, ""},
		{"package", map[string]string{"shop/__init__.py": "def create_app(config=None):\n    pass\n"}, "uwsgo 'shop:create_app()'"},
		{"bottle", map[string]string{"app.py": "import bottle\napplication = bottle.default_app()\n"}, "uwsgo app:application"},
		{"falcon", map[string]string{"main.py": "import falcon\napi = falcon.App()\n"}, "uwsgo main:api"},
		{"django", map[string]string{"manage.py": manage, "mysite/wsgi.py": "application = get_wsgi_application()\n"}, "uwsgo mysite.wsgi:application"},
		{"django_with_settings_below", map[string]string{"manage.py": strings.Replace(manage, "mysite.settings", "config.settings.local", 1), "config/wsgi.py": "application = 1\n"}, "uwsgo config.wsgi:application"},
		{"django_without_wsgi", map[string]string{"manage.py": manage}, ""},
		{"fastapi", map[string]string{"main.py": "app = FastAPI()\n"}, "main.py has an ASGI app"},
		{"procfile", map[string]string{"Procfile": "web: gunicorn app:app --log-file -\n", "app.py": flask}, "uwsgo --from-gunicorn 'gunicorn app:app --log-file -' > uwsgi.ini"},
		{"virtualenv", map[string]string{"app.py": flask, ".venv/pyvenv.cfg": "x"}, "uwsgo app:app"}, // which finds it
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := fstest.MapFS{}
			for name, text := range tt.files {
				dir[name] = &fstest.MapFile{Data: []byte(text)}
			}
			got := Suggest(dir)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) || strings.HasPrefix(tt.want, "uwsgo") && !strings.Contains(got, "\n  "+tt.want+"\n") {
				t.Errorf("%q, want %q in it", got, tt.want)
			}
		})
	}
}

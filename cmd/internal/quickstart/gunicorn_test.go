package quickstart

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/cmd/internal/config"
	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// convert returns the options of the ini file for a command, and the comments.
func convert(command string, env map[string]string, settings map[string]any) (lines, notes string, err error) {
	var b strings.Builder
	err = FromGunicorn(&b, command, Options{
		Getenv:   func(name string) string { return env[name] },
		Settings: func(string, bool) (map[string]any, error) { return settings, nil },
	})
	_, body, _ := strings.Cut(b.String(), "[uwsgi]\n")
	lines, notes, _ = strings.Cut(body, "\n; What")
	return strings.TrimSpace(lines), notes, err
}

const defaultLog = `log-format = ` + combined

func TestFromGunicorn(t *testing.T) {
	// What every ini file has where nothing else is said.
	base := func(extra ...string) []string {
		return append([]string{"module = app:app", "processes = 1", "lazy-apps = true", "worker-reload-mercy = 30", "disable-logging = true"}, extra...)
	}
	for _, tt := range []struct {
		name, command string
		env           map[string]string
		settings      map[string]any
		want          []string // lines that are there
		not           []string // and such as are not
		notes         []string
	}{
		{name: "least", command: "gunicorn app:app", want: base("http-socket = 127.0.0.1:8000", "harakiri = 30")},
		{name: "of_the_issue", command: "gunicorn app:app -w 4 -k gthread --threads 8 -b :8000", want: []string{"processes = 4", "threads = 8", "http-socket = :8000"}, not: []string{"harakiri = 30"}},
		{name: "joined_letters", command: "gunicorn -w4 -b0.0.0.0:80 app:app", want: []string{"processes = 4", "http-socket = 0.0.0.0:80"}},
		{name: "equals", command: "gunicorn --workers=3 --bind=unix:/run/app.sock app:app", want: []string{"processes = 3", "http-socket = /run/app.sock", "chmod-socket = 666"}},
		{name: "prefix", command: "gunicorn --work 3 app:app", not: nil, want: nil, notes: nil},
		{name: "unix_with_umask", command: "gunicorn -m 007 -b unix:app.sock app:app", want: []string{"http-socket = app.sock", "chmod-socket = 660", "umask = 007"}},
		{name: "several_addresses", command: "gunicorn -b 127.0.0.1:8001 -b [::1]:8001 app:app", want: []string{"http-socket = 127.0.0.1:8001", "http-socket = [::1]:8001"}},
		{name: "address_without_port", command: "gunicorn -b 10.0.0.1 app:app", want: []string{"http-socket = 10.0.0.1:8000"}},
		{name: "port_of_the_platform", command: "gunicorn app:app", env: map[string]string{"PORT": "5000"}, want: []string{"http-socket = 0.0.0.0:$(PORT)"}},
		{name: "port_variable", command: "gunicorn -b 0.0.0.0:$PORT app:app", want: []string{"http-socket = 0.0.0.0:$(PORT)"}},
		{name: "port_variable_in_braces", command: `gunicorn -b "0.0.0.0:${PORT}" app:app`, want: []string{"http-socket = 0.0.0.0:$(PORT)"}},
		{name: "variable_with_default", command: "gunicorn -b :${NO_SUCH_PORT:-8080} app:app", want: []string{"http-socket = :8080"}, notes: []string{"${NO_SUCH_PORT:-8080} is taken as 8080"}},
		{name: "concurrency_of_the_platform", command: "gunicorn app:app", env: map[string]string{"WEB_CONCURRENCY": "5"}, want: []string{"processes = 5"}},
		{name: "arguments_of_the_environment", command: "gunicorn app:app -w 2", env: map[string]string{"GUNICORN_CMD_ARGS": "--workers 9 --threads 3"}, want: []string{"processes = 2", "threads = 3"}},
		{name: "sync_timeout", command: "gunicorn -t 120 app:app", want: []string{"harakiri = 120"}},
		{name: "no_timeout", command: "gunicorn -t 0 app:app", not: []string{"harakiri = 0", "harakiri = 30"}},
		{name: "thread_timeout", command: "gunicorn -t 120 --threads 4 app:app", not: []string{"harakiri = 120"}, notes: []string{"harakiri = 120 would end each request"}},
		{name: "graceful", command: "gunicorn --graceful-timeout 90 app:app", want: []string{"worker-reload-mercy = 90"}},
		{name: "recycling", command: "gunicorn --max-requests 1000 --max-requests-jitter 50 app:app", want: []string{"max-requests = 1000"}, notes: []string{"up to a tenth"}},
		{name: "preload", command: "gunicorn --preload app:app", not: []string{"lazy-apps = true"}},
		{name: "reload", command: "gunicorn --reload --reload-extra-file x.yml app:app", want: []string{"py-autoreload = 1", "touch-reload = x.yml"}},
		{name: "user", command: "gunicorn -u www-data -g www-data -p /run/x.pid app:app", want: []string{"uid = www-data", "gid = www-data", "pidfile = /run/x.pid"}},
		{name: "environment", command: "FLASK_ENV=x gunicorn -e DEBUG=0 --env A=b app:app", want: []string{"env = FLASK_ENV=x", "env = DEBUG=0", "env = A=b"}},
		{name: "folder", command: "cd /srv/app && gunicorn --pythonpath lib,other app:app", want: []string{"chdir = /srv/app", "pythonpath = lib", "pythonpath = other"}},
		{name: "chdir", command: "gunicorn --chdir src app:app", want: []string{"chdir = src"}},
		{name: "access_log", command: "gunicorn --access-logfile - app:app", want: []string{defaultLog}, not: []string{"disable-logging = true"}},
		{name: "access_log_format", command: `gunicorn --access-logfile - --access-logformat '%(h)s %({x-id}i)s %(s)s %(L)s' app:app`, want: []string{"log-format = %(addr) %(var.HTTP_X_ID) %(status) -"}, notes: []string{"there is nothing for %(L)s"}},
		{name: "access_log_file", command: "gunicorn --access-logfile /var/log/access.log app:app", want: []string{"req-logger = file:/var/log/access.log", defaultLog}},
		{name: "logs", command: "gunicorn --error-logfile /var/log/app.log --log-level debug app:app", want: []string{"logto = /var/log/app.log"}, notes: []string{"loglevel: "}},
		{name: "uwsgi_protocol", command: "gunicorn --protocol uwsgi -b 127.0.0.1:3031 app:app", want: []string{"uwsgi-socket = 127.0.0.1:3031"}},
		{name: "daemon", command: "gunicorn -D app:app", want: []string{"daemonize = /dev/null"}},
		{name: "letters_in_one_word", command: "gunicorn -DR app:app", want: []string{"daemonize = /dev/null"}},
		{name: "name", command: "gunicorn -n shop app:app", want: []string{"procname-prefix-spaced = shop"}},
		{name: "backlog", command: "gunicorn --backlog 64 app:app", want: []string{"listen = 64"}},
		{name: "large_heads", command: "gunicorn --limit-request-field_size 65000 app:app", want: []string{"buffer-size = 65000"}},
		{name: "gevent", command: "gunicorn -k gevent app:app", want: []string{"gevent = 1000", "gevent-early-monkey-patch = true"}, not: []string{"harakiri = 30"}, notes: []string{"The Python of the app needs gevent"}},
		{name: "gevent_connections", command: "gunicorn -k gevent --worker-connections 250 --threads 4 app:app", want: []string{"gevent = 250"}, not: []string{"threads = 4"}},
		{name: "gevent_many_connections", command: "gunicorn -k gevent --worker-connections 50000 app:app", want: []string{"gevent = 1000"}, notes: []string{"worker-connections 50000: gevent = 1000"}},
		{name: "gevent_class", command: "gunicorn -k geventwebsocket.gunicorn.workers.GeventWebSocketWorker app:app", want: []string{"gevent = 1000"}},
		{name: "eventlet", command: "gunicorn -k eventlet --worker-connections 1000 app:app", want: []string{"threads = 32"}, not: []string{"gevent = 1000"}, notes: []string{"threads take the place of greenlets", "open files"}},
		{name: "keepalive", command: "gunicorn --keep-alive 5 app:app", want: []string{"http-keepalive = 5"}},
		{name: "lost", command: "gunicorn --statsd-host localhost:8125 app:app", notes: []string{"stats = 127.0.0.1:9191"}, want: base()},
		{name: "factory", command: `gunicorn "app:create_app()"`, want: []string{"module = app:create_app()"}},
		{name: "runner", command: "poetry run gunicorn app:app", want: base()},
		{name: "module_runner", command: "exec /srv/.venv/bin/python -m gunicorn app:app", want: base()},
		{name: "procfile", command: "web: gunicorn app:app", want: base()},
		{name: "docker", command: `["gunicorn", "-w", "4", "app:app"]`, want: []string{"processes = 4"}},
		{name: "other_program_before", command: "newrelic-admin run-program gunicorn app:app", notes: []string{"newrelic-admin stands before gunicorn"}},
		{name: "lines", command: "gunicorn \\\n  --workers 2 \\\n  app:app", want: []string{"processes = 2"}},
		{name: "nproc", command: "gunicorn -w $(nproc) app:app", want: []string{"processes = %k"}},
		{
			name: "file", command: "gunicorn -c conf.py app:app --workers 2",
			settings: map[string]any{"bind": "0.0.0.0:9000", "workers": 7.0, "threads": 2.0, "preload_app": true, "raw_env": []any{"A=1", "B=2"}, "post_fork": hookMark, "multiprocessing": map[string]any{}, "reload": false, "accesslog": "-"},
			want:     []string{"processes = 2", "threads = 2", "http-socket = 0.0.0.0:9000", "env = A=1", "env = B=2"},
			not:      []string{"lazy-apps = true", "py-autoreload = 1", "disable-logging = true"},
			notes:    []string{"post_fork() of the configuration file is not called; in its place: hook-post-fork"},
		},
		{name: "app_of_the_file", command: "gunicorn", settings: map[string]any{"wsgi_app": "app:app"}, want: base()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "prefix" {
				tt.command, tt.want = "gunicorn --workers 3 --reload-ext x.yml app:app", []string{"processes = 3", "touch-reload = x.yml"}
			}
			lines, notes, err := convert(tt.command, tt.env, tt.settings)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(lines, "\n")
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, lines)
				}
			}
			for _, not := range tt.not {
				if slices.Contains(got, not) {
					t.Errorf("%q is in\n%s", not, lines)
				}
			}
			for _, want := range tt.notes {
				if !strings.Contains(notes, want) {
					t.Errorf("%q is missing in\n%s", want, notes)
				}
			}
			loads(t, lines)
		})
	}
}

// loads checks that uwsgo takes an ini file, and loses nothing of it.
func loads(t *testing.T, lines string) {
	t.Helper()
	world := ini.OS(strings.NewReader("[uwsgi]\n" + lines + "\n"))
	world.Getenv = func(name string) (string, bool) { return "8000", name == "PORT" }
	c, err := config.Load([]string{"--ini", "-"}, nil, world)
	if err != nil {
		t.Fatalf("uwsgo does not take it: %v\n%s", err, lines)
	}
	if len(c.Warnings)+len(c.Losses.Function)+len(c.Losses.Unprotected)+len(c.Losses.Changed) > 0 {
		t.Errorf("uwsgo warns: %q %+v\n%s", c.Warnings, c.Losses, lines)
	}
}

// TestFromGunicornInScripts has commands as they stand in Dockerfiles, units, Procfiles and scripts.
func TestFromGunicornInScripts(t *testing.T) {
	for _, tt := range []struct {
		name, command string
		want, not     []string
		notes         []string
	}{
		{name: "arguments_before", command: `GUNICORN_CMD_ARGS="--bind=0.0.0.0 --timeout 600" gunicorn app:app`, want: []string{"http-socket = 0.0.0.0:8000", "harakiri = 600"}, not: []string{"env = GUNICORN_CMD_ARGS=--bind=0.0.0.0 --timeout 600"}},
		{name: "port_and_concurrency_before", command: "PORT=5000 WEB_CONCURRENCY=3 gunicorn app:app", want: []string{"http-socket = 0.0.0.0:5000", "processes = 3", "env = PORT=5000"}},
		{name: "exported", command: "export PORT=5001 MODE=prod && gunicorn app:app", want: []string{"http-socket = 0.0.0.0:5001", "env = MODE=prod"}},
		{name: "of_another_command", command: "MODE=setup python manage.py migrate && gunicorn app:app", not: []string{"env = MODE=setup"}, notes: []string{"MODE=setup python manage.py migrate runs before gunicorn"}},
		{name: "lines", command: "set -e\npython manage.py migrate\nexec gunicorn app:app -w 2", want: []string{"processes = 2"}, notes: []string{"python manage.py migrate runs before gunicorn"}},
		{name: "semicolon", command: "cd /srv/app; gunicorn app:app", want: []string{"chdir = /srv/app"}},
		{name: "activated", command: "cd /srv/app && . venv/bin/activate && gunicorn app:app", want: []string{"chdir = /srv/app", "virtualenv = venv"}},
		{name: "activated_by_source", command: "source /srv/venv/bin/activate && gunicorn app:app", want: []string{"virtualenv = /srv/venv"}},
		{name: "path_in_virtualenv", command: "ExecStart=/srv/shop/venv/bin/gunicorn app:app", notes: []string{"virtualenv = /srv/shop/venv"}},
		{name: "background", command: "nohup gunicorn app:app -w 3 > gunicorn.log 2>&1 &", want: []string{"module = app:app", "processes = 3"}, notes: []string{"> gunicorn.log is left out", "2>&1 is left out"}},
		{name: "tee", command: "gunicorn app:app 2>&1 | tee logs/app.log", want: []string{"module = app:app"}, notes: []string{"| tee logs/app.log behind the command is left out"}},
		{name: "redirected_in_the_middle", command: `gunicorn app:app >>"my log" -w 2`, want: []string{"processes = 2"}, notes: []string{`>>"my log" is left out`}},
		{name: "quoted_is_no_redirection", command: `gunicorn app:app --name '>x' -w 2`, want: []string{"procname-prefix-spaced = >x"}},
		{name: "instruction", command: `CMD ["gunicorn", "-w", "2", "app:app"]`, want: []string{"processes = 2"}},
		{name: "entrypoint", command: `ENTRYPOINT ["/usr/bin/tini", "--", "gunicorn", "app:app"]`, want: []string{"module = app:app"}},
		{name: "compose", command: `command: ["gunicorn", "app:app"]`, want: []string{"module = app:app"}},
		{name: "instruction_as_line", command: "CMD exec gunicorn --bind :$PORT app:app", want: []string{"http-socket = :$(PORT)"}},
		{name: "shell", command: "sh -c 'gunicorn app:app -b :8000'", want: []string{"http-socket = :8000"}},
		{name: "shell_in_list", command: `["/bin/bash", "-lc", "cd /srv && gunicorn app:app -b :$PORT"]`, want: []string{"chdir = /srv", "http-socket = :$(PORT)"}},
		{name: "threads_variable", command: "gunicorn app:app -k gthread --threads $THREADS -t $LIMIT", want: []string{"threads = $(THREADS)"}, not: []string{"harakiri = $(LIMIT)"}},
		{name: "gevent_connections_of_a_variable", command: "gunicorn -k gevent --worker-connections $CONNECTIONS app:app", want: []string{"gevent = $(CONNECTIONS)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, notes, err := convert(tt.command, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(text, "\n")
			for _, want := range tt.want {
				if !slices.Contains(lines, want) {
					t.Errorf("no line %q in\n%s", want, text)
				}
			}
			for _, not := range tt.not {
				if slices.Contains(lines, not) {
					t.Errorf("the line %q in\n%s", not, text)
				}
			}
			for _, want := range tt.notes {
				if !strings.Contains(notes, want) {
					t.Errorf("no note %q in\n%s", want, notes)
				}
			}
		})
	}
}

// TestFromGunicornFileInFolder has the configuration file looked for where gunicorn would.
func TestFromGunicornFileInFolder(t *testing.T) {
	for command, want := range map[string]string{
		"cd /srv/app && gunicorn -c conf.py app:app":       "/srv/app/conf.py",
		"cd /srv/app && gunicorn -c /etc/g.py app:app":     "/etc/g.py",
		"cd /srv/app && gunicorn app:app":                  "/srv/app/gunicorn.conf.py",
		"cd /srv/app && gunicorn -c python:a.conf app:app": "/srv/app/a/conf.py",
		"GUNICORN_CMD_ARGS='-c mine.py' gunicorn app:app":  "mine.py",
		"gunicorn -c file:conf/g.py app:app":               "conf/g.py",
	} {
		t.Run(command, func(t *testing.T) {
			got := ""
			err := FromGunicorn(&strings.Builder{}, command, Options{
				Getenv:   func(string) string { return "" },
				Settings: func(file string, _ bool) (map[string]any, error) { got = file; return nil, nil },
			})
			if err != nil || got != want {
				t.Errorf("%q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestFromGunicornErrors(t *testing.T) {
	for _, tt := range []struct{ name, command, want string }{
		{"empty", " ", "there is no gunicorn in it"},
		{"other_server", "uvicorn app:app", "there is no gunicorn in it"},
		{"no_app", "gunicorn -w 4", "there is no app in it"},
		{"two_apps", "gunicorn app:app other:app", "there is an app already"},
		{"unknown", "gunicorn --wrkers 4 app:app", "--wrkers is no option of gunicorn's"},
		{"ambiguous", "gunicorn --log x app:app", "--log is ambiguous"},
		{"value_is_missing", "gunicorn app:app -w", "-w needs a value"},
		{"tls", "gunicorn --certfile a --keyfile b app:app", "https = ADDRESS,CERT,KEY"},
		{"proxy_protocol", "gunicorn --proxy-protocol app:app", "enable-proxy-protocol = true"},
		{"uwsgi_peers", "gunicorn --protocol uwsgi --uwsgi-allow-from 10.0.0.1 app:app", "every peer may send uwsgi requests here"},
		{"protocol", "gunicorn --protocol fastcgi app:app", "uwsgo speaks HTTP and uwsgi"},
		{"paste", "gunicorn --paste production.ini", "PasteDeploy"},
		{"asgi", "gunicorn -k uvicorn.workers.UvicornWorker app:app", "it runs ASGI apps"},
		{"factory_with_arguments", "gunicorn 'app:create_app(\"x\")'", "write a file wsgi.py"},
		{"quote", "gunicorn 'app:app", "the quote ' is not closed"},
		{"computed", "gunicorn -w $((2 * 4)) app:app", "the shell computes that"},
		{"piped_into", "cat list | gunicorn app:app", "give the command of gunicorn alone"},
		{"in_its_place", "uwsgi x.ini || gunicorn app:app", "give the command of gunicorn alone"},
		{"json", `["gunicorn", 4]`, "not a JSON list of words"},
		{"threads", "gunicorn --threads many app:app", "is no number of threads"},
		{"connections_of_gevent", "gunicorn -k gevent --worker-connections many app:app", "is no number of connections"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := convert(tt.command, nil, nil); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// A configuration file is a Python program: it is run, and what it prints does no harm.
func TestReadSettings(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIP: no python3")
	}
	t.Chdir(t.TempDir())
	t.Setenv("VIRTUAL_ENV", "")
	text := "import multiprocessing, os\nprint('hello')\nworkers = 2 * 3 + 1\nbind = ['a:1', 'b:2']\npreload_app = True\ndef when_ready(server): pass\nclass Filter: pass\nsecret = object()\n"
	if err := os.WriteFile(filepath.Join(".", "gunicorn.conf.py"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readSettings("gunicorn.conf.py", false)
	if err != nil {
		t.Fatal(err)
	}
	if got["workers"] != 7.0 || got["preload_app"] != true || got["when_ready"] != hookMark || len(got["bind"].([]any)) != 2 || got["secret"] != nil {
		t.Errorf("%v", got)
	}
	if got, err := readSettings("no.py", false); err != nil || got != nil {
		t.Errorf("a file that nobody has named: %v, %v", got, err)
	}
	if _, err := readSettings("no.py", true); err == nil {
		t.Error("a file that was named is not there, and that is no error")
	}
	if err := os.WriteFile("bad.py", []byte("1 / 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSettings("bad.py", true); err == nil || !strings.Contains(err.Error(), "ZeroDivisionError") {
		t.Errorf("%v", err)
	}
}

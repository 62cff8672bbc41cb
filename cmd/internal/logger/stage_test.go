package logger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// options makes a Config of lines as they stand in an ini file. $DIR is the directory dir.
func options(t *testing.T, dir, text string) Config {
	t.Helper()
	var c Config
	c.Access = Access{UID: -1, GID: -1}
	for line := range strings.Lines(strings.ReplaceAll(text, "$DIR", dir)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		var err error
		add := func(e error) { err = e }
		switch key {
		case "":
		case "logto":
			c.To = value
		case "logger":
			s, e := ParseSpec(value)
			c.Loggers = append(c.Loggers, s)
			add(e)
		case "req-logger":
			s, e := ParseSpec(value)
			c.RequestLoggers = append(c.RequestLoggers, s)
			add(e)
		case "log-encoder":
			s, e := ParseEncoder(value)
			c.Encoders = append(c.Encoders, s)
			add(e)
		case "log-req-encoder":
			s, e := ParseEncoder(value)
			c.RequestEncoders = append(c.RequestEncoders, s)
			add(e)
		case "log-route":
			s, e := ParseRoute(value)
			c.Routes = append(c.Routes, s)
			add(e)
		case "log-req-route":
			s, e := ParseRoute(value)
			c.RequestRoutes = append(c.RequestRoutes, s)
			add(e)
		case "log-drain":
			s, e := ParsePattern(value)
			c.Drain = append(c.Drain, s)
			add(e)
		case "log-filter":
			s, e := ParsePattern(value)
			c.Filter = append(c.Filter, s)
			add(e)
		case "log-json":
			c.JSON = true
		default:
			t.Fatalf("no option %q", key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestWhereLinesGo writes a line of the server, one that a child prints, one with JSON in
// it, and one of a request.
func TestWhereLinesGo(t *testing.T) {
	const server, app, structured, request = "server\n", "app\n", "{\"a\":1}\n", "GET /\n"
	all := app + structured + server + request // what is printed comes first
	for _, tt := range []struct {
		name, options string
		want          map[string]string
	}{
		{"one_file", "logto = $DIR/log", map[string]string{"log": all}},
		{"logger_takes_the_place_of_logto", "logto = $DIR/log\nlogger = file:$DIR/a", map[string]string{"log": "", "a": all}},
		{"two_loggers_have_the_same", "logger = file:$DIR/a\nlogger = file:$DIR/b", map[string]string{"a": all, "b": all}},
		{"one_file_twice", "logger = file:$DIR/a\nlogger = file:$DIR/./a", map[string]string{"a": app + app + structured + structured + server + server + request + request}},
		{"requests_apart", "logto = $DIR/log\nreq-logger = file:$DIR/r", map[string]string{"log": app + structured + server, "r": request}},
		{"requests_and_server", "logger = file:$DIR/a\nreq-logger = file:$DIR/r", map[string]string{"a": app + structured + server, "r": request}},
		{"requests_into_the_same_file", "logger = file:$DIR/a\nreq-logger = file:$DIR/a", map[string]string{"a": all}},
		{"requests_to_stdio", "logto = $DIR/log\nlogger = file:$DIR/a\nreq-logger = stdio", map[string]string{"log": request, "a": app + structured + server}},
		{"named_gets_nothing_by_itself", "logto = $DIR/log\nlogger = x file:$DIR/x", map[string]string{"log": all, "x": ""}},
		{"route", "logto = $DIR/log\nlogger = x file:$DIR/x\nlog-route = x ^GET", map[string]string{"log": app + structured + server, "x": request}},
		{"two_routes_match", "logto = $DIR/log\nlogger = x file:$DIR/x\nlogger = y file:$DIR/y\nlog-route = x ^GET\nlog-route = y GET", map[string]string{"log": app + structured + server, "x": request, "y": request}},
		{"route_to_the_same_twice", "logto = $DIR/log\nlogger = x file:$DIR/x\nlog-route = x ^GET\nlog-route = x GET", map[string]string{"log": app + structured + server, "x": request + request}},
		{"route_to_nowhere", "logto = $DIR/log\nlog-route = nobody GET", map[string]string{"log": "*** WARNING: log-route: there is no logger named \"nobody\": lines go as if the route were not there ***\n" + all}},
		{"request_route", "logto = $DIR/log\nlogger = x file:$DIR/x\nlog-req-route = x GET\nlog-route = x server", map[string]string{"log": app + structured, "x": server + request}},
		{"request_route_to_a_request_logger", "logto = $DIR/log\nreq-logger = x file:$DIR/x\nlog-req-route = x GET", map[string]string{"log": app + structured + server, "x": request}},
		{"drain", "logto = $DIR/log\nlog-drain = ^(app|GET)", map[string]string{"log": structured + server}},
		{"drain_leaves_requests_apart_alone", "logto = $DIR/log\nlog-drain = .\nreq-logger = file:$DIR/r", map[string]string{"log": "", "r": request}},
		{"filter", "logto = $DIR/log\nlog-filter = ^GET\nlog-filter = ^server", map[string]string{"log": server + request}},
		{"encoder", "logto = $DIR/log\nlog-encoder = prefix > ", map[string]string{"log": "> app\n> {\"a\":1}\n> server\n> GET /\n"}},
		{"encoders_one_after_the_other", "logto = $DIR/log\nlog-encoder = format [${msg}]\nlog-encoder = nl", map[string]string{"log": "[app]\n[{\"a\":1}]\n[server]\n[GET /]\n"}},
		{"encoder_of_requests_only", "logto = $DIR/log\nreq-logger = stdio\nlog-req-encoder = prefix > ", map[string]string{"log": app + structured + server + "> GET /\n"}},
		{"encoder_of_requests_without_logger", "logto = $DIR/log\nlog-req-encoder = nl", map[string]string{"log": "*** WARNING: log-req-encoder does nothing, as in uWSGI, without a logger for requests: add req-logger = stdio ***\n" + all}},
		{"encoder_of_the_server_only", "logto = $DIR/log\nreq-logger = stdio\nlog-encoder = prefix > ", map[string]string{"log": "> app\n> {\"a\":1}\n> server\nGET /\n"}},
		{
			"json_of_a_known_recipe",
			"logto = $DIR/log\nlogger = default stdio\nlogger = applogger stdio\nlog-route = applogger {\nlog-route = default ^((?!\\{).)*$\n" +
				"log-encoder = json:default {\"source\":\"uwsgi\", \"message\":\"${msg}\"}\nlog-encoder = format:applogger ${msg}\nlog-encoder = nl\n" +
				"req-logger = stdio\nlog-req-encoder = format {\"source\":\"uwsgi-req\", \"line\":\"${msg}\"}\nlog-req-encoder = nl",
			map[string]string{"log": "{\"source\":\"uwsgi\", \"message\":\"app\"}\n{\"a\":1}\n{\"source\":\"uwsgi\", \"message\":\"server\"}\n{\"source\":\"uwsgi-req\", \"line\":\"GET /\"}\n"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(options(t, dir, tt.options))
			if err != nil {
				t.Fatal(err)
			}
			settle(s)
			if _, err := s.Printed().WriteString(app); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Printed().WriteString(structured); err != nil {
				t.Fatal(err)
			}
			s.Log().Printf("server")
			given := make(chan struct{}) // as streams that are apart have no order
			s.main.order(func() { close(given) })
			<-given
			write(t, s, request)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name := range tt.want {
				got[name] = read(t, filepath.Join(dir, name))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != len(tt.want) {
				t.Errorf("%v, %v", files, err)
			}
		})
	}
}

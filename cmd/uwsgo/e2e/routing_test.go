package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/codec/uwsgi"
)

const routedApp = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-App", "1")])
    return [("app %s %s" % (environ.get("REMOTE_USER"), environ["PATH_INFO"])).encode()]
`

// rawAsk sends bytes and tells of the answer what rules have to do with.
func rawAsk(network, addr, request string) (string, error) {
	c, err := net.Dial(network, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		return "", err
	}
	b := bufio.NewReader(c)
	if _, err := b.Peek(1); errors.Is(err, io.EOF) {
		return "none", nil
	}
	resp, err := http.ReadResponse(b, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	got := fmt.Sprint(resp.StatusCode)
	if ct := resp.Header.Get("Content-Type"); ct != "" {
		got += " " + ct
	}
	for _, name := range []string{"Location", "WWW-Authenticate", "X-A"} {
		for _, v := range resp.Header.Values(name) {
			got += " " + name + "=" + v
		}
	}
	return strings.TrimSpace(got + " " + string(body)), err
}

// One server with rules of every kind, over HTTP and uwsgi: they hold for files and the
// app, the user reaches app and log, and no client can pass for one.
func TestRouting(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", routedApp)
	write(t, dir, "users", "jane:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n")
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, files, "a.css", "css")
	write(t, files, "secret.css", "secret")
	port, sock := freePort(t), filepath.Join(dir, "u.sock")
	write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nsocket = u.sock\nwsgi-file = app.py\nstatic-map = /files=files\nready-path = /-/ready\nadd-header = X-All: 1\n"+
		"route = ^/files/secret break:403\nroute = ^/files/ addheader:Content-Security-Policy: sandbox\nroute = ^/quiet donotlog:\n"+
		"route = ^/admin basicauth:Admin,users\nroute = ^/admin log:admin ${REMOTE_USER} asks for ${PATH_INFO}\nroute-if = equal:${HTTP_X_FORWARDED_PROTO};http redirect-permanent:https://${HTTP_HOST}${REQUEST_URI}\n"+
		"route = ^/gone break:\n")
	s := start(t, dir, "app.ini")
	base := "http://127.0.0.1:" + port
	s.waitAnswer(t, base+"/", 200)
	jane := "Basic amFuZTpzZWNyZXQ=" // secret
	for _, tt := range []struct {
		path, header, value string
		status              int
		body                string
	}{
		{"/", "", "", 200, "app None /"},
		{"/files/a.css", "", "", 200, "css"},
		{"/files/secret.css", "", "", 403, ""},
		{"/-/ready", "X-Forwarded-Proto", "http", 200, "ready\n"},
		{"/admin", "", "", 401, "Unauthorized"},
		{"/admin", "Remote-User", "jane", 401, "Unauthorized"},
		{"/admin", "Authorization", "Basic amFuZTpTZWNyZXQ=", 401, "Unauthorized"},
		{"/admin/x", "Authorization", jane, 200, "app jane /admin/x"},
		{"/admin/y", "Authorization", jane, 200, "app jane /admin/y"},
		{"/other", "Authorization", jane, 200, "app None /other"},
		{"/quiet", "", "", 200, "app None /quiet"},
	} {
		h := http.Header{}
		if tt.header != "" {
			h.Set(tt.header, tt.value)
		}
		a, err := ask(http.MethodGet, base+tt.path, nil, h)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != tt.status || a.body != tt.body || a.header.Get("X-All") != "1" {
			t.Errorf("%s %s: %+v", tt.path, tt.header, a)
		}
		if got, want := a.header.Get("Content-Security-Policy"), strings.HasPrefix(tt.path, "/files/a"); (got == "sandbox") != want {
			t.Errorf("%s: Content-Security-Policy %q", tt.path, got)
		}
	}
	s.waitLog(t, "admin jane asks for /admin/x")
	s.waitLog(t, " (jane) {")
	if log := s.log.String(); strings.Contains(log, "GET /quiet") || strings.Contains(log, "secret =>") || strings.Contains(log, "amFuZTpz") {
		t.Errorf("the log has what it should not:\n%s", log)
	}
	for _, tt := range []struct{ vars, want string }{
		{"PATH_INFO=/ HTTP_X_FORWARDED_PROTO=http HTTP_HOST=h REQUEST_URI=/a", "301 Location=https://h/a Moved Permanently"},
		{"PATH_INFO=/admin REMOTE_USER=", `401 WWW-Authenticate=Basic realm="Admin" Unauthorized`},
		{"PATH_INFO=/admin REMOTE_USER=front", "200 text/plain app front /admin"},
		{"PATH_INFO=/files/secret.css", "403 text/plain"},
		{"PATH_INFO=/gone", "none"},
		{"PATH_INFO=/", "200 text/plain app None /"},
	} {
		var vars []uwsgi.Var
		for v := range strings.FieldsSeq("REQUEST_METHOD=GET " + tt.vars) {
			name, value, _ := strings.Cut(v, "=")
			vars = append(vars, uwsgi.Var{Name: name, Value: value})
		}
		packet, err := uwsgi.AppendPacket(nil, 0, 0, vars)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rawAsk("unix", sock, string(packet)); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.vars, got, err, tt.want)
		}
	}
}

// With manage-script-name rules see the path that the app gets, as in uWSGI.
func TestRoutingOfMounts(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", routedApp)
	port := freePort(t)
	write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nmount = /shop=app.py\nmanage-script-name = true\nroute = ^/admin return:403\nroute-if = equal:${SCRIPT_NAME};/shop addheader:X-A: shop\n")
	s := start(t, dir, "app.ini")
	base := "http://127.0.0.1:" + port
	if a := s.waitAnswer(t, base+"/shop/x", 200); a.header.Get("X-A") != "shop" || a.body != "app None /x" {
		t.Errorf("%+v", a)
	}
	if a := get(t, base+"/shop/admin"); a.status != 403 {
		t.Errorf("%+v", a)
	}
}

// Rules that cannot be followed end the start.
func TestRulesThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		name, rules string
		says        []string
	}{
		{"look_ahead", "route = ^/.*(?!static) break:403", []string{"app.ini:4: route", "(?!", "route-if-not"}},
		{"label", "route-run = goto:nowhere", []string{"app.ini:4: route-run", `there is no label "nowhere"`}},
		{"no_file", "route = ^/ basicauth:R,none", []string{"app.ini:4: route", "none"}},
		{"hash", "route = ^/ basicauth:R,users", []string{"app.ini:4: route", "users: line 1", "htpasswd -B"}},
		{"cache", "route-if = incache:down break:503", []string{"app.ini:4: route-if: break", "incache"}},
		{"variable", "route-if = equal:${REMOTE_ADR};1.2.3.4 break:403", []string{"app.ini:4: route-if", "REMOTE_ADR"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			write(t, dir, "users", "jane:plaintext\n")
			write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+freePort(t)+"\nwsgi-file = app.py\n"+tt.rules+"\n")
			cmd := command(dir, "app.ini")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitConfig {
				t.Errorf("exit: %v", err)
			}
			for _, want := range tt.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
			if strings.Contains(string(out), "plaintext") {
				t.Errorf("it tells the hash:\n%s", out)
			}
		})
	}
}

// uwsgo route tells what a start would do with a request, and a script may go by its exit code.
func TestRouteCommand(t *testing.T) {
	dir := shortTempDir(t)
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, files, "a.css", "css")
	write(t, dir, "app.ini", "[uwsgi]\nhttp = :8080\nmount = /shop=app.py\nmanage-script-name = true\nstatic-map = /files="+files+"\n"+
		"route = ^/admin basicauth:Admin,jane:secret\nroute = ^/admin addheader:X-Who: ${REMOTE_USER}\nroute = ^/old/(.*) rewrite:/files/$1\nroute = ^/gone break:\n"+
		"route-remote-addr = ^10\\. return:403\nroute-host = ^www\\.(.*) redirect:https://$1${REQUEST_URI}\nerror-route-status = 404 addheader:X-Missing: ${PATH_INFO}\nfinal-route = ^/admin log:${uwsgi[status]} for ${REMOTE_USER}\nroute-run = tofile:copy\n")
	for _, tt := range []struct {
		name, args string
		code       int
		says       []string
	}{
		{"no_rule", "--url /shop/x?a=b", 0, []string{"no rule matches", "the app /shop=app.py", "PATH_INFO = /x", "SCRIPT_NAME = /shop", "QUERY_STRING = a=b", "SERVER_PORT = 8080", "the app answers", "200 OK"}},
		{"password_is_missing", "--url /shop/admin", 3, []string{"app.ini:6: route = ^/admin basicauth:Admin,jane:…", "app.ini:14: route-run = tofile:copy", "left out", "answers", "HTTP/1.1 401", `WWW-Authenticate: Basic realm="Admin"`, "401 for"}},
		{"password", "--url /shop/admin --header Authorization:Basic|amFuZTpzZWNyZXQ=", 0, []string{"REMOTE_USER = jane", "response X-Who = jane", "X-Who: jane", "200 for jane"}},
		{"file", "--url /old/a.css", 0, []string{"PATH_INFO: /old/a.css -> /files/a.css", "a file answers", "text/css"}},
		{"closed", "--url /gone", 3, []string{"closed without an answer"}},
		{"address", "--url /shop/ --remote-addr 10.1.2.3", 3, []string{"app.ini:10: route-remote-addr", "403 Forbidden"}},
		{"host", "--url http://www.shop.example/a", 3, []string{"Location: https://shop.example/a"}},
		{"status", "--url /shop/x --status 404", 0, []string{"error-route-status", "X-Missing: /x"}},
		{"front_server", "--url https://h/shop/admin --var REMOTE_USER=front", 0, []string{"HTTPS = on", "REMOTE_USER = front", "wsgi.url_scheme = https"}},
		{"method", "--url /shop/x --method POST --data abc", 0, []string{"REQUEST_METHOD = POST", "CONTENT_LENGTH = 3"}},
		{"no_such_app", "--url /other", 3, []string{"the server answers", "404"}},
		{"malformed", "--url /%zz", 3, []string{"400"}},
		{"as_expected", "--url /shop/admin --expect 401", 0, nil},
		{"rule_as_expected", "--url /shop/admin --expect rule", 0, nil},
		{"closed_as_expected", "--url /gone --expect closed", 0, nil},
		{"unexpected", "--url /shop/admin --expect app", 2, []string{"app was expected, and it is rule 401"}},
		{"json", "--url /shop/admin --json", 3, []string{`"answered_by": "rule"`, `"rule": "app.ini:6: route"`, `"status": 401`, `"then": "answer"`}},
		{"no_url", "", 1, []string{"--url"}},
		{"blank", "--url /a|b", 1, []string{"%20"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"route", "app.ini"}
			for word := range strings.FieldsSeq(tt.args) {
				args = append(args, strings.ReplaceAll(word, "|", " "))
			}
			cmd := command(dir, args...)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, want := range tt.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if strings.Contains(string(out), "jane:secret") {
				t.Error("it tells the password")
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

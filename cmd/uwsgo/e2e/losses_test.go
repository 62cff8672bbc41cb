package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A server whose configuration protects something that it cannot protect does not start,
// and says so before it does anything.
func TestProtectionThatIsNotThere(t *testing.T) {
	for _, tt := range []struct {
		name, ini string
		says      []string
	}{
		{"password", "route = ^/ ldapauth:Restricted,url=ldap://x", []string{"app.ini:7: route: ldapauth", "auth_basic", "ignore-unsupported = route:ldapauth"}},
		{"forbidden_path", "response-route = ^/private rpc:deny", []string{"app.ini:7: response-route: rpc", "ignore-unsupported = response-route:rpc"}},
		{"addresses", "route-remote-addr = ^192\\. access:deny", []string{"app.ini:7: route-remote-addr: access"}},
		{"capabilities", "cap = setuid", []string{"app.ini:7: cap", "CapabilityBoundingSet="}},
		{"client_certificates", "https = :8443,a.crt,a.key,HIGH,!ca.crt", []string{"app.ini:7: https", "read the key"}},
		{"as_a_daemon", "daemonize = left.log\nroute = ^/ ldapauth:R,a:b", []string{"app.ini:8: route: ldapauth"}},
		{"with_a_hook", "hook-asap = exec:touch left.hook\nroute = ^/ ldapauth:R,a:b", []string{"app.ini:8: route: ldapauth"}},
		{"no_header", "add-header = X-Frame-Options", []string{"app.ini:7: add-header", "X-Frame-Options: DENY"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := shortTempDir(t)
			write(t, dir, "app.py", plainApp)
			write(t, dir, "app.ini", "[uwsgi]\nsocket = left.sock\npidfile = left.pid\nmaster = true\nwsgi-file = app.py\nprocesses = 2\n"+tt.ini+"\n")
			refusal{[]string{"app.ini"}, exitConfig, tt.says}.check(t, dir)
		})
	}
}

// What is lost is told in one line, at the end of the start.
func TestSummaryOfLosses(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", plainApp)
	port := freePort(t)
	write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nwsgi-file = app.py\nroute = ^/ ldapauth:R,a:b\nignore-unsupported = route:ldapauth\n"+
		"legion = s\nplugin = lua,python3\nalarm-backlog = ops\nmule = true\nroute = ^/health setprocname:a\nroute = ^/status setprocname:a\nmax-vars = 9\nlazy = true\nthunder-lock = true\nthreaded-logger = true\nofload-threads = 2\n")
	s := start(t, dir, "app.ini")
	s.waitAnswer(t, "http://127.0.0.1:"+port+"/", 200)
	s.waitLog(t, "uwsgo is ready")
	var lines []string
	for line := range strings.Lines(s.log.String()) {
		for _, word := range []string{"leaves open", "tells more", "ready after"} {
			if strings.Contains(line, word) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), " after ")
				lines = append(lines, line)
			}
		}
	}
	if want := []string{
		"*** WARNING: ignore-unsupported leaves open what these options close: route:ldapauth ***",
		"*** WARNING: options: 2 work as in uWSGI, 4 in another way, 2 are not needed, 5 lost (route:ldapauth, legion, plugin lua, alarm-backlog, route:setprocname); uwsgo check app.ini tells more ***",
		"*** uwsgo is ready",
	}; !slices.Equal(lines, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if n := strings.Count(s.log.String(), "app.ini:"); n != 1 { // the misspelt one
		t.Errorf("%d lines about the file, want one:\n%s", n, s.log)
	}
}

// Headers are on everything, and no source is sent.
func TestHeadersAndSkippedFiles(t *testing.T) {
	dir := shortTempDir(t)
	write(t, dir, "app.py", `
def application(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise ValueError("on purpose")
    start_response("200 OK", [("X-Powered-By", "app"), ("Content-Type", "text/plain")])
    return [b"app has ", environ.get("SECRET", "no secret").encode()]
`)
	files, apart := filepath.Join(dir, "files"), filepath.Join(dir, "apart")
	for _, d := range []string{files, apart, filepath.Join(files, "two")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, files, "a.css", "css")
	write(t, files, "settings.py", "SECRET")
	write(t, files+"/two", "b.css", "two")
	write(t, apart, "c.css", "apart")
	for link, target := range map[string]string{"link.css": "settings.py", "safe.css": "../apart/c.css"} {
		if err := os.Symlink(target, filepath.Join(files, link)); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	base := "http://127.0.0.1:" + port
	write(t, dir, "app.ini", "[uwsgi]\nhttp = 127.0.0.1:"+port+"\nwsgi-file = app.py\nadd-header = X-Frame-Options: DENY\nadd-header = Strict-Transport-Security: max-age=60\n"+
		"rem-header = X-Powered-By\nstatic-map = /files=files\nstatic-map2 = /two=files\nstatic-skip-ext = .py\nstatic-safe = apart\nready-path = /-/ready\nunenv = SECRET\ncompress = true\n")
	cmd := command(dir, "app.ini")
	cmd.Env = append(cmd.Env, "SECRET=x")
	s := launch(t, cmd)
	s.waitAnswer(t, base+"/", 200)
	for _, tt := range []struct {
		path, body string
		status     int
	}{
		{"/", "app has no secret", 200},
		{"/files/a.css", "css", 200},
		{"/files/settings.py", "app has no secret", 200},
		{"/files/settings.PY", "app has no secret", 200},
		{"/files/link.css", "app has no secret", 200},
		{"/files/safe.css", "apart", 200},
		{"/two/b.css", "two", 200},
		{"/two/a.css", "app has no secret", 200},
		{"/raise", "", 500},
		{"/-/ready", "ready\n", 200},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a, err := ask(method, base+tt.path, nil, http.Header{"Accept-Encoding": {"identity"}})
			if err != nil {
				t.Fatal(err)
			}
			if a.status != tt.status || method == http.MethodGet && tt.body != "" && a.body != tt.body {
				t.Errorf("%s %s: %d %q, want %d %q", method, tt.path, a.status, a.body, tt.status, tt.body)
			}
			h := a.header
			if h.Get("X-Frame-Options") != "DENY" || h.Get("Strict-Transport-Security") != "max-age=60" || h.Get("X-Powered-By") != "" {
				t.Errorf("%s %s: %v", method, tt.path, h)
			}
		}
	}
}

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A site of its own app and of others: rules and http-to pass requests on, by HTTP and by uwsgi.
func TestUpstreams(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	write(t, dir, "app.py", `
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Who", os.environ["WHO"])])
    body = environ["wsgi.input"].read()
    names = ("REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "HTTP_HOST", "REMOTE_ADDR", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO")
    return [" ".join([str(environ.get(n, "-")) for n in names] + [str(len(body))]).encode()]
`)
	back, backU, site, to, dead := freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)
	start(t, dir, "--http", "127.0.0.1:"+back, "--socket", "127.0.0.1:"+backU, "--wsgi-file", "app.py", "--env", "WHO=back").waitLog(t, "is ready")
	write(t, dir, "site.ini", fmt.Sprintf(`[uwsgi]
http = 127.0.0.1:%s
wsgi-file = app.py
env = WHO=own
upstream = api=127.0.0.1:%s balance=least
route = ^/api http:api
route = ^/uw uwsgi:127.0.0.1:%s,0,0
route = ^/old/(.*) http:127.0.0.1:%s,inner.example,/new/$1
route = ^/dead http:127.0.0.1:%s
`, site, back, backU, back, dead))
	s := start(t, dir, "site.ini")
	s.waitLog(t, "is ready")
	router := start(t, dir, "--http", "127.0.0.1:"+to, "--http-to", "127.0.0.1:"+backU)
	router.waitLog(t, "passing requests on to other servers")
	router.waitLog(t, "is ready")

	for _, tt := range []struct{ name, port, path, body, who, want string }{
		{"own_app", site, "/a", "", "own", "GET /a /a HOST 127.0.0.1 - - 0"},
		{"group", site, "/api/x?y=%20", "", "back", "GET /api/x?y=%20 /api/x HOST 127.0.0.1 127.0.0.1 http 0"},
		{"upload", site, "/api", strings.Repeat("x", 300_000), "back", "POST /api /api HOST 127.0.0.1 127.0.0.1 http 300000"},
		{"uwsgi", site, "/uw%2f?q", "", "back", "GET /uw%2f?q /uw/ HOST 127.0.0.1 - - 0"},
		{"uwsgi_upload", site, "/uw", strings.Repeat("x", 300_000), "back", "POST /uw /uw HOST 127.0.0.1 - - 300000"},
		{"other_host_and_target", site, "/old/a", "", "back", "GET /new/a /new/a inner.example 127.0.0.1 127.0.0.1 http 0"},
		{"http_to", to, "/a?b", "", "back", "GET /a?b /a HOST 127.0.0.1 - - 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method := "GET"
			if tt.body != "" {
				method = "POST"
			}
			for range 2 {
				got, err := ask(method, "http://127.0.0.1:"+tt.port+tt.path, strings.NewReader(tt.body), http.Header{"X-Forwarded-For": {"6.6.6.6"}})
				want := strings.Replace(tt.want, "HOST", "127.0.0.1:"+tt.port, 1)
				if tt.who == "own" || strings.Contains(tt.name, "uwsgi") || tt.name == "http_to" {
					got.body = strings.Replace(got.body, " 6.6.6.6 ", " - ", 1) // the app gets it as it comes, without trusted-proxy
				}
				if err != nil || got.body != want || got.header.Get("X-Who") != tt.who {
					t.Errorf("%s answers %q, %v\nwant %s, %q", got.header.Get("X-Who"), got.body, err, tt.who, want)
				}
			}
		})
	}
	if got, err := ask("GET", "http://127.0.0.1:"+site+"/dead", nil, nil); err != nil || got.status != 502 {
		t.Errorf("of a server that is not there: %d, %v", got.status, err)
	}
	s.waitLog(t, "upstream http://127.0.0.1:"+dead+": connect: connection refused: the client gets 502")
	out, err := command(dir, "route", "site.ini", "--url", "/api/x", "--expect", "rule").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the request is passed on to api by http") {
		t.Errorf("uwsgo route: %v\n%s", err, out)
	}
	if out, err := command(dir, "check", "site.ini", "--file-alone").CombinedOutput(); err != nil {
		t.Errorf("uwsgo check: %v\n%s", err, out)
	}
}

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// withoutBodies is an nginx that announces bodies and sends none, in each of its ways.
const withoutBodies = `
server {
  listen %[1]s;
  location /auth/ {
    auth_request /check/;
    proxy_pass http://%[2]s;
  }
  location = /check/ {
    internal;
    proxy_pass http://%[2]s;
    proxy_pass_request_body off;
    proxy_set_header Content-Length $content_length;
  }
  location /auth_uwsgi/ {
    auth_request /check_uwsgi/;
    include uwsgi_params;
    uwsgi_pass %[3]s;
  }
  location = /check_uwsgi/ {
    internal;
    include uwsgi_params;
    uwsgi_param CONTENT_LENGTH $content_length;
    uwsgi_pass_request_body off;
    uwsgi_pass %[3]s;
  }
  location /off/ {
    include uwsgi_params;
    uwsgi_pass_request_body off;
    uwsgi_pass %[3]s;
  }
  location /off_http/ {
    proxy_pass http://%[2]s;
    proxy_http_version 1.1;
    proxy_pass_request_body off;
    proxy_set_header Content-Length $content_length;
    proxy_set_header Connection "";
  }
  location /mirrored/ {
    mirror /mirror/;
    mirror_request_body off;
    proxy_pass http://%[2]s;
  }
  location = /mirror/ {
    internal;
    include uwsgi_params;
    uwsgi_param CONTENT_LENGTH $content_length;
    uwsgi_pass_request_body off;
    uwsgi_pass %[3]s;
  }
}
`

const withoutBodiesApp = `
import os

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/mirror/":
        open("mirrored", "w").close()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path.startswith(("/check", "/off", "/mirror/")):
        return [b"unread"]
    return [environ["wsgi.input"].read()]
`

// TestNginxAnnouncesBodies: nginx announces the body of a request that it checks or copies, and
// does not send it. An app that does not read it answers at once, as in uWSGI.
func TestNginxAnnouncesBodies(t *testing.T) {
	e := copyExample(t, "nginx-tcp")
	write(t, e.dir, "app.py", withoutBodiesApp)
	http := strings.TrimPrefix(e.http, "http://")
	write(t, e.dir, "nginx.conf", fmt.Sprintf(withoutBodies, strings.TrimPrefix(e.nginx, "http://"), http, e.uwsgi))
	s := start(t, e.dir, "--http", http, "--socket", e.uwsgi, "--wsgi-file", "app.py", "--processes", "2")
	s.waitAnswer(t, e.http+"/off/", 200)
	e.startNginx(t)
	const socketTimeout = 60 * time.Second // what they would wait for the bodies
	for _, tt := range []struct{ path, want string }{
		{"/auth/", "the body"},
		{"/auth_uwsgi/", "the body"},
		{"/off/", "unread"},
		{"/off_http/", "unread"},
		{"/mirrored/", "the body"},
	} {
		t.Run(strings.Trim(tt.path, "/"), func(t *testing.T) {
			for range 3 {
				since := time.Now()
				a, err := ask("POST", e.nginx+tt.path, strings.NewReader("the body"), nil)
				if err != nil {
					t.Fatal(err)
				}
				wantBody(t, a, 200, tt.want)
				if d := time.Since(since); d > socketTimeout/2 {
					t.Errorf("it took %v", d)
				}
			}
		})
	}
	eventually(t, "the mirrored request", func() error { _, err := os.Stat(e.dir + "/mirrored"); return err })
}

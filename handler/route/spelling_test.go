package route

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/static"
)

const guards = `route = ^/files/secret break:403
route = ^/files/private/ break:403
route = ^/secret break:403
route = ^/admin break:403
route = ^/open/(.*) static:DIR/$1
route = ^/also/(.*) file:filename=DIR/$1
route-host = ^internal\.example(:\d+)?$ break:403
route-host = ^Other\.example$ break:403
route-if = equal:${HTTP_HOST};third.example break:403
route-if = startswith:${HTTP_HOST};FOURTH. break:403
route-if = regexp:${HTTP_HOST}${PATH_INFO};^fifth\.example/x break:403
route-if = equal:${REQUEST_METHOD};DELETE break:403
route-if = regexp:${REQUEST_METHOD}${PATH_INFO};^(PUT|PATCH)/ break:403
route-user-agent = (?i)bot break:403
route-if = contains:${HTTP_X_TOKEN};bad break:403
route = ^/auth basicauth:R,u:p`

// guarded is a server with these rules in front of files and an app.
func guarded(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "private"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret.css", "private/x.txt", "free.css"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("content of "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := static.New(engine.HandlerFunc(app), static.Options{Check: []string{dir}, Maps: []static.Map{{Prefix: "/files", Path: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t}
	h, err := New(files, Options{Rules: parse(t, strings.ReplaceAll(guards, "DIR", dir)), Logf: r.logf})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, r, h)
}

// However a client writes what a rule is about, the rule holds: no file comes out that it is in
// front of, and the app is not asked by a name that means the same.
func TestRulesHoldForEverySpelling(t *testing.T) {
	r := guarded(t)
	for _, target := range []string{
		"/files/secret.css", "/files//secret.css", "//files/secret.css", "/files/./secret.css", "/files/x/../secret.css", "/files/%73ecret.css", "/files/secret%2ecss",
		"/files%2fsecret.css", "/files/private/x.txt", "/files//private/x.txt", "/files/private//x.txt", "/files/%2e/secret.css", "/files/%2e%2e/files/secret.css", "/secret.css", "//secret.css",
		"///secret.css", "/./secret.css", "http://h/files/secret.css", "http://h//files//secret.css", "HTTP://H/secret.css", "/files/secret.css?x", "/files/secret.css/", "/open//secret.css", "/also//secret.css",
		"/open/x/../secret.css",
	} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
			if a := r.talk(r.http, method, method+" "+target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); strings.Contains(a.body, "content") || a.header.Get("Last-Modified") != "" {
				t.Errorf("%s %s: %+v", method, target, a)
			}
		}
	}
	for _, path := range []string{"/files/secret.css", "/files//secret.css", "//secret.css", "/files/./secret.css", "/files/private/x.txt", "/open//secret.css"} {
		if a := r.packet(0, "REQUEST_METHOD=GET", "SERVER_PROTOCOL=HTTP/1.1", "REQUEST_URI="+path, "PATH_INFO="+path); strings.Contains(a.body, "content") || a.header.Get("Last-Modified") != "" {
			t.Errorf("uwsgi %s: %+v", path, a)
		}
	}
	for _, head := range []string{
		"GET /admin HTTP/1.1|Host: h", "GET /%61dmin HTTP/1.1|Host: h", "GET http://h/admin HTTP/1.1|Host: h", "GET /admin?x HTTP/1.1|Host: h", "GET /admin%0a HTTP/1.1|Host: h", "OPTIONS /admin HTTP/1.1|Host: h",
		"GET / HTTP/1.1|Host: internal.example", "GET / HTTP/1.1|Host: INTERNAL.Example", "GET / HTTP/1.1|Host: internal.example.", "GET / HTTP/1.1|Host: internal.example:81", "GET / HTTP/1.1|Host: Internal.example.:81",
		"GET http://internal.example/ HTTP/1.1|Host: h", "GET http://INTERNAL.example:80/ HTTP/1.1|Host: internal", "GET / HTTP/1.1|hOsT:internal.example ", "GET / HTTP/1.0|Host: internal.example",
		"GET / HTTP/1.1|Host: other.example", "GET / HTTP/1.1|Host: OTHER.example.", "GET / HTTP/1.1|Host: THIRD.example", "GET / HTTP/1.1|Host: fourth.x", "GET / HTTP/1.1|Host: Fourth.x", "GET /x HTTP/1.1|Host: FIFTH.example.",
		"DELETE / HTTP/1.1|Host: h", "delete / HTTP/1.1|Host: h", "Delete / HTTP/1.1|Host: h", "put / HTTP/1.1|Host: h", "PATCH / HTTP/1.1|Host: h",
		"GET / HTTP/1.1|Host: h|User-Agent: aBOT", "GET / HTTP/1.1|Host: h|User-Agent: ok|user-agent: bot", "GET / HTTP/1.1|Host: h|User-Agent: bot|User-Agent: ok",
		"GET / HTTP/1.1|Host: h|X-Token: bad", "GET / HTTP/1.1|Host: h|x-token: ok|X-TOKEN: bad", "GET / HTTP/1.1|Host: h|X-Token: ok, bad",
	} {
		method, _, _ := strings.Cut(head, " ")
		if a := r.talk(r.http, method, strings.ReplaceAll(head, "|", "\r\n")+"\r\nConnection: close\r\n\r\n"); a.status != 403 && a.status != 400 {
			t.Errorf("%s: %+v", head, a)
		}
	}
	for _, vars := range []string{"HTTP_HOST=Internal.Example.", "REQUEST_METHOD=delete", "HTTP_USER_AGENT=Bot", "HTTP_X_TOKEN=bad", "PATH_INFO=/admin"} {
		all := append([]string{"REQUEST_METHOD=GET", "PATH_INFO=/", "SERVER_PROTOCOL=HTTP/1.1", "REQUEST_URI=/"}, vars)
		if name, _, _ := strings.Cut(vars, "="); name != "HTTP_HOST" {
			all = append(all[:0:0], "SERVER_PROTOCOL=HTTP/1.1", "REQUEST_URI=/", vars)
			if name != "REQUEST_METHOD" {
				all = append(all, "REQUEST_METHOD=GET")
			}
			if name != "PATH_INFO" {
				all = append(all, "PATH_INFO=/")
			}
		}
		if a := r.packet(0, all...); a.status != 403 {
			t.Errorf("uwsgi %s: %+v", vars, a)
		}
	}
	for _, header := range []string{"Remote-User: u", "REMOTE_USER: u", "Authorization: Basic", "Authorization: Basic dTpw, Basic dTpw", "Authorization: Basic dTp4|Authorization: Basic dTpw", "Authorization: Bearer dTpw", "Authorization: Basic dTpw!"} {
		if a := r.get("/auth", strings.Split(header, "|")...); a.status != 401 {
			t.Errorf("%s: %+v", header, a)
		}
	}
	// What rules are not about goes on as before.
	if a := r.get("/files/free.css"); a.body != "content of free.css" {
		t.Errorf("%+v", a)
	}
	if a := r.get("/open/free.css"); a.body != "content of free.css" {
		t.Errorf("%+v", a)
	}
}

// One connection, many requests, some of them sent ahead: each is judged by itself.
func TestRulesOnOneConnection(t *testing.T) {
	r := guarded(t)
	c, err := net.Dial("tcp", r.http)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	asks := []struct {
		method, target, header string
		status                 int
	}{
		{"GET", "/", "", 200},
		{"GET", "/admin", "", 403},
		{"GET", "//files/secret.css", "", 200},
		{"GET", "/files/free.css", "", 200},
		{"GET", "/auth", "", 401},
		{"GET", "/auth", "Authorization: Basic dTpw\r\n", 200},
		{"GET", "/auth", "", 401},
		{"HEAD", "/admin", "", 403},
		{"POST", "/admin", "Content-Length: 3\r\n", 403},
		{"GET", "/", "User-Agent: bot\r\n", 403},
		{"GET", "/x", "", 200},
	}
	for range 5 {
		var all strings.Builder
		for _, a := range asks {
			fmt.Fprintf(&all, "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", a.method, a.target, a.header)
			if strings.Contains(a.header, "Length") {
				all.WriteString("abc")
			}
		}
		if _, err := io.WriteString(c, all.String()); err != nil {
			t.Fatal(err)
		}
		b := bufio.NewReader(c)
		for _, a := range asks {
			resp, err := http.ReadResponse(b, &http.Request{Method: a.method})
			if err != nil {
				t.Fatalf("%s %s: %v", a.method, a.target, err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != a.status || strings.Contains(string(body), "secret") && a.status == 200 && !strings.HasPrefix(string(body), "app ") {
				t.Errorf("%s %s: %d %s", a.method, a.target, resp.StatusCode, body)
			}
		}
	}
}

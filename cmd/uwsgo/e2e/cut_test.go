package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// behindCaches is an nginx that speaks to the server in each of its ways, and keeps the
// answers of some.
const behindCaches = `
uwsgi_cache_path %[1]s/uwsgi-cache keys_zone=u:1m;
proxy_cache_path %[1]s/proxy-cache keys_zone=p:1m;
upstream kept { server unix:%[3]s; keepalive 4; }
server {
    listen %[4]s;
    location /uwsgi/ {
        include uwsgi_params;
        uwsgi_param PATH_INFO $uri;
        rewrite ^/uwsgi(/.*) $1 break;
        uwsgi_pass unix:%[2]s;
        uwsgi_cache u;
        uwsgi_cache_key $uri;
    }
    location /uwsgi-unbuffered/ {
        include uwsgi_params;
        uwsgi_param PATH_INFO $uri;
        rewrite ^/uwsgi-unbuffered(/.*) $1 break;
        uwsgi_pass unix:%[2]s;
        uwsgi_buffering off;
    }
    location /http10/ {
        rewrite ^/http10(/.*) $1 break;
        proxy_pass http://unix:%[3]s;
        proxy_cache p;
        proxy_cache_key $uri;
    }
    location /http10-unbuffered/ {
        rewrite ^/http10-unbuffered(/.*) $1 break;
        proxy_pass http://unix:%[3]s;
        proxy_buffering off;
    }
    location /kept/ {
        rewrite ^/kept(/.*) $1 break;
        proxy_pass http://kept;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_cache p;
        proxy_cache_key $uri;
    }
    location /protected/ {
        internal;
        alias %[1]s/;
    }
}
`

// startBehindCaches starts the server on unix sockets and that nginx in front of it. It
// returns the file that names the requests which the app has seen.
func startBehindCaches(t *testing.T) (e *example, s *server, seen string) {
	t.Helper()
	e = copyExample(t, "nginx-unix")
	seen = filepath.Join(e.dir, "seen")
	sockets := filepath.Dir(e.unix)
	uwsgi, http := filepath.Join(sockets, "u"), filepath.Join(sockets, "h")
	write(t, e.dir, "nginx.conf", fmt.Sprintf(behindCaches, e.dir, uwsgi, http, strings.TrimPrefix(e.nginx, "http://")))
	cmd := command(filepath.Join(root, "cmd/uwsgo/e2e/testdata"), "--socket", uwsgi, "--http-socket", http, "--wsgi-file", "cut.py",
		"--threads", "4", "--harakiri", "1", "--chmod-socket=666")
	cmd.Env = append(cmd.Env, "E2E_SEEN="+seen)
	s = launch(t, cmd)
	e.startNginx(t)
	s.waitAnswer(t, e.nginx+"/http10/whole/ready", 200)
	return e, s, seen
}

// TestNginxSeesCutAnswers: over unix sockets an answer that breaks off must not come out of
// nginx as a whole one, nor stay in its cache.
func TestNginxSeesCutAnswers(t *testing.T) {
	e, s, seen := startBehindCaches(t)
	for _, way := range []string{"uwsgi", "uwsgi-unbuffered", "http10", "http10-unbuffered", "kept"} {
		cached := !strings.HasSuffix(way, "unbuffered")
		for _, what := range []string{"whole", "raise", "die", "hang", "short"} {
			if (what == "hang" || what == "die") && way != "uwsgi" && way != "http10" {
				continue // each costs its time
			}
			t.Run(way+"/"+what, func(t *testing.T) {
				path := "/" + what + "/" + way
				for range 2 {
					resp, err := http.Get(e.nginx + "/" + way + path)
					if err != nil {
						t.Fatal(err)
					}
					body, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					whole := what == "whole"
					if resp.StatusCode != 200 || whole != (err == nil) || whole && len(body) != 5006 {
						t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(body), err)
					}
				}
				want := 2 // a cut answer is asked for again
				if cached && what == "whole" {
					want = 1
				}
				log, err := os.ReadFile(seen)
				if got := bytes.Count(log, []byte(path+"\n")); got != want || err != nil {
					t.Errorf("the app has seen %d requests, want %d; %v", got, want, err)
				}
			})
		}
	}
	// The log names what broke off, and has what was sent.
	for what, why := range map[string]string{"raise": "the app failed", "die": "its worker died", "hang": "it took too long", "short": "the app failed"} {
		line := regexp.MustCompile(`GET /uwsgi/` + what + `/uwsgi => generated 5000 bytes in .* broken off: ` + why)
		eventually(t, "a line that marks "+what, func() error {
			if !line.MatchString(s.log.String()) {
				return fmt.Errorf("no %v", line)
			}
			return nil
		})
	}
	if whole := regexp.MustCompile(`GET /uwsgi/whole/uwsgi => .*`).FindString(s.log.String()); whole == "" || strings.Contains(whole, "broken") {
		t.Errorf("a whole answer: %q", whole)
	}
}

// TestNginxSendsProtectedFiles: an app leaves the file to nginx by X-Accel-Redirect.
func TestNginxSendsProtectedFiles(t *testing.T) {
	e, s, _ := startBehindCaches(t)
	content := strings.Repeat("0123456789", 30_000)
	write(t, e.dir, "f", content)
	if err := os.Chmod(e.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, way := range []string{"uwsgi", "uwsgi-unbuffered", "http10", "http10-unbuffered", "kept"} {
		for _, tt := range []struct {
			method, ranged string
			status         int
			body           string
		}{
			{"GET", "", 200, content},
			{"HEAD", "", 200, ""},
			{"GET", "bytes=10-19", 206, "0123456789"},
		} {
			t.Run(way+"/"+tt.method+tt.ranged, func(t *testing.T) {
				header := http.Header{}
				if tt.ranged != "" {
					header.Set("Range", tt.ranged)
				}
				a, err := ask(tt.method, e.nginx+"/"+way+"/file/"+way, nil, header)
				if err != nil || a.status != tt.status || a.body != tt.body {
					t.Errorf("%d, %d bytes, %v", a.status, len(a.body), err)
				}
			})
		}
	}
	// A client that is no such front server is not left waiting for the body.
	c, err := net.Dial("unix", filepath.Join(filepath.Dir(e.unix), "h"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(c)
	if err != nil || !bytes.Contains(all, []byte("\r\nX-Accel-Redirect: /protected/f\r\n")) || !bytes.Contains(all, []byte("\r\nContent-Length: 0\r\n")) {
		t.Errorf("%q, %v\n%s", all, err, s.log)
	}
}

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// cacheApp counts its calls, and says how its answers may be kept.
const cacheApp = `
import time

calls = {}

def application(environ, start_response):
    path = environ["PATH_INFO"]
    calls[path] = calls.get(path, 0) + 1
    headers = [("Content-Type", "text/plain")]
    if path != "/plain":
        headers.append(("Cache-Control", {"/private": "private", "/swr": "max-age=0, stale-while-revalidate=60"}.get(path, "max-age=600")))
    if path == "/swr":
        headers.append(("ETag", '"%d"' % calls[path]))
    if path == "/tagged":
        headers.append(("Cache-Tag", "shop"))
    body = ("%d %s" % (calls[path], "x" * 3000)).encode()
    start_response("200 OK", headers)
    return [body[:9], body[9:]] if path == "/stream" else [body]
`

func TestHTTPCache(t *testing.T) {
	testenv(t)
	dir := t.TempDir()
	write(t, dir, "app.py", cacheApp)
	port := freePort(t)
	write(t, dir, "app.ini", "[uwsgi]\nhttp-socket = 127.0.0.1:"+port+`
wsgi-file = app.py
compress = true
http-cache = 4m
http-cache-except = ^/except
http-cache-purge-from = 127.0.0.1
route = ^/secret basicauth:realm,user:secret
stats-http = true
stats = 127.0.0.1:0
`)
	s := start(t, dir, "app.ini")
	s.waitLog(t, "is ready")
	url := "http://127.0.0.1:" + port
	for _, tt := range []struct {
		ask  string // method and target
		with string // a field of the request
		want string // status, first word of the body, X-Cache, Content-Encoding
	}{
		{"GET /page", "", "200 1 MISS "},
		{"GET /page", "", "200 1 HIT "},
		{"HEAD /page", "", "200  HIT "},
		{"GET /page", "Range: bytes=0-0", "206 1 HIT "},
		{"GET /page", "Accept-Encoding: gzip", "200 - MISS gzip"},
		{"GET /page", "Accept-Encoding: gzip", "200 - HIT gzip"},
		{"GET /page", "", "200 1 HIT "},
		{"POST /page", "", "200 3  "},
		{"GET /page", "", "200 4 MISS "},
		{"GET /stream", "", "200 1 MISS "},
		{"GET /stream", "", "200 1 HIT "},
		{"GET /private", "", "200 1 MISS "},
		{"GET /private", "", "200 2 MISS "},
		{"GET /plain", "", "200 1 MISS "},
		{"GET /plain", "", "200 2 MISS "},
		{"GET /except", "", "200 1  "},
		{"GET /except", "", "200 2  "},
		{"GET /tagged", "", "200 1 MISS "},
		{"GET /tagged", "", "200 1 HIT "},
		{"PURGE /", "Cache-Tag: shop", "200 purged  "},
		{"GET /tagged", "", "200 2 MISS "},
		// rules hold for what is kept
		{"GET /secret", "", "401 Unauthorized  "},
		{"GET /secret", "Authorization: Basic dXNlcjpzZWNyZXQ=", "200 1 MISS "},
		{"GET /secret", "", "401 Unauthorized  "},
		// one that is stale goes out, and the next one is fetched behind it
		{"GET /swr", "", "200 1 MISS "},
		{"GET /swr", "", "200 1 STALE "},
	} {
		method, target, _ := strings.Cut(tt.ask, " ")
		h := http.Header{"Accept-Encoding": {"identity"}}
		if name, value, ok := strings.Cut(tt.with, ": "); ok {
			h.Set(name, value)
		}
		got, err := ask(method, url+target, nil, h)
		if err != nil {
			t.Fatal(err)
		}
		word := strings.Fields(got.body + " -")[0]
		switch {
		case method == "HEAD":
			word = ""
		case got.header.Get("Content-Encoding") != "":
			word = "-"
		}
		if line := fmt.Sprintf("%d %s %s %s", got.status, word, got.header.Get("X-Cache"), got.header.Get("Content-Encoding")); line != tt.want {
			t.Errorf("%s %s: got %q, want %q; %s", tt.ask, tt.with, line, tt.want, got.header.Get("Cache-Status"))
		}
	}
	eventually(t, "the fetch behind a stale answer", func() error {
		if a := get(t, url+"/swr"); strings.HasPrefix(a.body, "1 ") {
			return fmt.Errorf("still %q", a.header.Get("Cache-Status"))
		}
		return nil
	})
}

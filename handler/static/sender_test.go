package static

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

func TestSender(t *testing.T) {
	dir := tree(t)
	put(t, dir, "root/a b.txt", "spaced")
	headers := func(lines ...string) (list []codec.Header) {
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			list = append(list, codec.Header{Name: []byte(name), Value: []byte(value)})
		}
		return list
	}
	root := filepath.Join(dir, "root")
	// The target says what the app answers with: how, a status, and the file.
	app := engine.HandlerFunc(func(x *engine.Exchange) {
		r := x.Request()
		how, name, _ := strings.Cut(strings.TrimPrefix(string(r.Path()), "/"), "/")
		resp := x.Response()
		resp.Header = headers("Set-Cookie: a=b", "ETag: \"app\"", "Content-Length: 0", "X-Accel-Buffering: no")
		field := "X-Sendfile: " + root + "/" + name
		switch how {
		case "accel", "accel-elsewhere":
			field = "x-accel-redirect: /protected/" + strings.ReplaceAll(name, " ", "%20") + "?x=1"
		case "outside":
			field = "X-Sendfile: " + dir + "/secret"
		case "relative":
			field = "X-Sendfile: a.css"
		case "typed":
			resp.Header = append(resp.Header, headers("Content-Type: text/x-own", "Content-Disposition: attachment")...)
		case "forbidden":
			resp.Status = 403
		case "none":
			field = "X-Other: y"
		}
		resp.Header = append(resp.Header, headers(field)...)
		if how == "streamed" {
			x.Start(resp)
			x.Write([]byte("not this"))
			x.End()
			return
		}
		x.Reply(resp, []byte("body of the app"))
	})
	h, err := NewSender(app, SenderOptions{Folders: []string{root}, Maps: []Map{{Prefix: "/protected", Path: root}}, Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	s, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(h) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Error(err)
		}
	})
	addr := l.String()
	for _, tt := range []struct {
		name, method, target string
		fields               []string
		status               int
		body, contentType    string
	}{
		{"sendfile", "GET", "/plain/a.css", nil, 200, "a{}", "text/css"},
		{"streamed", "GET", "/streamed/a.css", nil, 200, "a{}", "text/css"},
		{"accel", "GET", "/accel/a.css", nil, 200, "a{}", "text/css"},
		{"accel_encoded", "GET", "/accel/a%20b.txt", nil, 200, "spaced", "text/plain"},
		{"type_of_the_app", "GET", "/typed/a.css", nil, 200, "a{}", "text/x-own"},
		{"large", "GET", "/plain/big.bin", nil, 200, strings.Repeat("0123456789abcdef", 64<<10), "application/octet-stream"},
		{"range", "GET", "/plain/big.bin", []string{"Range: bytes=16-17"}, 206, "01", "application/octet-stream"},
		{"bad_range", "GET", "/plain/a.css", []string{"Range: bytes=9-"}, 416, "", ""},
		{"not_modified", "GET", "/plain/a.css", []string{"If-Modified-Since: Tue, 03 Feb 2026 16:05:09 GMT"}, 304, "", ""},
		{"etag_of_the_app_does_not_count", "GET", "/plain/a.css", []string{`If-None-Match: "app"`}, 200, "a{}", "text/css"},
		{"head", "HEAD", "/plain/a.css", nil, 200, "", "text/css"},
		{"post", "POST", "/plain/a.css", []string{"Content-Length: 0", "If-None-Match: *"}, 200, "a{}", "text/css"},
		{"status_of_the_app", "GET", "/forbidden/a.css", []string{"Range: bytes=0-0"}, 403, "a{}", "text/css"},
		{"missing", "GET", "/plain/none", nil, 404, "Not Found\n", "text/plain; charset=utf-8"},
		{"folder", "GET", "/plain/docs", nil, 404, "Not Found\n", "text/plain; charset=utf-8"},
		{"outside", "GET", "/outside/x", nil, 404, "Not Found\n", "text/plain; charset=utf-8"},
		{"relative", "GET", "/relative/x", nil, 404, "Not Found\n", "text/plain; charset=utf-8"},
		{"link_outside", "GET", "/plain/outside", nil, 404, "Not Found\n", "text/plain; charset=utf-8"},
		{"dots", "GET", "/accel/..%2fsecret", nil, 404, "Not Found\n", "text/plain; charset=utf-8"},
		{"no_file", "GET", "/none/x", nil, 200, "body of the app", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				resp, body := get(t, addr, tt.method, tt.target, tt.fields...)
				if resp.StatusCode != tt.status || body != tt.body || resp.Header.Get("Content-Type") != tt.contentType {
					t.Errorf("got %d %.100q %v", resp.StatusCode, body, resp.Header)
				}
				if resp.Header.Get("X-Sendfile") != "" || resp.Header.Get("X-Accel-Redirect") != "" {
					t.Errorf("the header goes on: %v", resp.Header)
				}
				if tt.status < 400 && resp.Header.Get("Set-Cookie") != "a=b" {
					t.Errorf("no cookie: %v", resp.Header)
				}
				if tt.name == "head" && resp.ContentLength != 3 {
					t.Errorf("HEAD: %d bytes", resp.ContentLength)
				}
			}
		})
	}
}

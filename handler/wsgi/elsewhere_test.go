package wsgi

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestBodyElsewhere checks answers in which the app leaves the body to the front server:
// the header and the file's length, and no body, or part of one. uwsgi peers get them as
// they are. HTTP clients may be no such server: theirs are framed by what is sent, and
// the connection stays in step.
func TestBodyElsewhere(t *testing.T) {
	r := start(t, setup{})
	for _, header := range []string{"X-Sendfile", "X-Accel-Redirect", "X-Lighttpd-Send-File", "x-LIGHTTPD-send-file", "X-LiteSpeed-Location"} {
		for _, tt := range []struct {
			name, method, status, blocks, more string
			http                               string // Content-Length over HTTP
			uwsgi                              string // likewise
			body                               string
		}{
			{"empty_list", "GET", "200 OK", `[]`, "", "0", "12345", ""},
			{"empty_block", "GET", "200 OK", `[""]`, "", "0", "12345", ""},
			{"empty_iterator", "GET", "200 OK", `[]`, "iter", "0", "12345", ""},
			{"iterator_of_empty_blocks", "GET", "200 OK", `["",""]`, "iter", "0", "12345", ""},
			{"short_list", "GET", "200 OK", `["sh","ort"]`, "", "5", "12345", "short"},
			{"short_iterator", "GET", "200 OK", `["sh","ort"]`, "iter", "", "12345", "short"},
			{"write", "GET", "200 OK", `["short"]`, "write", "", "12345", "short"},
			{"empty_write", "GET", "200 OK", `[""]`, "write", "0", "12345", ""},
			{"head", "HEAD", "200 OK", `[]`, "", "12345", "12345", ""},
			{"head_with_body", "HEAD", "200 OK", `["x"]`, "iter", "12345", "12345", ""},
			{"post", "POST", "200 OK", `[]`, "", "0", "12345", ""},
			{"part", "GET", "206 Partial Content", `[]`, "", "0", "12345", ""},
			{"not_modified", "GET", "304 Not Modified", `[]`, "", "12345", "12345", ""},
			{"no_content", "GET", "204 No Content", `[]`, "", "", "", ""},
		} {
			t.Run(header+"/"+tt.name, func(t *testing.T) {
				r.t = t
				headers, _ := json.Marshal([][2]string{{header, "/files/a.bin"}, {"Content-Length", "12345"}})
				pairs := []string{"status", tt.status, "headers", string(headers), "blocks", tt.blocks}
				if tt.more != "" {
					pairs = append(pairs, tt.more, "1")
				}
				raw := tt.method + " " + ask("/respond", pairs...) + " HTTP/1.1\r\nHost: a\r\n\r\n"
				check := func(how string, resp *http.Response, body, length string, err error) {
					t.Helper()
					if err != nil || resp == nil {
						t.Fatalf("%s: %v %q, %v", how, resp, body, err)
					}
					if resp.Status != tt.status || resp.Header.Get(header) != "/files/a.bin" || resp.Header.Get("Content-Length") != length || body != tt.body {
						t.Errorf("%s: %s %v %q", how, resp.Status, resp.Header, body)
					}
				}
				got, err := r.talk(raw + "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				after := wire(helloHead + "Connection: close\n\nHello World!")
				first, inStep := strings.CutSuffix(got, after)
				if err != nil || !inStep {
					t.Fatalf("the connection is out of step: %q, %v", got, err)
				}
				resp, body, err := read(strings.NewReader(first), tt.method)
				check("http", resp, body, tt.http, err)

				got, err = r.talk(strings.Replace(raw, "HTTP/1.1", "HTTP/1.0", 1))
				if err != nil {
					t.Fatal(err)
				}
				resp, body, err = read(strings.NewReader(got), tt.method)
				check("http 1.0", resp, body, tt.http, err)

				resp, body, err = r.overUWSGI(raw)
				if err == io.ErrUnexpectedEOF { // the front server takes no body from here
					err = nil
				}
				check("uwsgi", resp, body, tt.uwsgi, err)
			})
		}
	}
	r.t = t
	for _, raw := range []string{
		respond("200 OK", `[["X-Sendfile","/a"],["Content-Length","2"]]`, `["abc"]`),    // longer than announced
		respond("200 OK", `[["X-Sendfile-Type","/a"],["Content-Length","5"]]`, `["a"]`), // another header
	} {
		if status, _ := r.get(raw); status != 500 {
			t.Errorf("%s: %d", raw, status)
		}
	}
	r.wantHello()
}

// TestFrontServerKnowsBetter: what a uwsgi packet says of names and addresses is what the
// app sees, whatever the server thinks of its own.
func TestFrontServerKnowsBetter(t *testing.T) {
	r := start(t, setup{wsgi: Options{ServerName: "own.example"}})
	_, body, err := r.overUWSGI("GET /environ HTTP/1.1\r\nHost: a\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	var environ map[string]any
	if err := json.Unmarshal([]byte(body), &environ); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	for name, want := range map[string]string{"REMOTE_ADDR": "203.0.113.7", "SERVER_NAME": "example.org", "SERVER_PORT": "80", "PATH_INFO": "/environ"} {
		if environ[name] != want {
			t.Errorf("%s is %v, want %s", name, environ[name], want)
		}
	}
}

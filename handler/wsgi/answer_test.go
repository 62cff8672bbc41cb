package wsgi

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

const (
	helloHead = "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 12\nDate: *\n"
	failed    = "HTTP/1.1 500 Internal Server Error\nContent-Type: text/plain; charset=utf-8\nContent-Length: 22\nDate: *\n\nInternal Server Error\n"
)

// wire turns a response that is written with "\n" in its head into what is sent.
func wire(s string) string {
	if s == "" {
		return ""
	}
	head, body, _ := strings.Cut(s, "\n\n")
	return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body
}

func respond(status, headers, blocks string, more ...string) string {
	return ask("/respond", append([]string{"status", status, "headers", headers, "blocks", blocks}, more...)...)
}

// TestAnswers compares what clients get byte for byte. Where the connection is
// kept a second request shows that it is still in step.
func TestAnswers(t *testing.T) {
	r := start(t, setup{engine: engine.Options{Loops: 2}, worker: worker.Config{Processes: 2}})
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	content := strings.Repeat("0123456789abcdef", 20_000)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `[["Content-Type","text/plain"]]`
	chunked := "HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked\nDate: *\n\n"
	sized := func(n int) string {
		return "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: " + strconv.Itoa(n) + "\nDate: *\n\n"
	}
	for _, tt := range []struct {
		name   string
		method string // default GET
		target string
		want   string // whole; or, where cut is set, what comes before the connection is cut
		cut    bool
		log    string // what the app's stderr must say
	}{
		{name: "hello", target: "/hello", want: helloHead + "\nHello World!"},
		{name: "write", target: "/write", want: chunked + "4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"},
		{name: "several_blocks", target: respond("200 OK", text, `["a","","bc"]`), want: sized(3) + "abc"},
		{name: "iterator", target: respond("200 OK", text, `["a","","bc"]`, "iter", "1"), want: chunked + "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"},
		{name: "iterator_with_length", target: respond("200 OK", `[["Content-Type","text/plain"],["Content-Length","3"]]`, `["a","bc"]`, "iter", "1"), want: sized(3) + "abc"},
		{name: "empty", target: respond("200 OK", text, `[]`), want: sized(0)},
		{name: "empty_iterator", target: respond("200 OK", text, `[]`, "iter", "1"), want: sized(0)},
		{name: "reason", target: respond("418 Short and stout", `[]`, `["tea"]`), want: "HTTP/1.1 418 Short and stout\nContent-Length: 3\nDate: *\n\ntea"},
		{name: "no_reason", target: respond("404", `[]`, `[]`), want: "HTTP/1.1 404 Not Found\nContent-Length: 0\nDate: *\n\n"},
		{name: "own_date", target: respond("200 OK", `[["Date","Sun, 06 Nov 1994 08:49:37 GMT"]]`, `["x"]`), want: "HTTP/1.1 200 OK\nDate: *\nContent-Length: 1\n\nx"},
		{name: "latin1", target: respond("200 OK", `[["X-Name","caf\u00e9"]]`, `[]`), want: "HTTP/1.1 200 OK\nX-Name: caf\xe9\nContent-Length: 0\nDate: *\n\n"},
		{name: "two_cookies", target: respond("200 OK", `[["Set-Cookie","a=1"],["Set-Cookie","b=2"]]`, `[]`), want: "HTTP/1.1 200 OK\nSet-Cookie: a=1\nSet-Cookie: b=2\nContent-Length: 0\nDate: *\n\n"},
		{name: "hop_by_hop_dropped", target: respond("200 OK", `[["Transfer-Encoding","chunked"],["Keep-Alive","5"]]`, `["x"]`), want: "HTTP/1.1 200 OK\nContent-Length: 1\nDate: *\n\nx"},
		{name: "length_twice", target: respond("200 OK", `[["Content-Length","1"],["content-length","1"]]`, `["x"]`), want: "HTTP/1.1 200 OK\nContent-Length: 1\nDate: *\n\nx"},

		{name: "length_with_blanks", target: respond("200 OK", `[["Content-Length"," 3\t"]]`, `["abc"]`), want: "HTTP/1.1 200 OK\nContent-Length: 3\nDate: *\n\nabc"},
		{name: "length_with_blank_inside", target: respond("200 OK", `[["Content-Length","1 3"]]`, `["abc"]`), want: failed, log: "Content-Length '1 3'"},

		{name: "head", method: "HEAD", target: "/hello", want: helloHead + "\n"},
		{name: "head_length_given", method: "HEAD", target: respond("200 OK", `[["Content-Length","1234"]]`, `[]`), want: "HTTP/1.1 200 OK\nContent-Length: 1234\nDate: *\n\n"},
		{name: "head_write", method: "HEAD", target: "/write", want: "HTTP/1.1 200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked\nDate: *\n\n"},
		{name: "head_file", method: "HEAD", target: ask("/file", "file", path), want: sized(len(content))},
		{name: "no_content", target: respond("204 No Content", `[]`, `[]`), want: "HTTP/1.1 204 No Content\nDate: *\n\n"},
		{name: "no_content_with_body", target: respond("204 No Content", `[]`, `["x"]`), want: "HTTP/1.1 204 No Content\nDate: *\n\n"},
		{name: "not_modified", target: respond("304 Not Modified", `[["ETag","\"x\""]]`, `[]`), want: "HTTP/1.1 304 Not Modified\nETag: \"x\"\nDate: *\n\n"},
		{name: "not_modified_with_body", target: respond("304 Not Modified", `[]`, `["x"]`), want: "HTTP/1.1 304 Not Modified\nDate: *\n\n"},
		{name: "not_modified_with_length", target: respond("304 Not Modified", `[["Content-Length","5"]]`, `[]`), want: "HTTP/1.1 304 Not Modified\nContent-Length: 5\nDate: *\n\n"},

		{name: "file", target: ask("/file", "file", path), want: sized(len(content)) + content},
		{name: "file_from_position", target: ask("/file", "file", path, "from", "319990"), want: sized(10) + content[319990:]},
		{name: "file_past_end", target: ask("/file", "file", path, "from", "999999"), want: sized(0)},
		{name: "memory", target: ask("/memory", "n", "2500"), want: chunked + "3e8\r\n" + strings.Repeat("m", 1000) + "\r\n3e8\r\n" + strings.Repeat("m", 1000) + "\r\n1f4\r\n" + strings.Repeat("m", 500) + "\r\n0\r\n\r\n"},
		{name: "big", target: ask("/big", "n", "300000"), want: sized(300000) + strings.Repeat("b", 300000)},

		{name: "exc_info_before", target: "/exc_info_before", want: "HTTP/1.1 500 Sorry\nContent-Type: text/plain\nContent-Length: 5\nDate: *\n\nsorry"},
		{name: "exc_info_after", target: "/exc_info_after", want: chunked + "5\r\nbegun\r\n", cut: true, log: "KeyError: 'lost'"},
		{name: "fail", target: "/fail", want: failed, log: "RuntimeError: before the head"},
		{name: "fail_head", target: "/fail_head", want: failed, log: "RuntimeError: after start_response"},
		{name: "fail_first", target: "/fail_first", want: failed, log: "RuntimeError: in the generator"},
		{name: "fail_body", target: "/fail_body", want: chunked + "5\r\nbegun\r\n", cut: true, log: "RuntimeError: in the middle"},
		{name: "no_start", target: "/no_start", want: failed, log: "start_response"},
		{name: "strings", target: "/strings", want: failed, log: "must hold bytes, not str"},
		{name: "nothing", target: "/nothing", want: failed, log: "TypeError"},
		{name: "unknown", target: "/unknown", want: failed, log: "KeyError: 'unknown'"},

		{name: "too_short", target: respond("200 OK", `[["Content-Length","5"]]`, `["abc"]`), want: failed, log: "LengthError"},
		{name: "too_long", target: respond("200 OK", `[["Content-Length","2"]]`, `["abc"]`), want: failed, log: "LengthError"},
		{name: "too_short_streamed", target: respond("200 OK", `[["Content-Length","5"]]`, `["abc"]`, "iter", "1"), want: "HTTP/1.1 200 OK\nContent-Length: 5\nDate: *\n\nabc", cut: true, log: "LengthError"},
		{name: "length_word", target: respond("200 OK", `[["Content-Length","five"]]`, `["abc"]`), want: failed, log: "Content-Length 'five'"},
		{name: "lengths_differ", target: respond("200 OK", `[["Content-Length","1"],["Content-Length","2"]]`, `["x"]`), want: failed, log: "Content-Length"},
		{name: "header_crlf", target: respond("200 OK", `[["X","a\r\nSet-Cookie: evil=1"]]`, `[]`), want: failed, log: "line break"},
		{name: "header_nul", target: respond("200 OK", `[["X","a\u0000"]]`, `[]`), want: failed, log: "control character"},
		{name: "header_beyond_latin1", target: respond("200 OK", `[["X","\u20ac"]]`, `[]`), want: failed, log: "latin-1"},
		{name: "header_name", target: respond("200 OK", `[["X Y","a"]]`, `[]`), want: failed, log: "not a possible header name"},
		{name: "status_crlf", target: respond("200 OK\r\nX: y", `[]`, `[]`), want: failed, log: "status must be"},
		{name: "status_interim", target: respond("100 Continue", `[]`, `[]`), want: failed, log: "status must be"},
		{name: "status_600", target: respond("600 Unparsable", `[]`, `["x"]`), want: "HTTP/1.1 600 Unparsable\nContent-Length: 1\nDate: *\n\nx"},
		{name: "status_999", target: respond("999 Much", `[]`, `[]`, "iter", "1"), want: "HTTP/1.1 999 Much\nContent-Length: 0\nDate: *\n\n"},
		{name: "status_1000", target: respond("1000 More", `[]`, `[]`), want: failed, log: "status must be"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			method := tt.method
			if method == "" {
				method = "GET"
			}
			closed := filepath.Join(dir, "closed-"+tt.name)
			target := tt.target
			if !strings.Contains(tt.log, "Error") && !strings.Contains(target, "/file") && !strings.Contains(target, "/memory") {
				sep := "?"
				if strings.Contains(target, "?") {
					sep = "&"
				}
				if strings.Contains(target, "iter") { // Closing hides lists from the server
					target += sep + "closed=" + closed
				}
			}
			raw := method + " " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"
			want := wire(tt.want)
			if tt.cut {
				got, err := r.talk(raw)
				if err == nil {
					t.Error("the connection was closed as after a whole answer")
				}
				if diff := cmp.Diff(want, got); diff != "" && got != "" { // a reset may take what has not been read
					t.Errorf("cut answer (-want +got):\n%s", diff)
				}
				if _, _, err := r.overUWSGI(raw); err == nil {
					t.Error("over uwsgi the answer seems whole")
				}
			} else {
				got, err := r.talk(raw + "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
				if err != nil {
					t.Error(err)
				}
				after := wire(helloHead + "Connection: close\n\nHello World!")
				if diff := cmp.Diff(want+after, got); diff != "" {
					t.Errorf("answer (-want +got):\n%.3000s", diff)
				}
				whole, wantBody, err := read(strings.NewReader(want), method)
				if err != nil {
					t.Fatal(err)
				}
				resp, body, err := r.overUWSGI(raw)
				if err != nil || resp.Status != whole.Status || body != wantBody || resp.Header.Get("Set-Cookie") != whole.Header.Get("Set-Cookie") {
					t.Errorf("over uwsgi: %v %.200q, %v", resp, body, err)
				}
			}
			if strings.Contains(target, "closed=") {
				r.waitFile(closed)
			}
			if !strings.Contains(r.output(), tt.log) {
				t.Errorf("stderr has no %q", tt.log)
			}
			if named := "Exception in the answer to " + method + " " + target + "\n"; tt.log != "" && !strings.Contains(r.output(), named) {
				t.Errorf("stderr has no %q", named)
			}
		})
	}
	r.t = t
	r.wantHello()
}

func TestHTTP10(t *testing.T) {
	r := start(t, setup{})
	for _, tt := range []struct{ name, target, fields, want string }{
		{"list", "/hello", "", helloHead + "Connection: close\n\nHello World!"},
		{"stream_ends_with_the_connection", "/write", "Connection: keep-alive\r\n", "HTTP/1.1 200 OK\nContent-Type: text/plain\nDate: *\nConnection: close\n\none two three"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := r.talk("GET " + tt.target + " HTTP/1.0\r\n" + tt.fields + "\r\n")
			if diff := cmp.Diff(wire(tt.want), got); diff != "" || err != nil {
				t.Errorf("answer (-want +got), %v:\n%s", err, diff)
			}
		})
	}
	got, err := r.talk("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.0\r\n\r\n")
	want := wire(helloHead+"Connection: keep-alive\n\nHello World!") + wire(helloHead+"Connection: close\n\nHello World!")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("kept (-want +got), %v:\n%s", err, diff)
	}
}

func TestBodies(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    engine.Options
		size int
	}{
		{"small", engine.Options{}, 10},
		{"inline", engine.Options{}, 60 << 10},
		{"file", engine.Options{}, 1 << 20},
		{"memory_beyond_the_queue", engine.Options{BodyMemory: 4 << 20}, 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := start(t, setup{engine: tt.o})
			body := strings.Repeat("0123456789", tt.size/10)
			length := "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
			half := len(body) / 2
			chunked := "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
			for _, part := range []string{body[:half], body[half:]} {
				chunked += strconv.FormatInt(int64(len(part)), 16) + "\r\n" + part + "\r\n"
			}
			check := func(how string, resp *http.Response, got string, err error) {
				t.Helper()
				if err != nil || got != body || resp.Header.Get("X-Length") != strconv.Itoa(len(body)) {
					t.Errorf("%s: %d bytes of %d, %v", how, len(got), len(body), err)
				}
			}
			resp, got, err := read(r.send(length), "POST")
			check("length", resp, got, err)
			resp, got, err = read(r.send(chunked+"0\r\n\r\n"), "POST")
			check("chunked", resp, got, err)
			resp, got, err = r.overUWSGI(length)
			check("uwsgi", resp, got, err)
		})
	}
}

func TestLargeHeads(t *testing.T) {
	r := start(t, setup{engine: engine.Options{Limits: codec.Limits{Head: 64 << 10, Target: 32 << 10}}})
	value := strings.Repeat("\xe9", 30<<10)
	target := "/environ?q=" + strings.Repeat("q", 30<<10)
	resp, body, err := read(r.send("GET "+target+" HTTP/1.1\r\nHost: a\r\nX-Large: "+value+"\r\n\r\n"), "GET")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	var environ map[string]any
	if err := json.Unmarshal([]byte(body), &environ); err != nil {
		t.Fatal(err)
	}
	if environ["HTTP_X_LARGE"] != strings.Repeat("é", 30<<10) || environ["REQUEST_URI"] != target {
		t.Error("the app got another head than was sent")
	}
}

func TestStreamed(t *testing.T) {
	r := start(t, setup{})
	dir := t.TempDir()
	gate, closed := filepath.Join(dir, "gate"), filepath.Join(dir, "closed")
	c := r.send("GET " + ask("/stream", "gate", gate, "closed", closed) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	var got strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(got.String(), "first\r\n"); {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatalf("%q, %v", got.String(), err)
		}
		got.Write(b)
	}
	if exists(closed) {
		t.Error("close was called in the middle")
	}
	touch(t, gate) // only now does the app make the second block
	rest, err := io.ReadAll(c)
	if err != nil || string(rest) != "6\r\nsecond\r\n0\r\n\r\n" {
		t.Errorf("rest %q, %v", rest, err)
	}
	r.waitFile(closed)
}

func TestValidated(t *testing.T) {
	r := start(t, setup{worker: worker.Config{Apps: []worker.App{{File: "testdata/validated.py"}}}})
	for _, raw := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /a%20b?c HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
	} {
		method, _, _ := strings.Cut(raw, " ")
		resp, body, err := read(r.send(raw), method)
		if err != nil || resp.StatusCode != 200 || method != "HEAD" && !strings.HasPrefix(body, "valid") {
			t.Errorf("%s: %v %q, %v", method, resp, body, err)
		}
		if resp, _, err := r.overUWSGI(raw); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s over uwsgi: %v, %v", method, resp, err)
		}
	}
}

func TestMounted(t *testing.T) {
	hello := worker.App{File: "testdata/hello.py"}
	at := func(prefix string) worker.App { a := hello; a.Mount = prefix; return a }
	r := start(t, setup{wsgi: Options{ManageScriptName: true}, worker: worker.Config{Apps: []worker.App{at("/a"), at("/b")}}})
	for _, tt := range []struct {
		target string
		status int
		body   string
	}{
		{"/a/x", 200, "Python answers /a/x\n"},
		{"/b", 200, "Python answers /b\n"},
		{"/bb", 404, "Not Found\n"},
		{"/", 404, "Not Found\n"},
	} {
		if status, body := r.get(tt.target); status != tt.status || body != tt.body {
			t.Errorf("%s: %d %q", tt.target, status, body)
		}
	}
}

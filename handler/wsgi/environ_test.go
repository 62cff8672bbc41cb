package wsgi

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/codec/uwsgi"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// patience bounds every wait for a condition.
const patience = 20 * time.Second

// onLoop has fn called with the exchange of raw, sent to a listener at addr, and
// returns the address of the client. There is no Python in it.
func onLoop(t testing.TB, addr string, o engine.Options, lo engine.ListenOptions, raw []byte, fn func(l *loopState, x *engine.Exchange)) net.Addr {
	t.Helper()
	o.Logf = t.Logf
	srv, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := srv.Listen(addr, lo)
	if err != nil {
		_ = srv.Close()
		t.Skipf("listen: %v", err)
	}
	l := &loopState{h: &Handler{host: []byte("box")}}
	served := make(chan error, 1)
	go func() {
		served <- srv.Serve(engine.WholeBody(engine.HandlerFunc(func(x *engine.Exchange) {
			fn(l, x)
			x.ReplyText(200, "ok")
		})))
	}()
	defer func() {
		_ = srv.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	}()
	network := "tcp"
	if ln.Unix() {
		network = "unix"
	}
	c, err := net.Dial(network, ln.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(raw); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Fatalf("answer %q, %v", answer, err)
	}
	return c.LocalAddr()
}

// environOf returns the environ of raw. The ports, which the kernel chose, are
// checked and replaced.
func environOf(t testing.TB, addr string, o engine.Options, lo engine.ListenOptions, raw []byte) map[string]any {
	t.Helper()
	var b []byte
	var port uint16
	client := onLoop(t, addr, o, lo, raw, func(l *loopState, x *engine.Exchange) {
		port = x.Listener().Port()
		r := x.Request()
		b = l.appendEnviron(pymarshal.AppendTupleHead(nil, 2), x, r.Bytes(r.ScriptName), r.Path())
	})
	v, err := pymarshal.Unmarshal(b)
	if err != nil {
		t.Fatal(err)
	}
	// As shim/worker.py puts it together.
	environ := make(map[string]any)
	for i, value := range v.([]any)[0].([]any) {
		environ[worker.Variables[i]] = value
	}
	maps.Copy(environ, v.([]any)[1].(map[string]any))
	replace := func(key, want, with string) {
		if got, ok := environ[key]; ok && port != 0 && want != "" && got == want {
			environ[key] = with
		}
	}
	replace("SERVER_PORT", strconv.Itoa(int(port)), "its own")
	if a, ok := client.(*net.TCPAddr); ok {
		replace("REMOTE_PORT", strconv.Itoa(a.Port), "the client's")
	}
	return environ
}

func text(environ map[string]any) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(environ)) {
		fmt.Fprintf(&b, "%s = %q\n", k, environ[k])
	}
	return b.String()
}

func packet(t testing.TB, body string, vars ...uwsgi.Var) []byte {
	t.Helper()
	b, err := uwsgi.AppendPacket(nil, 0, 0, vars)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, body...)
}

// nginx returns what nginx's uwsgi_params make of a request, with these in place
// of, or besides, the usual variables; a value of "-" leaves one out.
func nginx(set ...uwsgi.Var) []uwsgi.Var {
	vars := []uwsgi.Var{
		{Name: "QUERY_STRING"},
		{Name: "REQUEST_METHOD", Value: "GET"},
		{Name: "CONTENT_TYPE"},
		{Name: "CONTENT_LENGTH"},
		{Name: "REQUEST_URI", Value: "/"},
		{Name: "PATH_INFO", Value: "/"},
		{Name: "DOCUMENT_ROOT", Value: "/usr/share/nginx/html"},
		{Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
		{Name: "REQUEST_SCHEME", Value: "http"},
		{Name: "REMOTE_ADDR", Value: "203.0.113.7"},
		{Name: "REMOTE_PORT", Value: "51234"},
		{Name: "SERVER_PORT", Value: "80"},
		{Name: "SERVER_NAME", Value: "example.org"},
		{Name: "HTTP_HOST", Value: "example.org"},
	}
	for _, v := range set {
		i := slices.IndexFunc(vars, func(o uwsgi.Var) bool { return o.Name == v.Name })
		switch {
		case i < 0:
			vars = append(vars, v)
		case v.Value == "-":
			vars = slices.Delete(vars, i, i+1)
		default:
			vars[i] = v
		}
	}
	return vars
}

const wrk = "GET /plain/path?a=1 HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nUser-Agent: wrk/4.2.0\r\nAccept: */*\r\n\r\n"

func TestEnviron(t *testing.T) {
	get := func(target, fields string) []byte {
		return []byte("GET " + target + " HTTP/1.1\r\nHost: example.org\r\n" + fields + "\r\n")
	}
	v := func(name, value string) uwsgi.Var { return uwsgi.Var{Name: name, Value: value} }
	overUWSGI := engine.ListenOptions{Protocol: engine.UWSGI}
	underscores := engine.Options{Policy: codec.Policy{Underscores: true}}
	for _, tt := range []struct {
		name string
		addr string
		o    engine.Options
		lo   engine.ListenOptions
		raw  []byte
	}{
		{name: "http_plain", raw: []byte(wrk)},
		{name: "http10", raw: []byte("GET / HTTP/1.0\r\n\r\n")},
		{name: "http_percent", raw: get("/caf%C3%A9/%2e%2e/a%20b/%2F?q=%C3%A9+x", "")},
		{name: "http_latin1", raw: get("/", "X-Name: caf\xe9 \xff\r\n")},
		{name: "http_query_empty", raw: get("/?", "")},
		{name: "http_query_only_marks", raw: get("/???", "")},
		{name: "http_absolute_form", raw: get("http://other.example:8080/x?y", "")},
		{name: "http_absolute_form_no_path", raw: get("http://other.example?y", "")},
		{name: "http_asterisk", raw: []byte("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")},
		{name: "http_duplicates", raw: get("/", "Accept: a\r\nX-One: 1\r\nCookie: a=1\r\naccept: b\r\nCookie: b=2\r\nACCEPT: c\r\n")},
		{name: "http_duplicates_empty", raw: get("/", "Accept:\r\nAccept: a\r\nAccept:\r\n")},
		{name: "http_case", raw: get("/", "x-Mixed-cAse: V\r\n")},
		{name: "http_proxy_dropped", raw: get("/", "Proxy: http://evil\r\n")},
		{name: "http_underscores_dropped", raw: get("/", "X_User: evil\r\nX-User: good\r\n")},
		{name: "http_underscores_let_in", o: underscores, raw: get("/", "X_User: a\r\nX-User: b\r\n")},
		{name: "http_hop_by_hop_dropped", raw: get("/", "Connection: keep-alive, X-Gone\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nTrailer: X\r\nProxy-Connection: close\r\n")},
		{name: "http_post", raw: []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")},
		{name: "http_post_no_length", raw: []byte("POST / HTTP/1.1\r\nHost: a\r\n\r\n")},
		{name: "http_post_empty", raw: []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")},
		{name: "http_get_zero_length", raw: get("/", "Content-Length: 0\r\n")},
		{name: "http_delete_with_body", raw: []byte("DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")},
		{name: "http_empty_content_type", raw: []byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Type:\r\n\r\n")},
		{name: "http_chunked", raw: []byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n y!\r\n0\r\nX-Trailer: 1\r\n\r\n")},
		{name: "http_chunked_empty", raw: []byte("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
		{name: "http_ipv6", addr: "[::1]:0", raw: []byte(wrk)},
		{name: "http_unix", addr: "unix", raw: []byte(wrk)},
		{name: "http_behind_tls", lo: engine.ListenOptions{HTTPS: true}, raw: []byte(wrk)},

		{name: "uwsgi_nginx", lo: overUWSGI, raw: packet(t, "", nginx()...)},
		{name: "uwsgi_https", lo: overUWSGI, raw: packet(t, "", nginx(v("HTTPS", "on"), v("REQUEST_SCHEME", "https"), v("SERVER_PORT", "443"))...)},
		{name: "uwsgi_scheme", lo: overUWSGI, raw: packet(t, "", nginx(v("UWSGI_SCHEME", "https"))...)},
		{name: "uwsgi_least", lo: overUWSGI, raw: packet(t, "", v("REQUEST_METHOD", "GET"))},
		{name: "uwsgi_script_name", lo: overUWSGI, raw: packet(t, "", nginx(v("SCRIPT_NAME", "/app"), v("PATH_INFO", "/x"))...)},
		{name: "uwsgi_latin1", lo: overUWSGI, raw: packet(t, "", nginx(v("PATH_INFO", "/caf\xc3\xa9"), v("REMOTE_USER", "J\xfcrgen"))...)},
		{name: "uwsgi_post", lo: overUWSGI, raw: packet(t, "hello", nginx(v("REQUEST_METHOD", "POST"), v("CONTENT_LENGTH", "5"), v("CONTENT_TYPE", "text/plain"))...)},
		{name: "uwsgi_headers", lo: overUWSGI, raw: packet(t, "", nginx(v("HTTP_PROXY", "http://evil"), v("HTTP_CONNECTION", "close"), v("HTTP_CONTENT_LENGTH", "5"), v("HTTP_X_REAL_IP", "198.51.100.1"))...)},
		{name: "uwsgi_forged", lo: overUWSGI, raw: packet(t, "", nginx(v("wsgi.url_scheme", "evil"), v("uwsgi.version", "evil"), v("UWSGI_FILE", "/tmp/evil.py"))...)},
		{name: "uwsgi_overridden", lo: overUWSGI, raw: packet(t, "body", append(nginx(v("REQUEST_METHOD", "POST"), v("CONTENT_LENGTH", "10"), v("CONTENT_TYPE", "a/a"), v("HTTP_X_USER", "a"), v("HTTP_COOKIE", "a=1")),
			v("CONTENT_LENGTH", "4"), v("CONTENT_TYPE", "b/b"), v("HTTP_HOST", "other.example"), v("HTTP_X_USER", "b"), v("HTTP_COOKIE", "b=2"), v("REMOTE_ADDR", "198.51.100.1"), v("PATH_INFO", "/b"))...)},
		{name: "uwsgi_emptied", lo: overUWSGI, raw: packet(t, "", append(nginx(v("REQUEST_METHOD", "POST"), v("CONTENT_LENGTH", "10"), v("CONTENT_TYPE", "a/a"), v("HTTP_X_USER", "a")),
			v("CONTENT_LENGTH", ""), v("CONTENT_TYPE", ""), v("HTTP_HOST", ""), v("HTTP_X_USER", ""), v("REMOTE_ADDR", ""))...)},
		{name: "uwsgi_other_spellings", lo: overUWSGI, raw: packet(t, "", append(nginx(v("CONTENT_TYPE", "good/type"), v("HTTP_X_USER", "good")),
			v("HTTP_content_type", "evil"), v("HTTP_Content-Type", "evil"), v("content_type", "evil"), v("HTTP_Content-Length", "9"), v("CONTENT-LENGTH", "9"),
			v("HTTP_Host", "evil"), v("http_host", "evil"), v("HTTP-HOST", "evil"), v("HTTP_X-USER", "evil"), v("HTTP_x_user", "evil"), v("path_info", "/evil"), v("Remote-Addr", "6.6.6.6"))...)},
		{name: "uwsgi_unix", addr: "unix", lo: overUWSGI, raw: packet(t, "", nginx(v("REMOTE_ADDR", ""))...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addr := tt.addr
			switch addr {
			case "":
				addr = "127.0.0.1:0"
			case "unix":
				addr = filepath.Join(t.TempDir(), "s")
			}
			got := text(environOf(t, addr, tt.o, tt.lo, tt.raw))
			golden := filepath.Join("testdata", "environ", tt.name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v: run go test -update", err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("environ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParity sends one request as HTTP and as nginx's packet of it: the app must
// not see a difference but for what nginx adds.
func TestParity(t *testing.T) {
	direct := environOf(t, "127.0.0.1:0", engine.Options{}, engine.ListenOptions{},
		[]byte("POST /shop/caf%C3%A9?page=2 HTTP/1.1\r\nHost: example.org\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"+
			"Cookie: a=1\r\nX-Forwarded-For: 198.51.100.1\r\nAccept: */*\r\nConnection: keep-alive\r\nProxy: x\r\n\r\nhello"))
	behind := environOf(t, "127.0.0.1:0", engine.Options{}, engine.ListenOptions{Protocol: engine.UWSGI}, packet(t, "hello",
		nginx(uwsgi.Var{Name: "REQUEST_METHOD", Value: "POST"}, uwsgi.Var{Name: "REQUEST_URI", Value: "/shop/caf%C3%A9?page=2"},
			uwsgi.Var{Name: "PATH_INFO", Value: "/shop/caf\xc3\xa9"}, uwsgi.Var{Name: "QUERY_STRING", Value: "page=2"},
			uwsgi.Var{Name: "CONTENT_TYPE", Value: "text/plain"}, uwsgi.Var{Name: "CONTENT_LENGTH", Value: "5"},
			uwsgi.Var{Name: "HTTP_CONTENT_TYPE", Value: "text/plain"}, uwsgi.Var{Name: "HTTP_CONTENT_LENGTH", Value: "5"},
			uwsgi.Var{Name: "HTTP_COOKIE", Value: "a=1"}, uwsgi.Var{Name: "HTTP_X_FORWARDED_FOR", Value: "198.51.100.1"},
			uwsgi.Var{Name: "HTTP_ACCEPT", Value: "*/*"}, uwsgi.Var{Name: "HTTP_CONNECTION", Value: "keep-alive"},
			uwsgi.Var{Name: "HTTP_PROXY", Value: "x"})...))
	for _, key := range []string{"DOCUMENT_ROOT", "REQUEST_SCHEME"} { // nginx adds these
		delete(behind, key)
	}
	for _, key := range []string{"SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR", "REMOTE_PORT"} { // and these are nginx's
		if direct[key] == nil || behind[key] == nil {
			t.Errorf("%s: %v over HTTP, %v behind nginx", key, direct[key], behind[key])
		}
		delete(direct, key)
		delete(behind, key)
	}
	if diff := cmp.Diff(text(direct), text(behind)); diff != "" {
		t.Errorf("environ (-HTTP +uwsgi):\n%s", diff)
	}
}

// TestManyFields holds an environ to a small multiple of its head, whatever is
// repeated in that: the queue takes requests of a certain size.
func TestManyFields(t *testing.T) {
	head := "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X-Many: "+strings.Repeat("v", 300)+"\r\n", 90) + "\r\n"
	onLoop(t, "127.0.0.1:0", engine.Options{}, engine.ListenOptions{}, []byte(head), func(l *loopState, x *engine.Exchange) {
		if b := l.appendEnviron(nil, x, nil, x.Request().Path()); len(b) > 2*len(head) {
			t.Errorf("%d bytes of environ for a head of %d", len(b), len(head))
		}
	})
}

func TestEnvironAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	raw := strings.Replace(wrk, "Accept: */*", "Accept: */*\r\nCookie: a\r\nCookie: b\r\nX-N: \xe9", 1)
	onLoop(t, "127.0.0.1:0", engine.Options{}, engine.ListenOptions{}, []byte(raw), func(l *loopState, x *engine.Exchange) {
		buf := make([]byte, 0, 64<<10)
		path := x.Request().Path()
		if n := testing.AllocsPerRun(100, func() { l.appendEnviron(buf, x, nil, path) }); n != 0 {
			t.Errorf("%v allocations per environ", n)
		}
	})
}

const browser = "GET /shop/items?page=2&sort=newest HTTP/1.1\r\nHost: shop.example.org\r\nConnection: keep-alive\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.7,de;q=0.3\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\nReferer: https://shop.example.org/shop/items/42\r\n" +
	"Cookie: sessionid=3nvw0u5u3nw1x5g2r8h7s6d9c4b1a0zz; csrftoken=Zk1TqYw7Qn3m5v8y\r\nUpgrade-Insecure-Requests: 1\r\n" +
	"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0, i\r\n\r\n"

func BenchmarkEnviron(b *testing.B) {
	for _, bm := range []struct {
		name string
		raw  []byte
		lo   engine.ListenOptions
	}{
		{"from=wrk", []byte(wrk), engine.ListenOptions{}},
		{"from=browser", []byte(browser), engine.ListenOptions{}},
		{"from=nginx", packet(b, "", nginx()...), engine.ListenOptions{Protocol: engine.UWSGI}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			onLoop(b, "127.0.0.1:0", engine.Options{}, bm.lo, bm.raw, func(l *loopState, x *engine.Exchange) {
				var buf []byte
				path := x.Request().Path()
				for b.Loop() {
					buf = l.appendEnviron(buf[:0], x, nil, path)
				}
			})
		})
	}
}

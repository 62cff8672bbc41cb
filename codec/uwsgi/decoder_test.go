package uwsgi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
)

// nginxVars is what nginx's uwsgi_params file and a browser's fields come to.
var nginxVars = []Var{
	{"QUERY_STRING", "page=2&sort=newest"},
	{"REQUEST_METHOD", "GET"},
	{"CONTENT_TYPE", ""},
	{"CONTENT_LENGTH", ""},
	{"REQUEST_URI", "/shop/caf%C3%A9/42?page=2&sort=newest"},
	{"PATH_INFO", "/shop/caf\xc3\xa9/42"},
	{"DOCUMENT_ROOT", "/usr/share/nginx/html"},
	{"SERVER_PROTOCOL", "HTTP/2.0"},
	{"REQUEST_SCHEME", "https"},
	{"HTTPS", "on"},
	{"REMOTE_ADDR", "203.0.113.77"},
	{"REMOTE_PORT", "51234"},
	{"SERVER_PORT", "443"},
	{"SERVER_NAME", "shop.example.org"},
	{"HTTP_HOST", "shop.example.org"},
	{"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"},
	{"HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.7,de;q=0.3"},
	{"HTTP_ACCEPT_ENCODING", "gzip, deflate, br, zstd"},
	{"HTTP_REFERER", "https://shop.example.org/shop/items/42"},
	{"HTTP_COOKIE", "sessionid=3nvw0u5u3nw1x5g2r8h7s6d9c4b1a0zz; csrftoken=Zk1TqYw7Qn3m5v8y"},
	{"HTTP_UPGRADE_INSECURE_REQUESTS", "1"},
	{"HTTP_CONNECTION", "keep-alive"},
}

// packetOf returns a packet of nginx's least variables and these, as name and
// value in turn.
func packetOf(t testing.TB, modifier1 byte, more ...string) []byte {
	t.Helper()
	vars := []Var{{"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/"}, {"PATH_INFO", "/"}}
	for i := 0; i < len(more); i += 2 {
		vars = append(vars, Var{more[i], more[i+1]})
	}
	b, err := AppendPacket(nil, modifier1, 0, vars)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// view is a request as text, for comparison.
type view struct {
	Method, Target, Path, Query, Authority, Version, ScriptName string
	Fields, Vars                                                []string
	ContentLength                                               int64
	HTTPS, Head, KeepAlive                                      bool
}

func viewOf(r *codec.Request) view {
	s := func(span codec.Span) string { return string(r.Bytes(span)) }
	list := func(fields []codec.Field) (out []string) {
		for _, f := range fields {
			out = append(out, s(f.Name)+"="+s(f.Value))
		}
		return out
	}
	return view{
		Method: s(r.Method), Target: s(r.Target), Path: string(r.Path()), Query: s(r.Query),
		Authority: s(r.Authority), Version: s(r.Version), ScriptName: s(r.ScriptName),
		Fields: list(r.Fields), Vars: list(r.Vars),
		ContentLength: r.ContentLength, HTTPS: r.HTTPS, Head: r.Head, KeepAlive: r.KeepAlive,
	}
}

func TestHeadNginx(t *testing.T) {
	packet, err := AppendPacket(nil, 0, 0, nginxVars)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	var r codec.Request
	buf := append(slices.Clip(packet), "body"...)
	n, err := d.Head(buf, &r)
	if n != len(packet) || err != nil {
		t.Fatalf("Head = %d, %v; want %d", n, err, len(packet))
	}
	if r.Proto != codec.UWSGI || d.Ping || d.Modifier1 != 0 || cap(r.Buf) != len(packet)-4 {
		t.Errorf("protocol %v, decoder %+v, cap(Buf) %d", r.Proto, d, cap(r.Buf))
	}
	want := view{
		Method: "GET", Target: "/shop/caf%C3%A9/42?page=2&sort=newest", Path: "/shop/caf\xc3\xa9/42",
		Query: "page=2&sort=newest", Authority: "shop.example.org", Version: "HTTP/2.0",
		Fields: []string{
			"CONTENT_TYPE=", "HOST=shop.example.org",
			"USER_AGENT=Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
			"ACCEPT=text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
			"ACCEPT_LANGUAGE=en-GB,en;q=0.7,de;q=0.3", "ACCEPT_ENCODING=gzip, deflate, br, zstd",
			"REFERER=https://shop.example.org/shop/items/42",
			"COOKIE=sessionid=3nvw0u5u3nw1x5g2r8h7s6d9c4b1a0zz; csrftoken=Zk1TqYw7Qn3m5v8y",
			"UPGRADE_INSECURE_REQUESTS=1",
		},
		Vars: []string{
			"DOCUMENT_ROOT=/usr/share/nginx/html", "REQUEST_SCHEME=https", "HTTPS=on", "REMOTE_ADDR=203.0.113.77",
			"REMOTE_PORT=51234", "SERVER_PORT=443", "SERVER_NAME=shop.example.org",
		},
		HTTPS: true,
	}
	if diff := cmp.Diff(want, viewOf(&r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHeadVars(t *testing.T) {
	base := func(change func(*view)) view {
		v := view{Method: "GET", Target: "/", Path: "/"}
		change(&v)
		return v
	}
	tests := []struct {
		name      string
		modifier1 byte
		give      []string
		want      view
	}{
		{"least", 0, nil, base(func(*view) {})},
		{"body", 0, []string{"REQUEST_METHOD", "POST", "CONTENT_LENGTH", "0012", "CONTENT_TYPE", "text/plain"}, base(func(v *view) {
			v.Method, v.ContentLength, v.Fields = "POST", 12, []string{"CONTENT_TYPE=text/plain"}
		})},
		{"head", 0, []string{"REQUEST_METHOD", "HEAD"}, base(func(v *view) { v.Method, v.Head = "HEAD", true })},
		{"last_wins", 0, []string{"PATH_INFO", "/a", "PATH_INFO", "/b", "QUERY_STRING", "x", "QUERY_STRING", ""}, base(func(v *view) { v.Path = "/b" })},
		{"var_twice", 0, []string{"REMOTE_USER", "a", "REMOTE_ADDR", "1", "REMOTE_USER", "b"}, base(func(v *view) {
			v.Vars = []string{"REMOTE_USER=b", "REMOTE_ADDR=1"}
		})},
		{"app_chosen_twice", 0, []string{"UWSGI_APPID", "/a", "UWSGI_APPID", "/b"}, base(func(v *view) { v.Vars = []string{"UWSGI_APPID=/b"} })},
		{"field_twice", 0, []string{"HTTP_VIA", "a", "HTTP_X", "", "HTTP_VIA", "b"}, base(func(v *view) {
			v.Fields = []string{"VIA=b", "X="}
		})},
		{"field_then_empty", 0, []string{"HTTP_X_USER", "admin", "HTTP_X_USER", ""}, base(func(v *view) { v.Fields = []string{"X_USER="} })},
		{"fields_of_like_names", 0, []string{"HTTP_XA", "1", "HTTP_XB", "2", "HTTP_AX", "3", "HTTP_X", "4", "HTTP_XA", "5"}, base(func(v *view) {
			v.Fields = []string{"XA=5", "XB=2", "AX=3", "X=4"}
		})},
		{"length_then_empty", 0, []string{"CONTENT_LENGTH", "10", "CONTENT_LENGTH", ""}, base(func(*view) {})},
		{"empty_then_length", 0, []string{"CONTENT_LENGTH", "", "CONTENT_LENGTH", "10"}, base(func(v *view) { v.ContentLength = 10 })},
		{"two_lengths", 0, []string{"CONTENT_LENGTH", "10", "CONTENT_LENGTH", "4"}, base(func(v *view) { v.ContentLength = 4 })},
		{"word_then_length", 0, []string{"CONTENT_LENGTH", "x", "CONTENT_LENGTH", "4"}, base(func(v *view) { v.ContentLength = 4 })},
		{"length_with_blanks", 0, []string{"CONTENT_LENGTH", " 4\t"}, base(func(v *view) { v.ContentLength = 4 })},
		{"length_of_blanks", 0, []string{"CONTENT_LENGTH", " "}, base(func(*view) {})},
		{"two_types", 0, []string{"CONTENT_TYPE", "a/a", "CONTENT_TYPE", "b/b"}, base(func(v *view) { v.Fields = []string{"CONTENT_TYPE=b/b"} })},
		{"type_then_empty", 0, []string{"CONTENT_TYPE", "a/a", "CONTENT_TYPE", ""}, base(func(v *view) { v.Fields = []string{"CONTENT_TYPE="} })},
		{"two_hosts", 0, []string{"HTTP_HOST", "a", "HTTP_HOST", "b"}, base(func(v *view) {
			v.Authority, v.Fields = "b", []string{"HOST=b"}
		})},
		{"host_then_empty", 0, []string{"HTTP_HOST", "a", "HTTP_HOST", ""}, base(func(v *view) { v.Fields = []string{"HOST="} })},
		{"two_schemes", 0, []string{"HTTPS", "on", "HTTPS", ""}, base(func(v *view) { v.Vars = []string{"HTTPS="} })},
		{"two_methods", 0, []string{"REQUEST_METHOD", "HEAD", "REQUEST_METHOD", "GET"}, base(func(*view) {})},
		{"other_spellings_of_names", 0, []string{
			"CONTENT_TYPE", "good", "HTTP_content_type", "evil", "HTTP_Content-Type", "evil", "HTTP_CONTENT-TYPE", "evil", "content_type", "evil",
		}, base(func(v *view) {
			v.Fields = []string{"CONTENT_TYPE=good"}
			v.Vars = []string{"HTTP_content_type=evil", "HTTP_Content-Type=evil", "HTTP_CONTENT-TYPE=evil", "content_type=evil"}
		})},
		{"other_spellings_of_host", 0, []string{"HTTP_HOST", "good", "HTTP_Host", "evil", "http_host", "evil", "HTTP-HOST", "evil", "Host", "evil"}, base(func(v *view) {
			v.Authority, v.Fields = "good", []string{"HOST=good"}
			v.Vars = []string{"HTTP_Host=evil", "http_host=evil", "HTTP-HOST=evil", "Host=evil"}
		})},
		{"other_spellings_of_length", 0, []string{"content_length", "9", "Content-Length", "9", "CONTENT-LENGTH", "9"}, base(func(v *view) {
			v.Vars = []string{"content_length=9", "Content-Length=9", "CONTENT-LENGTH=9"}
		})},
		{"other_spellings_of_a_field", 0, []string{"HTTP_X_USER", "good", "HTTP_X-USER", "evil", "HTTP_x_user", "evil"}, base(func(v *view) {
			v.Fields, v.Vars = []string{"X_USER=good"}, []string{"HTTP_X-USER=evil", "HTTP_x_user=evil"}
		})},
		{"other_spellings_alone", 0, []string{"HTTP_x_user", "evil", "path_info", "/evil", "Script_Name", "/evil", "REQUEST-METHOD", "PUT"}, base(func(v *view) {
			v.Vars = []string{"HTTP_x_user=evil", "path_info=/evil", "Script_Name=/evil", "REQUEST-METHOD=PUT"}
		})},
		{"policy_in_other_spellings", 0, []string{"HTTP_Proxy", "http://evil", "HTTP_Transfer-Encoding", "chunked", "HTTP_content_length", "9", "HTTP_connection", "close"}, base(func(*view) {})},
		{"empty_path", 0, []string{"PATH_INFO", ""}, base(func(v *view) { v.Path = "" })},
		{"path_not_decoded_again", 0, []string{"PATH_INFO", "/%41/../b\n"}, base(func(v *view) { v.Path = "/%41/../b\n" })},
		{"https_off", 0, []string{"HTTPS", "off"}, base(func(v *view) { v.Vars = []string{"HTTPS=off"} })},
		{"https_one", 0, []string{"HTTPS", "1"}, base(func(v *view) { v.HTTPS, v.Vars = true, []string{"HTTPS=1"} })},
		{"https_on_capitals", 0, []string{"HTTPS", "ON"}, base(func(v *view) { v.HTTPS, v.Vars = true, []string{"HTTPS=ON"} })},
		{"scheme", 0, []string{"UWSGI_SCHEME", "https"}, base(func(v *view) { v.HTTPS, v.Vars = true, []string{"UWSGI_SCHEME=https"} })},
		{"scheme_over_https", 0, []string{"UWSGI_SCHEME", "http", "HTTPS", "on"}, base(func(v *view) {
			v.Vars = []string{"UWSGI_SCHEME=http", "HTTPS=on"}
		})},
		{"appid_kept", 0, []string{"UWSGI_APPID", "app"}, base(func(v *view) { v.Vars = []string{"UWSGI_APPID=app"} })},
		{"control_variables_dropped", 0, []string{
			"UWSGI_FILE", "exec://id", "UWSGI_SCRIPT", "os:system", "UWSGI_MODULE", "os", "UWSGI_CALLABLE", "system",
			"UWSGI_HOME", "/tmp", "UWSGI_PYHOME", "/tmp", "UWSGI_CHDIR", "/", "UWSGI_SETENV", "PATH=/tmp",
			"UWSGI_TOUCH_RELOAD", "/x", "UWSGI_POSTFILE", "/etc/shadow", "UWSGI_CACHE_GET", "k",
		}, base(func(*view) {})},
		{"servers_own_keys_dropped", 0, []string{"wsgi.input", "x", "uwsgi.version", "y", "uwsgo.queue_time", "z"}, base(func(*view) {})},
		{"policy", 0, []string{
			"HTTP_PROXY", "http://evil", "HTTP_CONNECTION", "close", "HTTP_TRANSFER_ENCODING", "chunked", "HTTP_CONTENT_LENGTH", "9",
			"HTTP_CONTENT_TYPE", "text/evil", "HTTP_", "x", "HTTP_X_KEPT", "1",
		}, base(func(v *view) { v.Fields = []string{"X_KEPT=1"} })},
		{"script_name", 0, []string{"SCRIPT_NAME", "/app", "PATH_INFO", "/app/x"}, base(func(v *view) { v.ScriptName, v.Path = "/app", "/app/x" })},
		{"script_name_stripped", 30, []string{"SCRIPT_NAME", "/app", "PATH_INFO", "/app/x"}, base(func(v *view) { v.ScriptName, v.Path = "/app", "/x" })},
		{"script_name_is_path", 30, []string{"SCRIPT_NAME", "/app", "PATH_INFO", "/app"}, base(func(v *view) { v.ScriptName, v.Path = "/app", "" })},
		{"script_name_no_segment", 30, []string{"SCRIPT_NAME", "/app", "PATH_INFO", "/apple"}, base(func(v *view) { v.ScriptName, v.Path = "/app", "/apple" })},
		{"script_name_elsewhere", 30, []string{"SCRIPT_NAME", "/app", "PATH_INFO", "/x"}, base(func(v *view) { v.ScriptName, v.Path = "/app", "/x" })},
	}
	var d Decoder
	var r codec.Request // the same for all: nothing of one may be left for the next
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packet := packetOf(t, tt.modifier1, tt.give...)
			n, err := d.Head(packet, &r)
			if n != len(packet) || err != nil {
				t.Fatalf("Head = %d, %v; want %d", n, err, len(packet))
			}
			if diff := cmp.Diff(tt.want, viewOf(&r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeadErrors(t *testing.T) {
	many := func(name string, n int) (vars []string) {
		for i := range n {
			vars = append(vars, fmt.Sprintf("%s%d", name, i), "")
		}
		return vars
	}
	raw := func(vars string) []byte {
		return append([]byte{0, byte(len(vars)), byte(len(vars) >> 8), 0}, vars...)
	}
	const head = 32768
	tests := []struct {
		name       string
		give       []byte
		wantID     string
		wantStatus int
		wantSay    string
	}{
		{"http_get", []byte("GET / HTTP/1.1\r\n"), "block_size", 400, "invalid request block size: 21573 (max 32768)...skip (HTTP came"},
		{"http_post", []byte("POST"), "block_size", 400, "invalid request block size: 21327 (max 32768)...skip"},
		{"http_head", []byte("HEAD"), "block_size", 400, "invalid request block size: 16709 "},
		{"http_put", []byte("PUT "), "block_size", 400, "invalid request block size: 21589 "},
		{"http_options", []byte("OPTI"), "block_size", 400, "invalid request block size: 21584 "},
		{"tls", []byte("\x16\x03\x01\x02\x00"), "block_size", 400, "invalid request block size: 259 (max 32768)...skip (TLS came"},
		{"too_large", []byte{0, 0x01, 0x80, 0}, "block_size", 400, "invalid request block size: 32769 (max 32768)...skip"},
		{"too_large_before_modifier", []byte{7, 0xff, 0xff, 0}, "block_size", 400, "65535"},
		{"modifier", []byte{7, 0, 0, 0}, "modifier", 400, "-- unavailable modifier requested: 7 --"},
		{"empty", []byte{0, 0, 0, 0}, "empty_packet", 400, "Empty python request. skip."},
		{"null_key", raw("\x00\x00\x01\x00v"), "null_key", 400, "uwsgi key cannot be null"},
		{"half_a_key_length", raw("\x01"), "vars", 400, "invalid uwsgi request (current strsize: 1). skip."},
		{"key_outside", raw("\x05\x00abcd"), "vars", 400, "(current strsize: 6)"},
		{"value_length_missing", raw("\x01\x00a"), "vars", 400, "(current strsize: 3)"},
		{"half_a_value_length", raw("\x01\x00a\x01"), "vars", 400, "(current strsize: 4)"},
		{"value_outside", raw("\x01\x00a\x02\x00v"), "vars", 400, "(current strsize: 6)"},
		{"no_method", raw("\x01\x00a\x01\x00v"), "method", 400, "REQUEST_METHOD"},
		{"key_nul", packetOf(t, 0, "A\x00", ""), "key", 400, "printable"},
		{"key_newline", packetOf(t, 0, "HTTP_X\nY", ""), "key", 400, "printable"},
		{"key_not_ascii", packetOf(t, 0, "A\x80", ""), "key", 400, "printable"},
		{"method_empty", packetOf(t, 0, "REQUEST_METHOD", ""), "method", 400, "REQUEST_METHOD"},
		{"method_space", packetOf(t, 0, "REQUEST_METHOD", "GET /"), "method", 400, "REQUEST_METHOD"},
		{"method_long", packetOf(t, 0, "REQUEST_METHOD", strings.Repeat("M", 33)), "method_too_long", 501, ""},
		{"target_newline", packetOf(t, 0, "REQUEST_URI", "/\n"), "target", 400, ""},
		{"query_newline", packetOf(t, 0, "QUERY_STRING", "\r"), "target", 400, ""},
		{"target_long", packetOf(t, 0, "REQUEST_URI", strings.Repeat("/", codec.DefaultTarget+1)), "target_too_long", 414, ""},
		{"path_nul", packetOf(t, 0, "PATH_INFO", "/\x00"), "path", 400, "NUL"},
		{"script_name_nul", packetOf(t, 0, "SCRIPT_NAME", "/\x00"), "path", 400, "NUL"},
		{"protocol_newline", packetOf(t, 0, "SERVER_PROTOCOL", "HTTP/1.1\r\n"), "version", 400, "SERVER_PROTOCOL"},
		{"field_newline", packetOf(t, 0, "HTTP_X", "a\r\nb"), "field_value", 400, ""},
		{"type_newline", packetOf(t, 0, "CONTENT_TYPE", "a\r\nb: c"), "field_value", 400, ""},
		{"field_nul", packetOf(t, 0, "HTTP_X", "a\x00"), "field_value", 400, ""},
		{"length_sign", packetOf(t, 0, "CONTENT_LENGTH", "-1"), "content_length", 400, "Invalid (too big) CONTENT_LENGTH. skip."},
		{"length_text", packetOf(t, 0, "CONTENT_LENGTH", "1x"), "content_length", 400, "CONTENT_LENGTH"},
		{"length_list", packetOf(t, 0, "CONTENT_LENGTH", "1, 1"), "content_length", 400, "CONTENT_LENGTH"},
		{"length_then_text", packetOf(t, 0, "CONTENT_LENGTH", "1", "CONTENT_LENGTH", "x"), "content_length", 400, "CONTENT_LENGTH"},
		{"length_64_bits", packetOf(t, 0, "CONTENT_LENGTH", "9223372036854775808"), "content_length", 400, "CONTENT_LENGTH"},
		{"body_large", packetOf(t, 0, "CONTENT_LENGTH", fmt.Sprint(codec.DefaultBody+1)), "body_too_large", 413, ""},
		{"many_fields", packetOf(t, 0, many("HTTP_X", codec.DefaultFields+1)...), "too_many_vars", 431, "max vec size reached"},
		{"many_vars", packetOf(t, 0, many("X", codec.DefaultFields+1)...), "too_many_vars", 431, "max vec size reached"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decoder{Limits: codec.Limits{Head: head}}
			var r codec.Request
			n, err := d.Head(tt.give, &r)
			var e *codec.Error
			if n != 0 || !errors.As(err, &e) {
				t.Fatalf("Head = %d, %v; want 0 and a *codec.Error", n, err)
			}
			if e.ID != tt.wantID || e.Status != tt.wantStatus || !strings.Contains(e.Error(), tt.wantSay) {
				t.Errorf("error %s, %d, %q; want %s, %d, %q", e.ID, e.Status, e, tt.wantID, tt.wantStatus, tt.wantSay)
			}
		})
	}
}

// TestHeadEarly wants that a packet which cannot be served is refused when its
// first four bytes are there, and that one which can is waited for.
func TestHeadEarly(t *testing.T) {
	var d Decoder
	var r codec.Request
	packet := packetOf(t, 0)
	for i := range packet {
		if n, err := d.Head(packet[:i:i], &r); n != 0 || err != nil {
			t.Fatalf("Head of %d bytes of %d = %d, %v; want 0 and no error", i, len(packet), n, err)
		}
	}
	for _, bad := range []string{"GET ", "\x16\x03\x03\x00", "\x00\xff\xff\x00", "\x05\x01\x00\x00"} {
		if n, err := d.Head([]byte(bad[:3]), &r); n != 0 || err != nil {
			t.Errorf("Head(%q) = %d, %v; want 0 and no error", bad[:3], n, err)
		}
		if n, err := d.Head([]byte(bad), &r); n != 0 || err == nil {
			t.Errorf("Head(%q) = %d, %v; want an error", bad, n, err)
		}
	}
}

func TestHeadLimits(t *testing.T) {
	packet := packetOf(t, 0, "HTTP_A", "", "HTTP_B", "")
	tests := []struct {
		name   string
		limits codec.Limits
		wantID string
	}{
		{"head_fits", codec.Limits{Head: len(packet) - 4}, ""},
		{"head", codec.Limits{Head: len(packet) - 5}, "block_size"},
		{"fields_fit", codec.Limits{Fields: 2}, ""},
		{"fields", codec.Limits{Fields: 1}, "too_many_vars"},
		{"target_fits", codec.Limits{Target: 1}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Decoder{Limits: tt.limits}
			var r codec.Request
			_, err := d.Head(packet, &r)
			id := ""
			if e, ok := errors.AsType[*codec.Error](err); ok {
				id = e.ID
			}
			if id != tt.wantID {
				t.Errorf("error %v, want %q", err, tt.wantID)
			}
		})
	}
}

func TestHeadPing(t *testing.T) {
	var d Decoder
	var r codec.Request
	n, err := d.Head([]byte{100, 0, 0, 0}, &r)
	if n != 4 || err != nil || !d.Ping || d.Modifier1 != 100 {
		t.Fatalf("Head(ping) = %d, %v; decoder %+v", n, err, d)
	}
	if diff := cmp.Diff([]byte{100, 0, 0, 1}, AppendPong(nil)); diff != "" {
		t.Errorf("pong (-want +got):\n%s", diff)
	}
	if _, err := d.Head(packetOf(t, 0), &r); err != nil || d.Ping {
		t.Errorf("after a ping: %v, decoder %+v", err, d)
	}
}

func TestSniff(t *testing.T) {
	tests := []struct {
		give string
		want Kind
	}{
		{"", KindUnknown},
		{"GET", KindUnknown},
		{"\x16\x03\x01", KindUnknown},
		{"GET /", KindHTTP},
		{"POST", KindHTTP},
		{"HEAD", KindHTTP},
		{"PUT ", KindHTTP},
		{"OPTIONS", KindHTTP},
		{"DELETE", KindHTTP},
		{"PATCH", KindHTTP},
		{"CONNECT", KindHTTP},
		{"PRI * HTTP/2.0", KindHTTP},
		{"TRACE", KindHTTP},
		{"\x16\x03\x01\x02", KindTLS},
		{"\x16\x03\x03\x00", KindTLS},
		{"\x00\x10\x00\x00", KindUnknown},
		{"\x1e\x10\x00\x00", KindUnknown},
		{"\x64\x00\x00\x00", KindUnknown},
		{"\x16\x10\x00\x00", KindUnknown},
		{"get ", KindUnknown},
		{"GE\x00\x00", KindUnknown},
	}
	for _, tt := range tests {
		if got := Sniff([]byte(tt.give)); got != tt.want {
			t.Errorf("Sniff(%q) = %d, want %d", tt.give, got, tt.want)
		}
	}
}

func TestAppendPacket(t *testing.T) {
	got, err := AppendPacket([]byte("x"), 30, 2, []Var{{"A", "bc"}, {"D", ""}})
	if want := "x\x1e\x0c\x00\x02\x01\x00A\x02\x00bc\x01\x00D\x00\x00"; string(got) != want || err != nil {
		t.Errorf("AppendPacket = %q, %v; want %q", got, err, want)
	}
	largest := strings.Repeat("v", 65535-5)
	if got, err := AppendPacket(nil, 0, 0, []Var{{"K", largest}}); len(got) != 4+65535 || err != nil {
		t.Errorf("the largest packet: %d bytes, %v", len(got), err)
	}
	if got, err := AppendPacket([]byte("x"), 0, 0, []Var{{"K", largest + "v"}}); string(got) != "x" || err == nil {
		t.Errorf("a packet too large: %d bytes, %v; want dst and an error", len(got), err)
	}
	if got, err := AppendPacket([]byte("x"), 0, 0, []Var{{"", "v"}}); string(got) != "x" || err == nil {
		t.Errorf("a variable without a name: %q, %v; want dst and an error", got, err)
	}
}

func TestHeadAllocs(t *testing.T) {
	packet, err := AppendPacket(nil, 0, 0, nginxVars)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	var r codec.Request
	buf := make([]byte, 0, len(packet))
	allocs := testing.AllocsPerRun(100, func() {
		if n, err := d.Head(packet, &r); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		buf, _ = AppendPacket(buf[:0], 0, 0, nginxVars)
	})
	if allocs != 0 {
		t.Errorf("a packet allocates %v times", allocs)
	}
}

func BenchmarkHead(b *testing.B) {
	for _, bm := range []struct {
		name string
		vars []Var
	}{{"vars=nginx_browser", nginxVars}, {"vars=nginx_curl", nginxVars[:17]}} {
		b.Run(bm.name, func(b *testing.B) {
			packet, err := AppendPacket(nil, 0, 0, bm.vars)
			if err != nil {
				b.Fatal(err)
			}
			var d Decoder
			var r codec.Request
			b.SetBytes(int64(len(packet)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := d.Head(packet, &r); n == 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkAppendPacket(b *testing.B) {
	buf, err := AppendPacket(nil, 0, 0, nginxVars)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = AppendPacket(buf[:0], 0, 0, nginxVars)
	}
}

// The fault of a key without a name is in no variable, least of all in the one before it.
func TestFaultOfNullKey(t *testing.T) {
	var d Decoder
	var r codec.Request
	packet := append([]byte{0, 10, 0, 0}, "\x01\x00A\x01\x00b\x00\x00\x00\x00"...)
	if _, err := d.Head(packet, &r); !errors.Is(err, ErrNullKey) {
		t.Fatalf("got %v", err)
	}
	if d.Fault.Len() > 0 {
		t.Errorf("it names %q", r.Bytes(d.Fault))
	}
}

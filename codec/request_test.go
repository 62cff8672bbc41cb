package codec

import (
	"testing"
)

// request is one whose Buf is the path alone.
func request(path string) *Request {
	return &Request{Buf: []byte(path), RawPath: Span{0, uint32(len(path))}, Proto: HTTP11}
}

func TestPath(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"plain", "/a/b.html", "/a/b.html"},
		{"root", "/", "/"},
		{"empty", "", "/"},
		{"asterisk", "*", "*"},
		{"double_slash", "//a///b//", "//a///b//"},
		{"escape", "/a%20b%C3%A9%2B+", "/a b\u00e9++"},
		{"escape_decoded_once", "/%2541%252e", "/%41%2e"},
		{"escape_cut", "/a%4", "/a%4"},
		{"escape_not_hex", "/%zz%4g%", "/%zz%4g%"},
		{"escaped_slash", "/a%2Fb", "/a/b"},
		{"latin1", "/\xe9\xff", "/\xe9\xff"},
		{"dots", "/a/./b/../../c/..", "/a/./b/../../c/.."},
		{"dots_escaped", "/a/%2e%2E/b/.%2e", "/a/../b/.."},
		{"dots_by_escaped_slash", "/a/..%2fb", "/a/../b"},
		{"three_dots", "/a/.../b", "/a/.../b"},
		{"dots_in_names", "/.a/..b/c../d.", "/.a/..b/c../d."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(tt.give)
			if got := string(r.Path()); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := string(r.Path()); got != tt.want {
				t.Errorf("second time: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPathWithNothingToDecodeAliasesBuf(t *testing.T) {
	r := request("/a.b/c")
	if &r.Path()[0] != &r.Buf[0] {
		t.Error("the path was copied")
	}
}

func TestSetPath(t *testing.T) {
	r := request("/%61pp/list")
	r.SetPath(r.Path()[len("/app"):])
	if got := string(r.Path()); got != "/list" {
		t.Errorf("tail of the decoded path: got %q", got)
	}
	r.SetPath(nil)
	if got := string(r.Path()); got != "" {
		t.Errorf("nothing: got %q", got)
	}
	over := &Request{Proto: UWSGI}
	if got := string(over.Path()); got != "" {
		t.Errorf("uwsgi without PATH_INFO: got %q", got)
	}
}

func TestGet(t *testing.T) {
	r := &Request{Buf: []byte("Accept=1 USER_AGENT=2 accept=3")}
	r.Fields = []Field{
		{Span{0, 6}, Span{7, 8}}, {Span{9, 19}, Span{20, 21}}, {Span{22, 28}, Span{29, 30}},
	}
	for name, want := range map[string]string{"accept": "1", "ACCEPT": "1", "User-Agent": "2", "user_agent": "2", "Acce": "", "": ""} {
		if got := string(r.Get(name)); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
	if r.Get("none") != nil {
		t.Error("a field that is not there has a value")
	}
}

func TestResetKeepsBoundedMemory(t *testing.T) {
	r := request("/%61")
	r.Fields = make([]Field, 20)
	r.Vars = make([]Field, 20)
	r.Chunked, r.Head = true, true
	r.Path()
	r.Reset()
	if len(r.Fields) != 0 || len(r.Vars) != 0 || r.Buf != nil || r.Chunked || r.Head {
		t.Errorf("left over: %+v", r)
	}
	if cap(r.Fields) < 20 || cap(r.Vars) < 20 || cap(r.scratch) == 0 {
		t.Error("memory was not kept")
	}
	r.Fields = make([]Field, 100_000)
	r.SetPath(make([]byte, 100_000))
	r.Reset()
	if cap(r.Fields) > keepFields || cap(r.scratch) > keepScratch {
		t.Error("a large request's memory was kept")
	}
}

func TestRetain(t *testing.T) {
	buf := []byte("/a")
	r := request("/a")
	r.Buf = buf
	dst := make([]byte, 8, 64)
	if got := r.Retain(dst); &got[0] != &dst[0] {
		t.Error("dst was not used")
	}
	buf[1] = 'x'
	if got := string(r.Path()); got != "/a" {
		t.Errorf("after the buffer changed: %q", got)
	}
	if got := r.Retain(nil); string(got) != "/a" {
		t.Errorf("into nil: %q", got)
	}
}

func TestHasDotSegment(t *testing.T) {
	for path, want := range map[string]bool{
		"": false, "/": false, "//": false, "/a/b": false, "/...": false, "/.a": false, "/a.": false, "/a/..b/c../": false, "*": false, "/..;/": false, "/..\\a": false,
		"/.": true, "/..": true, "/./": true, "/../": true, "/a/.": true, "/a/..": true, "/a/../b": true, "/a/./b": true, "..": true, "//..": true, "../a": true,
	} {
		if got := HasDotSegment([]byte(path)); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestEncodedSlash(t *testing.T) {
	for path, want := range map[string]bool{
		"/a/b": false, "/a%20b": false, "/%2": false, "/%": false, "/a%252fb": false, "": false, "/%2e%2": false,
		"/%2f": true, "/a%2Fb": true, "/%20%2f": true, "/%2%2f": true,
	} {
		if r := request(path); r.EncodedSlash() != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}

func TestRequestAllocatesNothing(t *testing.T) {
	r := request("/a/../%62")
	buf, whole := r.Buf, r.RawPath
	got := testing.AllocsPerRun(100, func() {
		r.Reset()
		r.Buf, r.RawPath = buf, whole
		r.Fields = append(r.Fields, Field{})
		r.Path()
		r.SetPath(buf)
		r.Get("Host")
	})
	if got != 0 {
		t.Errorf("%v allocations a request", got)
	}
}

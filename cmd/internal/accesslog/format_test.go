package accesslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	time.Local = time.FixedZone("CET", 3600) // lines tell local time
	goleak.VerifyTestMain(m)
}

// record is a request as uWSGI logged it when the lines below were taken from it.
func record() *Record {
	environ := map[string]string{"HTTP_USER_AGENT": "curl/7.88.1", "HTTP_X_Y": `v"x`}
	return &Record{
		Method: []byte("GET"), URI: []byte("/a?b=c"), Addr: []byte("127.0.0.1"), Host: []byte("127.0.0.1:19871"), Proto: []byte("HTTP/1.1"),
		Var:   func(name string) []byte { return []byte(environ[name]) },
		Start: 1795370168303091, Duration: 1000196,
		Status: 200, BodySize: 2, HeadSize: 45, Headers: 1, ContentLength: 3, PacketSize: 270, Vars: 26,
		PID: 24106, Worker: 1, Core: 0, App: 0, AppRequests: 2, Requests: 3, Switches: 1,
		Waited: 2345,
	}
}

func TestDefault(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		change  func(r *Record)
		want    string
	}{
		{
			"plain",
			Options{},
			func(*Record) {},
			"[pid: 24106|app: 0|req: 2/3] 127.0.0.1 () {26 vars in 270 bytes} [Sun Nov 22 18:56:08 2026] GET /a?b=c => generated 2 bytes in 1000 msecs (HTTP/1.1 200) 1 headers in 45 bytes (1 switches on core 0)\n",
		},
		{
			"user_micros_memory",
			Options{Micros: true, Memory: 1},
			func(r *Record) { r.User, r.VSZ, r.RSS = []byte("joe"), 58183680, 11436032 },
			"{address space usage: 58183680 bytes/55MB} {rss usage: 11436032 bytes/10MB} [pid: 24106|app: 0|req: 2/3] 127.0.0.1 (joe) {26 vars in 270 bytes} [Sun Nov 22 18:56:08 2026] GET /a?b=c => generated 2 bytes in 1000196 micros (HTTP/1.1 200) 1 headers in 45 bytes (1 switches on core 0)\n",
		},
		{
			"static_file",
			Options{},
			func(r *Record) { r.App, r.AppRequests, r.Via, r.Duration = -1, -1, "sendfile", 900 },
			"[pid: 24106|app: -1|req: -1/3] 127.0.0.1 () {26 vars in 270 bytes} [Sun Nov 22 18:56:08 2026] GET /a?b=c => generated 2 bytes in 0 msecs via sendfile() (HTTP/1.1 200) 1 headers in 45 bytes (1 switches on core 0)\n",
		},
		{
			"broken",
			Options{},
			func(r *Record) { r.Broken = "the app failed" },
			"[pid: 24106|app: 0|req: 2/3] 127.0.0.1 () {26 vars in 270 bytes} [Sun Nov 22 18:56:08 2026] GET /a?b=c => generated 2 bytes in 1000 msecs (HTTP/1.1 200) 1 headers in 45 bytes (1 switches on core 0) broken off: the app failed\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := record()
			test.change(r)
			if diff := cmp.Diff(test.want, string(Default(test.options).Append(nil, r))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	tests := []struct {
		name, format, want string
		options            Options
	}{
		{"empty", "", "", Options{}},
		{"text", "a % b %% )", "a % b %% )", Options{}},
		{
			"client", "%(uri) %(method) %(user) %(addr) %(host) %(proto) %(uagent) %(referer)",
			"/a?b=c GET - 127.0.0.1 127.0.0.1:19871 HTTP/1.1 curl/7.88.1 -",
			Options{},
		},
		{
			"sizes", "%(status) %(rsize) %(hsize) %(size) %(cl) %(vars) %(pktsize) %(headers) %(switches)",
			"200 2 45 47 3 26 270 1 1",
			Options{},
		},
		{"whole", "%(broken)", "-", Options{}},
		{"waited", "%(queue_micros) %(queue_msecs)", "2345 2", Options{}},
		{
			"times", "%(micros) %(msecs) %(secs) %(tmsecs) %(tmicros) %(time) %(epoch)",
			"1000196 1000 1.000196 1795370168303 1795370168303091 1795370168 1795370169",
			Options{},
		},
		{
			"dates", "%(ltime) %(ftime) %(ctime)",
			"22/Nov/2026:18:56:08 +0100 22/Nov/2026:18:56:08 +0100 Sun Nov 22 18:56:08 2026",
			Options{},
		},
		{"ftime_as_log_date", "%(ftime)", "2026-11", Options{Date: "%Y-%m"}},
		{
			"numbers", "%(pid) %(wid) %(core) %(modifier1) %(modifier2) %(werr) %(rerr) %(ioerr) %(vsz) %(rss) %(vszM) %(rssM)",
			"24106 1 0 0 0 0 0 0 0 0 0 0",
			Options{},
		},
		{"any_variable", "%(var.HTTP_USER_AGENT) %(var.NO_SUCH)", "curl/7.88.1 -", Options{}},
		{"escaped_variable", `{"y":"%(var.HTTP_X_Y)"}`, `{"y":"v\"x"}`, Options{}},
		{"unknown", "%(nosuch)%()", "--", Options{}},
		{"unclosed", "x=%(uri) y=%(uri z", "x=/a?b=c y=%(uri z", Options{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := string(Compile(test.format, test.options).Append([]byte("> "), record()))
			if want := "> " + test.want + "\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestNoVariables(t *testing.T) {
	r := record()
	r.Var = nil
	if got := string(Compile("%(uagent) %(var.X)", Options{}).Append(nil, r)); got != "- -\n" {
		t.Errorf("got %q", got)
	}
}

func TestUnknown(t *testing.T) {
	got := Compile("%(uri) %(urii) %(var.X) %(metric.x)", Options{}).Unknown()
	if diff := cmp.Diff([]string{"urii", "metric.x"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Default(Options{Micros: true, Memory: 1}).Unknown(); len(got) != 0 {
		t.Errorf("in the default line: %q", got)
	}
}

func TestEscape(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"plain", "/a?b=c d", "/a?b=c d"},
		{"forged_line", "/a\n[pid: 1] 127.0.0.1", `/a\u000a[pid: 1] 127.0.0.1`},
		{"carriage_return", "a\rb", `a\u000db`},
		{"terminal_colours", "\x1b[31m\x7f", `\u001b[31m\u007f`},
		{"quote_and_backslash", `a"b\c`, `a\"b\\c`},
		{"utf8", "/grüße/✓", "/grüße/✓"},
		{"latin1", "/gr\xfc\xdfe", `/gr\u00fc\u00dfe`},
		{"cut_off_utf8", "\xe2\x9c", `\u00e2\u009c`},
		{"c1_control", "\u0085", `\u0085`},
		{"line_separator", "\u2028", `\u2028`},
		{"right_to_left_override", "a\u202eb", `a\u202eb`},
		{"beyond_the_first_plane", "\U000e0001😀", `\udb40\udc01😀`},
		{"replacement_character", "\ufffd", "\ufffd"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(appendEscaped(nil, []byte(test.give))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// FuzzEscape checks that whatever a client sends ends up as one line and as
// valid JSON, and means the same where it was UTF-8.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"/a?b=c", "\n\x00\x7f", `"\`, "ü\xfc", "\U000e0001😀", "\u202e"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got := appendEscaped([]byte{'"'}, value)
		got = append(got, '"')
		if bytes.ContainsFunc(got, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }) {
			t.Errorf("control character in %q", got)
		}
		var text string
		if err := json.Unmarshal(got, &text); err != nil {
			t.Fatalf("%s: %v", got, err)
		}
		if bytes.Equal(bytes.ToValidUTF8(value, nil), value) && text != string(value) {
			t.Errorf("%q became %q", value, text)
		}
	})
}

func TestDate(t *testing.T) {
	at := time.Date(2026, 2, 3, 16, 5, 9, 0, time.FixedZone("CET", 3600))
	tests := []struct{ name, give, want string }{
		{"ctime", CTime, "Tue Feb  3 16:05:09 2026"},
		{"iso", "%Y-%m-%dT%H:%M:%S%z", "2026-02-03T16:05:09+0100"},
		{"short_forms", "%F %T %D %R %y", "2026-02-03 16:05:09 02/03/26 16:05 26"},
		{"names", "%A %a %B %b %h %p %I %j %Z", "Tuesday Tue February Feb Feb PM 04 034 CET"},
		{"epoch", "%s", "1770131109"},
		{"text_that_looks_like_a_layout", "2006 Jan", "2006 Jan"},
		{"percent", "100%% %Q %", "100% %Q %"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(CompileDate(test.give).Append(nil, at)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	tests := []struct {
		name   string
		filter Filter
		change func(r *Record)
	}{
		{"all", Filter{All: true}, func(*Record) {}},
		{"status_4xx", Filter{Status4xx: true}, func(r *Record) { r.Status = 404 }},
		{"status_5xx", Filter{Status5xx: true}, func(r *Record) { r.Status = 503 }},
		{"zero", Filter{Zero: true}, func(r *Record) { r.BodySize = 0 }},
		{"sendfile", Filter{Sendfile: true}, func(r *Record) { r.Via = "sendfile" }},
		{"ioerror", Filter{IOError: true}, func(r *Record) { r.WriteErrors = 1 }},
		{"slow", Filter{SlowerThan: 2 * time.Second}, func(r *Record) { r.Duration = 2e6 }},
		{"big", Filter{BiggerThan: 1000}, func(r *Record) { r.BodySize = 1000 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := record()
			if !test.filter.All && test.filter.Wants(r) {
				t.Error("wants an ordinary request")
			}
			test.change(r)
			if !test.filter.Wants(r) {
				t.Error("does not want its own")
			}
			if (&Filter{}).Wants(r) {
				t.Error("wanted with logging off")
			}
		})
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	r := record()
	user := []byte("curl/\"7\"")
	r.Var = func(string) []byte { return user }
	dst := make([]byte, 0, 4096)
	for name, format := range map[string]*Format{
		"default": Default(Options{Memory: 1}),
		"custom":  Compile("%(ltime) %(ftime) %(secs) %(uagent) %(var.X) %(user)", Options{Date: "%F %s"}),
	} {
		if n := testing.AllocsPerRun(100, func() { dst = format.Append(dst[:0], r) }); n != 0 {
			t.Errorf("%s: %v allocations a line", name, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	format, r := Default(Options{}), record()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = format.Append(dst[:0], r)
	}
	b.SetBytes(int64(len(dst)))
}

func ExampleCompile() {
	format := Compile(`%(addr) "%(method) %(uri)" %(status) %(rsize) "%(uagent)"`, Options{})
	_, _ = os.Stdout.Write(format.Append(nil, &Record{
		Method: []byte("GET"), URI: []byte("/"), Addr: []byte("192.0.2.1"), Status: 200, BodySize: 12,
		Var: func(name string) []byte {
			if name == "HTTP_USER_AGENT" {
				return []byte("evil\"\n192.0.2.9 \"GET /admin")
			}
			return nil
		},
	}))
	fmt.Println(strings.Join(Compile("%(adr)", Options{}).Unknown(), " "))
	// Output:
	// 192.0.2.1 "GET /" 200 12 "evil\"\u000a192.0.2.9 \"GET /admin"
	// adr
}

// Variables of the server's own have a value where they were set.
func TestOwnVariables(t *testing.T) {
	f := Compile("%(who) %(team) %(other)", Options{Own: []string{"who", "team"}})
	if got := f.Unknown(); len(got) != 1 || got[0] != "other" {
		t.Errorf("unknown: %q", got)
	}
	own := func(name string) []byte {
		if name == "who" {
			return []byte("a\nb")
		}
		return nil
	}
	for _, r := range []*Record{{Own: own}, {}} {
		want := "- - -"
		if r.Own != nil {
			want = `a\u000ab - -`
		}
		if got := strings.TrimSpace(string(f.Append(nil, r))); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

package logger

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

var encodeTime = time.Date(2026, 11, 28, 5, 30, 7, 123456000, time.FixedZone("CET", 3600))

func encode(t *testing.T, value, message string) string {
	t.Helper()
	e, err := ParseEncoder(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(e.encode(nil, []byte(message), encodeTime))
}

// TestEncoders has what reference uWSGI makes of the same values and messages.
func TestEncoders(t *testing.T) {
	for _, tt := range []struct{ name, encoder, message, want string }{
		{"prefix", "prefix [app] ", "line\n", "[app] line\n"},
		{"prefix_without_text", "prefix", "line\n", "line\n"},
		{"suffix_stands_behind_the_newline", "suffix  end", "line\n", "line\n end"},
		{"nl", "nl", "line", "line\n"},
		{"nl_after_a_newline", "nl", "line\n", "line\n\n"},
		{"format", "format ${msg}|${msgnl}", "a\"b\n", "a\"b|a\"b\n"},
		{"format_times", "format ${unix} ${millis} ${micros}", "x", "1795840207 1795840207123 1795840207123456"},
		{"format_date", "format ${strftime:%Y-%m-%dT%H:%M:%S%z} ${msg}", "x\n", "2026-11-28T05:30:07+0100 x"},
		{"format_unknown_variable", "format a${nothing}b", "x", "ab"},
		{"format_text_like_variables", "format $msg $$ {msg} ${msg", "x", "$msg $$ {msg} ${msg"},
		{"format_without_text", "format", "x\n", ""},
		{"json", `json {"unix":${unix}, "msg":"${msg}"}`, "a\t\"b\\\n", `{"unix":1795840207, "msg":"a\t\"b\\"}`},
		{"json_of_a_traceback", `json {"m":"${msg}"}`, "Traceback:\n  File\r\nE\n", `{"m":"Traceback:\n  File\r\nE"}`},
		{"json_newline", `json "${msgnl}"`, "a\n", `"a\n"`},
		{"json_date", `json "${strftime:%d/%b/%Y "}"`, "a", `"28/Nov/2026 \""`},
		{"named", `format:app <${msg}>`, "a\n", "<a>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := encode(t, tt.encoder, tt.message); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestJSONEncoderIsJSON: whatever is logged. uWSGI lets control characters and bytes
// through that are no UTF-8.
func TestJSONEncoderIsJSON(t *testing.T) {
	for _, message := range []string{"\x00\x1b[31m\x7f", "gr\xfc\xdfe", "\u2028 größe 🙂", `"},{"`, "\xe2\x9c"} {
		got := encode(t, `json {"m":"${msg}"}`, message)
		if !json.Valid([]byte(got)) {
			t.Errorf("%q became %q", message, got)
		}
	}
}

func TestCompressors(t *testing.T) {
	open := map[string]func(io.Reader) (io.Reader, error){
		"gzip":     func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		"compress": func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
	}
	for name, reader := range open {
		t.Run(name, func(t *testing.T) {
			for _, message := range []string{"one\n", strings.Repeat("two ", 1000) + "\n"} {
				r, err := reader(bytes.NewReader([]byte(encode(t, name, message))))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(r); err != nil || string(got) != message {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
		})
	}
}

func TestUnknownEncoder(t *testing.T) {
	_, err := ParseEncoder("msgpack map:1")
	if err == nil || !strings.Contains(err.Error(), `"msgpack" is no log encoder: there are compress, format, gzip, json, nl, prefix, suffix`) {
		t.Error(err)
	}
}

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		name, pattern, message string
		want                   bool
	}{
		{"part", "HTTP/1.\\d 500", "(HTTP/1.1 500) 3", true},
		{"other", "HTTP/1.\\d 500", "(HTTP/1.1 200) 3", false},
		{"end_before_the_newline", "x$", "ax\n", true},
		{"brace", "{", "{\"a\":1}\n", true},
		{"no_brace", "^((?!\\{).)*$", "plain text\n", true},
		{"no_brace_but_there_is_one", "^((?!\\{).)*$", "plain {text}\n", false},
		{"behind", "(?<=a)b", "ab", true},
		{"possessive_group", "(?>a+)b", "aab", true},
		{"back_reference", "(.)\\1", "abba", true},
		{"too_long_to_search", "(a|a)*\\1$", strings.Repeat("a", 64) + "b", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePattern(tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Match([]byte(tt.message)); got != tt.want {
				t.Errorf("matches: %v", got)
			}
		})
	}
	if _, err := ParsePattern("(a"); err == nil || !strings.Contains(err.Error(), `"(a" is no regular expression`) {
		t.Error(err)
	}
	if _, err := ParseRoute("alone"); err == nil {
		t.Error("a route without a pattern")
	}
}

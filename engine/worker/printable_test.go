package worker

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for _, tt := range []struct{ name, text, wire, line string }{
		{"usual", "GET /a?b=c", "GET /a?b=c", "GET /a?b=c"},
		{"line_feed", "/a\nHARAKIRI", `/a\u000aHARAKIRI`, `/a\u000aHARAKIRI`},
		{"carriage_return", "/a\rb", `/a\u000db`, `/a\u000db`},
		{"escape", "/\x1b[2J", `/\u001b[2J`, `/\u001b[2J`},
		{"tab", "a\tb", `a\u0009b`, `a\u0009b`},
		{"delete", "a\x7fb", `a\u007fb`, `a\u007fb`},
		{"nul", "a\x00b", `a\u0000b`, `a\u0000b`},
		{"no_utf8", "/\xff\xe9", `/\u00ff\u00e9`, `/\u00ff\u00e9`},
		{"half_a_character", "/\xe2\x82", `/\u00e2\u0082`, `/\u00e2\u0082`},
		{"utf8", "/é€", "/é€", "/é€"},
		{"control_of_c1", "/\u009b2J", `/\u009b2J`, `/\u009b2J`},
		{"other_direction", "/\u202etxt", `/\u202etxt`, `/\u202etxt`},
		{"line_separator", "/\u2028x", `/\u2028x`, `/\u2028x`},
		{"quote", `/"x"`, `/\"x\"`, `/"x"`},
		{"looks_escaped", `/\u000a`, `/\\u000a`, `/\u000a`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := printable(tt.text, true); got != tt.wire {
				t.Errorf("of the wire: got %s, want %s", got, tt.wire)
			}
			if got := printable(tt.text, false); got != tt.line {
				t.Errorf("a line: got %s, want %s", got, tt.line)
			}
		})
	}
}

// No line of the log has anything that a terminal acts on, whatever the wire or an app put
// into it: the request that is late, the place where it hangs, the reason why no app loads.
func TestLogLinesArePrintable(t *testing.T) {
	evil := "/x\nDAMN ! \x1b[31m\xff\u009b\\"
	r := start(t, Config{Apps: []App{app(t, paths)}, Harakiri: time.Minute}, 1)
	c := &call{method: "GET" + evil}
	block(r, c)
	c.late()
	if c.wait(); !errors.Is(c.err, ErrHarakiri) {
		t.Fatalf("got %v, want %v", c.err, ErrHarakiri)
	}
	r.waitLog(`GET/x\u000aDAMN ! \u001b[31m\u00ff\u009b\\ /wait since`)
	r.waitLog("HARAKIRI triggered by worker 1 core 0 !!!")
	config := Config{Apps: []App{app(t, "raise RuntimeError('a\\n\\x1b[31m\\x9bb')\n")}}
	other := newRig(t, &config, 1)
	config.NeedApp = false
	var err error
	if other.pool, err = Start(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	other.waitLog("unable to load app 0")
	for _, line := range append(r.logged(), other.logged()...) {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a line of the log: %q", line)
		}
	}
}

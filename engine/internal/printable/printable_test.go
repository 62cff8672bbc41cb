package printable

import "testing"

func TestText(t *testing.T) {
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
			if got := Text(tt.text, true); got != tt.wire {
				t.Errorf("of the wire: got %s, want %s", got, tt.wire)
			}
			if got := Text(tt.text, false); got != tt.line {
				t.Errorf("a line: got %s, want %s", got, tt.line)
			}
		})
	}
}

package route

import (
	"strings"
	"testing"
)

// What PCRE alone understands is refused, with the part that is meant.
func TestPatternsOfPCRE(t *testing.T) {
	for _, tt := range []struct{ expr, part string }{
		{`^/.*(?!static)`, "(?!"},
		{`^(?!(a))b`, "(?!"},
		{`^(?!a)|b`, "(?!"},
		{`^a*(?!b)`, "(?!"},
		{`a(?=b)`, "(?="},
		{`(?<!a)b`, "(?<!"},
		{`(?<=a)b`, "(?<="},
		{`(?>a)`, "(?>"},
		{`a++`, "++"},
		{`a*+`, "*+"},
		{`a?+`, "?+"},
		{`(a(?R)?b)`, "(?R"},
		{`a(?#note)`, "(?#"},
		{`(?x) a`, "(?x"},
		{`(?|a|b)`, "(?|"},
		{`(a)?(?(1)b)`, "(?("},
		{`(?'n'a)`, "(?'"},
		{`(*UTF8)a`, "(*"},
		{`a\Kb`, `\K`},
		{`\R`, `\R`},
		{`\h`, `\h`},
		{`a\Z`, `\Z`},
		{`\e`, `\e`},
		{`\Ga`, `\G`},
		{`\X`, `\X`},
		{`(?<n>a)\k<n>`, `\k`},
		{`(a)\1`, `\1`},
		{`(a)\g1`, `\g`},
		{`a{2000}`, "{2000}"},
		{`(a`, "(a"},
		{`[a`, "[a"},
	} {
		_, err := Parse("route", tt.expr+" break:403")
		if strings.Contains(tt.expr, " ") {
			_, err = compilePattern(tt.expr)
		}
		if err == nil || !strings.Contains(err.Error(), tt.part) || !strings.Contains(err.Error(), "RE2") || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v", tt.expr, err)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for expr, want := range map[string]string{
		`^/a`: "/a", `^/(a)b`: "/ab", `^/a(b|c)`: "/a", `^/ab*`: "/a", `^/ab+`: "/ab", `^/(?:ab)+c`: "/ab", `^(/a/)(.*)`: "/a/", `\A/a`: "/a", `^/a\.b`: "/a.b",
		`/a`: "", `^(?i)/a`: "", `(?i)^/a`: "", `^/[ab]`: "/", `^/a?`: "/", `^/a|^/b`: "", `^/a{2,3}`: "/", "^/\ufffda": "/\ufffda", "^/\xc3\xa9": "/é", `^/\xc3\xa9`: "/é", `(?m)^/a`: "", `^$`: "", `^/a$`: "/a",
	} {
		p, err := compilePattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(p.prefix); got != want {
			t.Errorf("%s: prefix %q, want %q", expr, got, want)
		}
	}
}

// Patterns are about bytes, as in uWSGI.
func TestPatternsOfBytes(t *testing.T) {
	for _, tt := range []struct {
		expr, subject string
		want          string // $1, or "-" for no match
	}{
		{`^/caf\xc3(\xa9)$`, "/caf\xc3\xa9", "\xa9"},
		{"^/café(.)$", "/café!", "!"},
		{`^/caf(..)$`, "/café", "é"},
		{`^/caf.$`, "/café", "-"},
		{`^/([^/]+)/b`, "/é\xff/b", "é\xff"},
		{`^/a(\xff)`, "/a\xff", "\xff"},
		{`(?i)^/(K)`, "/k", "k"},
		{`(?i)^/K`, "/\u212a", "-"},
		{`/(b)$`, "/é/b\n", "b"},
		{`^/(\w+)`, "/é", "-"},
		{`(x)?$`, "é", ""},
		{`/(.*)$`, "/abc\n", "abc"},
	} {
		p, err := compilePattern(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		got := "-"
		if at, ok := p.match([]byte(tt.subject), true); ok {
			if got = ""; at[2] >= 0 {
				got = tt.subject[at[2]:at[3]]
			}
		}
		if got != tt.want {
			t.Errorf("%s on %q: %q, want %q", tt.expr, tt.subject, got, tt.want)
		}
	}
	if _, err := compilePattern(`\x{20ac}`); err == nil || !strings.Contains(err.Error(), "U+20AC") {
		t.Errorf("a character that is no byte: %v", err)
	}
}

// A look-ahead behind a fixed beginning is another pattern that must not match, or must.
func TestLookAhead(t *testing.T) {
	for _, tt := range []struct{ expr, hits, misses string }{
		{`^(?!localhost:8000$)`, "localhost other:8000 localhost:80001", "localhost:8000 localhost:8000\n"},
		{`^(?!www\.)(.*)$`, "shop.example ww", "www.shop.example"},
		{`^/(?!static/|media/)`, "/ /statics /x/static/", "/static/ /media/a x"},
		{`^/(?!static/).*\.php$`, "/a.php", "/static/a.php /a.phpx"},
		{`^/(?=[)a]b)`, "/)b /abc", "/cb"},
		{`^/a\.b(?!c)`, "/a.b /a.bd", "/a.bc /axb"},
		{`^(?!.*(?i:bot)).`, "Mozilla", "aBot"},
		{`^(?!a)(?!b)(?=.d)`, "cd", "ad bd ce"},
	} {
		p, err := compilePattern(tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		for i, list := range []string{tt.hits, tt.misses} {
			for subject := range strings.SplitSeq(list, " ") {
				if _, ok := p.match([]byte(subject), i == 0); ok != (i == 0) {
					t.Errorf("%s on %q: %v", tt.expr, subject, ok)
				}
			}
		}
	}
}

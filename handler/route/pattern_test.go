package route

import (
	"strings"
	"testing"
)

// What PCRE alone understands is refused, with the part that is meant.
func TestPatternsOfPCRE(t *testing.T) {
	for _, tt := range []struct{ expr, part string }{
		{`^/(?!static)`, "(?!"},
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
		`/a`: "", `^(?i)/a`: "", `(?i)^/a`: "", `^/[ab]`: "/", `^/a?`: "/", `^/a|^/b`: "", `^/a{2,3}`: "/", "^/\ufffda": "", `(?m)^/a`: "", `^$`: "", `^/a$`: "/a",
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

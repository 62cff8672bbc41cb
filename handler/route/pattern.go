package route

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled regular expression. Most rules fail for most requests at the first
// bytes, so those are compared before the expression runs.
//
// It matches bytes, as PCRE does in uWSGI: "." is one byte, and \xc3\xa9 two. Go matches
// characters, so the expression, and each subject beyond ASCII, has a character for each byte.
type pattern struct {
	re     *regexp.Regexp // nil if the prefix decides
	prefix []byte         // the subject must begin with it
	// dollar says that "$" is in the expression. PCRE and the patterns of Django and others let
	// it match before a final newline too. If "^/admin$" did not match "/admin\n" here, that
	// request would reach the app.
	dollar bool
	// aheads are the look-aheads after a fixed beginning, as in ^(?!www\.) or ^/(?!static/).
	aheads []ahead
}

// ahead is a second pattern that the subject must match, or must not match.
type ahead struct {
	pattern *pattern
	refused bool
}

func compilePattern(expr string) (*pattern, error) {
	if rest, inner, refused, ok := cutLookAhead(expr); ok {
		p, err := compilePattern(rest)
		if err != nil {
			return nil, err
		}
		look, err := compilePattern(inner)
		if err != nil {
			return nil, err
		}
		if look.groupCount() == 0 { // PCRE counts its groups
			p.aheads = append(p.aheads, ahead{look, refused})
			return p, nil
		}
	}
	wide := string(widen(nil, []byte(expr)))
	tree, err := syntax.Parse(wide, syntax.Perl)
	if err != nil {
		return nil, patternError(expr, err)
	}
	if r, ok := beyondBytes(tree); ok {
		return nil, fmt.Errorf("%U in %q is not a byte: write its UTF-8 bytes, as in \\xc3\\xa9", r, expr)
	}
	p := &pattern{dollar: hasDollar(tree)}
	if p.re, err = regexp.Compile(wide); err != nil {
		return nil, patternError(expr, err)
	}
	p.anchored(tree)
	return p, nil
}

// lookAhead is the beginning of a pattern up to a look-ahead at a fixed place.
var lookAhead = regexp.MustCompile(`^\^((?:[\w/%:;,=&@~<>!" -]|\\[^\w\s])*)\(\?([!=])`)

// cutLookAhead takes one out of a pattern: ^/(?!static/)(.*) matches what ^/(.*) does and
// ^/(?:static/) does not.
func cutLookAhead(expr string) (rest, ahead string, refused, ok bool) {
	m := lookAhead.FindStringSubmatch(expr)
	if m == nil {
		return "", "", false, false
	}
	behind := expr[len(m[0]):]
	end := outside(behind, ')')
	if end < 0 {
		return "", "", false, false
	}
	inner, behind := behind[:end], behind[end+1:]
	if behind != "" && strings.IndexByte("*+?{", behind[0]) >= 0 || outside(behind, '|') >= 0 {
		return "", "", false, false
	}
	return "^" + m[1] + behind, "^" + m[1] + "(?:" + inner + ")", m[2] == "!", true
}

// outside returns the place of a character outside of groups, classes and escapes, or -1.
func outside(expr string, want byte) int {
	depth, class := 0, -1 // where a class began
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\':
			i++
		case class >= 0:
			if first := strings.TrimPrefix(expr[class:i], "[^"); c == ']' && first != "" && first != "[" {
				class = -1
			}
		case c == want && depth == 0:
			return i
		case c == '[':
			class = i
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
	}
	return -1
}

// widen appends a character for each byte.
func widen(dst, b []byte) []byte {
	for _, c := range b {
		dst = utf8.AppendRune(dst, rune(c))
	}
	return dst
}

// beyondBytes returns a character of an expression that no byte can match. A negated class such
// as [^/] may contain such characters.
func beyondBytes(tree *syntax.Regexp) (rune, bool) {
	if tree.Op == syntax.OpLiteral {
		for _, r := range tree.Rune {
			if r > 0xFF {
				return r, true
			}
		}
	}
	for _, sub := range tree.Sub {
		if r, ok := beyondBytes(sub); ok {
			return r, ok
		}
	}
	return 0, false
}

// anchored finds the bytes that a subject must begin with.
func (p *pattern) anchored(tree *syntax.Regexp) {
	if tree.Op == syntax.OpBeginText {
		p.re = nil // it matches everything
		return
	}
	if tree.Op != syntax.OpConcat || tree.Sub[0].Op != syntax.OpBeginText {
		return
	}
	whole := true
	for _, sub := range tree.Sub[1:] {
		if whole = whole && p.addLiteral(sub); !whole {
			break
		}
	}
	if len(tree.Sub) == 2 && tree.Sub[1].Op == syntax.OpLiteral && whole {
		p.re = nil
	}
}

// addLiteral adds the beginning of every match of tree. It reports whether that is the whole
// match.
func (p *pattern) addLiteral(tree *syntax.Regexp) (whole bool) {
	switch tree.Op {
	case syntax.OpLiteral:
		if tree.Flags&syntax.FoldCase != 0 {
			return false
		}
		for _, r := range tree.Rune {
			p.prefix = append(p.prefix, byte(r))
		}
		return true
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range tree.Sub {
			if !p.addLiteral(sub) {
				return false
			}
		}
		return true
	case syntax.OpPlus:
		p.addLiteral(tree.Sub[0])
	}
	return false
}

// patternError names the unsupported part of a pattern and what to write instead.
func patternError(expr string, err error) error {
	var e *syntax.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%w in %q", err, expr)
	}
	part, instead := e.Expr, "write it without"
	for _, k := range pcreOnly {
		if at := strings.Index(expr, k.part); at >= 0 && (strings.HasPrefix(e.Expr, k.part) || strings.Contains(k.part, e.Expr)) {
			part, instead = k.part, k.instead
			break
		}
	}
	return fmt.Errorf("%w in %q: patterns are Go's (RE2), which have no %s: %s", err, expr, part, instead)
}

// pcreOnly are parts of patterns that only PCRE has, with replacements.
var pcreOnly = []struct{ part, instead string }{
	{"(?!", "write route-if-not, or a rule before that goes past this one by goto"},
	{"(?=", "write two rules, or match what follows as well"},
	{"(?<!", "write route-if-not, or a rule before that goes past this one by goto"},
	{"(?<=", "match what comes before as well, and take the rest as a group"},
	{"(?>", "a plain group (?:…) does, as RE2 never tries too long"},
	{"++", "a plain + does, as RE2 never tries too long"},
	{"*+", "a plain * does, as RE2 never tries too long"},
	{"?+", "a plain ? does, as RE2 never tries too long"},
	{"(?R", "an app has to tell what is nested"},
	{"(?#", "write the comment beside the rule"},
	{"(?x", "write the pattern without the spaces"},
	{"(?|", "give each group a number of its own"},
	{"(?(", "write two rules"},
	{"(?'", "write (?P<name>…)"},
	{"(*", "leave it out"},
	{`\K`, "take what is wanted as a group"},
	{`\R`, `write \r?\n`},
	{`\h`, `write [ \t]`},
	{`\H`, `write [^ \t]`},
	{`\N`, "write ."},
	{`\Z`, `write \n?\z`},
	{`\e`, `write \x1b`},
	{`\G`, `write ^`},
	{`\X`, "write ."},
	{`\k`, "compare the two by equal"},
	{`\g`, "compare the two by equal"},
	{`\1`, "compare the two by equal"},
	{`\2`, "compare the two by equal"},
}

func hasDollar(tree *syntax.Regexp) bool {
	if tree.Op == syntax.OpEndText && tree.Flags&syntax.WasDollar != 0 {
		return true
	}
	return slices.ContainsFunc(tree.Sub, hasDollar)
}

// match reports whether subject contains the pattern. With groups it also returns the places of
// the groups.
func (p *pattern) match(subject []byte, groups bool) (at []int, ok bool) {
	if !bytes.HasPrefix(subject, p.prefix) {
		return nil, false
	}
	for i := range p.aheads {
		a := &p.aheads[i]
		if _, ok := a.pattern.match(subject, false); ok == a.refused {
			return nil, false
		}
	}
	if p.re == nil {
		if groups {
			at = []int{0, len(p.prefix)}
		}
		return at, true
	}
	at, ok = p.try(subject, groups)
	if !p.dollar || len(subject) == 0 || subject[len(subject)-1] != '\n' || ok && !groups {
		return at, ok
	}
	// The match that begins first counts.
	if before, found := p.try(subject[:len(subject)-1], groups); found && (!ok || before[0] < at[0]) {
		return before, true
	}
	return at, ok
}

func (p *pattern) try(subject []byte, groups bool) ([]int, bool) {
	plain := isASCII(subject)
	asked := subject
	if !plain {
		asked = widen(make([]byte, 0, 2*len(subject)), subject)
	}
	if !groups {
		return nil, p.re.Match(asked)
	}
	at := p.re.FindSubmatchIndex(asked)
	if !plain {
		for i, end := range at {
			if end > 0 {
				at[i] = utf8.RuneCount(asked[:end])
			}
		}
	}
	return at, at != nil
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

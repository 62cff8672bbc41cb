package route

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// pattern is a compiled regular expression. Most rules miss most requests, by the first
// bytes, so those are compared before the expression is asked.
type pattern struct {
	re     *regexp.Regexp // nil where prefix says all
	prefix []byte         // that the subject must begin with
	// dollar says that "$" is in the expression. PCRE lets it match before a newline that
	// ends the subject as well, and so do the patterns of Django and others: were
	// "^/admin$" not to match "/admin\n" here, the app would be asked for it.
	dollar bool
}

func compilePattern(expr string) (*pattern, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, patternError(expr, err)
	}
	p := &pattern{re: re}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, expr)
	}
	p.dollar = hasDollar(tree)
	p.anchored(tree)
	return p, nil
}

// anchored finds out what a subject must begin with.
func (p *pattern) anchored(tree *syntax.Regexp) {
	if tree.Op == syntax.OpBeginText {
		p.re = nil // it matches everything
		return
	}
	if tree.Op != syntax.OpConcat || tree.Sub[0].Op != syntax.OpBeginText {
		return
	}
	var prefix strings.Builder
	whole := true
	for _, sub := range tree.Sub[1:] {
		if whole = whole && addLiteral(&prefix, sub); !whole {
			break
		}
	}
	p.prefix = []byte(prefix.String())
	if len(tree.Sub) == 2 && tree.Sub[1].Op == syntax.OpLiteral && whole {
		p.re = nil
	}
}

// addLiteral adds what every match of tree begins with. It reports whether that is all of
// a match.
func addLiteral(prefix *strings.Builder, tree *syntax.Regexp) (whole bool) {
	switch tree.Op {
	case syntax.OpLiteral:
		// U+FFFD stands for bytes that are no UTF-8, too.
		if tree.Flags&syntax.FoldCase != 0 || slices.Contains(tree.Rune, '\uFFFD') {
			return false
		}
		prefix.WriteString(string(tree.Rune))
		return true
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range tree.Sub {
			if !addLiteral(prefix, sub) {
				return false
			}
		}
		return true
	case syntax.OpPlus:
		addLiteral(prefix, tree.Sub[0])
	}
	return false
}

// patternError says which part of a pattern is not understood, and what to write instead.
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

// pcreOnly are parts of patterns that PCRE alone has, and what does the same.
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

// match reports whether the pattern is in subject, and where groups is asked for, where
// in it its groups are.
func (p *pattern) match(subject []byte, groups bool) (at []int, ok bool) {
	if !bytes.HasPrefix(subject, p.prefix) {
		return nil, false
	}
	if p.re == nil {
		if groups {
			at = []int{0, len(p.prefix)}
		}
		return at, true
	}
	if at, ok = p.try(subject, groups); ok || !p.dollar || len(subject) == 0 || subject[len(subject)-1] != '\n' {
		return at, ok
	}
	return p.try(subject[:len(subject)-1], groups)
}

func (p *pattern) try(subject []byte, groups bool) ([]int, bool) {
	if !groups {
		return nil, p.re.Match(subject)
	}
	at := p.re.FindSubmatchIndex(subject)
	return at, at != nil
}

package route

import (
	"bytes"
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
		return nil, fmt.Errorf("%w in %q: patterns are Go's (RE2), which lack some of what PCRE has", err, expr)
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
	if lit := tree.Sub[1]; lit.Op == syntax.OpLiteral && lit.Flags&syntax.FoldCase == 0 && !strings.ContainsRune(string(lit.Rune), '\uFFFD') {
		p.prefix = []byte(string(lit.Rune))
		if len(tree.Sub) == 2 {
			p.re = nil
		}
	}
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

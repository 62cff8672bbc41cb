package route

import (
	"bytes"
	"strings"
)

// Conditions compare hosts and methods in one spelling. A client must not bypass a rule for
// shop.example with SHOP.example., or a rule for DELETE with delete, which apps treat as equal.
// Actions insert the text as it was sent.

// unified are the variables that conditions compare in one spelling.
var unified = map[string]func(e *eval) []byte{
	"HTTP_HOST":      (*eval).host,
	"REQUEST_METHOD": (*eval).method,
}

// unify makes a template produce that spelling.
func (t *template) unify() {
	for i := range t.parts {
		p := &t.parts[i]
		view := unified[p.variable]
		switch {
		case view == nil || p.function != nil:
		case len(t.parts) == 1:
			p.view = view
		default:
			p.function = func(dst []byte, e *eval, _ string) []byte { return append(dst, view(e)...) }
		}
	}
}

func (t *template) is(variable string) bool {
	return len(t.parts) == 1 && t.parts[0].function == nil && t.parts[0].variable == variable
}

func (t *template) isHost() bool { return t.is("HTTP_HOST") }

// foldAs gives a text the spelling of its variable.
func (t *template) foldAs(other *template) {
	text, fixed := t.fixed()
	if !fixed || text == "" {
		return
	}
	switch {
	case other.is("HTTP_HOST"):
		t.parts[0].text = []byte(strings.ToLower(text))
	case other.is("REQUEST_METHOD"):
		t.parts[0].text = []byte(strings.ToUpper(text))
	}
}

// foldHost makes a pattern for hosts ignore its own case.
func foldHost(expr string) string {
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\':
			i++
		case 'A' <= c && c <= 'Z' && (i < 2 || expr[i-2:i] != "(?"): // (?P<name>…)
			return "(?i)" + expr
		}
	}
	return expr
}

// host returns the host of the request in small letters, without the dot that may end a name.
func (e *eval) host() []byte {
	host := e.r.Bytes(e.r.Authority)
	if bytes.IndexFunc(host, isCapital) < 0 && !dotted(host) {
		return host
	}
	e.spelled = append(e.spelled[:0], host...)
	for i, c := range e.spelled {
		if isCapital(rune(c)) {
			e.spelled[i] = c | 0x20
		}
	}
	if dotted(e.spelled) {
		name, port, ok := bytes.Cut(e.spelled, []byte(".:"))
		if !ok {
			return bytes.TrimSuffix(name, []byte("."))
		}
		return append(append(name, ':'), port...)
	}
	return e.spelled
}

func isCapital(r rune) bool { return 'A' <= r && r <= 'Z' }

// dotted reports whether the name of a host ends with a dot.
func dotted(host []byte) bool {
	return bytes.HasSuffix(host, []byte(".")) || bytes.Contains(host, []byte(".:"))
}

// method returns the method of the request in capitals.
func (e *eval) method() []byte {
	method := e.r.Bytes(e.r.Method)
	if bytes.IndexFunc(method, func(r rune) bool { return 'a' <= r && r <= 'z' }) < 0 {
		return method
	}
	e.spelled = append(e.spelled[:0], bytes.ToUpper(method)...)
	return e.spelled
}

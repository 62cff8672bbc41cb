package route

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"
)

// condition decides whether a rule applies to a request.
type condition interface {
	holds(e *eval) (bool, error)
}

// condition compiles the part before the action.
func (c *compiler) condition(option, text string) error {
	switch option {
	case "route-run":
		return nil
	case "route-status":
		if c.rule.table == requests {
			break
		}
		status, err := strconv.Atoi(text)
		if err != nil || len(text) != 3 {
			return fmt.Errorf("%q is not a status such as 404", text)
		}
		c.rule.cond = hasStatus(status)
		return nil
	case "route-if", "route-if-not":
		c.rule.negate = option == "route-if-not"
		name, args, ok := strings.Cut(text, ":")
		if !ok {
			return fmt.Errorf("%q is not of the form CONDITION:ARGUMENTS", text)
		}
		build := conditions[name]
		if build == nil {
			return fmt.Errorf("%q is not a condition: there are %s", name, "equal, startswith, endswith, contains, regexp, empty, ishigher, islower, ishigherequal, islowerequal, ipv4in, ipv6in, exists, isfile, isdir, islink and isexec")
		}
		var err error
		if c.rule.cond, err = build(c, args); err != nil {
			if u, ok := errors.AsType[*UnsupportedError](err); ok {
				u.Reason = "condition " + name + " " + u.Reason
				return u
			}
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	variable := subjects[option]
	if variable == "" {
		return fmt.Errorf("%s adds no rule", option)
	}
	if variable == "HTTP_HOST" {
		text = foldHost(text)
	}
	p, err := compilePattern(text)
	if err != nil {
		return err
	}
	c.pattern = p
	m := &matches{subject: template{parts: []part{{variable: variable, view: views[variable]}}}, pattern: p}
	m.subject.unify()
	c.rule.cond = m
	return nil
}

// subjects are the variables that the options' patterns match.
var subjects = map[string]string{
	"route": "PATH_INFO", "route-uri": "REQUEST_URI", "route-host": "HTTP_HOST", "route-qs": "QUERY_STRING", "route-remote-addr": "REMOTE_ADDR",
	"route-remote-user": "REMOTE_USER", "route-referer": "HTTP_REFERER", "route-user-agent": "HTTP_USER_AGENT",
}

// hasStatus is a condition on the response.
type hasStatus int

func (s hasStatus) holds(e *eval) (bool, error) { return e.status == int(s), nil }

type buildCondition func(c *compiler, args string) (condition, error)

var conditions map[string]buildCondition

func init() {
	equal, starts := begins(two(bytes.Equal)), begins(two(bytes.HasPrefix))
	higher, lower := two(numbers(func(a, b int64) bool { return a > b })), two(numbers(func(a, b int64) bool { return a < b }))
	atLeast, atMost := two(numbers(func(a, b int64) bool { return a >= b })), two(numbers(func(a, b int64) bool { return a <= b }))
	contains := two(bytes.Contains)
	conditions = map[string]buildCondition{
		"equal": equal, "isequal": equal, "eq": equal, "==": equal,
		"startswith": starts, "endswith": two(bytes.HasSuffix), "contains": contains, "contain": contains,
		"ishigher": higher, ">": higher, "islower": lower, "<": lower,
		"ishigherequal": atLeast, ">=": atLeast, "islowerequal": atMost, "<=": atMost,
		"regexp": regexpCondition, "re": regexpCondition, "empty": emptyCondition,
		"ipv4in": network(true), "ipv6in": network(false),
	}
	for name, is := range fileTests {
		conditions[name] = fileCondition(is)
	}
	conditions["incache"] = missing("asks a cache, and there is none")
	conditions["lord"] = missing("asks a legion, and there is none")
}

func missing(reason string) buildCondition {
	return func(c *compiler, _ string) (condition, error) {
		return nil, &UnsupportedError{Action: c.rule.action, Reason: reason}
	}
}

// pair cuts the arguments of a condition in two.
func pair(args string) (a, b string, err error) {
	a, b, ok := strings.Cut(args, ";")
	if !ok {
		return "", "", fmt.Errorf("%q is not of the form A;B", args)
	}
	return a, b, nil
}

// compare is a condition on two texts.
type compare struct {
	a, b   template
	test   func(a, b []byte) bool
	prefix bool // it holds only if a begins with b
}

// begins names comparisons that hold only if one text begins with the other.
func begins(build buildCondition) buildCondition {
	return func(c *compiler, args string) (condition, error) {
		t, err := build(c, args)
		if t, ok := t.(*compare); ok {
			t.prefix = true
		}
		return t, err
	}
}

func two(test func(a, b []byte) bool) buildCondition {
	return func(c *compiler, args string) (condition, error) {
		left, right, err := pair(args)
		if err != nil {
			return nil, err
		}
		t := &compare{test: test}
		if t.a, err = c.template(left, false); err != nil {
			return nil, err
		}
		if t.b, err = c.template(right, false); err != nil {
			return nil, err
		}
		t.a.unify()
		t.b.unify()
		t.a.foldAs(&t.b)
		t.b.foldAs(&t.a)
		return t, nil
	}
}

func (t *compare) holds(e *eval) (bool, error) {
	a, b := e.two(&t.a, &t.b)
	return t.test(a, b), nil
}

func numbers(test func(a, b int64) bool) func(a, b []byte) bool {
	return func(a, b []byte) bool { return test(number(a), number(b)) }
}

// number reads the beginning of a text as C's strtol does: no digits are 0.
func number(s []byte) int64 {
	s = bytes.TrimLeft(s, " \t\n\v\f\r")
	negative := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' {
			break
		}
		if n > (1<<63-1-int64(c-'0'))/10 {
			n = 1<<63 - 1
			break
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		return -n
	}
	return n
}

// matches is a condition on one text and a pattern.
type matches struct {
	subject template
	pattern *pattern
	groups  bool // the action wants them
}

func regexpCondition(c *compiler, args string) (condition, error) {
	left, expr, err := pair(args)
	if err != nil {
		return nil, err
	}
	m := &matches{}
	if m.subject, err = c.template(left, false); err != nil {
		return nil, err
	}
	if m.subject.unify(); m.subject.isHost() {
		expr = foldHost(expr)
	}
	if m.pattern, err = compilePattern(expr); err != nil {
		return nil, err
	}
	c.pattern = m.pattern
	return m, nil
}

func (m *matches) holds(e *eval) (bool, error) {
	subject := e.one(&m.subject)
	at, ok := m.pattern.match(subject, m.groups)
	if at != nil { // the action's templates use the same scratch
		e.matched = append(e.matched[:0], subject...)
		e.subject, e.groups = e.matched, at
	}
	return ok, nil
}

type empty struct{ text template }

func emptyCondition(c *compiler, args string) (condition, error) {
	t, err := c.template(args, false)
	return &empty{t}, err
}

func (c *empty) holds(e *eval) (bool, error) { return len(e.one(&c.text)) == 0, nil }

// within is a condition on an address and a network. An address of the other family is in none,
// and so is a text that is not an address.
type within struct {
	address template
	network template     // if it differs between requests
	fixed   netip.Prefix // else
	v4      bool
}

func network(v4 bool) buildCondition {
	return func(c *compiler, args string) (condition, error) {
		left, right, err := pair(args)
		if err != nil {
			return nil, err
		}
		w := &within{v4: v4}
		if w.address, err = c.template(left, false); err != nil {
			return nil, err
		}
		if w.network, err = c.template(right, false); err != nil {
			return nil, err
		}
		if text, ok := w.network.fixed(); ok {
			w.fixed, err = parsePrefix(text, v4)
		}
		return w, err
	}
}

func parsePrefix(text string, v4 bool) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(text); err == nil {
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
	}
	if err != nil {
		return p, fmt.Errorf("%q is not a network: %w", text, err)
	}
	if p.Addr().Is4() != v4 {
		return p, fmt.Errorf("%q is a network of the other kind of addresses", text)
	}
	return p.Masked(), nil
}

func (w *within) holds(e *eval) (bool, error) {
	network := w.fixed
	if !network.IsValid() {
		var err error
		if network, err = parsePrefix(string(e.one(&w.network)), w.v4); err != nil {
			return false, err
		}
	}
	text := e.one(&w.address)
	if len(text) == 0 || len(text) > maxAddress {
		return false, nil
	}
	// The error alone would keep the text, and it is dropped: no copy is needed.
	addr, err := netip.ParseAddr(unsafe.String(&text[0], len(text)))
	if err != nil {
		return false, nil //nolint:nilerr // not an address: in no network
	}
	if w.v4 {
		addr = addr.Unmap() // a listener for both kinds sees IPv4 as ::ffff:1.2.3.4
	}
	return network.Contains(addr.WithZone("")), nil
}

const maxAddress = 64

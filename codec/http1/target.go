package http1

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// parseTarget parses the target b[from:to]. It is not empty, and its characters have been
// checked. It may be in origin-form, absolute-form with http or https, or asterisk-form for
// OPTIONS (RFC 9112 3.2). Authority-form is for CONNECT alone, which has no other: there the
// host must have a port (RFC 9110 9.3.6).
func parseTarget(b []byte, from, to int, r *codec.Request) error {
	r.Target = span(from, to)
	path := from
	if r.Connect {
		host := b[from:to]
		if !validHost(host) || bytes.LastIndexByte(host, ':') <= bytes.LastIndexByte(host, ']') || host[len(host)-1] == ':' {
			return codec.ErrTargetForm
		}
		r.Authority, r.RawPath, r.Query = r.Target, span(to, to), span(to, to)
		return nil
	}
	switch {
	case b[from] == '/':
	case to-from == 1 && b[from] == '*':
		if string(b[r.Method.Off:r.Method.End]) != "OPTIONS" {
			return codec.ErrTargetForm
		}
	default:
		host := from + schemeLen(b[from:to])
		if host == from {
			return codec.ErrTargetForm
		}
		path = host
		for path < to && b[path] != '/' && b[path] != '?' {
			path++
		}
		// No user and password either, RFC 9110 4.2.4.
		if !validHost(b[host:path]) {
			return codec.ErrHost
		}
		r.Authority = span(host, path)
	}
	end := to
	r.Query = span(to, to)
	if q := bytes.IndexByte(b[path:to], '?'); q >= 0 {
		end = path + q
		r.Query = span(end+1, to)
	}
	r.RawPath = span(path, end)
	return checkEscapes(b[path:end])
}

// schemeLen returns the length of "http://" or "https://" at the start of s, or 0.
func schemeLen(s []byte) int {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(s) >= len(scheme) && equalFold(s[:len(scheme)], scheme) {
			return len(scheme)
		}
	}
	return 0
}

// checkEscapes refuses a path with a malformed percent-escape, because a proxy and an app may
// decode it differently. It also refuses an escaped NUL, because C code would cut the path
// there.
func checkEscapes(path []byte) error {
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return nil
		}
		path = path[i+1:]
		if len(path) < 2 || !grammar.Is(grammar.Hex, path[:2]) || path[0] == '0' && path[1] == '0' {
			return codec.ErrTargetEscape
		}
		path = path[2:]
	}
}

// validHost reports whether s is a host name, an IPv4 address or an IPv6 address
// in brackets, and an optional port (RFC 3986 3.2.2). An empty host is not valid
// in an http URL (RFC 9110 4.2.1).
func validHost(s []byte) bool {
	var rest []byte
	if len(s) > 0 && s[0] == '[' {
		end := bytes.IndexByte(s, ']')
		if end < 0 || !validIPv6(s[1:end]) {
			return false
		}
		rest = s[end+1:]
	} else {
		end := grammar.Skip(grammar.Host, s, 0)
		if end == 0 {
			return false
		}
		rest = s[end:]
	}
	if len(rest) == 0 {
		return true
	}
	port := rest[1:]
	return rest[0] == ':' && len(port) <= len("65535") && grammar.Is(grammar.Digit, port)
}

// validIPv6 checks what keeps an address from being taken for anything else:
// its characters, and that there are colons. Whether it exists is not asked.
func validIPv6(s []byte) bool {
	colons := 0
	for _, c := range s {
		switch {
		case c == ':':
			colons++
		case c == '.', grammar.Of[c]&grammar.Hex != 0:
		default:
			return false
		}
	}
	return colons >= 2 && len(s) <= len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")
}

// CheckTarget checks a request that another server has parsed: its method, target, path, query
// and host must obey the decoder's rules.
func CheckTarget(r *codec.Request) error {
	switch method := r.Bytes(r.Method); {
	case len(method) == 0 || !grammar.Is(grammar.Token, method):
		return codec.ErrMethod
	case len(method) > maxMethod:
		return codec.ErrMethodTooLong
	}
	for _, s := range []codec.Span{r.Target, r.RawPath, r.Query} {
		if b := r.Bytes(s); !grammar.Is(grammar.Target, b) {
			return codec.ErrTarget
		}
	}
	if r.Authority.Len() == 0 && r.Proto == codec.HTTP11 {
		return codec.ErrHostMissing
	}
	if r.Authority.Len() > 0 && !validHost(r.Bytes(r.Authority)) {
		return codec.ErrHost
	}
	return checkEscapes(r.Bytes(r.RawPath))
}

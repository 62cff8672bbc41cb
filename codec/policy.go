package codec

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// Policy decides which header fields of a request reach the app. All protocols use the same
// one, so no protocol is a way around it. The zero value is the safe one.
type Policy struct {
	// Underscores admits names with "_" over HTTP, as uWSGI does. "X_User" and "X-User" then
	// become the same environ variable, so a client can forge a field that a front proxy sets.
	// Leave it off unless the app trusts no field.
	Underscores bool
	// Upgrade lets the field Upgrade in, and has [Request].Upgrade tell whether the client
	// offers to switch protocols. It is for handlers that take connections over.
	Upgrade bool
	// Connect lets CONNECT in, likewise. A handler that does not know it must refuse it:
	// the target is no path.
	Connect bool
}

// KeepField reports whether a field with that name reaches the app. Three kinds never do:
// fields about the connection (RFC 9110 7.6.1), Content-Length, which [Request.ContentLength]
// carries, and Proxy, which CGI libraries take for the http_proxy setting. It compares names
// with [EqualName]. The uwsgi codec, whose names have "_" only, sets Underscores and follows
// the same rules otherwise.
func (p Policy) KeepField(name []byte) bool {
	if hopByHop(name) {
		return p.Upgrade && len(name) == 7 && EqualName(name, nameUpgrade)
	}
	switch len(name) {
	case 5:
		if EqualName(name, nameProxy) {
			return false
		}
	case 14:
		if EqualName(name, nameContentLength) {
			return false
		}
	}
	return p.Underscores || bytes.IndexByte(name, '_') < 0
}

// KeepResponseField reports whether a field of an app's response is sent. The encoder writes
// fields about the connection and the framing: it alone knows the client's protocol.
func KeepResponseField(name []byte) bool {
	if len(name) == 14 && EqualName(name, nameContentLength) {
		return false
	}
	return !hopByHop(name)
}

// KeepNominated reports whether a field reaches the app although Connection names it as an
// option, which asks for its removal. Honouring that for any name would let a client remove a
// field that a front proxy added, or one that decides access. So it is ignored for X-… fields,
// which proxies add, for Forwarded and Via, and for all fields about host, body, origin and
// credentials. It is not refused, because some clients list silly options.
func KeepNominated(name []byte) bool {
	if len(name) >= 2 && fold[name[0]] == 'x' && fold[name[1]] == '-' {
		return true
	}
	if len(name) >= 8 && EqualName(name[:8], nameContentDash) {
		return true
	}
	for _, n := range endToEnd {
		if EqualName(name, n) {
			return true
		}
	}
	return false
}

var (
	nameTE               = []byte("te")
	nameProxy            = []byte("proxy")
	nameTrailer          = []byte("trailer")
	nameUpgrade          = []byte("upgrade")
	nameConnection       = []byte("connection")
	nameKeepAlive        = []byte("keep-alive")
	nameContentLength    = []byte("content-length")
	nameContentDash      = []byte("content-")
	nameProxyConnection  = []byte("proxy-connection")
	nameTransferEncoding = []byte("transfer-encoding")

	endToEnd = [][]byte{
		[]byte("host"), []byte("authorization"), []byte("cookie"), []byte("origin"), []byte("referer"),
		[]byte("forwarded"), []byte("via"), []byte("expect"), []byte("date"), []byte("range"), []byte("remote-user"),
		[]byte("true-client-ip"), []byte("cf-connecting-ip"),
	}
)

// hopByHop goes by length first: most names are settled by that alone.
func hopByHop(name []byte) bool {
	switch len(name) {
	case 2:
		return EqualName(name, nameTE)
	case 7:
		return EqualName(name, nameTrailer) || EqualName(name, nameUpgrade)
	case 10:
		return EqualName(name, nameConnection) || EqualName(name, nameKeepAlive)
	case 16:
		return EqualName(name, nameProxyConnection)
	case 17:
		return EqualName(name, nameTransferEncoding)
	}
	return false
}

// EqualName reports whether a and b name the same field: letters match in either
// case and "-" matches "_", as an environ variable has lost that difference.
func EqualName(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if fold[c] != fold[b[i]] {
			return false
		}
	}
	return true
}

// AppendEnvName appends the environ variable of a field: "HTTP_", then the name
// in upper case with "_" for "-" (RFC 3875 4.1.18).
func AppendEnvName(dst, name []byte) []byte {
	dst = append(dst, "HTTP_"...)
	for _, c := range name {
		dst = append(dst, env[c])
	}
	return dst
}

// ParseLength parses a Content-Length: decimal digits only, without sign, list
// or white space, at most 1<<63-1. Leading zeros are part of the grammar
// (RFC 9110 8.6) and do not make it octal.
func ParseLength(s []byte) (int64, bool) {
	if len(s) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range s {
		if grammar.Of[c]&grammar.Digit == 0 {
			return 0, false
		}
		d := int64(c - '0')
		if n > (1<<63-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// fold and env map an octet of a name for comparison and for the environ.
var fold, env = nameTables()

func nameTables() (fold, env [256]byte) {
	for i := range 256 {
		c := byte(i)
		fold[i], env[i] = c, c
		switch {
		case 'A' <= c && c <= 'Z':
			fold[i] = c + 'a' - 'A'
		case 'a' <= c && c <= 'z':
			env[i] = c - 'a' + 'A'
		case c == '_':
			fold[i] = '-'
		case c == '-':
			env[i] = '_'
		}
	}
	return fold, env
}

func equalNameString(a []byte, b string) bool {
	for i, c := range a {
		if fold[c] != fold[b[i]] {
			return false
		}
	}
	return true
}

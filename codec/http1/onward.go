package http1

import (
	"bytes"
	"strconv"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// Onward is what a proxy adds to, or changes in, a request that it passes on.
type Onward struct {
	// Target replaces the client's unless it is empty. It has been checked.
	Target []byte
	// Host replaces the client's unless it is empty. It has been checked.
	Host []byte
	// Default is the host for a client that names none.
	Default []byte
	// Length of the body: -1 for chunks, 0 for none.
	Length int64
	// Expect asks the server for "100 Continue" before the body is sent.
	Expect bool
	// Upgrade passes the client's offer to switch protocols on.
	Upgrade bool
	// Drop reports which fields of the client are left out, besides those about the connection; nil for
	// none.
	Drop func(name []byte) bool
	// Header is added. It is valid in the sense of [codec.Validate].
	Header []codec.Header
}

// AppendRequest appends the head of a request to another server, in HTTP/1.1 and in origin-form. r may
// have come by any protocol. Nothing unsafe gets into HTTP: a field of a uwsgi packet whose name is no
// token is left out, and a malformed target is made again from path and query. An invalid host, and a
// value with a line end, is an error.
func AppendRequest(dst []byte, r *codec.Request, o *Onward) ([]byte, error) {
	dst = append(dst, r.Bytes(r.Method)...)
	dst = append(dst, ' ')
	if len(o.Target) > 0 {
		dst = append(dst, o.Target...)
	} else {
		dst = AppendTarget(dst, r)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	host := r.Bytes(r.Authority)
	switch {
	case len(o.Host) > 0:
		host = o.Host
	case len(host) == 0:
		host = o.Default
	case r.Proto == codec.UWSGI && !validHost(host):
		return dst, codec.ErrHost
	}
	dst = append(dst, host...)
	dst = append(dst, "\r\n"...)
	for _, f := range r.Fields {
		name, value := r.Bytes(f.Name), r.Bytes(f.Value)
		switch len(name) {
		case 4:
			if codec.EqualName(name, nameHost) {
				continue
			}
		case 6:
			if codec.EqualName(name, nameExpect) {
				continue
			}
		case 7:
			if codec.EqualName(name, nameUpgrade) && !o.Upgrade {
				continue
			}
		}
		if o.Drop != nil && o.Drop(name) {
			continue
		}
		if r.Proto == codec.UWSGI {
			if len(value) == 0 && codec.EqualName(name, contentType) || !grammar.Is(grammar.Token, name) {
				continue // nginx sends an empty type for none
			}
			if grammar.SkipValue(value, 0) != len(value) {
				return dst, codec.ErrFieldValue
			}
			dst = appendFieldName(dst, name)
		} else {
			dst = append(dst, name...)
		}
		dst = append(dst, ": "...)
		dst = append(dst, value...)
		dst = append(dst, "\r\n"...)
	}
	for _, h := range o.Header {
		dst = append(dst, h.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, h.Value...)
		dst = append(dst, "\r\n"...)
	}
	switch {
	case o.Length < 0:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case o.Length > 0 || expectsBody(r.Bytes(r.Method)):
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, o.Length, 10)
		dst = append(dst, "\r\n"...)
	}
	if o.Expect {
		dst = append(dst, "Expect: 100-continue\r\n"...)
	}
	if o.Upgrade {
		dst = append(dst, "Connection: Upgrade\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// expectsBody reports whether a request with that method tells of an empty body, too (RFC 9110 8.6).
func expectsBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// appendFieldName appends the name of a field that came as a variable: USER_AGENT is User-Agent.
func appendFieldName(dst, name []byte) []byte {
	begins := true
	for _, c := range name {
		switch {
		case c == '_' || c == '-':
			c, begins = '-', true
			dst = append(dst, c)
			continue
		case 'A' <= c && c <= 'Z' && !begins:
			c += 'a' - 'A'
		}
		begins = false
		dst = append(dst, c)
	}
	return dst
}

// AppendTarget appends the target of a request to another server: as the client has sent it, or made
// from path and query if a handler has changed them or the target was malformed.
func AppendTarget(dst []byte, r *codec.Request) []byte {
	target := r.Bytes(r.Target)
	if !r.Rewritten && len(target) > 0 {
		switch {
		case target[0] == '/':
			path, _, _ := bytes.Cut(target, question)
			if r.Proto != codec.UWSGI || grammar.Is(grammar.Target, target) && checkEscapes(path) == nil {
				return append(dst, target...)
			}
		case len(target) == 1 && target[0] == '*':
			return append(dst, '*')
		}
	}
	if raw := r.Bytes(r.RawPath); len(raw) > 0 && raw[0] == '/' {
		dst = append(dst, raw...)
	} else {
		path := r.Path()
		if len(path) == 0 || path[0] != '/' {
			dst = append(dst, '/')
		}
		dst = appendEscaped(dst, path, pathSafe)
	}
	if query := r.Bytes(r.Query); len(query) > 0 {
		dst = append(dst, '?')
		dst = appendEscaped(dst, query, querySafe)
	}
	return dst
}

// appendEscaped percent-encodes the octets that are not safe.
func appendEscaped(dst, s []byte, safe func(c byte) bool) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range s {
		if safe(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func pathSafe(c byte) bool {
	switch c {
	case '/', '-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@':
		return true
	}
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

func querySafe(c byte) bool { return grammar.Of[c]&grammar.Target != 0 }

var (
	nameHost    = []byte("host")
	nameExpect  = []byte("expect")
	nameUpgrade = []byte("upgrade")
	question    = []byte("?")
)

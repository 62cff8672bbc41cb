package wsgi

import (
	"bytes"
	"strconv"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine"
)

// appendEnviron appends the environ of x as a marshalled dict: the CGI variables
// and the header fields. What is the same for every request, such as
// wsgi.version, the workers add.
//
// PEP 3333 has strings of bytes decoded as latin-1; names that clients choose are
// not interned by Python, as some versions of it would keep them for ever.
func (l *loopState) appendEnviron(dst []byte, x *engine.Exchange, script, path []byte) []byte {
	r := x.Request()
	dst = pymarshal.AppendDictStart(dst)
	dst = append(dst, l.constants(x)...)
	if x.HTTPS() {
		dst = append(dst, l.https...)
	} else {
		dst = append(dst, l.http...)
	}
	dst = appendVar(dst, "REQUEST_METHOD", r.Bytes(r.Method))
	dst = appendVar(dst, "REQUEST_URI", r.Bytes(r.Target))
	dst = appendVar(dst, "PATH_INFO", path)
	dst = appendVar(dst, "SCRIPT_NAME", script)
	dst = appendVar(dst, "QUERY_STRING", r.Bytes(r.Query))
	version := r.Bytes(r.Version)
	if len(version) == 0 {
		version = http11
	}
	dst = appendVar(dst, "SERVER_PROTOCOL", version)
	if r.Proto != codec.UWSGI {
		l.text = x.AppendRemoteAddr(l.text[:0])
		dst = appendVar(dst, "REMOTE_ADDR", l.text)
		if port := x.RemotePort(); port != 0 {
			l.text = strconv.AppendUint(l.text[:0], uint64(port), 10)
			dst = appendVar(dst, "REMOTE_PORT", l.text)
		}
	}
	if size := x.Body().Size(); size > 0 || hasBody(r.Bytes(r.Method)) {
		l.text = strconv.AppendInt(l.text[:0], size, 10)
		dst = appendVar(dst, "CONTENT_LENGTH", l.text)
	}
	dst = l.appendFields(dst, r)
	for _, v := range r.Vars {
		dst = pymarshal.AppendStr(dst, r.Bytes(v.Name))
		dst = pymarshal.AppendStr(dst, r.Bytes(v.Value))
	}
	return pymarshal.AppendDictEnd(dst)
}

// appendFields appends the header fields. Of a field that comes several times the
// values are joined, as RFC 9110 5.3 allows for all that may do so.
func (l *loopState) appendFields(dst []byte, r *codec.Request) []byte {
	var seen uint64 // a bit for each kind of name that has come: few pairs need comparing
	if host := r.Bytes(r.Authority); len(host) > 0 {
		dst = appendVar(dst, "HTTP_HOST", host)
	}
	for i, f := range r.Fields {
		name, value := r.Bytes(f.Name), r.Bytes(f.Value)
		switch len(name) {
		case 4:
			if codec.EqualName(name, host) {
				continue // the authority, which is above
			}
		case 12:
			if codec.EqualName(name, contentType) {
				if len(value) > 0 {
					dst = appendVar(dst, "CONTENT_TYPE", value)
				}
				continue
			}
		}
		if bit := nameBit(name); seen&bit == 0 {
			seen |= bit
		} else if joined, again := l.join(r, i); again {
			value = joined // a later entry of a dict replaces an earlier one
		}
		dst = pymarshal.AppendASCIIHead(dst, len("HTTP_")+len(name))
		dst = codec.AppendEnvName(dst, name)
		dst = pymarshal.AppendStr(dst, value)
	}
	return dst
}

// join returns the values of field i and of those before it with the same name,
// if there are any.
func (l *loopState) join(r *codec.Request, i int) ([]byte, bool) {
	name := r.Bytes(r.Fields[i].Name)
	sep := ", "
	if codec.EqualName(name, cookie) {
		sep = "; " // RFC 6265 5.4
	}
	l.text = l.text[:0]
	again := false
	for j, f := range r.Fields[:i+1] {
		if !codec.EqualName(r.Bytes(f.Name), name) {
			continue
		}
		if len(l.text) > 0 {
			l.text = append(l.text, sep...)
		}
		l.text = append(l.text, r.Bytes(f.Value)...)
		again = again || j < i
	}
	return l.text, again
}

// nameBit spreads names over 64 bits, upper and lower case alike.
func nameBit(name []byte) uint64 {
	h := uint(len(name))
	for _, c := range name[max(0, len(name)-4):] {
		if c == '_' {
			c = '-'
		}
		h = h*31 + uint(c|0x20)
	}
	return 1 << (h % 64)
}

// constants returns the variables that depend on the listener alone.
func (l *loopState) constants(x *engine.Exchange) []byte {
	ln := x.Listener()
	if ln == l.listener && l.listenerVars != nil {
		return l.listenerVars
	}
	port := []byte("80") // what uWSGI has for unix sockets
	if ln != nil && !ln.Unix() {
		port = strconv.AppendUint(nil, uint64(ln.Port()), 10)
	}
	b := appendVar(nil, "SERVER_NAME", l.h.hostname)
	b = appendVar(b, "SERVER_PORT", port)
	l.listener, l.listenerVars = ln, b
	return b
}

// hasBody reports whether requests with that method are expected to have a body,
// so that the length of an empty one is of interest (RFC 9110 8.6).
func hasBody(method []byte) bool {
	return bytes.Equal(method, post) || bytes.Equal(method, put) || bytes.Equal(method, patch)
}

// appendVar appends a variable whose name is one of ours.
func appendVar(dst []byte, name string, value []byte) []byte {
	return pymarshal.AppendStr(pymarshal.AppendKey(dst, name), value)
}

var (
	http11      = []byte("HTTP/1.1")
	host        = []byte("host")
	cookie      = []byte("cookie")
	contentType = []byte("content-type")
	post        = []byte("POST")
	put         = []byte("PUT")
	patch       = []byte("PATCH")
)

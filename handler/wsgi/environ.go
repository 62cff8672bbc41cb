package wsgi

import (
	"slices"
	"strconv"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// appendEnviron appends the environ of x in the workers' form: the values of
// [worker.Variables], then a dict of the other variables and the header fields. The workers add
// constant entries such as wsgi.version. When a key comes twice the last value counts.
//
// PEP 3333 uses str with bytes decoded as latin-1. Python must not intern names that clients
// choose: some versions would keep them for ever.
func (l *loopState) appendEnviron(dst []byte, x *engine.Exchange, script, path []byte) []byte {
	r := x.Request()
	dst = append(dst, l.beginning(x)...)
	dst = pymarshal.AppendStr(dst, r.Bytes(r.Method))
	dst = pymarshal.AppendStr(dst, path)
	dst = pymarshal.AppendStr(dst, script)
	dst = pymarshal.AppendStr(dst, r.Bytes(r.Query))
	version := r.Bytes(r.Version)
	if len(version) == 0 { // a uwsgi packet may lack it, but PEP 3333 wants it
		version = http11
	}
	dst = pymarshal.AppendStr(dst, version)
	l.text = l.text[:0]
	if r.Proto != codec.UWSGI { // over uwsgi the front server names the client
		l.text = x.AppendRemoteAddr(l.text)
	}
	dst = pymarshal.AppendStr(dst, l.text)

	dst = pymarshal.AppendDictStart(dst)
	if x.HTTPS() {
		dst = appendVar(dst, keyHTTPS, on)
	}
	if target := r.Bytes(r.Target); len(target) > 0 { // likewise
		dst = appendVar(dst, keyURI, target)
	}
	if port := x.RemotePort(); port != 0 && r.Proto != codec.UWSGI {
		l.text = strconv.AppendUint(l.text[:0], uint64(port), 10)
		dst = appendVar(dst, keyRemotePort, l.text)
	}
	if size := x.ContentLength(); size > 0 || size == 0 && expectsBody(r.Bytes(r.Method)) {
		l.text = strconv.AppendInt(l.text[:0], size, 10)
		dst = appendVar(dst, keyContentLength, l.text)
	}
	dst = l.appendFields(dst, r)
	if handshake(r) { // libraries look for it
		dst = appendVar(dst, keyConnection, upgrade)
	}
	for _, v := range r.Vars {
		dst = pymarshal.AppendStr(dst, r.Bytes(v.Name))
		dst = pymarshal.AppendStr(dst, r.Bytes(v.Value))
	}
	return pymarshal.AppendDictEnd(dst)
}

// appendFields appends the header fields. The values of a repeated field are joined, as RFC
// 9110 5.3 allows.
func (l *loopState) appendFields(dst []byte, r *codec.Request) []byte {
	var seen uint64 // a bit for each kind of name so far: few pairs need comparing
	if authority := r.Bytes(r.Authority); len(authority) > 0 {
		dst = appendVar(dst, keyHost, authority)
	}
	for i, f := range r.Fields {
		name, value := r.Bytes(f.Name), r.Bytes(f.Value)
		switch len(name) {
		case 4:
			if codec.EqualName(name, host) {
				continue // the authority is set above
			}
		case 12:
			if codec.EqualName(name, contentType) {
				if len(value) > 0 { // nginx sends an empty one for none
					dst = appendVar(dst, keyContentType, value)
				}
				continue
			}
		}
		if bit := nameBit(name); seen&bit == 0 {
			seen |= bit
		} else if again, more := others(r, i); more {
			continue // the last one joins them all
		} else if again {
			value = l.join(r, i)
		}
		dst = pymarshal.AppendASCIIHead(dst, len("HTTP_")+len(name))
		dst = codec.AppendEnvName(dst, name)
		dst = pymarshal.AppendStr(dst, value)
	}
	return dst
}

// others reports whether a field before i has its name, and whether a later one has it too.
func others(r *codec.Request, i int) (again, more bool) {
	name := r.Bytes(r.Fields[i].Name)
	same := func(f codec.Field) bool { return codec.EqualName(r.Bytes(f.Name), name) }
	again = slices.ContainsFunc(r.Fields[:i], same)
	return again, again && slices.ContainsFunc(r.Fields[i+1:], same)
}

// join returns the values of all fields up to i with the name of field i.
func (l *loopState) join(r *codec.Request, i int) []byte {
	name := r.Bytes(r.Fields[i].Name)
	sep := ", "
	if codec.EqualName(name, cookie) {
		sep = "; " // RFC 6265 5.4
	}
	l.text = l.text[:0]
	for _, f := range r.Fields[:i+1] {
		if codec.EqualName(r.Bytes(f.Name), name) {
			l.text = append(append(l.text, r.Bytes(f.Value)...), sep...)
		}
	}
	return l.text[:len(l.text)-len(sep)]
}

// nameBit spreads names over 64 bits. Names that codec.EqualName calls equal get the same bit.
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

// beginning is the beginning of every environ of one listener.
type beginning struct {
	listener *engine.Listener
	https    bool
	environ  []byte
}

func (l *loopState) beginning(x *engine.Exchange) []byte {
	ln, https := x.Listener(), x.HTTPS()
	for i := range l.begun {
		if b := &l.begun[i]; b.listener == ln && b.https == https {
			return b.environ
		}
	}
	scheme, port := []byte("http"), []byte("80") // as uWSGI for unix sockets
	if https {
		scheme = []byte("https")
	}
	switch {
	case ln != nil && !ln.Unix():
		port = strconv.AppendUint(nil, uint64(ln.Port()), 10)
	case ln == nil && https: // behind net/http, which does not say
		port = []byte("443")
	}
	env := pymarshal.AppendTupleHead(nil, len(worker.Variables))
	for _, value := range [][]byte{scheme, l.h.host, port} {
		env = pymarshal.AppendStr(env, value)
	}
	l.begun = append(l.begun, beginning{ln, https, env})
	return env
}

// expectsBody reports whether requests with that method usually have a body, so that apps see
// an empty one too (RFC 9110 8.6).
func expectsBody(method []byte) bool {
	switch string(method) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return false
}

// key returns the name of a variable of ours, marshalled.
func key(name string) string { return string(pymarshal.AppendKey(nil, name)) }

func appendVar(dst []byte, key string, value []byte) []byte {
	return pymarshal.AppendStr(append(dst, key...), value)
}

var (
	keyHTTPS         = key("HTTPS")
	keyURI           = key("REQUEST_URI")
	keyRemotePort    = key("REMOTE_PORT")
	keyContentLength = key("CONTENT_LENGTH")
	keyContentType   = key("CONTENT_TYPE")
	keyHost          = key("HTTP_HOST")
	keyConnection    = key("HTTP_CONNECTION")

	http11      = []byte("HTTP/1.1")
	on          = []byte("on")
	upgrade     = []byte("Upgrade")
	host        = []byte("host")
	cookie      = []byte("cookie")
	contentType = []byte("content-type")
)

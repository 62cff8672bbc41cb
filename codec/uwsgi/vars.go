package uwsgi

import (
	"bytes"
	"encoding/binary"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// maxMethod is the longest method taken, as over HTTP.
const maxMethod = 32

// prefix is what the names of variables begin with that are header fields.
const prefix = "HTTP_"

// policy is that of HTTP. Every variable's name has "_", so those do not count;
// whether a client's header had one is for the web server in front to decide.
var policy = codec.Policy{Underscores: true}

// nameClass says what each octet is in a variable's name; 0 is not printable.
var nameClass = func() (t [256]byte) {
	for c := byte(0x20); c <= 0x7e; c++ {
		t[c] = nameUsual
		if c == '-' || 'a' <= c && c <= 'z' {
			t[c] = nameOdd
		}
	}
	return t
}()

const (
	nameUsual = 1
	nameOdd   = 2 // differs from another only by case, or as "-" does from "_"
)

// packet is the state while the variables of one packet are read.
type packet struct {
	r      *codec.Request
	limits codec.Limits
	policy codec.Policy

	fault  codec.Span // the name at hand
	path   codec.Span
	length codec.Span // of the last CONTENT_LENGTH
	scheme codec.Span
	https  codec.Span
	host   codec.Span
	seen   uint64 // a bit for each kind of name that has come: few pairs need comparing
}

// vars reads all variables of the packet.
func (p *packet) vars() error {
	b := p.r.Buf
	for i := 0; i < len(b); {
		name, next, ok := element(b, i)
		if !ok {
			return badVars(len(b))
		}
		if name.Len() == 0 {
			p.fault = codec.Span{} // it has no name
			return ErrNullKey
		}
		value, next, ok := element(b, next)
		if !ok {
			return badVars(len(b))
		}
		i, p.fault = next, name
		if err := p.variable(name, value); err != nil {
			return err
		}
	}
	return nil
}

// element returns the name or value with its length at b[i:], and the start of the next one.
func element(b []byte, i int) (s codec.Span, next int, ok bool) {
	if len(b)-i < 2 {
		return s, 0, false
	}
	n := int(binary.LittleEndian.Uint16(b[i:]))
	i += 2
	if n > len(b)-i {
		return s, 0, false
	}
	return codec.Span{Off: uint32(i), End: uint32(i + n)}, i + n, true
}

// variable puts one variable where it belongs.
func (p *packet) variable(name, value codec.Span) error {
	r := p.r
	key := r.Bytes(name)
	odd := byte(0)
	for _, c := range key {
		class := nameClass[c]
		if class == 0 {
			return ErrKey
		}
		odd |= class
	}
	if len(key) >= len(prefix) && string(key[:len(prefix)]) == prefix {
		name.Off += uint32(len(prefix))
		return p.field(name, value, odd&nameOdd != 0)
	}
	switch string(key) {
	case "REQUEST_METHOD":
		r.Method = value
	case "REQUEST_URI":
		r.Target = value
	case "PATH_INFO":
		p.path = value
	case "SCRIPT_NAME":
		r.ScriptName = value
	case "QUERY_STRING":
		r.Query = value
	case "SERVER_PROTOCOL":
		r.Version = value
	case "CONTENT_LENGTH":
		p.length = value
	case "CONTENT_TYPE":
		if !p.printable(value) {
			return codec.ErrFieldValue
		}
		return p.add(&p.r.Fields, name, value)
	case "HTTPS":
		p.https = value
		return p.other(name, value)
	case "UWSGI_SCHEME":
		p.scheme = value
		return p.other(name, value)
	default:
		if !reserved(key) {
			return p.other(name, value)
		}
	}
	return nil
}

// field takes in an HTTP_* variable without that prefix. An odd name has a character that no
// header's name gives.
func (p *packet) field(name, value codec.Span, odd bool) error {
	b := p.r.Bytes(value)
	if grammar.SkipValue(b, 0) != len(b) {
		return codec.ErrFieldValue
	}
	key := p.r.Bytes(name)
	switch string(key) {
	case "":
		return nil
	case "HOST":
		p.host = value
	case "CONTENT_TYPE":
		return nil // nginx sends it a second time under this name
	}
	if !p.policy.KeepField(key) {
		return nil
	}
	if odd {
		// It differs from a real variable by case or a dash. Code that compares names of fields
		// would take it for that one.
		name.Off -= uint32(len(prefix))
		return p.other(name, value)
	}
	return p.add(&p.r.Fields, name, value)
}

func (p *packet) other(name, value codec.Span) error { return p.add(&p.r.Vars, name, value) }

// add adds an element to a list, or replaces the value of the element with that name.
func (p *packet) add(list *[]codec.Field, name, value codec.Span) error {
	key := p.r.Bytes(name)
	bit := uint64(1) << ((uint(len(key)) + uint(key[0])*5 + uint(key[len(key)-1])*11 + uint(key[len(key)/2])*23) % 64)
	if p.seen&bit != 0 {
		for i := range *list {
			if f := &(*list)[i]; bytes.Equal(p.r.Bytes(f.Name), key) {
				f.Value = value
				return nil
			}
		}
	}
	p.seen |= bit
	if len(*list) >= p.limits.Fields {
		return ErrTooManyVars
	}
	*list = append(*list, codec.Field{Name: name, Value: value})
	return nil
}

// reserved reports whether a variable must not reach the app. uWSGI uses some to load code,
// read files, or change directory and environment. Others are keys that the server sets itself:
// those of PEP 3333 and uwsgo.*.
func reserved(key []byte) bool {
	switch string(key) {
	case "UWSGI_FILE", "UWSGI_SCRIPT", "UWSGI_MODULE", "UWSGI_CALLABLE",
		"UWSGI_HOME", "UWSGI_PYHOME", "UWSGI_CHDIR", "UWSGI_SETENV",
		"UWSGI_TOUCH_RELOAD", "UWSGI_POSTFILE", "UWSGI_CACHE_GET":
		return true
	}
	return bytes.HasPrefix(key, []byte("wsgi.")) || bytes.HasPrefix(key, []byte("uwsgi.")) || bytes.HasPrefix(key, []byte("uwsgo."))
}

// finish applies the rules that need all variables.
func (p *packet) finish(stripScriptName bool) error {
	r := p.r
	method := r.Bytes(r.Method)
	switch {
	case len(method) == 0 || !grammar.Is(grammar.Token, method):
		return ErrMethod
	case len(method) > maxMethod:
		return codec.ErrMethodTooLong
	case r.Target.Len() > p.limits.Target:
		return codec.ErrTargetTooLong
	case !p.printable(r.Target), !p.printable(r.Query):
		return codec.ErrTarget
	case !p.printable(r.Version):
		return ErrVersion
	}
	r.Head = string(method) == "HEAD"

	path, script := r.Bytes(p.path), r.Bytes(r.ScriptName)
	if bytes.IndexByte(path, 0) >= 0 || bytes.IndexByte(script, 0) >= 0 {
		return ErrPath
	}
	if stripScriptName {
		if rest, ok := bytes.CutPrefix(path, script); ok && (len(rest) == 0 || rest[0] == '/') {
			path = rest
		}
	}
	r.SetPath(path)
	r.PathInfo = p.path

	r.Authority = p.host
	https := r.Bytes(p.https)
	r.HTTPS = len(https) > 0 && https[0] == '1' || len(https) > 1 && https[0]|0x20 == 'o' && https[1]|0x20 == 'n'
	if p.scheme.Len() > 0 {
		r.HTTPS = string(r.Bytes(p.scheme)) == "https"
	}
	if length := bytes.Trim(r.Bytes(p.length), " \t"); len(length) > 0 {
		n, ok := codec.ParseLength(length)
		if !ok {
			return ErrLength
		}
		if p.limits.BodyTooLarge(n) {
			return codec.ErrBodyTooLarge
		}
		r.ContentLength = n
	}
	return nil
}

// printable reports whether s holds no control characters, which would end up in
// logs and responses.
func (p *packet) printable(s codec.Span) bool {
	b := p.r.Bytes(s)
	return grammar.SkipValue(b, 0) == len(b)
}

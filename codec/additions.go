package codec

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// What handlers add to a request. It has bytes of its own: spans into the wire's bytes,
// and views taken before, stay as they are.

const (
	// ownBytes is added to the ends of a span that points into [Request].own.
	ownBytes = 1 << 31
	// mostOwn bounds what handlers add to one request, in bytes.
	mostOwn = 1 << 20
)

// ErrAddition is wrapped by the errors of what cannot be added to a request.
var ErrAddition = errors.New("it cannot be added to the request")

// keep copies b and returns where the copy is.
func (r *Request) keep(b []byte) (Span, error) {
	at := uint32(len(r.own))
	if len(b) > mostOwn-len(r.own) {
		return Span{}, fmt.Errorf("more than %d bytes are added: %w", mostOwn, ErrAddition)
	}
	r.own = append(r.own, b...)
	return Span{ownBytes + at, ownBytes + uint32(len(r.own))}, nil
}

func (r *Request) keepField(name, value []byte) (f Field, err error) {
	if f.Name, err = r.keep(name); err == nil {
		f.Value, err = r.keep(value)
	}
	return f, err
}

// SetVar gives the app a variable of the server's own, such as REMOTE_USER, in place of
// those with that name that the front server has sent. For HTTP_… there is SetField.
func (r *Request) SetVar(name, value string) error {
	if name == "" || strings.HasPrefix(name, "wsgi.") || strings.HasPrefix(name, "HTTP_") {
		return fmt.Errorf("variable %q: %w", name, ErrAddition)
	}
	f, err := r.keepField([]byte(name), []byte(value))
	if err != nil {
		return err
	}
	r.DelVar(name)
	r.Vars = append(r.Vars, f)
	return nil
}

// DelVar takes out the variables with that name.
func (r *Request) DelVar(name string) {
	kept := r.Vars[:0]
	for _, v := range r.Vars {
		if string(r.Bytes(v.Name)) != name {
			kept = append(kept, v)
		}
	}
	r.Vars = kept
}

// Var returns the variable with that name, nil where there is none.
func (r *Request) Var(name string) []byte {
	for i := len(r.Vars); i > 0; i-- { // of two the last counts
		if v := r.Vars[i-1]; string(r.Bytes(v.Name)) == name {
			return r.Bytes(v.Value)
		}
	}
	return nil
}

// AddField adds a header field. The same names are refused that [Policy] keeps from the
// app: those about the connection and the length of the body.
func (r *Request) AddField(name, value []byte) error {
	if len(name) == 0 || !grammar.Is(grammar.Token, name) || !(Policy{Underscores: true}).KeepField(name) {
		return fmt.Errorf("field %q: %w", name, ErrAddition)
	}
	if grammar.SkipValue(value, 0) != len(value) {
		return fmt.Errorf("field %s: %q: %w", name, value, ErrAddition)
	}
	f, err := r.keepField(name, value)
	if err != nil {
		return err
	}
	if len(name) == 4 && EqualName(name, nameHost) {
		r.DelField(name)
		r.Authority = f.Value
	}
	r.Fields = append(r.Fields, f)
	return nil
}

// SetField puts a header field in the place of those with that name.
func (r *Request) SetField(name, value []byte) error {
	before := len(r.Fields)
	if err := r.AddField(name, value); err != nil {
		return err
	}
	if len(r.Fields) <= before {
		return nil // Host: AddField has replaced it
	}
	kept := r.Fields[:0]
	for i, f := range r.Fields {
		if i == before || !EqualName(r.Bytes(f.Name), name) {
			kept = append(kept, f)
		}
	}
	r.Fields = kept
	return nil
}

// DelField takes out the header fields with that name, compared with [EqualName]. The host
// that counts stays: see SetHost.
func (r *Request) DelField(name []byte) {
	kept := r.Fields[:0]
	for _, f := range r.Fields {
		if !EqualName(r.Bytes(f.Name), name) {
			kept = append(kept, f)
		}
	}
	r.Fields = kept
}

// SetHost gives the request another host, in place of its Host field.
func (r *Request) SetHost(host []byte) error { return r.SetField(nameHost, host) }

// Rewrite gives the handlers behind another path, decoded, and another query. The target
// that the client sent stays for the log and as REQUEST_URI: see SetTarget.
func (r *Request) Rewrite(path, query []byte) error {
	if grammar.SkipValue(query, 0) != len(query) || bytes.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("path %q and query %q: %w", path, query, ErrAddition)
	}
	s, err := r.keep(query)
	if err != nil {
		return err
	}
	r.Query = s
	r.SetPath(path)
	r.RawPath, r.PathInfo, r.Rewritten = Span{}, Span{}, true
	return nil
}

// SetMethod gives the handlers behind another method. The answer stays framed for the one
// that the client sent.
func (r *Request) SetMethod(method []byte) error {
	if len(method) == 0 || !grammar.Is(grammar.Token, method) {
		return fmt.Errorf("method %q: %w", method, ErrAddition)
	}
	s, err := r.keep(method)
	if err == nil {
		r.Method = s
	}
	return err
}

// SetTarget gives the request another target: REQUEST_URI.
func (r *Request) SetTarget(target []byte) error {
	if len(target) == 0 || !grammar.Is(grammar.Target, target) {
		return fmt.Errorf("target %q: %w", target, ErrAddition)
	}
	s, err := r.keep(target)
	if err == nil {
		r.Target = s
	}
	return err
}

// SetScriptName gives the request another SCRIPT_NAME.
func (r *Request) SetScriptName(name []byte) error {
	if bytes.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("SCRIPT_NAME %q: %w", name, ErrAddition)
	}
	s, err := r.keep(name)
	if err == nil {
		r.ScriptName = s
	}
	return err
}

var nameHost = []byte("Host")

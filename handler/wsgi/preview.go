package wsgi

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/codec/pymarshal"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// Preview replaces a [Handler] without running Python. It shows which app a request is for and
// the environ it would get. It is for tools that try a configuration.
type Preview struct {
	h    *Handler
	show func(x *engine.Exchange, app int, environ []Variable)
}

// Variable is an environ entry. The value has a character for each byte, as in PEP 3333.
type Variable struct{ Name, Value string }

// NewPreview makes a Preview of apps for a server with one loop. show gets the request and must
// answer it at once, on the loop. The environ is sorted by name, and lacks constant entries
// such as wsgi.version.
func NewPreview(apps []worker.App, o Options, show func(x *engine.Exchange, app int, environ []Variable)) (*Preview, error) {
	h, err := newHandler(apps, o, 1)
	return &Preview{h, show}, err
}

// Paths is [Handler.Paths].
func (p *Preview) Paths(r *codec.Request) (script, path []byte) { return p.h.Paths(r) }

// Serve implements engine.Handler.
func (p *Preview) Serve(x *engine.Exchange) {
	l, r := &p.h.loops[0], x.Request()
	app, script, path := p.h.mounts.choose(appID(r), r.Bytes(r.ScriptName), r.Path())
	if app == noApp {
		x.ReplyText(http.StatusNotFound, "Not Found\n")
		return
	}
	if x.AwaitBody(p) {
		return
	}
	environ, err := readEnviron(l.appendEnviron(nil, x, script, path))
	if err != nil { // appendEnviron has just written it
		p.h.logf("environ: %v", err)
		x.Abort()
		return
	}
	p.show(x, app, environ)
}

// readEnviron reads what appendEnviron writes.
func readEnviron(b []byte) ([]Variable, error) {
	var r pymarshal.Reader
	r.Reset(b)
	values := map[string]string{}
	text := func() string {
		s, _ := r.Str()
		return string(s)
	}
	for i := range r.TupleLen() {
		values[worker.Variables[i]] = text()
	}
	r.DictStart()
	for !r.DictEnd() {
		name := text()
		values[name] = text()
	}
	var environ []Variable
	for name, value := range values {
		environ = append(environ, Variable{name, value})
	}
	slices.SortFunc(environ, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	return environ, r.Err()
}

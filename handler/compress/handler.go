package compress

import (
	"sync"

	"github.com/uwsgo/uwsgo/engine"
)

// Options configures a [Handler].
type Options struct {
	// Pool compresses what is large. When it is full, large responses are sent
	// as they are. It must be set.
	Pool *engine.Pool
	// OnlyMarked compresses nothing but responses with the header
	// "uWSGI-Encoding: gzip", and those with gzip whatever their type and size: that is
	// uWSGI's http-auto-gzip. The header is never sent on.
	OnlyMarked bool
}

// Handler answers with what the next handler answers, compressed. It keeps
// nothing per loop and may serve any number of them.
type Handler struct {
	next    engine.Handler
	options Options
	outputs sync.Pool // of *output
}

// Asked is set on an exchange by a handler behind that wants its response to be taken as one
// that is marked: see [Options].
var Asked = engine.NewKey[bool]()

// New returns a Handler for the responses of next.
func New(next engine.Handler, o Options) *Handler {
	h := &Handler{next: next, options: o}
	h.outputs.New = func() any { return &output{handler: h} }
	return h
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	o := h.outputs.Get().(*output)
	o.encoding, o.must = negotiate(x.Request(), h.options.OnlyMarked)
	x.Push(o)
	h.next.Serve(x)
}

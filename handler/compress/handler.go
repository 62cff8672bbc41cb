package compress

import (
	"sync"

	"github.com/uwsgo/uwsgo/engine"
)

// Options configures a [Handler].
type Options struct {
	// Pool compresses large responses. When it is full they are sent uncompressed. It must be
	// set.
	Pool *engine.Pool
	// OnlyMarked compresses only responses with the header "uWSGI-Encoding: gzip", always with
	// gzip and whatever their type and size, as uWSGI's http-auto-gzip does. The header is
	// never sent on.
	OnlyMarked bool
}

// Handler compresses the next handler's answers. It keeps no state per loop and may serve any
// number of loops.
type Handler struct {
	next    engine.Handler
	options Options
	outputs sync.Pool // of *output
}

// Asked is set on an exchange by a later handler to mark its response: see [Options].
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

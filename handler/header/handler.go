// Package header is a handler that adds headers to every response of the next handler, files
// and errors included, and removes others: uWSGI's add-header and rem-header.
package header

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// Options configures a [Handler].
type Options struct {
	// Add has lines "Name: value". They are added to the response even if it has a header of
	// that name.
	Add []string
	// Remove has names. The next handler's headers of these names are removed; those of Add are
	// not.
	Remove []string
}

// Handler changes the headers of the next handler's responses. It keeps no state per loop and
// may serve any number of loops.
type Handler struct {
	next   engine.Handler
	add    []codec.Header
	remove [][]byte
}

// New returns a Handler for the responses of next. It returns an error for a malformed header,
// and for headers about the body's length, which the server sets itself.
func New(next engine.Handler, o Options) (*Handler, error) {
	h := &Handler{next: next}
	for _, line := range o.Add {
		added, err := Parse(line)
		if err != nil {
			return nil, err
		}
		h.add = append(h.add, added)
	}
	for _, name := range o.Remove {
		removed, err := ParseName(name)
		if err != nil {
			return nil, err
		}
		h.remove = append(h.remove, removed)
	}
	return h, nil
}

// Parse reads a line "Name: value".
func Parse(line string) (codec.Header, error) {
	name, value, found := strings.Cut(line, ":")
	if !found {
		return codec.Header{}, fmt.Errorf("%q is not of the form Name: value", line)
	}
	h := codec.Header{Name: []byte(name), Value: []byte(strings.Trim(value, " \t"))}
	return h, check(h)
}

// ParseName reads the name of a header to remove.
func ParseName(name string) ([]byte, error) {
	return []byte(name), check(codec.Header{Name: []byte(name)})
}

// check refuses headers that would break a response.
func check(h codec.Header) error {
	if err := codec.Validate(&codec.Response{Status: 200, Header: []codec.Header{h}}); err != nil {
		return err
	}
	switch strings.ToLower(string(h.Name)) {
	case "content-length", "transfer-encoding":
		return fmt.Errorf("%s is set by the server, because it marks the end of the body", h.Name)
	}
	return nil
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	h.Push(x)
	h.next.Serve(x)
}

// Push changes the headers of one exchange's response, whichever handler answers. It suits
// [engine.Options].Every, which also sees the engine's refusals; next may be nil then.
func (h *Handler) Push(x *engine.Exchange) { Change(x, h.add, h.remove) }

// Change adds headers to one exchange's response and removes the handler's headers named in
// remove. The caller checks both with [Parse] and [ParseName], and must not change them before
// the exchange has ended.
func Change(x *engine.Exchange, add []codec.Header, remove [][]byte) {
	l := layers.Get().(*layer)
	l.add, l.remove = add, remove
	x.Push(l)
}

var layers = sync.Pool{New: func() any { return new(layer) }}

// layer changes the head of one response. The body passes unchanged.
type layer struct {
	engine.Pass
	add     []codec.Header
	remove  [][]byte
	started bool
	resp    codec.Response // the changed head; Header is kept for reuse
}

// head returns resp with the headers changed.
func (l *layer) head(resp *codec.Response) *codec.Response {
	header := l.resp.Header[:0]
	for _, h := range resp.Header {
		if !l.removes(h.Name) {
			header = append(header, h)
		}
	}
	l.resp = *resp
	l.resp.Header = append(header, l.add...)
	return &l.resp
}

func (l *layer) removes(name []byte) bool {
	for _, r := range l.remove {
		if len(r) == len(name) && bytes.EqualFold(r, name) {
			return true
		}
	}
	return false
}

// Ended implements [engine.Layer].
func (l *layer) Ended(*engine.Exchange, *engine.Outcome) {
	header := l.resp.Header
	clear(header[:cap(header)]) // views of others
	*l = layer{resp: codec.Response{Header: header[:0]}}
	layers.Put(l)
}

// Reply implements [engine.Output].
func (l *layer) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	l.Next().Reply(x, l.head(resp), body)
}

// ReplyFile implements [engine.Output].
func (l *layer) ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64) {
	l.Next().ReplyFile(x, l.head(resp), f, off, n)
}

// Start implements [engine.Output].
func (l *layer) Start(x *engine.Exchange, resp *codec.Response) {
	l.started = true
	l.Next().Start(x, l.head(resp))
}

// Abort implements [engine.Output]. If the response has not begun it answers as the engine
// would, 500, with the headers.
func (l *layer) Abort(x *engine.Exchange) {
	if l.started {
		l.Next().Abort(x)
		return
	}
	resp := x.Response()
	resp.Status = 500
	resp.Header = append(resp.Header, codec.Header{Name: contentType, Value: textPlain})
	l.Next().Reply(x, l.head(resp), []byte("Internal Server Error"))
}

var contentType, textPlain = []byte("Content-Type"), []byte("text/plain; charset=utf-8")

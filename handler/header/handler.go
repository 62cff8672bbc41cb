// Package header is a handler that adds headers to every response of the next
// handler, files and errors included, and takes others out: uWSGI's add-header and
// rem-header.
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
	// Add has lines "Name: value". They are added to what the next handler answers
	// with, also where that has a header of the same name.
	Add []string
	// Remove has names. What the next handler answers with under them is left out;
	// what is in Add is not.
	Remove []string
}

// Handler changes the headers of what the next handler answers. It keeps nothing per
// loop and may serve any number of them.
type Handler struct {
	next   engine.Handler
	add    []codec.Header
	remove [][]byte
}

// New returns a Handler for the responses of next. It returns an error for what is no
// header, and for those that say how long the body is, which the server does itself.
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

// ParseName reads the name of a header that is to be taken out.
func ParseName(name string) ([]byte, error) {
	return []byte(name), check(codec.Header{Name: []byte(name)})
}

// check refuses what would spoil a response.
func check(h codec.Header) error {
	if err := codec.Validate(&codec.Response{Status: 200, Header: []codec.Header{h}}); err != nil {
		return err
	}
	switch strings.ToLower(string(h.Name)) {
	case "content-length", "transfer-encoding":
		return fmt.Errorf("%s is the server's to say, as it tells where the body ends", h.Name)
	}
	return nil
}

// Serve implements [engine.Handler].
func (h *Handler) Serve(x *engine.Exchange) {
	Change(x, h.add, h.remove)
	h.next.Serve(x)
}

// Change adds headers to the response of one exchange, and takes those out of it that the
// handler sets under the names in remove. The caller has checked both, with [Parse] and
// [ParseName], and must not change them before the exchange has ended.
func Change(x *engine.Exchange, add []codec.Header, remove [][]byte) {
	o := outputs.Get().(*output)
	o.add, o.remove, o.next = add, remove, x.Output()
	x.SetOutput(o)
}

var outputs = sync.Pool{New: func() any { return new(output) }}

// output changes the head of one response. It stands between handler and client until
// the response has ended; a body goes through it as it is.
type output struct {
	add    []codec.Header
	remove [][]byte
	next   engine.Output
	// started says that the head of a streamed response has been handed on.
	started bool
	resp    codec.Response // the changed head; Header is kept for reuse
}

// head returns resp with the headers changed.
func (o *output) head(resp *codec.Response) *codec.Response {
	header := o.resp.Header[:0]
	for _, h := range resp.Header {
		if !o.removes(h.Name) {
			header = append(header, h)
		}
	}
	o.resp = *resp
	o.resp.Header = append(header, o.add...)
	return &o.resp
}

func (o *output) removes(name []byte) bool {
	for _, r := range o.remove {
		if len(r) == len(name) && bytes.EqualFold(r, name) {
			return true
		}
	}
	return false
}

// leave gives x back to where its response goes.
func (o *output) leave(x *engine.Exchange) engine.Output {
	next := o.next
	o.next = nil
	x.SetOutput(next)
	return next
}

// free keeps o for another exchange.
func (o *output) free() {
	header := o.resp.Header
	clear(header[:cap(header)]) // views of others
	*o = output{resp: codec.Response{Header: header[:0]}}
	outputs.Put(o)
}

// Reply implements [engine.Output].
func (o *output) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	o.leave(x).Reply(x, o.head(resp), body)
	o.free()
}

// ReplyFile implements [engine.Output].
func (o *output) ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64) {
	o.leave(x).ReplyFile(x, o.head(resp), f, off, n)
	o.free()
}

// Start implements [engine.Output]. o stays in its place until the end: an output behind
// it, a compressor for one, has the body too, and x's output must not be set from here on.
func (o *output) Start(x *engine.Exchange, resp *codec.Response) {
	o.started = true
	o.next.Start(x, o.head(resp))
}

// Write implements [engine.Output].
func (o *output) Write(x *engine.Exchange, p []byte) { o.next.Write(x, p) }

// End implements [engine.Output].
func (o *output) End(x *engine.Exchange) {
	o.leave(x).End(x)
	o.free()
}

// Abort implements [engine.Output]. Where nothing has been said yet this is the 500 that
// the engine would give, with the headers.
func (o *output) Abort(x *engine.Exchange) {
	next := o.leave(x)
	if o.started {
		next.Abort(x)
	} else {
		resp := x.Response()
		resp.Status = 500
		resp.Header = append(resp.Header, codec.Header{Name: contentType, Value: textPlain})
		next.Reply(x, o.head(resp), []byte("Internal Server Error"))
	}
	o.free()
}

var contentType, textPlain = []byte("Content-Type"), []byte("text/plain; charset=utf-8")

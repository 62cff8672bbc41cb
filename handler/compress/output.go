package compress

import (
	"bytes"
	"os"
	"slices"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

const (
	// minSize is the body size in bytes from which compression pays. Below it saves hardly a
	// packet.
	minSize = 1 << 10
	// loopSize is the largest whole body that the loop compresses itself, in about 0.3 ms.
	loopSize = 64 << 10
	// maxFile is the largest file that is read into memory and compressed. Larger ones go out
	// by sendfile(2), uncompressed.
	maxFile = 8 << 20
	// keepBuffer bounds the memory that an output keeps for its next response.
	keepBuffer = 128 << 10
)

// output is a layer that compresses one response. It belongs to the exchange's loop. While away
// is set a goroutine of the pool uses views and buffer.
type output struct {
	engine.Pass
	handler  *Handler
	encoding encoding // the client's coding if the response allows it; may be identity
	must     bool     // the client does not take identity

	resp   codec.Response // the changed head; Header is kept for reuse
	etag   []byte
	views  []byte // copies of resp's bytes while away is set
	buffer bytes.Buffer
	away   bool
	over   bool // the exchange has ended while away was set

	stream  encoder // while a compressed response is streamed
	discard bool    // likewise for HEAD: there is no body
	left    int64   // missing bytes of a streamed body, -1 if its length is unknown
}

// Reply implements [engine.Output].
func (o *output) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	size := int64(len(body))
	if x.Request().Head {
		size = max(resp.ContentLength, 0)
	}
	eligible, marked := o.inspect(x, resp, size)
	switch {
	case !eligible && !marked:
		o.reply(x, resp, body)
	case !eligible || o.encoding == identity:
		o.reply(x, o.head(resp, identity, eligible), body)
	case x.Request().Head:
		o.reply(x, o.head(resp, o.encoding, true), nil)
	case size <= loopSize:
		o.compressed(x, resp, body, compressAll(o.encoding, &o.buffer, body))
	default:
		if !o.offload(x, resp, size, func() func() ([]byte, error) {
			body := bytes.Clone(body)
			return func() ([]byte, error) { return body, nil }
		}) {
			o.reply(x, o.head(resp, identity, true), body)
		}
	}
}

// ReplyFile implements [engine.Output].
func (o *output) ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64) {
	eligible, marked := o.inspect(x, resp, n)
	eligible = eligible && n <= maxFile
	read := func() ([]byte, error) {
		defer f.Close()
		body := make([]byte, n)
		_, err := f.ReadAt(body, off)
		return body, err
	}
	switch {
	case !eligible && !marked:
	case !eligible || o.encoding == identity:
		resp = o.head(resp, identity, eligible)
	case x.Request().Head:
		_ = f.Close()
		o.reply(x, o.head(resp, o.encoding, true), nil)
		return
	case n <= loopSize:
		body, err := read()
		if err != nil {
			o.Abort(x)
			return
		}
		o.compressed(x, resp, body, compressAll(o.encoding, &o.buffer, body))
		return
	default:
		if o.offload(x, resp, n, func() func() ([]byte, error) { return read }) {
			return
		}
		resp = o.head(resp, identity, true)
	}
	o.Next().ReplyFile(x, resp, f, off, n)
}

// Start implements [engine.Output].
func (o *output) Start(x *engine.Exchange, resp *codec.Response) {
	eligible, marked := o.inspect(x, resp, resp.ContentLength)
	switch {
	case !eligible && !marked:
	case !eligible || o.encoding == identity:
		resp = o.head(resp, identity, eligible)
	default:
		o.left = resp.ContentLength
		resp = o.head(resp, o.encoding, true)
		if o.discard = x.Request().Head; !o.discard {
			o.stream = newEncoder(o.encoding, &o.buffer)
		}
	}
	o.Next().Start(x, resp)
}

// Write implements [engine.Output].
func (o *output) Write(x *engine.Exchange, p []byte) {
	if o.discard {
		return
	}
	if o.stream == nil {
		o.Next().Write(x, p)
		return
	}
	if o.left >= 0 {
		p = p[:min(int64(len(p)), o.left)]
		o.left -= int64(len(p))
	}
	if len(p) == 0 {
		return
	}
	if _, err := o.stream.Write(p); err != nil {
		return // writing to a buffer does not fail
	}
	_ = o.stream.Flush()
	o.Next().Write(x, o.buffer.Bytes())
	o.buffer.Reset()
}

// End implements [engine.Output].
func (o *output) End(x *engine.Exchange) {
	if o.stream != nil {
		if o.left > 0 {
			// Less than announced. The next output has no length and cannot know. The client
			// must not take the part for the whole.
			o.Abort(x)
			return
		}
		_ = o.stream.Close()
		o.Next().Write(x, o.buffer.Bytes())
	}
	o.Next().End(x)
}

// Ended implements [engine.Layer].
func (o *output) Ended(*engine.Exchange, *engine.Outcome) {
	if o.over = o.away; !o.over { // else the goroutine still has it
		o.free()
	}
}

// reply ends the exchange with a whole response. Do not touch x afterwards.
func (o *output) reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	o.Next().Reply(x, resp, body)
}

// compressed answers with the buffer's content, or with body when that is smaller or
// compression failed.
func (o *output) compressed(x *engine.Exchange, resp *codec.Response, body []byte, err error) {
	if err != nil || o.buffer.Len() >= len(body) && !o.must {
		o.reply(x, o.head(resp, identity, true), body)
		return
	}
	o.reply(x, o.head(resp, o.encoding, true), o.buffer.Bytes())
}

// offload reads and compresses a body of n bytes on a goroutine of the pool, and answers when
// that is done. It returns false when the pool is full, or the server's memory would be. Then
// the body goes out uncompressed, a file by sendfile. source, called when there is room,
// returns the reader of the body.
func (o *output) offload(x *engine.Exchange, resp *codec.Response, n int64, source func() func() ([]byte, error)) bool {
	free := x.Reserve(2 * n) // the body and its compressed form
	if free == nil {
		return false
	}
	read := source()
	head := o.keep(resp)
	ref := x.Ref()
	o.away = true
	err := o.handler.options.Pool.Go(func() {
		defer free() // the posted answer soon counts as the connection's output
		body, readErr := read()
		var err error
		if readErr == nil {
			err = compressAll(o.encoding, &o.buffer, body)
		}
		_ = ref.PostOr(func(x *engine.Exchange) {
			o.away = false
			if readErr != nil {
				o.Abort(x)
				return
			}
			o.compressed(x, head, body, err)
		}, func() {
			// The client has gone. o may belong to this goroutine only, or still be a layer of
			// the exchange.
			if o.away = false; o.over {
				o.free()
			}
		})
	})
	if err != nil {
		free()
		o.away = false
		return false
	}
	return true
}

// keep returns a copy of resp that points to memory of o.
func (o *output) keep(resp *codec.Response) *codec.Response {
	size := len(resp.Reason)
	for _, h := range resp.Header {
		size += len(h.Name) + len(h.Value)
	}
	o.views = slices.Grow(o.views[:0], size) // it must not move from here on
	copied := func(b []byte) []byte {
		at := len(o.views)
		o.views = append(o.views, b...)
		return o.views[at:len(o.views):len(o.views)]
	}
	kept := *resp
	kept.Reason = copied(resp.Reason)
	kept.Header = make([]codec.Header, len(resp.Header))
	for i, h := range resp.Header {
		kept.Header[i] = codec.Header{Name: copied(h.Name), Value: copied(h.Value)}
	}
	return &kept
}

// free keeps o for another exchange.
func (o *output) free() {
	if o.stream != nil {
		freeEncoder(o.encoding, o.stream)
	}
	buffer, header := o.buffer, o.resp.Header[:0]
	buffer.Reset()
	if buffer.Cap() > keepBuffer {
		buffer = bytes.Buffer{}
	}
	clear(header[:cap(header)]) // views of others
	h := o.handler
	*o = output{handler: h, resp: codec.Response{Header: header}, etag: o.etag[:0], views: o.views[:0], buffer: buffer}
	h.outputs.Put(o)
}

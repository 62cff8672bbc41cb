package worker

import (
	"os"

	"github.com/uwsgo/uwsgo/codec/pymarshal"
)

// Client waits for an answer. The loop of the request's [Port] calls its methods, never from
// within [Port.Begin], [Port.Send], [Port.Credit] or [Port.Cancel]. Their arguments are views,
// valid during the call, except where they say otherwise. They may begin other requests.
//
// A request ends with exactly one of Reply, End, File and Fail, unless it is cancelled. Its id
// is void from then on. When a method panics the log has it and the request ends: Fail follows
// with [ErrPanicked], except after a panic in Fail.
//
// For a HEAD request, or a status without a body, only the length of the body counts.
type Client interface {
	// Reply is a whole answer.
	Reply(core *Core, status []byte, headers *Headers, body []byte)
	// Head begins a streamed answer.
	Head(core *Core, status []byte, headers *Headers)
	// Data is the next piece of a streamed answer. Give its bytes back with [Port.Credit] as
	// they leave for the client.
	Data(p []byte)
	// End completes a streamed answer.
	End()
	// File is an answer whose body is n bytes of f from offset on. f belongs to the
	// client from then on.
	File(core *Core, status []byte, headers *Headers, f *os.File, offset, n int64)
	// Fail ends a request without an answer, or after Head without the rest of it. err is one
	// of this package's errors.
	Fail(err error)
}

// Describer is implemented by a [Client] that can say which request it waits for,
// as "ip - METHOD uri", for the log.
type Describer interface{ Describe() string }

// HalfCloser is implemented by a [Client] that knows whether its client has closed its side
// of the connection. Such a client may still read an answer, or be gone.
type HalfCloser interface{ HalfClosed() bool }

// Headers are the headers of an answer, read once from front to back.
type Headers struct {
	r    pymarshal.Reader
	left int
}

// Len returns how many headers have not been read yet.
func (h *Headers) Len() int { return h.left }

// Next returns the next header in latin-1, both parts views. ok is false at the end.
func (h *Headers) Next() (name, value []byte, ok bool) {
	if h.left == 0 || h.r.TupleLen() != 2 {
		h.left = 0
		return nil, nil, false
	}
	h.left--
	name, ok1 := latin1(&h.r)
	value, ok2 := latin1(&h.r)
	return name, value, ok1 && ok2
}

// head begins to read a marshalled (status, headers).
func (h *Headers) head(b []byte) (status []byte, ok bool) {
	h.r.Reset(b)
	if h.r.TupleLen() != 2 {
		return nil, false
	}
	status, ok = latin1(&h.r)
	h.left = h.r.ListLen()
	return status, ok && h.r.Err() == nil
}

// latin1 reads a str in place.
func latin1(r *pymarshal.Reader) ([]byte, bool) {
	s, ascii := r.Str()
	if ascii {
		return s, r.Err() == nil
	}
	return pymarshal.AppendLatin1(s[:0], s)
}

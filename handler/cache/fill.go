package cache

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

// fill receives the answer of a fetch. It stores the answer, validates the old one with it, or serves
// the old one instead of a failure.
type fill struct {
	engine.Pass
	asker
	c      *Handler
	key    string
	old    *stored // nil without one
	flight *flight // nil where nobody waits
	why    string  // why the stored answer was not enough
	saved  []field // of the request

	settled bool
	begun   bool    // the client has a head
	s       *stored // what is being stored, its body apart
	vary    []string
	body    []byte
	filling int64   // what body counts in the sum of all
	want    int64   // length of the body, -1 where it is not known
	instead *stored // served instead of what the handler streams
	word    string
}

// Reply implements [engine.Output].
func (f *fill) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	f.restore(x.Request())
	if s, word := f.instance(x, resp); s != nil {
		f.give(x, s, word)
		return
	}
	s, vary := f.keeps(x, resp, int64(len(body)))
	if s == nil {
		f.Next().Reply(x, resp, body)
		return
	}
	s.body = bytes.Clone(body)
	f.c.store.put(f.key, vary, s)
	f.settle()
	f.give(x, s, "MISS")
}

// ReplyFile implements [engine.Output]. Files have the page cache, and are not stored again.
func (f *fill) ReplyFile(x *engine.Exchange, resp *codec.Response, file *os.File, off, n int64) {
	f.restore(x.Request())
	f.forOne(resp, "file")
	f.Next().ReplyFile(x, resp, file, off, n)
}

// Start implements [engine.Output].
func (f *fill) Start(x *engine.Exchange, resp *codec.Response) {
	f.restore(x.Request())
	if f.instead, f.word = f.instance(x, resp); f.instead != nil {
		return // it goes out when the handler has said all
	}
	f.begun, f.want = true, resp.ContentLength
	f.s, f.vary = f.keeps(x, resp, max(resp.ContentLength, 0))
	f.Next().Start(x, resp)
}

// Write implements [engine.Output].
func (f *fill) Write(x *engine.Exchange, p []byte) {
	if f.instead != nil {
		return
	}
	if f.s != nil && !f.take(p) {
		f.leave()
		f.c.store.passOn(f.key, f.c.now().Add(passFor))
		f.settle()
	}
	f.Next().Write(x, p)
}

// take keeps a piece of the body. It reports false when there is no room for it.
func (f *fill) take(p []byte) bool {
	o, n := &f.c.opt, int64(len(p))
	if int64(len(f.body))+n > o.MaxObject {
		return false
	}
	f.filling += n
	if f.c.filling.Add(n) > o.Size {
		return false
	}
	f.body = append(f.body, p...)
	return true
}

// leave lets go of what has come of the body.
func (f *fill) leave() {
	f.c.filling.Add(-f.filling)
	f.s, f.body, f.filling = nil, nil, 0
}

// End implements [engine.Output].
func (f *fill) End(x *engine.Exchange) {
	if f.instead != nil {
		f.give(x, f.instead, f.word)
		return
	}
	if f.s != nil && (f.want < 0 || f.want == int64(len(f.body))) {
		f.s.body = bytes.Clone(f.body) // without the room to grow
		f.c.store.put(f.key, f.vary, f.s)
		f.settle()
	}
	f.leave()
	f.Next().End(x)
}

// Abort implements [engine.Output]. Nothing of a broken answer is stored.
func (f *fill) Abort(x *engine.Exchange) {
	now := f.c.now()
	if f.instead != nil || f.old != nil && !f.begun && f.old.staleFor(now) < f.old.ifError {
		f.failed(now)
		f.give(x, f.old, "STALE")
		return
	}
	f.Next().Abort(x)
}

// Ended implements [engine.Layer]. If the client has gone, the next waiting client fetches.
func (f *fill) Ended(*engine.Exchange, *engine.Outcome) {
	f.leave()
	if f.flight != nil && !f.settled {
		f.settled = true
		f.c.flights.handOver(f.flight)
	}
}

// instance returns the stored answer that the client gets instead of resp: the old one, which a 304
// has refreshed, or which replaces an error.
func (f *fill) instance(x *engine.Exchange, resp *codec.Response) (s *stored, word string) {
	if f.old == nil {
		return nil, ""
	}
	now := f.c.now()
	switch {
	case resp.Status == 304:
		f.c.count.revalidated.Add(1)
		if tag := header(resp, nameETag); tag != nil && !bytes.Equal(weak(tag), weak(f.old.ETag)) {
			f.c.store.Invalidate(f.key) // it is about another answer (RFC 9111 4.3.4)
			f.settle()
			return f.old, "REVALIDATED"
		}
		s, vary := f.c.refreshed(f.old, x.Request(), resp, f.private, now)
		if s == nil || f.noStore {
			s = f.old
		} else {
			f.c.store.put(f.key, vary, s)
		}
		f.settle()
		return s, "REVALIDATED"
	case resp.Status >= 500 && f.old.staleFor(now) < f.old.ifError:
		f.failed(now)
		return f.old, "STALE"
	}
	return nil, ""
}

// weak returns an entity tag without its W/.
func weak(tag []byte) []byte { return bytes.TrimPrefix(tag, []byte("W/")) }

// failed serves old without another fetch for a moment, and ends the flight.
func (f *fill) failed(now time.Time) {
	f.c.count.stale.Add(1)
	f.c.store.retryAt(f.key, now.Add(retryAfter))
	f.settle()
}

// keeps returns resp as it will be stored, or nil, and marks the header accordingly.
func (f *fill) keeps(x *engine.Exchange, resp *codec.Response, size int64) (*stored, []string) {
	s, vary, why := f.c.storable(x.Request(), resp, f.private, f.c.now())
	switch {
	case s == nil:
	case f.noStore:
		s, why = nil, "no-store"
	case size > f.c.opt.MaxObject:
		s, why = nil, "size"
	}
	if s == nil {
		f.forOne(resp, why)
		return nil, nil
	}
	if f.begun {
		f.mark(resp, "; stored")
	}
	return s, vary
}

// forOne notes that resp is for its client only: each waiting client then fetches for itself.
func (f *fill) forOne(resp *codec.Response, why string) {
	if !f.private && !f.noStore && !f.cookies && resp.Status < 500 {
		f.c.store.passOn(f.key, f.c.now().Add(passFor))
	}
	f.settle()
	f.mark(resp, "; detail="+why)
}

// mark writes into the header what the cache did.
func (f *fill) mark(resp *codec.Response, more string) {
	resp.Header = append(resp.Header,
		codec.Header{Name: nameCacheStatus, Value: []byte("uwsgo; fwd=" + f.why + more)},
		codec.Header{Name: nameXCache, Value: []byte("MISS")})
}

func (f *fill) give(x *engine.Exchange, s *stored, word string) {
	detail := "fwd=" + f.why
	switch word {
	case "MISS":
		detail += "; stored"
	case "REVALIDATED":
		detail += "; fwd-status=304"
	case "STALE":
		detail = "hit"
	}
	f.c.reply(x, f.Next(), s, f.c.now(), word, detail)
}

func (f *fill) settle() {
	if !f.settled {
		f.settled = true
		f.c.flights.land(f.flight)
	}
}

// restore gives the request the client's own conditions again, for the answer and the log.
func (f *fill) restore(r *codec.Request) {
	if f.old != nil {
		r.DelField(nameNoneMatch)
		r.DelField(nameModSince)
	}
	for _, s := range f.saved {
		_ = r.AddField(s.name, s.value) // where it does not fit the client gets all
	}
	f.saved = nil
}

// invalidate removes the stored answers of a resource after a request has changed it.
type invalidate struct {
	engine.Pass
	c   *Handler
	key string
}

// Reply implements [engine.Output].
func (l *invalidate) Reply(x *engine.Exchange, resp *codec.Response, body []byte) {
	l.saw(resp)
	l.Next().Reply(x, resp, body)
}

// Start implements [engine.Output].
func (l *invalidate) Start(x *engine.Exchange, resp *codec.Response) {
	l.saw(resp)
	l.Next().Start(x, resp)
}

// ReplyFile implements [engine.Output].
func (l *invalidate) ReplyFile(x *engine.Exchange, resp *codec.Response, f *os.File, off, n int64) {
	l.saw(resp)
	l.Next().ReplyFile(x, resp, f, off, n)
}

func (l *invalidate) saw(resp *codec.Response) {
	if resp.Status < 400 {
		l.c.store.Invalidate(l.key)
	}
}

func appendSeconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendInt(dst, int64(d/time.Second), 10)
}

package cache

import (
	"bytes"
	"errors"
	"net/netip"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/internal/conditional"
)

// Options say what is cached, and for how long. Only Size must be set.
type Options struct {
	// Size bounds the memory of all answers, in bytes.
	Size int64
	// MaxObject bounds one answer, in bytes; 0 is 1 MiB. Larger answers are not stored.
	MaxObject int64
	// Valid is how long an answer is fresh that does not say so itself, by status. It does not hold
	// for requests with cookies or credentials.
	Valid map[int]time.Duration
	// WhileRevalidate and IfError are stale-while-revalidate and stale-if-error for answers without
	// these directives.
	WhileRevalidate, IfError time.Duration
	// StoreCookies also stores answers with Set-Cookie, the cookie included.
	StoreCookies bool
	// Except matches paths that are never cached; nil matches none.
	Except *regexp.Regexp
	// PurgeFrom are the clients that may remove answers, by the method PURGE.
	PurgeFrom []netip.Prefix
	// WaitFor is how long a client waits for the fetch of another one; 0 is 5 seconds. After that
	// it fetches by itself.
	WaitFor time.Duration
	// Server makes background fetches while stale answers are served. Without it the first client
	// waits for the fetch.
	Server *engine.Server
}

// Stats are counts since the start.
type Stats struct {
	Hits, Misses, Stale, Revalidated, Collapsed, Purged int64
	Resources                                           int
	Bytes                                               uint64
}

// Handler is the cache. It may serve any number of loops.
type Handler struct {
	next    engine.Handler
	opt     Options
	store   store
	flights flights
	count   struct{ hits, misses, stale, revalidated, collapsed, purged atomic.Int64 }
	// filling is the size of what has come of answers that are being stored, in bytes. All together take
	// no more than the cache.
	filling atomic.Int64
	// background bounds the fetches behind stale answers.
	background chan struct{}
	now        func() time.Time
}

// mostBackground is how many fetches go on behind stale answers at a time.
const mostBackground = 64

// New returns a handler that caches the answers of next. It returns an error when o has no size.
func New(next engine.Handler, o Options) (*Handler, error) {
	if o.Size <= 0 {
		return nil, errors.New("a cache needs a size in bytes")
	}
	if o.MaxObject <= 0 {
		o.MaxObject = 1 << 20
	}
	if o.MaxObject > o.Size {
		o.MaxObject = o.Size
	}
	if o.WaitFor <= 0 {
		o.WaitFor = 5 * time.Second
	}
	c := &Handler{next: next, opt: o, store: newStore(o.Size), background: make(chan struct{}, mostBackground), now: time.Now}
	c.flights.list = map[string]*flight{}
	return c, nil
}

// Stats returns the counts. Any goroutine may call it.
func (c *Handler) Stats() Stats {
	n := &c.count
	return Stats{
		Hits: n.hits.Load(), Misses: n.misses.Load(), Stale: n.stale.Load(), Revalidated: n.revalidated.Load(),
		Collapsed: n.collapsed.Load(), Purged: n.purged.Load(), Resources: c.store.EstimatedSize(), Bytes: c.store.WeightedSize(),
	}
}

// Serve implements [engine.Handler].
func (c *Handler) Serve(x *engine.Exchange) {
	r := x.Request()
	switch method := r.Bytes(r.Method); {
	case c.opt.Except != nil && c.opt.Except.Match(r.Path()):
	case bytes.Equal(method, methodGet) || r.Head:
		if c.takes(x) {
			c.answer(x, true)
			return
		}
	case bytes.Equal(method, methodPurge):
		c.purge(x)
		return
	case bytes.Equal(method, methodOptions) || bytes.Equal(method, methodTrace):
	default: // it changes the resource (RFC 9111 4.4)
		x.Push(&invalidate{c: c, key: string(appendKey(nil, x))})
	}
	c.next.Serve(x)
}

var (
	methodGet     = []byte("GET")
	methodPurge   = []byte("PURGE")
	methodOptions = []byte("OPTIONS")
	methodTrace   = []byte("TRACE")
)

// takes reports whether a GET or HEAD may be answered from the cache. One with a body may not: the
// answer may depend on the body, which is not part of the key.
func (c *Handler) takes(x *engine.Exchange) bool {
	r := x.Request()
	return x.BodyComplete() && x.ContentLength() == 0 && !r.Upgrade &&
		r.Get("If-Match") == nil && r.Get("If-Unmodified-Since") == nil
}

// credentials reports whether the request says who its client is.
func credentials(x *engine.Exchange) bool {
	r := x.Request()
	if r.Get("Authorization") != nil || len(r.Var("REMOTE_USER")) > 0 {
		return true
	}
	t := x.TLS()
	return t != nil && len(t.PeerCertificates) > 0
}

// asker is what a request says of its client that decides about storing.
type asker struct {
	private bool // it has credentials
	// cookies may make it one client's. They count for answers that do not say how long they are
	// fresh: see [Options].Valid.
	cookies bool
	noStore bool // it asks for nothing to be kept
}

func (c *Handler) askerOf(x *engine.Exchange) asker {
	r := x.Request()
	return asker{credentials(x), len(c.opt.Valid) > 0 && r.Get("Cookie") != nil, asks(r, "no-store")}
}

// answer answers from memory, or passes the request to the next handler. A client that has waited for
// the fetch of another one does not wait again.
func (c *Handler) answer(x *engine.Exchange, wait bool) {
	r := x.Request()
	key := string(appendKey(nil, x))
	res, _ := c.store.GetIfPresent(key)
	now, by := c.now(), c.askerOf(x)
	s := res.find(r)
	if s != nil && (by.private && !s.shared || by.cookies && s.assumed) {
		c.next.Serve(x)
		return
	}
	why := "uri-miss"
	switch {
	case s == nil && res != nil && len(res.variants) > 0:
		why = "vary-miss"
	case s != nil:
		why = "stale"
		stale := s.staleFor(now)
		if stale < 0 {
			if c.count.hits.Add(1); !wait {
				c.count.collapsed.Add(1)
			}
			c.reply(x, direct{}, s, now, "HIT", "hit")
			return
		}
		if stale < s.ifError && now.Before(res.retry) || stale < s.whileRev && c.refresh(x, key, s) {
			c.count.stale.Add(1)
			c.reply(x, direct{}, s, now, "STALE", "hit")
			return
		}
	}
	if asks(r, "only-if-cached") {
		x.ReplyText(504, "Gateway Timeout: there is no stored answer\n")
		return
	}
	if r.Head || s == nil && r.Get("Range") != nil { // its answer would be a part
		c.next.Serve(x)
		return
	}
	// What one with no-store fetches is for it alone: those who waited for it would all fetch at once.
	if by.private || by.cookies || by.noStore || !wait || res != nil && now.Before(res.pass) {
		c.fetch(x, by, key, s, nil, why)
		return
	}
	f, first := c.flights.join(flightKey(key, r, res), x, c.opt.WaitFor, func(x *engine.Exchange, f *flight) {
		if f == nil {
			c.answer(x, false)
			return
		}
		c.fetch(x, by, key, s, f, why)
	})
	if first {
		c.fetch(x, by, key, s, f, why)
	}
}

// flightKey is different for fetches whose answers differ.
func flightKey(key string, r *codec.Request, res *resource) string {
	if res == nil {
		return key
	}
	return key + "\x00" + variantOf(r, res.vary)
}

// asks reports whether the request's Cache-Control has the directive.
func asks(r *codec.Request, directive string) bool {
	return bytes.Contains(bytes.ToLower(conditional.Field(r, "Cache-Control")), []byte(directive))
}

// fetch asks the next handler, and stores the answer. old is validated if it has an ETag or
// Last-Modified. f is nil if nobody waits for the answer.
func (c *Handler) fetch(x *engine.Exchange, by asker, key string, old *stored, f *flight, why string) {
	c.count.misses.Add(1)
	r := x.Request()
	l := &fill{c: c, asker: by, key: key, old: old, flight: f, why: why}
	l.saved = takeConditions(r)
	if old != nil {
		if old.ETag != nil {
			_ = r.AddField(nameNoneMatch, old.ETag)
		}
		if old.Modified != nil {
			_ = r.AddField(nameModSince, old.Modified)
		}
	}
	x.Push(l)
	c.next.Serve(x)
}

// field is a field of a request, with bytes of its own.
type field struct{ name, value []byte }

// ofConditions are the fields by which a client asks for a part of an answer, or for a newer one.
// The next handler makes a whole answer, and the cache gives the client its part.
var ofConditions = [][]byte{nameRange, []byte("If-Range"), nameNoneMatch, nameModSince}

func takeConditions(r *codec.Request) (saved []field) {
	for _, name := range ofConditions {
		if value := conditional.Field(r, string(name)); value != nil {
			saved = append(saved, field{name, bytes.Clone(value)})
			r.DelField(name)
		}
	}
	return saved
}

// reply answers with s: whole, in part, or by a 304, as the request asks.
func (c *Handler) reply(x *engine.Exchange, to output, s *stored, now time.Time, word, detail string) {
	r := x.Request()
	resp := x.Response()
	resp.Status, resp.Reason = s.status, s.reason
	resp.Header = append(resp.Header, s.header...)
	resp.Header = append(resp.Header,
		codec.Header{Name: nameAge, Value: appendSeconds(nil, max(now.Sub(s.born), 0))},
		codec.Header{Name: nameCacheStatus, Value: appendSeconds(append([]byte("uwsgo; "), detail+"; ttl="...), -s.staleFor(now))},
		codec.Header{Name: nameXCache, Value: []byte(word)})
	body := s.body
	if s.status == 200 {
		if s.Check(r) == 304 {
			resp.Status, resp.Reason = 304, nil
			to.Reply(x, resp, nil)
			return
		}
		size := int64(len(body))
		part, verdict := s.Part(r, size)
		if verdict != conditional.RangeNone {
			resp.Header = append(resp.Header, codec.Header{Name: nameContentRange, Value: part.AppendContentRange(nil, verdict, size)})
			resp.Reason, resp.Status, body = nil, 206, body[part.From:part.From+part.Size]
		}
		if verdict == conditional.RangeUnsatisfiable {
			resp.Status, body = 416, nil
		}
	}
	if r.Head {
		resp.ContentLength, body = int64(len(body)), nil
	}
	to.Reply(x, resp, body)
}

// output takes a whole answer: the exchange, or what a layer passes on to.
type output interface {
	Reply(x *engine.Exchange, resp *codec.Response, body []byte)
}

// direct answers for the handler itself, through all layers.
type direct struct{}

func (direct) Reply(x *engine.Exchange, resp *codec.Response, body []byte) { x.Reply(resp, body) }

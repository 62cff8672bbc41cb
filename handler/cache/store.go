package cache

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/handler/internal/conditional"
)

const (
	// mostVariants bounds the answers of one resource that Vary tells apart. The oldest goes.
	mostVariants = 32
	// overhead is what an answer takes beside its bytes, roughly.
	overhead = 512
	// passFor is how long a resource that gave an answer for one client is not waited for.
	passFor = 10 * time.Second
	// retryAfter is how long a fetch that failed is not tried again.
	retryAfter = time.Second
)

// resource is the value of one key. It is immutable: a new one replaces it.
type resource struct {
	vary     []string
	variants []*stored // the newest last
	// Until pass, clients do not wait for each other: the last answer could not be shared.
	pass time.Time
	// Until retry, a stale answer is served without another fetch: the last one failed.
	retry time.Time
}

// find returns the variant for a request, or nil.
func (res *resource) find(r *codec.Request) *stored {
	if res == nil || len(res.variants) == 0 {
		return nil
	}
	variant := variantOf(r, res.vary)
	for _, s := range slices.Backward(res.variants) {
		if s.variant == variant {
			return s
		}
	}
	return nil
}

func (res *resource) size() (n int) {
	n = overhead
	for _, s := range res.variants {
		n += s.size()
	}
	return n
}

// stored is one answer. It is immutable.
type stored struct {
	variant string
	status  int
	reason  []byte
	header  []codec.Header
	body    []byte
	conditional.Validators

	born     time.Time     // when it was made, as far as is known
	fresh    time.Duration // from then on
	whileRev time.Duration // how long after that it may go out while a new one is fetched
	ifError  time.Duration // and how long where the fetch fails
	assumed  bool          // it does not say how long it is fresh
	shared   bool          // also for clients with credentials
	tags     []string
}

func (s *stored) size() int {
	n := overhead + len(s.body) + len(s.variant)
	for _, h := range s.header {
		n += len(h.Name) + len(h.Value) + 48
	}
	return n
}

// staleFor is how long ago s was fresh; negative while it is.
func (s *stored) staleFor(now time.Time) time.Duration { return now.Sub(s.born) - s.fresh }

// store holds the resources, within a bound of bytes. Any goroutine may use it.
type store struct {
	*otter.Cache[string, *resource]
	// most bounds the answers of one resource together, in bytes: clients choose how many there are.
	most int
}

func newStore(size int64) store {
	return store{most: int(size / 4), Cache: otter.Must(&otter.Options[string, *resource]{
		MaximumWeight: uint64(size),
		Weigher: func(key string, res *resource) uint32 {
			return uint32(min(len(key)+res.size(), 1<<32-1))
		},
		Executor: func(fn func()) { fn() }, // upkeep is short, and then needs no goroutine
	})}
}

// put adds s to its resource, in place of the one that it replaces.
func (t store) put(key string, vary []string, s *stored) {
	t.Compute(key, func(old *resource, found bool) (*resource, otter.ComputeOp) {
		res := &resource{vary: vary}
		res.variants = append(res.variants, s)
		if found && slices.Equal(old.vary, vary) {
			room := t.most - s.size()
			for _, v := range slices.Backward(old.variants) {
				if v.variant == s.variant {
					continue
				}
				if room -= v.size(); room < 0 || len(res.variants) == mostVariants {
					break
				}
				res.variants = append(res.variants, v)
			}
			slices.Reverse(res.variants)
		}
		return res, otter.WriteOp
	})
}

// passOn notes that the answer at key was for one client: until then, clients do not wait for
// each other.
func (t store) passOn(key string, until time.Time) {
	t.Compute(key, func(old *resource, found bool) (*resource, otter.ComputeOp) {
		res := &resource{}
		if found {
			*res = *old
		}
		res.pass = until
		return res, otter.WriteOp
	})
}

// retryAt notes that a fetch has failed.
func (t store) retryAt(key string, at time.Time) {
	t.ComputeIfPresent(key, func(old *resource) (*resource, otter.ComputeOp) {
		res := *old
		res.retry = at
		return &res, otter.WriteOp
	})
}

// purgePrefix removes all resources whose key begins with one of the prefixes, and returns their
// number.
func (t store) purgePrefix(prefixes []string) (n int) {
	for key := range t.Keys() {
		for _, p := range prefixes {
			if strings.HasPrefix(key, p) {
				if _, gone := t.Invalidate(key); gone {
					n++
				}
			}
		}
	}
	return n
}

// purgeTag removes all resources with an answer that has that tag, and returns their number.
func (t store) purgeTag(tag string) (n int) {
	for key, res := range t.All() {
		if slices.ContainsFunc(res.variants, func(s *stored) bool { return slices.Contains(s.tags, tag) }) {
			if _, gone := t.Invalidate(key); gone {
				n++
			}
		}
	}
	return n
}

// notStored are the fields that belong to one connection or one answer (RFC 9111 3.1).
var notStored = [][]byte{
	[]byte("Connection"), []byte("Keep-Alive"), []byte("Proxy-Connection"), []byte("Proxy-Authenticate"), []byte("Proxy-Authentication-Info"),
	[]byte("TE"), []byte("Trailer"), []byte("Transfer-Encoding"), []byte("Upgrade"), nameLength, nameAge, nameCacheStatus, nameXCache,
}

// copyHeader returns the header of an answer with bytes of its own.
func copyHeader(from []codec.Header, skip ...[]byte) []codec.Header {
	n, kept := 0, 0
	for _, h := range from {
		n, kept = n+len(h.Name)+len(h.Value), kept+1
	}
	memory, list := make([]byte, 0, n), make([]codec.Header, 0, kept)
	keep := func(b []byte) []byte {
		at := len(memory)
		memory = append(memory, b...)
		return memory[at:len(memory):len(memory)]
	}
	for _, h := range from {
		if !named(h.Name, notStored) && !named(h.Name, skip) {
			list = append(list, codec.Header{Name: keep(h.Name), Value: keep(h.Value)})
		}
	}
	return list
}

func named(name []byte, list [][]byte) bool {
	return slices.ContainsFunc(list, func(n []byte) bool { return codec.EqualName(n, name) })
}

// validatorsOf reads ETag and Last-Modified.
func validatorsOf(list []codec.Header) (v conditional.Validators) {
	for _, h := range list {
		switch {
		case codec.EqualName(h.Name, nameETag):
			v.ETag = h.Value
		case codec.EqualName(h.Name, nameModified):
			if t, err := http.ParseTime(string(h.Value)); err == nil {
				v.Modified, v.At = h.Value, t
			}
		}
	}
	return v
}

// tagsOf reads Cache-Tag (by commas) and Surrogate-Key (by blanks).
func tagsOf(resp *codec.Response) (tags []string) {
	for _, h := range resp.Header {
		switch {
		case codec.EqualName(h.Name, nameCacheTag):
			for tag := range strings.SplitSeq(string(h.Value), ",") {
				if tag = strings.TrimSpace(tag); tag != "" {
					tags = append(tags, tag)
				}
			}
		case codec.EqualName(h.Name, nameSurrogateKey):
			tags = append(tags, strings.Fields(string(h.Value))...)
		}
	}
	return tags
}

// storable returns resp as it is to be stored, without its body, or nil and the reason.
func (c *Handler) storable(r *codec.Request, resp *codec.Response, private bool, now time.Time) (s *stored, vary []string, why string) {
	d, targeted := directivesOf(resp)
	switch {
	case !Storable(resp.Status) || d.understand && !understood(resp.Status):
		return nil, nil, "status"
	case d.noStore && !d.understand || d.private:
		return nil, nil, "private"
	case header(resp, nameSetCookie) != nil && !c.opt.StoreCookies:
		return nil, nil, "set-cookie"
	case private && !d.shared():
		return nil, nil, "authorization"
	case codec.BodyElsewhere(resp):
		return nil, nil, "sendfile"
	}
	vary, ok := varyOf(resp)
	if !ok {
		return nil, nil, "vary"
	}
	fresh, said := lifetime(resp, &d, targeted, now)
	if !said {
		if fresh = c.opt.Valid[resp.Status]; fresh > 0 && conditional.Field(r, "Cookie") != nil {
			return nil, nil, "cookie"
		}
	}
	s = &stored{
		variant: variantOf(r, vary), status: resp.Status, reason: bytes.Clone(resp.Reason), header: copyHeader(resp.Header),
		born: now.Add(-age(resp, now)), fresh: fresh, assumed: !said, shared: d.shared(), tags: tagsOf(resp),
	}
	s.Validators = validatorsOf(s.header)
	if d.noCache {
		s.fresh = 0
	}
	if !d.noCache && !d.revalidate && d.sharedMaxAge < 0 { // these forbid it (RFC 9111 4.2.4)
		s.whileRev, s.ifError = c.opt.WhileRevalidate, c.opt.IfError
	}
	if !d.noCache && !d.revalidate {
		if d.whileRevalidate >= 0 {
			s.whileRev = time.Duration(d.whileRevalidate) * time.Second
		}
		if d.ifError >= 0 {
			s.ifError = time.Duration(d.ifError) * time.Second
		}
	}
	if s.fresh == 0 && (!said && !d.noCache || s.ETag == nil && s.Modified == nil) {
		return nil, nil, "uncacheable" // it could never be used
	}
	return s, vary, ""
}

// refreshed returns s with the fields of a 304 that has validated it (RFC 9111 4.3.4).
func (c *Handler) refreshed(s *stored, r *codec.Request, resp *codec.Response, private bool, now time.Time) (*stored, []string) {
	merged := codec.Response{Status: s.status, Reason: s.reason, ContentLength: -1}
	for _, h := range s.header {
		if header(resp, h.Name) == nil && !codec.EqualName(h.Name, nameDate) { // it is not that old any more
			merged.Header = append(merged.Header, h)
		}
	}
	merged.Header = append(merged.Header, resp.Header...)
	n, vary, _ := c.storable(r, &merged, private, now)
	if n == nil {
		return nil, nil
	}
	n.body = s.body
	return n, vary
}

package codec

// The limits that a zero value in [Limits] stands for.
const (
	DefaultHead     = 32 << 10 // what DESIGN promises: eight times uWSGI's, room for large cookies
	DefaultTarget   = 16 << 10 // twice the 8,000 octets that RFC 9112 3 asks for
	DefaultFields   = 100      // a browser sends 10 to 20; proxies add a dozen
	DefaultBody     = 1 << 30  // 1 GiB
	DefaultChunkExt = 1 << 10  // signatures of chunks take about 100 bytes
	DefaultTrailer  = 8 << 10
)

// Limits bounds what a peer may send. The zero value means the defaults above;
// so does zero in any field. A Limits is immutable once a decoder uses it.
type Limits struct {
	// Head is the size of a request head in bytes, blank line and any leading
	// empty lines included. Beyond it: 431, or 414 while still in the target.
	Head int
	// Target is the length of a request target in bytes. Beyond it: 414.
	Target int
	// Fields is how many field lines a head, or a trailer, may have; those that
	// [Policy] drops count too. Beyond it: 431.
	Fields int
	// Body is the size of a request body in bytes, after decoding. Beyond it:
	// 413. Negative means no limit, which is what uWSGI does without limit-post.
	Body int64
	// ChunkExt is the length of the extensions of one chunk in bytes. Beyond it: 400.
	ChunkExt int
	// Trailer is the size of a trailer section in bytes. Beyond it: 431.
	Trailer int
}

// WithDefaults returns l with defaults in place of zeros.
func (l Limits) WithDefaults() Limits {
	if l.Head == 0 {
		l.Head = DefaultHead
	}
	if l.Target == 0 {
		l.Target = DefaultTarget
	}
	if l.Fields == 0 {
		l.Fields = DefaultFields
	}
	if l.Body == 0 {
		l.Body = DefaultBody
	}
	if l.ChunkExt == 0 {
		l.ChunkExt = DefaultChunkExt
	}
	if l.Trailer == 0 {
		l.Trailer = DefaultTrailer
	}
	return l
}

// BodyTooLarge reports whether a body of n bytes is over the limit.
func (l Limits) BodyTooLarge(n int64) bool {
	limit := l.Body
	if limit == 0 {
		limit = DefaultBody
	}
	return limit > 0 && n > limit
}

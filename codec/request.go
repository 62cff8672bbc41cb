package codec

// Request is one request head. A decoder fills it in. Its spans point into Buf: the loop's read
// buffer at first, the exchange's own copy after [Request.Retain]. Only the additions of
// handlers have bytes of their own: see additions.go.
//
// The same fields hold a request over HTTP and over the uwsgi protocol, so the WSGI environ and
// net/http requests are the same too.
type Request struct {
	Buf []byte // the head (HTTP) or the variables (uwsgi), as received

	Method    Span
	Target    Span // the request target as sent: REQUEST_URI
	RawPath   Span // path of the target, still percent-encoded; empty over uwsgi
	Query     Span // after the first "?", without it
	Authority Span // the Host that counts: of an absolute-form target, else of the Host field
	Version   Span // "HTTP/1.1" as sent: SERVER_PROTOCOL; may be empty over uwsgi

	// Fields are the header fields that [Policy.KeepField] lets through, in the order
	// received. Over uwsgi they are the HTTP_* variables with that prefix cut
	// off (so "USER_AGENT"), and CONTENT_TYPE. [EqualName] compares both spellings.
	Fields []Field
	// Vars are the other variables of a uwsgi packet, and those of [Request.SetVar]. A client
	// over HTTP sets none.
	Vars []Field
	// ScriptName is the SCRIPT_NAME that a uwsgi packet came with.
	ScriptName Span
	// PathInfo is the PATH_INFO that a uwsgi packet came with. Path lacks the script name
	// where the front server asks for that (modifier1 30).
	PathInfo Span

	// ContentLength is the length of the body in bytes: 0 for no body, -1 when it
	// is chunked and thus not known before it has been read.
	ContentLength int64
	Chunked       bool
	Proto         Proto
	HTTPS         bool // uwsgi: HTTPS is on or 1, or UWSGI_SCHEME is https
	Head          bool // the method is HEAD
	KeepAlive     bool // the client wants, and may have, another request on this connection
	Expect100     bool // the client waits for "100 Continue" before it sends the body
	Upgrade       bool // the client offers to switch to what its Upgrade field names; only if [Policy].Upgrade
	Connect       bool // the method is CONNECT, and the target host and port; only if [Policy].Connect
	Rewritten     bool // path and query are those of [Request.Rewrite], not the target's

	pathState uint8  // what Path returns
	scratch   []byte // the path where it is not as received
	own       []byte // what handlers have added
}

// Bytes returns the bytes at s. They are valid as long as Buf is; those that a handler has
// added, as long as the request.
func (r *Request) Bytes(s Span) []byte {
	if s.Off >= ownBytes {
		return r.own[s.Off-ownBytes : s.End-ownBytes : s.End-ownBytes]
	}
	return r.Buf[s.Off:s.End:s.End]
}

// Get returns the value of the first field with that name, compared with
// [EqualName], or nil. Over HTTP no field with "_" gets in (unless the policy was
// told so), hence "-" matching "_" is not ambiguous.
func (r *Request) Get(name string) []byte {
	for _, f := range r.Fields {
		if f.Name.Len() == len(name) && equalNameString(r.Bytes(f.Name), name) {
			return r.Bytes(f.Value)
		}
	}
	return nil
}

// Memory that a request keeps for the next one, so that one large request does
// not stay with a connection for good.
const (
	keepFields  = 128
	keepScratch = 4 << 10
)

// Reset makes r ready for the next request. It keeps the memory of Fields, Vars
// and the decoded path, up to a bound.
func (r *Request) Reset() {
	fields, vars, scratch, own := r.Fields[:0], r.Vars[:0], r.scratch[:0], r.own[:0]
	if cap(fields) > keepFields {
		fields = nil
	}
	if cap(vars) > keepFields {
		vars = nil
	}
	if cap(scratch) > keepScratch {
		scratch = nil
	}
	if cap(own) > keepScratch {
		own = nil
	}
	*r = Request{Fields: fields, Vars: vars, scratch: scratch, own: own}
}

// Retain copies the head into dst[:0], grown if need be, makes r point at the
// copy and returns it. The loop's read buffer may then be reused while r lives.
func (r *Request) Retain(dst []byte) []byte {
	r.Buf = append(dst[:0], r.Buf...)
	return r.Buf
}

package compress

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

var (
	acceptRanges    = []byte("Accept-Ranges")
	cacheControl    = []byte("Cache-Control")
	contentDigest   = []byte("Content-Digest")
	contentEncoding = []byte("Content-Encoding")
	contentLength   = []byte("Content-Length")
	contentMD5      = []byte("Content-MD5")
	contentRange    = []byte("Content-Range")
	contentType     = []byte("Content-Type")
	digest          = []byte("Digest")
	etag            = []byte("ETag")
	noTransform     = []byte("no-transform")
	reprDigest      = []byte("Repr-Digest")
	uwsgiEncoding   = []byte("uWSGI-Encoding")
	vary            = []byte("Vary")
	weak            = []byte("W/")
)

// inspect reports whether resp, with a body of size bytes (-1 if unknown), may be compressed,
// and whether the app marked it with uWSGI-Encoding.
func (o *output) inspect(x *engine.Exchange, resp *codec.Response, size int64) (eligible, marked bool) {
	eligible, marked = size != 0, *Asked.Of(x)
	switch {
	case resp.Status < 200, resp.Status == 204, resp.Status == 206, resp.Status == 304:
		eligible = false
	}
	if codec.BodyElsewhere(resp) {
		eligible = false
	}
	worthwhile := false
	for _, h := range resp.Header {
		if is(h.Name, uwsgiEncoding) {
			marked = marked || bytes.EqualFold(h.Value, gzipped.Name())
		}
		if is(h.Name, contentType) {
			worthwhile = compressible(h.Value) && (size < 0 || size >= minSize)
		}
		if is(h.Name, contentEncoding) || is(h.Name, contentRange) ||
			is(h.Name, cacheControl) && lists(h.Value, noTransform) ||
			is(h.Name, contentDigest) || is(h.Name, reprDigest) || is(h.Name, digest) || is(h.Name, contentMD5) {
			eligible = false
		}
	}
	if o.handler.options.OnlyMarked {
		return eligible && marked, marked
	}
	return eligible && (worthwhile || marked || o.must), marked
}

// head makes the head to send: resp with a body in coding e. varies says that the coding
// depends on what the client accepts. The result is valid until the next call.
func (o *output) head(resp *codec.Response, e encoding, varies bool) *codec.Response {
	header := o.resp.Header[:0]
	for _, h := range resp.Header {
		switch {
		case is(h.Name, uwsgiEncoding):
			continue
		case is(h.Name, vary) && (lists(h.Value, acceptEncoding) || lists(h.Value, []byte("*"))):
			varies = false
		case e == identity:
		case is(h.Name, contentLength) || is(h.Name, acceptRanges):
			continue
		case is(h.Name, etag) && !bytes.HasPrefix(h.Value, weak):
			o.etag = append(append(o.etag[:0], weak...), h.Value...)
			h.Value = o.etag
		}
		header = append(header, h)
	}
	if varies {
		header = append(header, codec.Header{Name: vary, Value: acceptEncoding})
	}
	o.resp = codec.Response{Status: resp.Status, Reason: resp.Reason, Header: header, ContentLength: resp.ContentLength}
	if e != identity {
		o.resp.Header = append(o.resp.Header, codec.Header{Name: contentEncoding, Value: e.Name()})
		o.resp.ContentLength = -1
	}
	return &o.resp
}

func is(name, want []byte) bool { return len(name) == len(want) && codec.EqualName(name, want) }

// lists reports whether a comma-separated field value has that element.
func lists(value, element []byte) bool {
	for len(value) > 0 {
		var e []byte
		e, value, _ = bytes.Cut(value, comma)
		if bytes.EqualFold(bytes.TrimSpace(e), element) {
			return true
		}
	}
	return false
}

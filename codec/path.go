package codec

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec/internal/grammar"
)

// What Path returns.
const (
	pathUnknown = iota // not looked at yet
	pathRaw            // the bytes at RawPath, as they are
	pathOwn            // the bytes in scratch
)

var slash = []byte("/")

// Path returns PATH_INFO: the path with its percent-escapes decoded once, and nothing
// else done to it. Dot segments and empty ones stay, however they are spelled. A front
// server decides by the path that it has read who may see what. Were ".." resolved here,
// "/public/..%2fadmin" would be "/admin" behind its back. Bytes from 0x80 up are handed
// on. An empty path is "/". testdata/paths.tsv of http1 has every spelling beside what
// uWSGI and gunicorn make of it.
//
// The result is valid until the request is reset, and until [Request.Retain]
// where it aliases Buf, which it does for a path with nothing to decode.
func (r *Request) Path() []byte {
	if r.pathState == pathUnknown {
		r.decodePath()
	}
	if r.pathState == pathOwn {
		return r.scratch
	}
	if r.RawPath.Len() == 0 && r.Proto != UWSGI {
		return slash
	}
	return r.Bytes(r.RawPath)
}

// SetPath makes Path return a copy of p from now on. The uwsgi codec sets what
// PATH_INFO says, and a handler that mounts others sets the rest of the path.
func (r *Request) SetPath(p []byte) {
	r.scratch = append(r.scratch[:0], p...)
	r.pathState = pathOwn
}

func (r *Request) decodePath() {
	raw := r.Bytes(r.RawPath)
	if bytes.IndexByte(raw, '%') < 0 {
		r.pathState = pathRaw
		return
	}
	r.scratch = unescape(r.scratch[:0], raw)
	r.pathState = pathOwn
}

// Unescape returns a path with its percent-escapes decoded, as [Request.Path] does.
func Unescape(path []byte) []byte { return unescape(make([]byte, 0, len(path)), path) }

// unescape appends src with its percent-escapes decoded. One that is malformed,
// which the http1 decoder refuses, is copied as it is.
func unescape(dst, src []byte) []byte {
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == '%' && i+2 < len(src) && grammar.Is(grammar.Hex, src[i+1:i+3]) {
			c = grammar.Unhex(src[i+1])<<4 | grammar.Unhex(src[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

// HasDotSegment reports whether a segment of a path is "." or "..". What turns paths
// into names of files refuses those.
func HasDotSegment(path []byte) bool {
	for more := true; more; {
		var segment []byte
		segment, path, more = bytes.Cut(path, slash)
		switch string(segment) {
		case ".", "..":
			return true
		}
	}
	return false
}

// EncodedSlash reports whether the path of the target spells a slash as "%2F". Most front
// servers do not take that for a slash, so their rules for a folder do not match it. Over uwsgi
// the front server has decoded the path itself.
func (r *Request) EncodedSlash() bool {
	for raw := r.Bytes(r.RawPath); ; {
		i := bytes.IndexByte(raw, '%')
		if i < 0 || i+2 >= len(raw) {
			return false
		}
		if raw[i+1] == '2' && raw[i+2]|0x20 == 'f' {
			return true
		}
		raw = raw[i+1:]
	}
}

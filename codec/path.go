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

var (
	slash    = []byte("/")
	slashDot = []byte("/.")
)

// Path returns PATH_INFO: the path with percent-escapes decoded once, then dot
// segments resolved (RFC 3986 5.2.4) without ever leaving the root, as uWSGI does.
// Empty segments ("//") stay and bytes from 0x80 up are handed on. Decoding comes
// first, so "%2e%2e" climbs no higher than "..". An empty path is "/".
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
	if bytes.IndexByte(raw, '%') < 0 && (bytes.IndexByte(raw, '.') < 0 || !bytes.Contains(raw, slashDot)) {
		r.pathState = pathRaw
		return
	}
	r.scratch = resolveDots(unescape(r.scratch[:0], raw))
	r.pathState = pathOwn
}

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

// resolveDots removes "." and ".." segments in place. What does not begin with a
// slash (the "*" of OPTIONS) has no segments.
func resolveDots(p []byte) []byte {
	if len(p) == 0 || p[0] != '/' {
		return p
	}
	w := 0 // p[:w] is done, and is either empty or ends before a slash
	for i := 0; i < len(p); {
		end := bytes.IndexByte(p[i+1:], '/')
		last := end < 0
		if last {
			end = len(p)
		} else {
			end += i + 1
		}
		switch segment := p[i+1 : end]; {
		case len(segment) == 1 && segment[0] == '.':
		case len(segment) == 2 && segment[0] == '.' && segment[1] == '.':
			w = max(0, bytes.LastIndexByte(p[:w], '/'))
		default:
			w += copy(p[w:], p[i:end])
			i = end
			continue
		}
		if last {
			p[w] = '/'
			w++
		}
		i = end
	}
	return p[:w]
}

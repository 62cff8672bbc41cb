package wsgi

import (
	"bytes"
	"hash/maphash"
)

// A route is the app, the method and the first segments of the path. All segments that look
// like ids are equal. So /users/1 and /users/2 are one route, and /api/v1/users and
// /api/v1/report are two.
const (
	routeSegments = 3
	routeLongest  = 32 // bytes of a segment; a longer one counts as an id
)

// route returns a hash of a request's route. Its seed is random, so that no client can make two
// routes collide.
func (l *loopState) route(app int, method, path []byte) uint64 {
	l.text = appendRoute(l.text[:0], app, method, path)
	return maphash.Bytes(l.h.seed, l.text)
}

func appendRoute(dst []byte, app int, method, path []byte) []byte {
	dst = append(append(dst, byte(app), byte(app>>8)), method...)
	path = bytes.TrimPrefix(path, slash)
	for range routeSegments {
		segment, rest, more := bytes.Cut(path, slash)
		path = rest
		dst = append(dst, '/')
		if n := len(segment); n >= routeLongest || n > 0 && segment[0] >= '0' && segment[0] <= '9' {
			dst = append(dst, '#')
		} else {
			dst = append(dst, segment...)
		}
		if !more {
			break
		}
	}
	return dst
}

var slash = []byte("/")

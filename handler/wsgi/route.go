package wsgi

import (
	"bytes"
	"hash/maphash"
)

// What makes a route: the app, the method and so many segments of the path, in which
// what is probably an id counts as any other. So /users/1 and /users/2 are one
// route, and /api/v1/users and /api/v1/report are two.
const (
	routeSegments = 3
	routeLongest  = 32 // bytes of a segment; from there on it is taken for an id
)

// route returns a hash of the route that a request belongs to. Its seed is random,
// so that no client can make two routes one.
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

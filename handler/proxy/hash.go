package proxy

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/uwsgo/uwsgo/engine"
)

// hashKey is the part of a request that is hashed.
type hashKey struct{ header, cookie string }

func parseHashKey(s string) (hashKey, error) {
	kind, name, _ := strings.Cut(s, ":")
	switch {
	case s == "" || s == "address":
		return hashKey{}, nil
	case kind == "header" && name != "":
		return hashKey{header: name}, nil
	case kind == "cookie" && name != "":
		return hashKey{cookie: name}, nil
	}
	return hashKey{}, fmt.Errorf("%q is none of address, header:NAME and cookie:NAME", s)
}

// of appends the key of a request.
func (k hashKey) of(dst []byte, x *engine.Exchange) []byte {
	r := x.Request()
	var value []byte
	switch {
	case k.header != "":
		value = r.Get(k.header)
	case k.cookie != "":
		for rest := r.Get("Cookie"); len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte(";"))
			if name, v, ok := bytes.Cut(bytes.TrimSpace(pair), []byte("=")); ok && string(name) == k.cookie {
				value = v
				break
			}
		}
	}
	if len(value) > 0 {
		return append(dst, value...)
	}
	return append(dst, client(x)...)
}

// FNV-1a, and a last step that spreads what is alike: rendezvous hashing compares the results.
const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

func fnv(h uint64, b []byte) uint64 {
	for _, c := range b {
		h = (h ^ uint64(c)) * prime64
	}
	return h
}

func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

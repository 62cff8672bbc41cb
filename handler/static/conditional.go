package static

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

const httpTime = http.TimeFormat

// validators identify one version of a file.
type validators struct {
	etag     []byte    // strong: time to the nanosecond and size
	modified []byte    // Last-Modified
	at       time.Time // the same, to the second
}

// check evaluates the conditions of a GET or HEAD in the order of RFC 9110
// 13.2.2, and returns 200, 304 or 412. A date that cannot be parsed is no condition.
func (v *validators) check(r *codec.Request) int {
	if match := field(r, "If-Match"); match != nil {
		if !v.matches(match, false) {
			return 412
		}
	} else if t, ok := date(r, "If-Unmodified-Since"); ok && v.at.After(t) {
		return 412
	}
	if match := field(r, "If-None-Match"); match != nil {
		if v.matches(match, true) {
			return 304
		}
	} else if t, ok := date(r, "If-Modified-Since"); ok && !v.at.After(t) {
		return 304
	}
	return 200
}

// field returns the value of a field, joined where there are several; nil when
// there is none.
func field(r *codec.Request, name string) []byte {
	first := r.Get(name)
	if first == nil {
		return nil
	}
	want := []byte(name)
	joined := append([]byte{}, first...)
	seen := false
	for _, f := range r.Fields {
		if !codec.EqualName(r.Bytes(f.Name), want) {
			continue
		}
		if seen {
			joined = append(append(joined, ','), r.Bytes(f.Value)...)
		}
		seen = true
	}
	return joined
}

func date(r *codec.Request, name string) (time.Time, bool) {
	value := r.Get(name)
	if len(value) == 0 || len(value) > 64 {
		return time.Time{}, false
	}
	t, err := http.ParseTime(string(value))
	return t, err == nil
}

// matches reports whether a list of entity tags has the file's, or is "*". The
// weak comparison (RFC 9110 8.8.3.2) ignores W/, which a compressing handler has put
// before it.
func (v *validators) matches(list []byte, weak bool) bool {
	for {
		list = bytes.TrimLeft(list, " \t,")
		if len(list) == 0 {
			return false
		}
		if list[0] == '*' {
			return true
		}
		tag, isWeak := bytes.CutPrefix(list, []byte("W/"))
		if len(tag) == 0 || tag[0] != '"' {
			return false
		}
		end := bytes.IndexByte(tag[1:], '"') + 2
		if end < 2 {
			return false
		}
		if bytes.Equal(tag[:end], v.etag) && (weak || !isWeak) {
			return true
		}
		list = tag[end:]
	}
}

// part is a piece of a file, in bytes.
type part struct{ from, size int64 }

// verdict is what becomes of a Range field.
type verdict uint8

const (
	rangeNone          verdict = iota // none, or none that counts: the whole file
	rangeValid                        // 206
	rangeUnsatisfiable                // 416
)

// part says which part of a file of that size is asked for (RFC 9110 14.2).
// Malformed ranges, several ranges at once, and any range of an empty file get
// the whole file, as the RFC allows.
func (v *validators) part(r *codec.Request, size int64) (part, verdict) {
	whole := part{0, size}
	value := r.Get("Range")
	if value == nil || r.Head || size == 0 || !v.ifRange(r) {
		return whole, rangeNone
	}
	const unit = "bytes="
	if len(value) < len(unit) || !bytes.EqualFold(value[:len(unit)], []byte(unit)) {
		return whole, rangeNone
	}
	first, last, ok := bytes.Cut(bytes.Trim(value[len(unit):], " \t"), []byte("-"))
	from, fromOK := position(first)
	to, toOK := position(last)
	switch {
	case !ok, len(first) > 0 && !fromOK, len(last) > 0 && !toOK, !fromOK && !toOK, fromOK && toOK && to < from:
		return whole, rangeNone
	case !fromOK: // the last n bytes
		if to == 0 {
			return part{}, rangeUnsatisfiable
		}
		from = max(0, size-to)
		to = size - 1
	case from >= size:
		return part{}, rangeUnsatisfiable
	case !toOK || to >= size:
		to = size - 1
	}
	return part{from, to - from + 1}, rangeValid
}

// position parses digits. What does not fit is larger than any file.
func position(digits []byte) (int64, bool) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	if len(digits) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}

// ifRange reports whether If-Range, if any, names this version: by a strong tag
// or by the very date (RFC 9110 13.1.5).
func (v *validators) ifRange(r *codec.Request) bool {
	value := r.Get("If-Range")
	return value == nil || bytes.Equal(value, v.etag) || bytes.Equal(value, v.modified)
}

// appendContentRange appends the value of Content-Range.
func (p part) appendContentRange(dst []byte, v verdict, size int64) []byte {
	dst = append(dst, "bytes "...)
	if v == rangeUnsatisfiable {
		dst = append(dst, '*')
	} else {
		dst = strconv.AppendInt(dst, p.from, 10)
		dst = append(dst, '-')
		dst = strconv.AppendInt(dst, p.from+p.size-1, 10)
	}
	dst = append(dst, '/')
	return strconv.AppendInt(dst, size, 10)
}

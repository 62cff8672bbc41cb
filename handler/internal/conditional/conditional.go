// Package conditional evaluates the conditions and ranges of requests (RFC 9110 13, 14) against
// one version of a resource.
package conditional

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// Validators identify one version of a resource.
type Validators struct {
	ETag     []byte    // nil without one; the comparison ignores its W/ where RFC 9110 allows that
	Modified []byte    // Last-Modified, nil without one
	At       time.Time // the same, to the second
}

// Check evaluates the conditions of a GET or HEAD in the order of RFC 9110 13.2.2, and returns
// 200, 304 or 412. An unparsable date counts as no condition.
func (v *Validators) Check(r *codec.Request) int {
	if match := Field(r, "If-Match"); match != nil {
		if !v.matches(match, false) {
			return 412
		}
	} else if t, ok := date(r, "If-Unmodified-Since"); ok && v.Modified != nil && v.At.After(t) {
		return 412
	}
	if match := Field(r, "If-None-Match"); match != nil {
		if v.matches(match, true) {
			return 304
		}
	} else if t, ok := date(r, "If-Modified-Since"); ok && v.Modified != nil && !v.At.After(t) {
		return 304
	}
	return 200
}

// Field returns the value of a field, joined where there are several; nil when
// there is none.
func Field(r *codec.Request, name string) []byte {
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

// matches reports whether a list of entity tags has v's, or is "*". The
// weak comparison (RFC 9110 8.8.3.2) ignores W/, which a compressing handler has put
// before it.
func (v *Validators) matches(list []byte, weak bool) bool {
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
		own, ownWeak := bytes.CutPrefix(v.ETag, []byte("W/"))
		if bytes.Equal(tag[:end], own) && (weak || !isWeak && !ownWeak) {
			return true
		}
		list = tag[end:]
	}
}

// Part is a piece of a body, in bytes.
type Part struct{ From, Size int64 }

// Verdict is what becomes of a Range field.
type Verdict uint8

// What a Range field asks for.
const (
	RangeNone          Verdict = iota // none, or none that counts: the whole body
	RangeValid                        // 206
	RangeUnsatisfiable                // 416
)

// Part says which part of a body of that size is asked for (RFC 9110 14.2).
// Malformed ranges, several ranges at once, and any range of an empty body get
// the whole body, as the RFC allows.
func (v *Validators) Part(r *codec.Request, size int64) (Part, Verdict) {
	whole := Part{0, size}
	value := r.Get("Range")
	if value == nil || r.Head || size == 0 || !v.ifRange(r) {
		return whole, RangeNone
	}
	const unit = "bytes="
	if len(value) < len(unit) || !bytes.EqualFold(value[:len(unit)], []byte(unit)) {
		return whole, RangeNone
	}
	first, last, ok := bytes.Cut(bytes.Trim(value[len(unit):], " \t"), []byte("-"))
	from, fromOK := position(first)
	to, toOK := position(last)
	switch {
	case !ok, len(first) > 0 && !fromOK, len(last) > 0 && !toOK, !fromOK && !toOK, fromOK && toOK && to < from:
		return whole, RangeNone
	case !fromOK: // the last n bytes
		if to == 0 {
			return Part{}, RangeUnsatisfiable
		}
		from = max(0, size-to)
		to = size - 1
	case from >= size:
		return Part{}, RangeUnsatisfiable
	case !toOK || to >= size:
		to = size - 1
	}
	return Part{from, to - from + 1}, RangeValid
}

// position parses digits. What does not fit is larger than any body.
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

// ifRange reports whether If-Range, if any, names this version: by a strong tag or by the exact
// date (RFC 9110 13.1.5).
func (v *Validators) ifRange(r *codec.Request) bool {
	value := r.Get("If-Range")
	return value == nil || bytes.Equal(value, v.ETag) && !bytes.HasPrefix(value, []byte("W/")) || v.Modified != nil && bytes.Equal(value, v.Modified)
}

// AppendContentRange appends the value of Content-Range.
func (p Part) AppendContentRange(dst []byte, v Verdict, size int64) []byte {
	dst = append(dst, "bytes "...)
	if v == RangeUnsatisfiable {
		dst = append(dst, '*')
	} else {
		dst = strconv.AppendInt(dst, p.From, 10)
		dst = append(dst, '-')
		dst = strconv.AppendInt(dst, p.From+p.Size-1, 10)
	}
	dst = append(dst, '/')
	return strconv.AppendInt(dst, size, 10)
}

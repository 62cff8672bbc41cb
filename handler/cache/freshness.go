package cache

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// mostSeconds bounds what a header may ask for (RFC 9111 1.2.2).
const mostSeconds = 1 << 31

// directives are what the Cache-Control fields of an answer say.
type directives struct {
	noStore, noCache, private, public, revalidate, understand bool
	// in seconds, -1 where they are not given
	maxAge, sharedMaxAge, whileRevalidate, ifError int64
}

// shared reports whether an answer to a request with credentials may be stored
// (RFC 9111 3.5).
func (d *directives) shared() bool { return d.public || d.revalidate || d.sharedMaxAge >= 0 }

// directivesOf reads CDN-Cache-Control (RFC 9213), which is for caches such as this one, else
// Cache-Control. It reports which. A directive with a value that is no number counts as 0: the
// answer is not fresh. The first one counts where one is given twice.
func directivesOf(resp *codec.Response) (d directives, targeted bool) {
	if d, seen, ok := directivesIn(resp, nameCDNControl); seen && ok {
		return d, true
	}
	d, _, _ = directivesIn(resp, nameCacheControl)
	return d, false
}

// directivesIn reads the fields with that name. ok is false when an age is no number, or a name no
// key of a structured field (RFC 9651 3.2): then CDN-Cache-Control does not count.
func directivesIn(resp *codec.Response, field []byte) (d directives, seen, ok bool) {
	d, ok = directives{maxAge: -1, sharedMaxAge: -1, whileRevalidate: -1, ifError: -1}, true
	set := func(to *int64, value []byte) {
		n := seconds(value)
		ok = ok && n >= 0
		if *to < 0 {
			*to = max(n, 0)
		}
	}
	for _, h := range resp.Header {
		if !codec.EqualName(h.Name, field) {
			continue
		}
		seen = true
		for list := h.Value; len(list) > 0; {
			var name, value []byte
			from := list
			name, value, list = nextDirective(list)
			ok = ok && isKey(name) && !bytes.Contains(from[:len(from)-len(list)], []byte("age=\""))
			switch strings.ToLower(string(name)) {
			case "no-store":
				d.noStore = true
			case "no-cache": // with a list of fields too: those would have to be taken out
				d.noCache = true
			case "private":
				d.private = true
			case "public":
				d.public = true
			case "must-revalidate", "proxy-revalidate":
				d.revalidate = true
			case "must-understand":
				d.understand = true
			case "max-age":
				set(&d.maxAge, value)
			case "s-maxage":
				set(&d.sharedMaxAge, value)
			case "stale-while-revalidate":
				set(&d.whileRevalidate, value)
			case "stale-if-error":
				set(&d.ifError, value)
			}
		}
	}
	return d, seen, ok
}

func isKey(name []byte) bool {
	for _, c := range bytes.ToLower(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && bytes.IndexByte([]byte("_-.*"), c) < 0 {
			return false
		}
	}
	return true
}

// seconds parses delta-seconds, -1 for anything else. A number too large is the largest.
func seconds(value []byte) int64 {
	if len(value) == 0 {
		return -1
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return -1
		}
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n > mostSeconds {
		return mostSeconds
	}
	return n
}

// nextDirective cuts `name`, `name=token` or `name="text"` off a list.
func nextDirective(list []byte) (name, value, rest []byte) {
	list = bytes.TrimLeft(list, " \t,")
	end := bytes.IndexAny(list, "=,")
	if end < 0 {
		return bytes.TrimSpace(list), nil, nil
	}
	name, rest = bytes.TrimSpace(list[:end]), list[end:]
	if rest[0] == ',' {
		return name, nil, rest[1:]
	}
	rest = bytes.TrimLeft(rest[1:], " \t")
	if len(rest) == 0 || rest[0] != '"' {
		value, rest, _ = bytes.Cut(rest, comma)
		return name, bytes.TrimSpace(value), rest
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			value = rest[1:i]
			_, rest, _ = bytes.Cut(rest[i:], comma)
			return name, value, rest
		}
	}
	return name, nil, nil // a quote that does not end
}

// header returns the first value of a field of an answer, or nil.
func header(resp *codec.Response, name []byte) []byte {
	for _, h := range resp.Header {
		if codec.EqualName(h.Name, name) {
			return h.Value
		}
	}
	return nil
}

// age is how old an answer is when it comes (RFC 9111 4.2.3).
func age(resp *codec.Response, now time.Time) time.Duration {
	var apparent time.Duration
	if t, ok := date(header(resp, nameDate)); ok {
		apparent = max(now.Sub(t).Truncate(time.Second), 0)
	}
	value, _, _ := bytes.Cut(header(resp, nameAge), comma)
	said := time.Duration(max(seconds(bytes.TrimSpace(value)), 0)) * time.Second
	return max(apparent, said)
}

// lifetime is how long an answer is fresh (RFC 9111 4.2.1). It reports false when the answer
// does not say. Expires does not count beside CDN-Cache-Control.
func lifetime(resp *codec.Response, d *directives, targeted bool, now time.Time) (time.Duration, bool) {
	switch {
	case d.sharedMaxAge >= 0:
		return time.Duration(d.sharedMaxAge) * time.Second, true
	case d.maxAge >= 0:
		return time.Duration(d.maxAge) * time.Second, true
	}
	var expires []byte
	lines := 0
	for _, h := range resp.Header {
		if codec.EqualName(h.Name, nameExpires) {
			expires, lines = h.Value, lines+1
		}
	}
	if lines == 0 || targeted {
		return 0, false
	}
	until, ok := date(expires)
	if !ok || lines > 1 {
		return 0, true // "0" and the like: it has expired
	}
	from := now
	if t, ok := date(header(resp, nameDate)); ok {
		from = t
	}
	return min(max(until.Sub(from), 0), mostSeconds*time.Second), true
}

// date parses a date in one of the forms of RFC 9110 5.6.7, to the letter.
func date(value []byte) (time.Time, bool) {
	if len(value) > 40 {
		return time.Time{}, false
	}
	text := string(value)
	if n := len(text) - 3; n > 0 && strings.EqualFold(text[n:], "GMT") {
		text = text[:n] + "GMT"
	}
	t, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}, false
	}
	for _, form := range []string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC} {
		if strings.EqualFold(t.UTC().Format(form), text) {
			return t, true
		}
	}
	return time.Time{}, false
}

// Storable reports whether an answer with that status may be stored when it says how long it is
// fresh. 206 and 304 are parts of other answers.
func Storable(status int) bool {
	return status >= 200 && status <= 599 && status != 206 && status != 304
}

// understood reports whether the meaning of a status is known (RFC 9111 5.2.2.3).
func understood(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 500, 501, 502, 503, 504:
		return true
	}
	return false
}

var (
	comma            = []byte(",")
	nameCacheControl = []byte("Cache-Control")
	nameCDNControl   = []byte("CDN-Cache-Control")
	nameDate         = []byte("Date")
	nameAge          = []byte("Age")
	nameExpires      = []byte("Expires")
	nameVary         = []byte("Vary")
	nameSetCookie    = []byte("Set-Cookie")
	nameETag         = []byte("ETag")
	nameModified     = []byte("Last-Modified")
	nameCacheTag     = []byte("Cache-Tag")
	nameSurrogateKey = []byte("Surrogate-Key")
	nameCacheStatus  = []byte("Cache-Status")
	nameXCache       = []byte("X-Cache")
	nameLength       = []byte("Content-Length")
	nameContentRange = []byte("Content-Range")
	nameRange        = []byte("Range")
	nameNoneMatch    = []byte("If-None-Match")
	nameModSince     = []byte("If-Modified-Since")
)

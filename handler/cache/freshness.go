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
	noStore, noCache, private, public, revalidate bool
	// in seconds, -1 where they are not given
	maxAge, sharedMaxAge, whileRevalidate, ifError int64
}

// shared reports whether an answer to a request with credentials may be stored
// (RFC 9111 3.5).
func (d *directives) shared() bool { return d.public || d.revalidate || d.sharedMaxAge >= 0 }

// directivesOf reads Cache-Control. A directive with a value that is no number counts as 0: the
// answer is not fresh. The first one counts where one is given twice.
func directivesOf(resp *codec.Response) directives {
	d := directives{maxAge: -1, sharedMaxAge: -1, whileRevalidate: -1, ifError: -1}
	for _, h := range resp.Header {
		if !codec.EqualName(h.Name, nameCacheControl) {
			continue
		}
		for list := h.Value; len(list) > 0; {
			var name, value []byte
			name, value, list = nextDirective(list)
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
			case "max-age":
				setOnce(&d.maxAge, value)
			case "s-maxage":
				setOnce(&d.sharedMaxAge, value)
			case "stale-while-revalidate":
				setOnce(&d.whileRevalidate, value)
			case "stale-if-error":
				setOnce(&d.ifError, value)
			}
		}
	}
	return d
}

func setOnce(to *int64, value []byte) {
	if *to < 0 {
		*to = max(seconds(value), 0)
	}
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
	if t, err := http.ParseTime(string(header(resp, nameDate))); err == nil {
		apparent = max(now.Sub(t).Truncate(time.Second), 0)
	}
	value, _, _ := bytes.Cut(header(resp, nameAge), comma)
	said := time.Duration(max(seconds(bytes.TrimSpace(value)), 0)) * time.Second
	return max(apparent, said)
}

// lifetime is how long an answer is fresh (RFC 9111 4.2.1). It reports false when the answer
// does not say.
func lifetime(resp *codec.Response, d *directives, now time.Time) (time.Duration, bool) {
	switch {
	case d.sharedMaxAge >= 0:
		return time.Duration(d.sharedMaxAge) * time.Second, true
	case d.maxAge >= 0:
		return time.Duration(d.maxAge) * time.Second, true
	}
	expires := header(resp, nameExpires)
	if expires == nil {
		return 0, false
	}
	until, err := http.ParseTime(string(expires))
	if err != nil {
		return 0, true // "0" and the like: it has expired
	}
	from := now
	if t, err := http.ParseTime(string(header(resp, nameDate))); err == nil {
		from = t
	}
	return min(max(until.Sub(from), 0), mostSeconds*time.Second), true
}

// Storable reports whether the meaning of a status is known, so that an answer with it may be
// stored (RFC 9111 3). 206 and 304 are parts of other answers.
func Storable(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 500, 501, 502, 503, 504:
		return true
	}
	return false
}

var (
	comma            = []byte(",")
	nameCacheControl = []byte("Cache-Control")
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
	nameLocation     = []byte("Location")
	nameContentLoc   = []byte("Content-Location")
)

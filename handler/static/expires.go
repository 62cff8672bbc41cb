package static

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/uwsgo/uwsgo/codec"
)

// ExpiresBy is the subject of an [Expires].
type ExpiresBy uint8

// The subjects of expiries, in the order in which they are tried.
const (
	ByFile ExpiresBy = iota // the path of the file
	ByPath                  // the path of the request
	ByURI                   // its target as received
	ByType                  // the Content-Type
)

// Expires is one static-expires: it gives files an Expires header.
type Expires struct {
	By       ExpiresBy
	Pattern  *regexp.Regexp // nil with ByType
	Type     string
	After    time.Duration
	Modified bool // counted from the file's last change, not from the request
}

type expirations []Expires

// newExpirations puts them in uWSGI's order.
func newExpirations(all []Expires) expirations {
	sorted := slices.Clone(all)
	rank := func(e Expires) int {
		if e.Modified {
			return 2*int(e.By) + 1
		}
		return 2 * int(e.By)
	}
	slices.SortStableFunc(sorted, func(a, b Expires) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted
}

// of finds the expiries for a file by its path and by its type.
func (all expirations) of(path string, contentType []byte) (byFile, byType *Expires) {
	for i := range all {
		switch e := &all[i]; {
		case e.By == ByFile && byFile == nil && e.Pattern.MatchString(path):
			byFile = e
		case e.By == ByType && byType == nil && e.Type == string(contentType):
			byType = e
		}
	}
	return byFile, byType
}

// appendTo adds the header for f, if any.
func (all expirations) appendTo(header []codec.Header, r *codec.Request, f *file) []codec.Header {
	e := f.expires
	if e == nil {
		e = f.expiresType
		for i := range all {
			subject := r.Path()
			if all[i].By == ByURI {
				subject = r.Bytes(r.Target)
			}
			if (all[i].By == ByPath || all[i].By == ByURI) && all[i].Pattern.Match(subject) {
				e = &all[i]
				break
			}
		}
	}
	if e == nil {
		return header
	}
	from := f.At
	if !e.Modified {
		from = time.Now()
	}
	return append(header, codec.Header{Name: nameExpires, Value: from.Add(e.After).UTC().AppendFormat(nil, http.TimeFormat)})
}

var nameExpires = []byte("Expires")

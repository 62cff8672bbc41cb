// Package coding reads which content codings a client accepts.
package coding

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec"
)

// Coding is a content coding (RFC 9110 8.4.1).
type Coding uint8

// The codings that handlers know.
const (
	Identity Coding = iota
	Gzip
	Zstd
	Brotli
	count
)

var (
	names    = [count][]byte{[]byte("identity"), []byte("gzip"), []byte("zstd"), []byte("br")}
	suffixes = [count]string{"", ".gz", ".zst", ".br"}
)

// Name is its name in Content-Encoding.
func (c Coding) Name() []byte { return names[c] }

// Suffix is the suffix of a file in this coding.
func (c Coding) Suffix() string { return suffixes[c] }

// Unset is the weight of a coding that the client does not mention.
const Unset = -1

// Weights are how much a client wants each coding, in thousandths; 0 refuses it.
type Weights [count]int

// Accepted reads Accept-Encoding (RFC 9110 12.5.3).
func Accepted(r *codec.Request) (w Weights) {
	w = Weights{Unset, Unset, Unset, Unset}
	star := Unset
	for _, f := range r.Fields {
		if f.Name.Len() != len(acceptEncoding) || !codec.EqualName(r.Bytes(f.Name), acceptEncoding) {
			continue
		}
		for list := r.Bytes(f.Value); len(list) > 0; {
			var element []byte
			element, list, _ = bytes.Cut(list, comma)
			name, q := weigh(element)
			switch {
			case len(name) == 1 && name[0] == '*':
				star = q
			case bytes.EqualFold(name, xGzip):
				w[Gzip] = q
			default:
				for c := range names {
					if bytes.EqualFold(name, names[c]) {
						w[c] = q
					}
				}
			}
		}
	}
	for c, q := range w {
		if q == Unset && star != Unset && (Coding(c) != Identity || star == 0) {
			w[c] = star
		}
	}
	return w
}

// Best returns the coding of order that the client prefers, the first among equals. It returns
// Identity when the client accepts none, or prefers a plain answer. must says that the client
// refuses a plain answer.
func (w Weights) Best(order ...Coding) (best Coding, must bool) {
	most := max(w[Identity], 1)
	for _, c := range order {
		if w[c] >= most && (best == Identity || w[c] > most) {
			best, most = c, w[c]
		}
	}
	return best, best != Identity && w[Identity] == 0
}

// weigh splits "gzip;q=0.5" into its coding and its weight in thousandths. A
// weight that is malformed counts as 0.
func weigh(element []byte) (name []byte, q int) {
	name, parameters, _ := bytes.Cut(element, semicolon)
	q = 1000
	for len(parameters) > 0 {
		var parameter []byte
		parameter, parameters, _ = bytes.Cut(parameters, semicolon)
		key, value, _ := bytes.Cut(parameter, equals)
		if key = bytes.TrimSpace(key); len(key) == 1 && key[0]|0x20 == 'q' {
			q = thousandths(bytes.TrimSpace(value))
		}
	}
	return bytes.TrimSpace(name), q
}

// thousandths parses a qvalue (RFC 9110 12.4.2).
func thousandths(v []byte) int {
	if len(v) == 0 || len(v) > 5 || v[0] != '0' && v[0] != '1' || len(v) > 1 && v[1] != '.' {
		return 0
	}
	q, unit := int(v[0]-'0')*1000, 100
	for _, c := range v[min(len(v), 2):] {
		if c < '0' || c > '9' {
			return 0
		}
		q += int(c-'0') * unit
		unit /= 10
	}
	if q > 1000 {
		return 0
	}
	return q
}

var (
	acceptEncoding = []byte("Accept-Encoding")
	xGzip          = []byte("x-gzip") // RFC 9110 8.4.1.3: the same as gzip
	comma          = []byte(",")
	semicolon      = []byte(";")
	equals         = []byte("=")
)

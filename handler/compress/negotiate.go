package compress

import (
	"bytes"

	"github.com/uwsgo/uwsgo/codec"
)

// encoding is a content coding.
type encoding uint8

const (
	identity encoding = iota
	gzipped
	zstandard
)

// name is what Content-Encoding calls it.
func (e encoding) name() []byte { return encodingNames[e] }

var encodingNames = [...][]byte{identity: []byte("identity"), gzipped: []byte("gzip"), zstandard: []byte("zstd")}

const unset = -1

// negotiate picks the coding that the client likes best (RFC 9110 12.5.3); of two
// that it likes as much, zstd, which is smaller and faster. must says that it
// refuses an answer without any. When it takes nothing that we have, it gets
// identity all the same: better than 406.
func negotiate(req *codec.Request, onlyGzip bool) (best encoding, must bool) {
	weights := [...]int{identity: unset, gzipped: unset, zstandard: unset}
	star := unset
	for _, f := range req.Fields {
		if f.Name.Len() != len(acceptEncoding) || !codec.EqualName(req.Bytes(f.Name), acceptEncoding) {
			continue
		}
		for list := req.Bytes(f.Value); len(list) > 0; {
			var element []byte
			element, list, _ = bytes.Cut(list, comma)
			coding, q := weigh(element)
			switch {
			case len(coding) == 1 && coding[0] == '*':
				star = q
			case bytes.EqualFold(coding, encodingNames[gzipped]) || bytes.EqualFold(coding, xGzip):
				weights[gzipped] = q
			case bytes.EqualFold(coding, encodingNames[zstandard]):
				weights[zstandard] = q
			case bytes.EqualFold(coding, encodingNames[identity]):
				weights[identity] = q
			}
		}
	}
	for e, q := range weights {
		if q == unset && (star != unset) && (encoding(e) != identity || star == 0) {
			weights[e] = star
		}
	}
	if onlyGzip {
		weights[zstandard] = unset
	}
	switch gz, zs, id := weights[gzipped], weights[zstandard], weights[identity]; {
	case zs > 0 && zs >= gz && zs >= id:
		best = zstandard
	case gz > 0 && gz >= id:
		best = gzipped
	}
	return best, best != identity && weights[identity] == 0
}

// weigh splits "gzip;q=0.5" into its coding and its weight in thousandths. A
// weight that is malformed counts as 0.
func weigh(element []byte) (coding []byte, q int) {
	coding, parameters, _ := bytes.Cut(element, semicolon)
	q = 1000
	for len(parameters) > 0 {
		var parameter []byte
		parameter, parameters, _ = bytes.Cut(parameters, semicolon)
		name, value, _ := bytes.Cut(parameter, equals)
		if name = bytes.TrimSpace(name); len(name) == 1 && name[0]|0x20 == 'q' {
			q = thousandths(bytes.TrimSpace(value))
		}
	}
	return bytes.TrimSpace(coding), q
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

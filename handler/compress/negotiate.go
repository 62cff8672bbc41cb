package compress

import (
	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/handler/internal/coding"
)

type encoding = coding.Coding

const (
	identity  = coding.Identity
	gzipped   = coding.Gzip
	zstandard = coding.Zstd
	brotlied  = coding.Brotli
)

// negotiate picks the client's preferred coding (RFC 9110 12.5.3). Among equal ones zstd, the
// fastest, comes before gzip, and gzip before brotli, which takes twice the time. must says
// that the client refuses identity. A client that takes none of our codings gets identity
// anyway: better than 406.
func negotiate(req *codec.Request, onlyGzip bool) (best encoding, must bool) {
	w := coding.Accepted(req)
	if onlyGzip {
		return w.Best(gzipped)
	}
	return w.Best(zstandard, gzipped, brotlied)
}

var (
	acceptEncoding = []byte("Accept-Encoding")
	comma          = []byte(",")
	semicolon      = []byte(";")
)

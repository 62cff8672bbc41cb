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

// negotiate picks the coding that the client likes best (RFC 9110 12.5.3); of those
// that it likes as much, zstd, which is fastest, before gzip before brotli, which takes twice the time. must says that it
// refuses an answer without any. When it takes nothing that we have, it gets
// identity all the same: better than 406.
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

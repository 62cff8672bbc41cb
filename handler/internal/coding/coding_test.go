package coding

import (
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

func request(value string) *codec.Request {
	r := &codec.Request{Buf: []byte("accept-encoding" + value)}
	at := uint32(len("accept-encoding"))
	r.Fields = []codec.Field{{Name: codec.Span{End: at}, Value: codec.Span{Off: at, End: uint32(len(r.Buf))}}}
	return r
}

func TestBest(t *testing.T) {
	for _, tt := range []struct {
		give string
		want Coding
		must bool
	}{
		{"gzip, deflate, br, zstd", Brotli, false},
		{"BR", Brotli, false},
		{"br;q=0.5, gzip;q=0.6, zstd;q=0.1", Gzip, false},
		{"br;q=0, *", Zstd, false},
		{"identity, br;q=0.9", Identity, false},
		{"x-gzip", Gzip, false},
		{"deflate", Identity, false},
		{"*;q=0", Identity, false},
		{"zstd, *;q=0", Zstd, true},
		{"", Identity, false},
	} {
		if got, must := Accepted(request(tt.give)).Best(Brotli, Zstd, Gzip); got != tt.want || must != tt.must {
			t.Errorf("%q: %s %v, want %s %v", tt.give, got.Name(), must, tt.want.Name(), tt.must)
		}
	}
}

package compress

import (
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

// request has one Accept-Encoding field for each value.
func request(values ...string) *codec.Request {
	r := &codec.Request{Buf: []byte("accept-encoding")}
	name := codec.Span{End: uint32(len(r.Buf))}
	for _, v := range values {
		at := uint32(len(r.Buf))
		r.Buf = append(r.Buf, v...)
		r.Fields = append(r.Fields, codec.Field{Name: name, Value: codec.Span{Off: at, End: uint32(len(r.Buf))}})
	}
	return r
}

func TestNegotiate(t *testing.T) {
	tests := []struct {
		name     string
		give     []string
		onlyGzip bool
		want     encoding
		wantMust bool
	}{
		{"no_field", nil, false, identity, false},
		{"empty", []string{""}, false, identity, false},
		{"gzip", []string{"gzip"}, false, gzipped, false},
		{"x_gzip_in_capitals", []string{"X-GZIP"}, false, gzipped, false},
		{"browser", []string{"gzip, deflate, br, zstd"}, false, zstandard, false},
		{"two_fields", []string{"br", "gzip"}, false, gzipped, false},
		{"unknown_only", []string{"compress, deflate"}, false, identity, false},
		{"brotli_only", []string{"br, deflate"}, false, brotlied, false},
		{"brotli_preferred", []string{"br, gzip;q=0.9, zstd;q=0.9"}, false, brotlied, false},
		{"brotli_as_good", []string{"br, gzip"}, false, gzipped, false},
		{"brotli_where_only_gzip_is_wanted", []string{"br"}, true, identity, false},
		{"only_gzip_wanted", []string{"gzip, zstd"}, true, gzipped, false},
		{"weights", []string{"zstd;q=0.5, gzip;q=0.8"}, false, gzipped, false},
		{"weights_with_spaces", []string{"gzip ; q=0.5 ,zstd\t;\tq=0.6"}, false, zstandard, false},
		{"gzip_refused", []string{"gzip;q=0"}, false, identity, false},
		{"gzip_refused_in_three_digits", []string{"gzip;q=0.000"}, false, identity, false},
		{"star", []string{"*"}, false, zstandard, false},
		{"star_but_zstd", []string{"zstd;q=0, *"}, false, gzipped, false},
		{"star_refused", []string{"*;q=0"}, false, identity, false},
		{"gzip_and_nothing_else", []string{"gzip, *;q=0"}, false, gzipped, true},
		{"identity_refused", []string{"gzip, identity;q=0"}, false, gzipped, true},
		{"identity_refused_and_nothing_known", []string{"compress, identity;q=0"}, false, identity, false},
		{"identity_refused_star", []string{"*;q=0.5, identity;q=0"}, false, zstandard, true},
		{"identity_preferred", []string{"gzip;q=0.5, identity"}, false, identity, false},
		{"identity_as_good", []string{"gzip, identity"}, false, gzipped, false},
		{"malformed_weight", []string{"gzip;q=high"}, false, identity, false},
		{"weight_above_one", []string{"gzip;q=1.5"}, false, identity, false},
		{"weight_too_long", []string{"gzip;q=0.1234"}, false, identity, false},
		{"other_parameter", []string{"gzip;level=9"}, false, gzipped, false},
		{"commas", []string{",,gzip,;,"}, false, gzipped, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, must := negotiate(request(test.give...), test.onlyGzip)
			if got != test.want || must != test.wantMust {
				t.Errorf("got %s, %v, want %s, %v", got.Name(), must, test.want.Name(), test.wantMust)
			}
		})
	}
}

func FuzzNegotiate(f *testing.F) {
	for _, seed := range []string{"gzip, deflate, br, zstd", "gzip;q=0.5, *;q=0", ";q=,;;=", "identity;q=0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		best, must := negotiate(request(value), false)
		if must && best == identity {
			t.Error("identity is refused and chosen")
		}
		if again, _ := negotiate(request(value, ""), false); again != best {
			t.Errorf("an empty field changes %s to %s", best.Name(), again.Name())
		}
	})
}

func TestCompressible(t *testing.T) {
	for give, want := range map[string]bool{
		"text/html; charset=utf-8":  true,
		"TEXT/CSS":                  true,
		"application/json":          true,
		"application/problem+json":  true,
		"image/svg+xml":             true,
		"application/wasm":          true,
		" application/javascript ;": true,
		"image/png":                 false,
		"application/octet-stream":  false,
		"application/zip":           false,
		"font/woff2":                false,
		"":                          false,
		"video/mp4":                 false,
	} {
		if got := compressible([]byte(give)); got != want {
			t.Errorf("%q: %v", give, got)
		}
	}
}

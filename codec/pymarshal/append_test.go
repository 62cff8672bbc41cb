package pymarshal

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"none", AppendNone(nil), "N"},
		{"true", AppendBool(nil, true), "T"},
		{"false", AppendBool(nil, false), "F"},
		{"int_one", AppendInt(nil, 1), "i\x01\x00\x00\x00"},
		{"int_minus_one", AppendInt(nil, -1), "i\xff\xff\xff\xff"},
		{"int_largest", AppendInt(nil, math.MaxInt32), "i\xff\xff\xff\x7f"},
		{"int_smallest", AppendInt(nil, math.MinInt32), "i\x00\x00\x00\x80"},
		{"long_smallest", AppendInt(nil, math.MaxInt32+1), "l\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00"},
		{"long_negative", AppendInt(nil, math.MinInt32-1), "l\xfd\xff\xff\xff\x01\x00\x00\x00\x02\x00"},
		{"long_max", AppendInt(nil, math.MaxInt64), "l\x05\x00\x00\x00\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x07\x00"},
		{"long_min", AppendInt(nil, math.MinInt64), "l\xfb\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00"},
		{"float", AppendFloat(nil, 0.5), "g\x00\x00\x00\x00\x00\x00\xe0\x3f"},
		{"bytes", AppendBytes(nil, []byte("a\x00\xff")), "s\x03\x00\x00\x00a\x00\xff"},
		{"bytes_empty", AppendBytes(nil, nil), "s\x00\x00\x00\x00"},
		{"str_empty", AppendStr(nil, nil), "z\x00"},
		{"str_ascii", AppendStr(nil, []byte("GET")), "z\x03GET"},
		{"str_ascii_255", AppendStr(nil, bytes.Repeat([]byte("x"), 255)), "z\xff" + strings.Repeat("x", 255)},
		{"str_ascii_256", AppendStr(nil, bytes.Repeat([]byte("x"), 256)), "a\x00\x01\x00\x00" + strings.Repeat("x", 256)},
		{"str_latin1", AppendStr(nil, []byte("caf\xe9\x80\xff")), "u\x09\x00\x00\x00caf\u00e9\u0080\u00ff"},
		{"key", AppendKey(nil, "PATH_INFO"), "Z\x09PATH_INFO"},
		{"key_long", AppendKey(nil, strings.Repeat("K", 256)), "A\x00\x01\x00\x00" + strings.Repeat("K", 256)},
		{"tuple", AppendTupleHead(nil, 300), "(\x2c\x01\x00\x00"},
		{"list", AppendListHead(nil, 0), "[\x00\x00\x00\x00"},
		{"dict", AppendDictEnd(AppendDictStart(nil)), "{0"},
		{"after_what_is_there", AppendNone([]byte("x")), "xN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if string(tt.got) != tt.want {
				t.Errorf("got  %q\nwant %q", tt.got, tt.want)
			}
		})
	}
}

func TestIsASCII(t *testing.T) {
	for n := range 20 {
		s := bytes.Repeat([]byte{0x7f}, n)
		if !IsASCII(s) {
			t.Errorf("%d bytes 0x7f are not ASCII", n)
		}
		for i := range s {
			s[i] = 0x80
			if IsASCII(s) {
				t.Errorf("%d bytes with 0x80 at %d are ASCII", n, i)
			}
			s[i] = 0x7f
		}
	}
}

// environ is what a browser's request through nginx comes to.
var environ = [][2]string{
	{"REQUEST_METHOD", "GET"},
	{"SCRIPT_NAME", ""},
	{"PATH_INFO", "/shop/items/42/reviews"},
	{"QUERY_STRING", "page=2&sort=newest"},
	{"REQUEST_URI", "/shop/items/42/reviews?page=2&sort=newest"},
	{"SERVER_PROTOCOL", "HTTP/1.1"},
	{"SERVER_NAME", "shop.example.org"},
	{"SERVER_PORT", "443"},
	{"REMOTE_ADDR", "203.0.113.77"},
	{"REMOTE_PORT", "51234"},
	{"HTTP_HOST", "shop.example.org"},
	{"HTTP_USER_AGENT", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"},
	{"HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
	{"HTTP_ACCEPT_LANGUAGE", "en-GB,en;q=0.7,de;q=0.3"},
	{"HTTP_ACCEPT_ENCODING", "gzip, deflate, br, zstd"},
	{"HTTP_REFERER", "https://shop.example.org/shop/items/42"},
	{"HTTP_COOKIE", "sessionid=3nvw0u5u3nw1x5g2r8h7s6d9c4b1a0zz; csrftoken=Zk1TqYw7Qn3m5v8y"},
	{"HTTP_X_FORWARDED_FOR", "203.0.113.77"},
}

func appendEnviron(dst []byte, values [][]byte) []byte {
	dst = AppendDictStart(dst)
	for i, kv := range environ {
		dst = AppendStr(AppendKey(dst, kv[0]), values[i])
	}
	return AppendDictEnd(dst)
}

func environValues() (values [][]byte) {
	for _, kv := range environ {
		values = append(values, []byte(kv[1]))
	}
	return values
}

func TestAppendAllocs(t *testing.T) {
	values := append(environValues(), []byte("caf\xe9"))
	buf := make([]byte, 0, 4096)
	allocs := testing.AllocsPerRun(100, func() {
		buf = appendEnviron(buf[:0], values)
		buf = AppendStr(AppendBytes(AppendInt(buf, 1<<40), values[0]), values[len(values)-1])
	})
	if allocs != 0 {
		t.Errorf("appending an environ allocates %v times", allocs)
	}
}

func BenchmarkAppendEnviron(b *testing.B) {
	values := environValues()
	buf := appendEnviron(nil, values)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = appendEnviron(buf[:0], values)
	}
}

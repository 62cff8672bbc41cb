package http1

import (
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

const (
	smallRequest = "GET /hello?name=x HTTP/1.1\r\n" +
		"Host: 127.0.0.1:8080\r\n" +
		"User-Agent: load/1\r\n" +
		"Accept: */*\r\n\r\n"

	browserRequest = "GET /shop/items/1234/details?sort=price&page=2 HTTP/1.1\r\n" +
		"Host: shop.example.org\r\n" +
		"Connection: keep-alive\r\n" +
		"Cache-Control: max-age=0\r\n" +
		"Sec-Ch-Ua: \"Browser\";v=\"130\", \"Engine\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n" +
		"Sec-Ch-Ua-Mobile: ?0\r\n" +
		"Sec-Ch-Ua-Platform: \"Linux\"\r\n" +
		"Upgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) Engine/537.36 (like so many) Browser/130.0.0.0 Other/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
		"Sec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: navigate\r\n" +
		"Referer: https://shop.example.org/shop/items\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n" +
		"Cookie: sessionid=f3a9c1d27be84a61b0c5; csrftoken=Wq0yT7mE2kZpLr4sVx9aBd1cNf6hJg8u; theme=dark; seen=1,2,3,5,8,13\r\n\r\n"
)

func BenchmarkHead(b *testing.B) {
	benchmarks := []struct{ name, request string }{
		{"small/fields=3", smallRequest},
		{"browser/fields=15", browserRequest},
		{"escaped_path/fields=1", "GET /caf%C3%A9/../a%20b HTTP/1.1\r\nHost: x\r\n\r\n"},
	}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			buf := []byte(bb.request)
			var d Decoder
			var r codec.Request
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if n, err := d.Head(buf, &r); n != len(buf) || err != nil {
					b.Fatal(n, err)
				}
				r.Path()
			}
		})
	}
	b.Run("browser/in_two_reads", func(b *testing.B) {
		buf := []byte(browserRequest)
		var d Decoder
		var r codec.Request
		b.ReportAllocs()
		b.SetBytes(int64(len(buf)))
		for b.Loop() {
			_, _ = d.Head(buf[:len(buf)/2], &r)
			if n, err := d.Head(buf, &r); n != len(buf) || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}

func BenchmarkBody(b *testing.B) {
	benchmarks := []struct {
		name string
		size int
	}{{"chunks=16", 16}, {"chunks=4096", 4096}}
	for _, bb := range benchmarks {
		b.Run(bb.name, func(b *testing.B) {
			var wire []byte
			for range 16 {
				wire = appendChunk(wire, []byte(strings.Repeat("x", bb.size)))
			}
			wire = AppendLastChunk(wire)
			r := codec.Request{Chunked: true, ContentLength: -1}
			var body Body
			b.ReportAllocs()
			b.SetBytes(int64(len(wire)))
			for b.Loop() {
				body.Reset(&r)
				for p := wire; !body.Done(); {
					n, _, err := body.Next(p)
					if err != nil {
						b.Fatal(err)
					}
					p = p[n:]
				}
			}
		})
	}
}

func BenchmarkAppendHead(b *testing.B) {
	req := codec.Request{Proto: codec.HTTP11, KeepAlive: true}
	resp := codec.Response{Status: 200, ContentLength: 12, Header: []codec.Header{
		{Name: []byte("Content-Type"), Value: []byte("text/html; charset=utf-8")},
		{Name: []byte("X-Frame-Options"), Value: []byte("DENY")},
		{Name: []byte("Vary"), Value: []byte("Cookie")},
		{Name: []byte("X-Content-Type-Options"), Value: []byte("nosniff")},
	}}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if codec.Validate(&resp) != nil {
			b.Fatal("invalid")
		}
		dst, _ = AppendHead(dst[:0], &req, &resp, []byte("Sun, 06 Nov 1994 08:49:37 GMT"), true)
	}
	b.SetBytes(int64(len(dst)))
}

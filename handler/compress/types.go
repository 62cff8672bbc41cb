package compress

import "bytes"

// compressibleTypes are those beside text/*, …+json, …+xml and …+text.
var compressibleTypes = map[string]bool{
	"application/ecmascript":        true,
	"application/graphql":           true,
	"application/javascript":        true,
	"application/json":              true,
	"application/json-seq":          true,
	"application/msgpack":           true,
	"application/ndjson":            true,
	"application/rtf":               true,
	"application/sql":               true,
	"application/toml":              true,
	"application/vnd.ms-fontobject": true,
	"application/wasm":              true,
	"application/x-javascript":      true,
	"application/x-ndjson":          true,
	"application/x-sh":              true,
	"application/x-yaml":            true,
	"application/xml":               true,
	"application/xml-dtd":           true,
	"application/yaml":              true,
	"font/otf":                      true,
	"font/sfnt":                     true,
	"font/ttf":                      true,
	"image/bmp":                     true,
	"image/vnd.microsoft.icon":      true,
	"image/x-icon":                  true,
}

// compressible reports whether bodies of that Content-Type usually get smaller.
func compressible(contentType []byte) bool {
	media, _, _ := bytes.Cut(contentType, semicolon)
	media = bytes.TrimSpace(media)
	var lower [64]byte
	if len(media) > len(lower) {
		return false
	}
	for i, c := range media {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	media = lower[:len(media)]
	if bytes.HasPrefix(media, []byte("text/")) {
		return true
	}
	if plus := bytes.LastIndexByte(media, '+'); plus >= 0 {
		switch string(media[plus:]) {
		case "+json", "+xml", "+text":
			return true
		}
	}
	return compressibleTypes[string(media)]
}

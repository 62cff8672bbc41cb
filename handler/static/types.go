package static

import (
	"bufio"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// mimeTypes is the system's file of types, as in uWSGI.
const mimeTypes = "/etc/mime.types"

// maxTypes bounds the read part of that file in bytes.
const maxTypes = 1 << 20

// types maps the extension of a name, in small letters and with its dot, to the
// Content-Type.
type types map[string]string

// webTypes are the types of the web, the same on every machine. There is no charset, as in
// uWSGI and nginx: the page's own declaration counts.
var webTypes = types{
	".aac":         "audio/aac",
	".apng":        "image/apng",
	".avif":        "image/avif",
	".bmp":         "image/bmp",
	".bz2":         "application/x-bzip2",
	".css":         "text/css",
	".csv":         "text/csv",
	".eot":         "application/vnd.ms-fontobject",
	".flac":        "audio/flac",
	".gif":         "image/gif",
	".gz":          "application/gzip",
	".htm":         "text/html",
	".html":        "text/html",
	".ico":         "image/vnd.microsoft.icon",
	".ics":         "text/calendar",
	".jpeg":        "image/jpeg",
	".jpg":         "image/jpeg",
	".js":          "text/javascript",
	".json":        "application/json",
	".jsonld":      "application/ld+json",
	".jxl":         "image/jxl",
	".map":         "application/json",
	".md":          "text/markdown",
	".mjs":         "text/javascript",
	".mp3":         "audio/mpeg",
	".mp4":         "video/mp4",
	".mpeg":        "video/mpeg",
	".oga":         "audio/ogg",
	".ogg":         "audio/ogg",
	".ogv":         "video/ogg",
	".opus":        "audio/ogg",
	".otf":         "font/otf",
	".pdf":         "application/pdf",
	".png":         "image/png",
	".rss":         "application/rss+xml",
	".svg":         "image/svg+xml",
	".tar":         "application/x-tar",
	".tif":         "image/tiff",
	".tiff":        "image/tiff",
	".ttf":         "font/ttf",
	".txt":         "text/plain",
	".vtt":         "text/vtt",
	".wasm":        "application/wasm",
	".wav":         "audio/wav",
	".weba":        "audio/webm",
	".webm":        "video/webm",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff":        "font/woff",
	".woff2":       "font/woff2",
	".xhtml":       "application/xhtml+xml",
	".xml":         "application/xml",
	".yaml":        "application/yaml",
	".yml":         "application/yaml",
	".zip":         "application/zip",
	".zst":         "application/zstd",
}

// loadTypes returns the types in files in the format of /etc/mime.types, which override the
// web's. Without files it reads /etc/mime.types, which the web's types override. Files need not
// exist.
func loadTypes(paths []string) types {
	all := make(types)
	if len(paths) == 0 {
		all.read(mimeTypes)
		maps.Copy(all, webTypes)
		return all
	}
	maps.Copy(all, webTypes)
	for _, path := range paths {
		all.read(path)
	}
	return all
}

func (t types) read(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxTypes))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		for i := 1; i < len(words); i++ {
			if strings.Contains(words[0], "/") {
				t["."+strings.ToLower(words[i])] = words[0]
			}
		}
	}
}

// of returns the Content-Type for a file of that name. Unknown ones are
// application/octet-stream: without a type browsers guess, and may show an upload as a page.
func (t types) of(name string) []byte {
	if found, ok := t[strings.ToLower(filepath.Ext(name))]; ok {
		return []byte(found)
	}
	return []byte("application/octet-stream")
}

package header

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/handler/compress"
)

// TestBeforeCompression: the headers come with each kind of answer, whether the body is
// compressed on its way or not, and the body stays what it is.
func TestBeforeCompression(t *testing.T) {
	text := strings.Repeat("hello ", 1000)
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan bool, 1)
	begin := func(x *engine.Exchange) *codec.Response {
		resp := x.Response()
		resp.Header = append(resp.Header, codec.Header{Name: []byte("Content-Type"), Value: []byte("text/plain")})
		return resp
	}
	app := engine.HandlerFunc(func(x *engine.Exchange) {
		switch string(x.Request().Path()) {
		case "/whole":
			x.Reply(begin(x), []byte(text))
		case "/file":
			f, err := os.Open(file)
			if err != nil {
				panic(err)
			}
			x.ReplyFile(begin(x), f, 0, int64(len(text)))
		case "/stream", "/cut":
			x.Start(begin(x))
			x.Write([]byte(text[:1000]))
			x.Write([]byte(text[1000:]))
			if string(x.Request().Path()) == "/stream" {
				x.End()
				return
			}
			ref := x.Ref()
			go func() {
				<-read // or the reset might take the head from the client
				_ = ref.Post(func(x *engine.Exchange) { x.Abort() })
			}()
		case "/later":
			x.Start(begin(x))
			ref := x.Ref()
			go func() {
				_ = ref.Post(func(x *engine.Exchange) { x.Write([]byte(text)) })
				_ = ref.Post(func(x *engine.Exchange) { x.End() })
			}()
		default:
			x.Abort()
		}
	})
	for _, compressed := range []bool{false, true} {
		for _, inside := range []bool{false, true} { // of the compressor
			t.Run(fmt.Sprintf("compressed=%t,inside=%t", compressed, inside), func(t *testing.T) {
				o := Options{Add: []string{"X-A: b"}}
				h := engine.Handler(app)
				if inside {
					var err error
					if h, err = New(h, o); err != nil {
						t.Fatal(err)
					}
					o = Options{}
				}
				if compressed {
					pool := engine.NewPool(1, 4, t.Logf)
					t.Cleanup(pool.Close)
					h = compress.New(h, compress.Options{Pool: pool})
				}
				c := start(t, h, o)
				r := bufio.NewReader(c)
				for _, target := range []string{"/whole", "/file", "/stream", "/later", "/stream", "/abort", "/whole", "/cut"} {
					if _, err := io.WriteString(c, "GET "+target+" HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"); err != nil {
						t.Fatal(err)
					}
					resp, err := http.ReadResponse(r, nil)
					if err != nil {
						t.Fatalf("%s: %v", target, err)
					}
					if got := resp.Header.Values("X-A"); len(got) != 1 || got[0] != "b" {
						t.Errorf("%s: X-A: %q", target, got)
					}
					if target == "/cut" {
						read <- true
					}
					raw, err := io.ReadAll(resp.Body)
					if (err != nil) != (target == "/cut") {
						t.Errorf("%s: %v", target, err)
					}
					if target == "/abort" {
						if resp.StatusCode != 500 {
							t.Errorf("%s: %d", target, resp.StatusCode)
						}
						continue
					}
					if got := resp.Header.Get("Content-Encoding"); (got == "gzip") != compressed {
						t.Errorf("%s: Content-Encoding %q", target, got)
					}
					if target == "/cut" {
						continue
					}
					body := string(raw)
					if compressed {
						z, err := gzip.NewReader(strings.NewReader(body))
						if err != nil {
							t.Errorf("%s: %v", target, err)
							continue
						}
						b, err := io.ReadAll(z)
						if err != nil {
							t.Errorf("%s: %v", target, err)
						}
						body = string(b)
					}
					if body != text {
						t.Errorf("%s: %d bytes, not the %d", target, len(body), len(text))
					}
				}
			})
		}
	}
}

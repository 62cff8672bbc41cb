package compress

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/uwsgo/uwsgo/codec"
	"github.com/uwsgo/uwsgo/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves h behind a compressing handler and returns a connection to it.
func start(t *testing.T, h engine.HandlerFunc, o Options) net.Conn {
	t.Helper()
	if o.Pool == nil {
		o.Pool = engine.NewPool(1, 8, t.Logf)
		t.Cleanup(o.Pool.Close)
	}
	server, err := engine.New(engine.Options{Logf: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	l, err := server.Listen("127.0.0.1:0", engine.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(New(h, o)) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, engine.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	c, err := net.Dial("tcp", l.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// get sends one request and returns the response with its body as sent.
func get(t *testing.T, c net.Conn, method, accept string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(c, method+" / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+accept+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// decode undoes the response's Content-Encoding.
func decode(t *testing.T, resp *http.Response, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	switch coding := resp.Header.Get("Content-Encoding"); coding {
	case "":
	case "gzip":
		gz, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = gz
	case "zstd":
		zs, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		defer zs.Close()
		r = zs
	case "br":
		r = brotli.NewReader(r)
	default:
		t.Fatalf("Content-Encoding: %q", coding)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

var (
	page = strings.Repeat("<p>Hello World!</p>\n", 200)
	// huge is compressed away from the loop.
	huge = strings.Repeat(page, 100)
	// noise does not compress.
	noise = func() string {
		b, state := make([]byte, 4096), uint32(1)
		for i := range b {
			state = state*1664525 + 1013904223
			b[i] = byte(state >> 24)
		}
		return string(b)
	}()
)

// respond fills in a response with these header fields, "Name: value" each.
func respond(x *engine.Exchange, status int, fields []string) *codec.Response {
	resp := x.Response()
	resp.Status = status
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		resp.Header = append(resp.Header, codec.Header{Name: []byte(name), Value: []byte(value)})
	}
	return resp
}

const html = "Content-Type: text/html; charset=utf-8"

func TestReply(t *testing.T) {
	tests := []struct {
		name         string
		accept       string
		status       int
		fields       []string
		body         string
		onlyMarked   bool
		wantEncoding string
		wantVary     string
	}{
		{"gzip", "gzip", 200, []string{html}, page, false, "gzip", "Accept-Encoding"},
		{"zstd", "gzip, zstd", 200, []string{html}, page, false, "zstd", "Accept-Encoding"},
		{"away_from_the_loop", "gzip", 200, []string{html}, huge, false, "gzip", "Accept-Encoding"},
		{"away_from_the_loop_zstd", "zstd", 200, []string{html}, huge, false, "zstd", "Accept-Encoding"},
		{"error_page", "gzip", 404, []string{html}, page, false, "gzip", "Accept-Encoding"},
		{"client_does_not_take_it", "compress", 200, []string{html}, page, false, "", "Accept-Encoding"},
		{"short", "gzip", 200, []string{html}, page[:1023], false, "", ""},
		{"just_long_enough", "gzip", 200, []string{html}, page[:1024], false, "gzip", "Accept-Encoding"},
		{"short_but_identity_refused", "gzip, identity;q=0", 200, []string{html}, page[:100], false, "gzip", "Accept-Encoding"},
		{"image", "gzip", 200, []string{"Content-Type: image/png"}, page, false, "", ""},
		{"no_type", "gzip", 200, nil, page, false, "", ""},
		{"encoded_already", "gzip", 200, []string{html, "Content-Encoding: br"}, page, false, "br", ""},
		{"range", "gzip", 206, []string{html, "Content-Range: bytes 0-3999/8000"}, page, false, "", ""},
		{"range_not_satisfiable", "gzip", 416, []string{html, "Content-Range: bytes */8000"}, page, false, "", ""},
		{"no_transform", "gzip", 200, []string{html, "Cache-Control: public, No-Transform"}, page, false, "", ""},
		{"digest", "gzip", 200, []string{html, "Repr-Digest: sha-256=:YQ==:"}, page, false, "", ""},
		{"does_not_get_smaller", "gzip", 200, []string{html}, noise, false, "", "Accept-Encoding"},
		{"vary_has_more", "gzip", 200, []string{html, "Vary: Cookie"}, page, false, "gzip", "Cookie, Accept-Encoding"},
		{"vary_has_it", "gzip", 200, []string{html, "Vary: Cookie, accept-encoding"}, page, false, "gzip", "Cookie, accept-encoding"},
		{"vary_on_all", "gzip", 200, []string{html, "Vary: *"}, page, false, "gzip", "*"},
		{"unmarked", "gzip", 200, []string{html}, page, true, "", ""},
		{"marked", "gzip, zstd", 200, []string{"Content-Type: image/x", "uWSGI-Encoding: gzip"}, page[:500], true, "gzip", "Accept-Encoding"},
		{"marked_for_a_client_without", "br", 200, []string{html, "uWSGI-Encoding: gzip"}, page, true, "", "Accept-Encoding"},
		{"marked_and_encoded", "gzip", 200, []string{html, "uWSGI-Encoding: gzip", "Content-Encoding: br"}, page, true, "br", ""},
		{"marked_where_all_are_compressed", "gzip", 200, []string{"Content-Type: image/x", "uWSGI-Encoding: gzip"}, page, false, "gzip", "Accept-Encoding"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := start(t, func(x *engine.Exchange) {
				x.Reply(respond(x, test.status, test.fields), []byte(test.body))
			}, Options{OnlyMarked: test.onlyMarked})
			for range 2 { // the second time with what the first has left
				resp, body := get(t, c, "GET", test.accept)
				if got := resp.Header.Get("Content-Encoding"); got != test.wantEncoding {
					t.Errorf("Content-Encoding: %q, want %q", got, test.wantEncoding)
				}
				if got := strings.Join(resp.Header.Values("Vary"), ", "); got != test.wantVary {
					t.Errorf("Vary: %q, want %q", got, test.wantVary)
				}
				if got := resp.Header.Get("uWSGI-Encoding"); got != "" {
					t.Errorf("uWSGI-Encoding: %q", got)
				}
				if resp.StatusCode != test.status || resp.ContentLength != int64(len(body)) {
					t.Errorf("status %d, %d bytes of %d", resp.StatusCode, len(body), resp.ContentLength)
				}
				if test.wantEncoding != "br" && decode(t, resp, body) != test.body {
					t.Errorf("another body: %.100q", body)
				}
			}
		})
	}
}

func TestFields(t *testing.T) {
	fields := []string{html, `ETag: "abc"`, "Accept-Ranges: bytes", "Content-Length: 4000", "X-Other: 1"}
	tests := []struct{ name, method, accept, wantETag, wantRanges string }{
		{"compressed", "GET", "gzip", `W/"abc"`, ""},
		{"head", "HEAD", "gzip", `W/"abc"`, ""},
		{"identity", "GET", "compress", `"abc"`, "bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := start(t, func(x *engine.Exchange) {
				resp := respond(x, 200, fields)
				if x.Request().Head {
					resp.ContentLength = int64(len(page))
					x.Reply(resp, nil)
					return
				}
				x.Reply(resp, []byte(page))
			}, Options{})
			resp, _ := get(t, c, test.method, test.accept)
			if got := resp.Header.Get("ETag"); got != test.wantETag {
				t.Errorf("ETag: %s, want %s", got, test.wantETag)
			}
			if got := resp.Header.Get("Accept-Ranges"); got != test.wantRanges {
				t.Errorf("Accept-Ranges: %q, want %q", got, test.wantRanges)
			}
			if got := resp.Header.Get("X-Other"); got != "1" {
				t.Errorf("X-Other: %q", got)
			}
			if got := resp.Header.Get("Content-Encoding") != ""; got != (test.wantRanges == "") {
				t.Errorf("encoded: %v", got)
			}
			if test.method == "HEAD" && resp.ContentLength >= 0 {
				t.Errorf("HEAD has Content-Length %d, which nobody knows", resp.ContentLength)
			}
		})
	}
}

func TestNoBody(t *testing.T) {
	for _, status := range []int{204, 304} {
		c := start(t, func(x *engine.Exchange) { x.Reply(respond(x, status, []string{html}), nil) }, Options{})
		resp, _ := get(t, c, "GET", "gzip, identity;q=0")
		if got := resp.Header.Get("Content-Encoding"); got != "" || resp.StatusCode != status {
			t.Errorf("%d: Content-Encoding %q", resp.StatusCode, got)
		}
	}
}

// Each piece of a streamed response can be read before the next is written.
func TestStreamIsFlushed(t *testing.T) {
	for _, coding := range []string{"gzip", "zstd"} {
		t.Run(coding, func(t *testing.T) {
			next := make(chan engine.Ref, 1)
			c := start(t, func(x *engine.Exchange) {
				x.Start(respond(x, 200, []string{html}))
				next <- x.Ref()
			}, Options{})
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: "+coding+"\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Content-Encoding"); got != coding {
				t.Fatalf("Content-Encoding: %q", got)
			}
			ref := <-next
			var plain io.Reader
			for i, piece := range []string{"one ", "two ", page, "end"} {
				if err := ref.Post(func(x *engine.Exchange) {
					x.Write([]byte(piece))
					if piece == "end" {
						x.End()
					}
				}); err != nil {
					t.Fatal(err)
				}
				if i == 0 { // readers want the beginning at once
					if coding == "gzip" {
						plain, err = gzip.NewReader(resp.Body)
					} else {
						plain, err = zstd.NewReader(resp.Body, zstd.WithDecoderConcurrency(1))
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				got := make([]byte, len(piece))
				if _, err := io.ReadFull(plain, got); err != nil || string(got) != piece {
					t.Fatalf("piece %d: %q, %v", i, got, err)
				}
			}
			if rest, err := io.ReadAll(plain); len(rest) > 0 || err != nil {
				t.Errorf("after the end: %q, %v", rest, err)
			}
		})
	}
}

func TestStream(t *testing.T) {
	tests := []struct {
		name         string
		method       string
		accept       string
		announced    int64
		pieces       []string
		wantEncoding string
		wantCut      bool
		want         string
	}{
		{"length_unknown", "GET", "gzip", -1, []string{page, "", page}, "gzip", false, page + page},
		{"length_known", "GET", "gzip", int64(len(page)) + 1, []string{page, "x"}, "gzip", false, page + "x"},
		{"empty", "GET", "gzip", -1, nil, "gzip", false, ""},
		{"short", "GET", "gzip", 3, []string{"abc"}, "", false, "abc"},
		{"brotli", "GET", "br", -1, []string{page, page}, "br", false, page + page},
		{"not_accepted", "GET", "compress", -1, []string{page, page}, "", false, page + page},
		{"less_than_announced", "GET", "gzip", 5000, []string{page}, "gzip", true, ""},
		{"more_than_announced", "GET", "gzip", 2000, []string{page}, "gzip", false, page[:2000]},
		{"head", "HEAD", "gzip", -1, []string{page}, "gzip", false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := start(t, func(x *engine.Exchange) {
				resp := respond(x, 200, []string{html})
				resp.ContentLength = test.announced
				x.Start(resp)
				for _, p := range test.pieces {
					x.Write([]byte(p))
				}
				x.End()
			}, Options{})
			for range 2 {
				if test.wantCut {
					_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
					resp, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err != nil {
						return // reset before it could be read
					}
					if _, err := io.ReadAll(resp.Body); err == nil {
						t.Error("the body looks complete")
					}
					return
				}
				resp, body := get(t, c, test.method, test.accept)
				if got := resp.Header.Get("Content-Encoding"); got != test.wantEncoding {
					t.Errorf("Content-Encoding: %q, want %q", got, test.wantEncoding)
				}
				if test.method == "HEAD" {
					continue
				}
				if got := decode(t, resp, body); got != test.want {
					t.Errorf("got %d bytes, want %d", len(got), len(test.want))
				}
			}
		})
	}
}

func TestAbortedStream(t *testing.T) {
	c := start(t, func(x *engine.Exchange) {
		x.Start(respond(x, 200, []string{html}))
		x.Write([]byte(page))
		x.Abort()
	}, Options{})
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("the body looks complete")
		}
	}
}

func TestReplyFile(t *testing.T) {
	tests := []struct {
		name         string
		method       string
		accept       string
		content      string
		missing      int64 // bytes by which the file is shorter than announced
		wantStatus   int
		wantEncoding string
	}{
		{"small", "GET", "gzip", page, 0, 200, "gzip"},
		{"away_from_the_loop", "GET", "zstd", huge, 0, 200, "zstd"},
		{"too_large", "GET", "gzip", strings.Repeat(huge, 21), 0, 200, ""},
		{"brotli", "GET", "br", page, 0, 200, "br"},
		{"not_accepted", "GET", "compress", page, 0, 200, ""},
		{"short", "GET", "gzip", "abc", 0, 200, ""},
		{"head", "HEAD", "gzip", page, 0, 200, "gzip"},
		{"cut_short", "GET", "gzip", page, 1, 500, ""},
		{"large_cut_short", "GET", "gzip", huge, 1, 500, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f.html")
			if err := os.WriteFile(path, []byte("skipped"+test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			c := start(t, func(x *engine.Exchange) {
				f, err := os.Open(path)
				if err != nil {
					t.Error(err)
					x.Abort()
					return
				}
				x.ReplyFile(respond(x, 200, []string{html}), f, 7, int64(len(test.content))+test.missing)
			}, Options{})
			resp, body := get(t, c, test.method, test.accept)
			if got := resp.Header.Get("Content-Encoding"); got != test.wantEncoding || resp.StatusCode != test.wantStatus {
				t.Errorf("status %d, Content-Encoding: %q", resp.StatusCode, got)
			}
			if test.method == "GET" && test.wantStatus == 200 && decode(t, resp, body) != test.content {
				t.Errorf("another body: %.100q", body)
			}
		})
	}
}

// A pool that is full costs the compression, not the answer.
func TestFullPool(t *testing.T) {
	pool := engine.NewPool(1, 1, t.Logf)
	begun, release := make(chan struct{}), make(chan struct{})
	_ = pool.Go(func() { close(begun); <-release })
	<-begun
	if err := pool.Go(func() {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(release); pool.Close() })
	c := start(t, func(x *engine.Exchange) { x.Reply(respond(x, 200, []string{html}), []byte(huge)) }, Options{Pool: pool})
	resp, body := get(t, c, "GET", "gzip")
	if resp.Header.Get("Content-Encoding") != "" || body != huge {
		t.Errorf("Content-Encoding %q, %d bytes", resp.Header.Get("Content-Encoding"), len(body))
	}
}

// Responses keep the order of their requests, even where a later one is ready
// first.
func TestPipelined(t *testing.T) {
	bodies := []string{huge, "short", page, huge + "2"}
	n := 0
	c := start(t, func(x *engine.Exchange) {
		n++
		x.Reply(respond(x, 200, []string{html}), []byte(bodies[n-1]))
	}, Options{})
	if _, err := io.WriteString(c, strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", len(bodies))); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	for i, want := range bodies {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := decode(t, resp, string(body)); got != want {
			t.Errorf("answer %d has %d bytes, want %d", i, len(got), len(want))
		}
	}
}

// A client that leaves while its answer is being compressed disturbs nobody.
func TestGoneWhileAway(t *testing.T) {
	pool := engine.NewPool(1, 8, t.Logf)
	t.Cleanup(pool.Close)
	begun, release := make(chan struct{}), make(chan struct{})
	_ = pool.Go(func() { close(begun); <-release })
	<-begun
	asked := make(chan struct{}, 2)
	c := start(t, func(x *engine.Exchange) {
		x.Reply(respond(x, 200, []string{html}), []byte(huge))
		asked <- struct{}{}
	}, Options{Pool: pool})
	second, err := net.Dial("tcp", c.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_, _ = io.WriteString(second, "GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
	<-asked
	second.Close()
	go func() { <-asked; close(release) }()
	resp, body := get(t, c, "GET", "gzip")
	if decode(t, resp, body) != huge {
		t.Error("another body")
	}
}

func BenchmarkCompressAll(b *testing.B) {
	for _, e := range []encoding{gzipped, zstandard, brotlied} {
		for _, body := range []string{page, huge[:loopSize]} {
			b.Run(string(e.Name())+"/size="+sizeName(len(body)), func(b *testing.B) {
				var out bytes.Buffer
				in := []byte(body)
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					out.Reset()
					if err := compressAll(e, &out, in); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(out.Len())/float64(len(body)), "ratio")
			})
		}
	}
}

func sizeName(n int) string {
	if n == loopSize {
		return "64KiB"
	}
	return "4KB"
}

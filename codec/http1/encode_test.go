package http1

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
)

const testDate = "Sun, 06 Nov 1994 08:49:37 GMT"

func headers(lines ...string) (h []codec.Header) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h = append(h, codec.Header{Name: []byte(name), Value: []byte(value)})
	}
	return h
}

// http11 is a request that wants to keep its connection.
func http11() codec.Request { return codec.Request{Proto: codec.HTTP11, KeepAlive: true} }

func TestAppendHead(t *testing.T) {
	http10 := codec.Request{Proto: codec.HTTP10}
	http10Keep := codec.Request{Proto: codec.HTTP10, KeepAlive: true}
	http11Close := codec.Request{Proto: codec.HTTP11}
	head := codec.Request{Proto: codec.HTTP11, KeepAlive: true, Head: true}
	uwsgi := codec.Request{Proto: codec.UWSGI}
	uwsgiHTTP2 := codec.Request{Proto: codec.UWSGI, Buf: []byte("HTTP/2.0"), Version: codec.Span{Off: 0, End: 8}}
	uwsgiOddVersion := codec.Request{Proto: codec.UWSGI, Buf: []byte("HTTP\r\nA:"), Version: codec.Span{Off: 0, End: 8}}
	none := func(keep bool) Framing { return Framing{Kind: FrameNone, KeepAlive: keep} }
	length := func(n int64, keep bool) Framing { return Framing{Kind: FrameLength, Length: n, KeepAlive: keep} }
	chunks := func(keep bool) Framing { return Framing{Kind: FrameChunked, KeepAlive: keep} }
	untilClose := Framing{Kind: FrameClose}

	tests := []struct {
		name string
		req  codec.Request
		resp codec.Response
		want Framing
		// wantHead is the golden file testdata/head/<name>.golden.
	}{
		{"length", http11(), codec.Response{Status: 200, ContentLength: 5, Header: headers("Content-Type: text/plain", "Set-Cookie: a=1", "Set-Cookie: b=2")}, length(5, true)},
		{"length_zero", http11(), codec.Response{Status: 302, Header: headers("Location: /")}, length(0, true)},
		{"length_unknown", http11(), codec.Response{Status: 200, ContentLength: -1}, chunks(true)},
		{"client_wants_close", http11Close, codec.Response{Status: 200, ContentLength: 5}, length(5, false)},
		{"client_wants_close_chunked", http11Close, codec.Response{Status: 200, ContentLength: -1}, chunks(false)},
		{"app_wants_close", http11(), codec.Response{Status: 200, ContentLength: 5, Header: headers("Connection: x, Close")}, length(5, false)},
		{"app_date", http11(), codec.Response{Status: 200, ContentLength: 5, Header: headers("date: Mon, 07 Nov 1994 08:49:37 GMT")}, length(5, true)},
		{"app_framing_dropped", http11(), codec.Response{Status: 200, ContentLength: 5, Header: headers(
			"Content-Length: 99", "Transfer-Encoding: gzip", "Connection: keep-alive", "Keep-Alive: x", "Upgrade: h2c", "TE: x", "Trailer: x", "Proxy-Connection: x", "Content_Length: 7", "X-Kept: 1")}, length(5, true)},
		{"reason_given", http11(), codec.Response{Status: 404, Reason: []byte("Nothing Here"), ContentLength: 0}, length(0, true)},
		{"reason_unknown", http11(), codec.Response{Status: 599, ContentLength: 0}, length(0, true)},
		{"http10", http10, codec.Response{Status: 200, ContentLength: 5}, length(5, false)},
		{"http10_length_unknown", http10, codec.Response{Status: 200, ContentLength: -1}, untilClose},
		{"http10_keep_alive", http10Keep, codec.Response{Status: 200, ContentLength: 5}, length(5, true)},
		{"http10_keep_alive_length_unknown", http10Keep, codec.Response{Status: 200, ContentLength: -1}, untilClose},
		{"head", head, codec.Response{Status: 200, ContentLength: 5}, none(true)},
		{"head_length_unknown", head, codec.Response{Status: 200, ContentLength: -1}, none(true)},
		{"head_no_body_made", head, codec.Response{Status: 200, ContentLength: 0}, none(true)},
		{"head_length_zero_given", head, codec.Response{Status: 200, ContentLength: 0, Header: headers("Content-Length: 0")}, none(true)},
		{"head_http10_keep_alive_length_unknown", codec.Request{Proto: codec.HTTP10, KeepAlive: true, Head: true}, codec.Response{Status: 200, ContentLength: -1}, none(true)},
		{"no_content", http11(), codec.Response{Status: 204, ContentLength: -1}, none(true)},
		{"no_content_with_length", http11(), codec.Response{Status: 204, ContentLength: 5, Header: headers("Content-Length: 5")}, none(true)},
		{"not_modified", http11(), codec.Response{Status: 304, ContentLength: 0, Header: headers(`ETag: "a"`)}, none(true)},
		{"not_modified_length_unknown", http11(), codec.Response{Status: 304, ContentLength: -1}, none(true)},
		{"not_modified_with_length", http11(), codec.Response{Status: 304, ContentLength: 5}, none(true)},
		{"continue", http11(), codec.Response{Status: 100}, none(true)},
		{"early_hints", http11Close, codec.Response{Status: 103, ContentLength: -1, Header: headers("Link: </a.css>; rel=preload")}, none(true)},
		{"uwsgi", uwsgi, codec.Response{Status: 200, ContentLength: 5, Header: headers("Content-Type: text/plain")}, length(5, false)},
		{"uwsgi_length_unknown", uwsgi, codec.Response{Status: 200, ContentLength: -1}, untilClose},
		{"uwsgi_version_of_request", uwsgiHTTP2, codec.Response{Status: 200, ContentLength: 5}, length(5, false)},
		{"uwsgi_version_malformed", uwsgiOddVersion, codec.Response{Status: 200, ContentLength: 5}, length(5, false)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			head, framing := AppendHead([]byte(nil), &tt.req, &tt.resp, []byte(testDate), true)
			if diff := cmp.Diff(tt.want, framing); diff != "" {
				t.Errorf("framing (-want +got)\n%s", diff)
			}
			golden := filepath.Join("testdata", "head", tt.name+".golden")
			if *update {
				if err := os.WriteFile(golden, head, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(head)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAppendHeadOfAServerThatCloses(t *testing.T) {
	req := http11()
	head, framing := AppendHead(nil, &req, &codec.Response{Status: 200}, []byte(testDate), false)
	if framing.KeepAlive || !strings.Contains(string(head), "\r\nConnection: close\r\n") {
		t.Errorf("kept alive: %+v\n%s", framing, head)
	}
}

// What the encoder writes in chunks, the decoder must read.
func TestChunksRoundTrip(t *testing.T) {
	var wire []byte
	want := ""
	for _, size := range []int{1, 9, 10, 15, 16, 255, 4096, 70000} {
		data := strings.Repeat("x", size)
		want += data
		wire = appendChunk(wire, nil)
		wire = appendChunk(wire, []byte(data))
	}
	wire = AppendLastChunk(wire)
	var b Body
	b.Reset(&codec.Request{Chunked: true, ContentLength: -1})
	if got, err := bodyData(&b, [][]byte{wire}); got != want || err != nil || !b.Done() {
		t.Errorf("got %d bytes, %v, done %v, want %d", len(got), err, b.Done(), len(want))
	}
	if got, want := string(AppendChunkHead(nil, 5))+"hello"+ChunkEnd, string(appendChunk(nil, []byte("hello"))); got != want {
		t.Errorf("in parts %q, at once %q", got, want)
	}
}

func TestAppendHeadAllocatesNothing(t *testing.T) {
	req := http11()
	resp := codec.Response{Status: 200, ContentLength: -1, Header: headers("Content-Type: text/plain", "Content-Length: 5", "Connection: a, b")}
	dst, date := make([]byte, 0, 512), []byte(testDate)
	got := testing.AllocsPerRun(100, func() {
		resp.ContentLength = -1
		if resp.TakeContentLength() != nil || codec.Validate(&resp) != nil {
			t.Fatal("invalid")
		}
		dst, _ = AppendHead(dst[:0], &req, &resp, date, true)
		dst = AppendLastChunk(appendChunk(dst, date))
	})
	if got != 0 {
		t.Errorf("%v allocations a response", got)
	}
}

// appendChunk appends p as one chunk; of an empty p it makes nothing, as that would end the body.
func appendChunk(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	return append(append(AppendChunkHead(dst, len(p)), p...), ChunkEnd...)
}

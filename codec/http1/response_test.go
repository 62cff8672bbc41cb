package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/uwsgo/uwsgo/codec"
)

// received reads a whole response, in pieces of step bytes, and says what has been understood.
func received(in string, forHEAD bool, step int) string {
	var d ResponseDecoder
	var r Received
	var b strings.Builder
	n := 0
	for end := 0; n == 0; {
		if end == len(in) {
			return "incomplete"
		}
		end = min(len(in), end+step)
		var err error
		if n, err = d.Head([]byte(in[:end]), forHEAD, &r); err != nil {
			return "error: " + err.Error()
		}
	}
	fmt.Fprintf(&b, "%d %q length=%d kind=%d keep=%t", r.Status, r.Reason, r.ContentLength, r.Kind, r.KeepAlive)
	for _, h := range r.Header {
		fmt.Fprintf(&b, " [%s=%s]", h.Name, h.Value)
	}
	var body Body
	body.Limits.Body = -1
	body.ResetReceived(&r)
	var data []byte
	rest := in[n:]
	for !body.Done() && rest != "" {
		piece := rest[:min(len(rest), step)]
		for piece != "" && !body.Done() {
			took, p, err := body.Next([]byte(piece))
			if err != nil {
				return b.String() + " error: " + err.Error()
			}
			data = append(data, p...)
			piece, rest = piece[took:], rest[took:]
		}
	}
	fmt.Fprintf(&b, " body=%q done=%t", data, body.Done())
	if rest != "" {
		fmt.Fprintf(&b, " left=%q", rest)
	}
	return b.String()
}

func TestResponse(t *testing.T) {
	tests := []struct {
		name, in string
		head     bool
		want     string
	}{
		{
			"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A:  b \r\n\r\nhi", false,
			`200 "OK" length=2 kind=1 keep=true [Content-Length=2] [X-A=b] body="hi" done=true`,
		},
		{
			"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: x\r\n\r\n", false,
			`200 "OK" length=-1 kind=2 keep=true body="hi" done=true`,
		},
		{"to_the_end", "HTTP/1.1 200 OK\r\n\r\nhi", false, `200 "OK" length=-1 kind=3 keep=false body="hi" done=false`},
		{"without_reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false, `200 "" length=0 kind=1 keep=true [Content-Length=0] body="" done=true`},
		{"empty_reason", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", false, `404 "" length=0 kind=1 keep=true [Content-Length=0] body="" done=true`},
		{"http10", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, `200 "OK" length=0 kind=1 keep=false [Content-Length=0] body="" done=true`},
		{"http10_kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", false, `200 "OK" length=0 kind=1 keep=true [Content-Length=0] body="" done=true`},
		{"closing", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false, `200 "OK" length=0 kind=1 keep=false [Content-Length=0] body="" done=true`},
		{"head", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, `200 "OK" length=7 kind=0 keep=false [Content-Length=7] body="" done=true`},
		{"head_empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, `200 "OK" length=0 kind=0 keep=true [Content-Length=0] body="" done=true`},
		{"not_modified_empty", "HTTP/1.1 304 Not Modified\r\n\r\n", false, `304 "Not Modified" length=-1 kind=0 keep=true body="" done=true`},
		{"head_chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, `200 "OK" length=-1 kind=0 keep=false body="" done=true`},
		{"no_content", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, `204 "No Content" length=-1 kind=0 keep=true [Content-Length=0] body="" done=true`},
		{"no_content_with_body", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", false, `204 "No Content" length=-1 kind=0 keep=false [Content-Length=2] body="" done=true left="hi"`},
		{"not_modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", false, `304 "Not Modified" length=7 kind=0 keep=false [Content-Length=7] body="" done=true`},
		{
			"interim", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", false,
			`103 "Early Hints" length=-1 kind=0 keep=true [Link=</a>] body="" done=true left="HTTP/1.1 200 OK\r\n\r\n"`,
		},
		{
			"switch", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false,
			`101 "Switching Protocols" length=-1 kind=0 keep=true [Upgrade=websocket] body="" done=true`,
		},
		{
			"upgrade_advertised", "HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2\r\nContent-Length: 0\r\n\r\n", false,
			`200 "OK" length=0 kind=1 keep=true [Content-Length=0] body="" done=true`,
		},
		{
			"hop_by_hop", "HTTP/1.1 200 OK\r\nConnection: x-own, foo\r\nFoo: 1\r\nX-Own: 2\r\nKeep-Alive: timeout=5\r\nProxy-Connection: a\r\nTE: b\r\nContent-Length: 0\r\n\r\n", false,
			`200 "OK" length=0 kind=1 keep=true [X-Own=2] [Content-Length=0] body="" done=true`,
		},
		{"more_than_length", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhi", false, `200 "OK" length=1 kind=1 keep=true [Content-Length=1] body="h" done=true left="i"`},

		{"both_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", false, "error: " + codec.ErrLengthAndEncoding.Message},
		{"two_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", false, "error: " + codec.ErrContentLengthDuplicate.Message},
		{"list_of_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n", false, "error: " + codec.ErrContentLength.Message},
		{"signed_length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", false, "error: " + codec.ErrContentLength.Message},
		{"other_coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", false, "error: " + codec.ErrTransferCoding.Message},
		{"coding_twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", false, "error: " + codec.ErrTransferEncoding.Message},
		{"chunked_in_http10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, "error: " + codec.ErrTransferEncoding10.Message},
		{"fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", false, "error: " + codec.ErrObsFold.Message},
		{"space_before_colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n", false, "error: " + codec.ErrFieldName.Message},
		{"no_colon", "HTTP/1.1 200 OK\r\nAb\r\n\r\n", false, "error: " + codec.ErrFieldName.Message},
		{"bare_lf", "HTTP/1.1 200 OK\nContent-Length: 2\n\n", false, "error: " + codec.ErrBareLF.Message},
		{"bare_cr", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", false, "error: " + codec.ErrFieldValue.Message},
		{"nul", "HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", false, "error: " + codec.ErrFieldValue.Message},
		{"cr_in_reason", "HTTP/1.1 200 O\rK\r\n\r\n", false, "error: " + codec.ErrStatusLine.Message},
		{"http09", "<html>\r\n\r\n", false, "error: " + codec.ErrStatusLine.Message},
		{"http2", "HTTP/2 200 OK\r\n\r\n", false, "error: " + codec.ErrStatusLine.Message},
		{"short_status", "HTTP/1.1 20 OK\r\n\r\n", false, "error: " + codec.ErrStatusLine.Message},
		{"long_status", "HTTP/1.1 2000 OK\r\n\r\n", false, "error: " + codec.ErrStatusLine.Message},
		{"status_below_100", "HTTP/1.1 099 OK\r\n\r\n", false, "error: " + codec.ErrStatusLine.Message},
		{"empty_line_first", "\r\nHTTP/1.1 200 OK\r\n\r\n", false, "error: " + codec.ErrStatusLine.Message},
		{
			"chunk_size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n", false,
			`200 "OK" length=-1 kind=2 keep=true error: ` + codec.ErrChunkSize.Message,
		},
		{
			"chunk_end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n", false,
			`200 "OK" length=-1 kind=2 keep=true error: ` + codec.ErrChunkEnd.Message,
		},
		{"cut", "HTTP/1.1 200 OK\r\nContent-Le", false, "incomplete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, step := range []int{len(tt.in), 1, 7} {
				if got := received(tt.in, tt.head, step); got != tt.want {
					t.Errorf("in steps of %d:\n got %s\nwant %s", step, got, tt.want)
				}
			}
		})
	}
}

func TestResponseLimits(t *testing.T) {
	d := ResponseDecoder{Limits: codec.Limits{Head: 64, Fields: 2}}
	var r Received
	if _, err := d.Head([]byte("HTTP/1.1 200 OK\r\nA: "+strings.Repeat("x", 64)), false, &r); !errors.Is(err, codec.ErrHeadTooLarge) {
		t.Errorf("a head without end: %v", err)
	}
	d.Reset()
	if _, err := d.Head([]byte("HTTP/1.1 200 OK\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"), false, &r); !errors.Is(err, codec.ErrTooManyFields) {
		t.Errorf("three fields: %v", err)
	}
	if n := keptFor([]byte("max=100, timeout=5")); n != 5 {
		t.Errorf("timeout=5 is read as %d", n)
	}
}

// FuzzResponse checks that any split gives the same outcome, and that nothing in a head that is
// taken could end a line.
func FuzzResponse(f *testing.F) {
	for _, in := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.0 200\r\nConnection: keep-alive, x\r\nX: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nT: x\r\n\r\n", "HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n",
	} {
		f.Add(in, false)
	}
	f.Fuzz(func(t *testing.T, in string, forHEAD bool) {
		if len(in) > 4096 || in == "" {
			return
		}
		want := received(in, forHEAD, len(in))
		for _, step := range []int{1, 3, 16} {
			if got := received(in, forHEAD, step); got != want {
				t.Fatalf("in steps of %d:\n got %s\nwant %s", step, got, want)
			}
		}
		var d ResponseDecoder
		var r Received
		if n, err := d.Head([]byte(in), forHEAD, &r); err == nil && n > 0 {
			if err := codec.Validate(&r.Response); err != nil {
				t.Fatalf("%q is let through: %v", in, err)
			}
		}
	})
}

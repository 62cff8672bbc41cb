package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// verdict is what becomes of one answer whose bytes are followed by the end of
// the connection.
type verdict struct {
	bad  string
	keep bool
	used int
}

func (v verdict) String() string { return fmt.Sprintf("%q keep=%t used=%d", v.bad, v.keep, v.used) }

// judge feeds an answer in pieces of step bytes.
func judge(w *wire, p []byte, step int) verdict {
	var a answer
	a.expect(w, 0)
	used := 0
	for len(p) > 0 {
		piece := p[:min(step, len(p))]
		n, done, bad := a.feed(piece)
		if bad != "" {
			return verdict{bad: bad}
		}
		used += n
		if done {
			return verdict{keep: a.keepAlive(), used: used}
		}
		p = p[len(piece):]
	}
	return verdict{bad: a.end(), used: used}
}

func TestAnswer(t *testing.T) {
	http11 := func(lines ...string) string { return "HTTP/1.1 200 OK\r\n" + strings.Join(lines, "\r\n") }
	tests := []struct {
		name string
		give string
		wire wire // status 200 and want hello, unless set
		want verdict
	}{
		{"any_body", http11("Content-Length: 7", "", "another"), wire{any: true}, verdict{keep: true}},
		{"any_body_of_nothing", http11("Content-Length: 0", "", ""), wire{any: true}, verdict{keep: true}},
		{"any_body_in_chunks", http11("Transfer-Encoding: chunked", "", "3", "any", "0", "", ""), wire{any: true}, verdict{keep: true}},
		{"any_body_that_is_cut", http11("Content-Length: 7", "", "anot"), wire{any: true}, verdict{bad: KindClosedEarly}},
		{"any_body_of_another_status", "HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\noh", wire{any: true}, verdict{bad: KindStatus}},
		{"length", http11("Content-Length: 5", "", "hello"), wire{}, verdict{keep: true}},
		{"fields_in_any_case", http11("content-LENGTH:5 \t", "CONNECTION: x , Close", "", "hello"), wire{}, verdict{}},
		{"reason_missing", "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", wire{}, verdict{keep: true}},
		{"reason_empty", "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", wire{}, verdict{keep: true}},
		{"chunks", http11("Transfer-Encoding: Chunked", "", "2", "he", "03;a=b", "llo", "0", "T: 1", "", ""), wire{}, verdict{keep: true}},
		{"until_close", http11("", "hello"), wire{}, verdict{}},
		{"http10", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", wire{}, verdict{}},
		{"http10_keep_alive", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", wire{}, verdict{keep: true}},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + http11("Content-Length: 5", "", "hello"), wire{}, verdict{keep: true}},
		{"head", http11("Content-Length: 5", "", ""), wire{head: true}, verdict{keep: true}},
		{"no_content", "HTTP/1.1 204 No Content\r\n\r\n", wire{status: 204, want: []byte{}}, verdict{keep: true}},
		{"not_modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", wire{status: 304, want: []byte{}}, verdict{keep: true}},
		{"empty", http11("Content-Length: 0", "", ""), wire{want: []byte{}}, verdict{keep: true}},
		{"empty_in_chunks", http11("Transfer-Encoding: chunked", "", "0", "", ""), wire{want: []byte{}}, verdict{keep: true}},
		{"uwsgi", http11("Content-Length: 5", "", "hello"), wire{uwsgi: true}, verdict{}},
		{"cgi", "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello", wire{uwsgi: true}, verdict{}},
		{"cgi_without_status", "Content-Type: text/plain\r\n\r\nhello", wire{uwsgi: true}, verdict{}},
		{"cgi_other_status", "Content-Type: text/plain\r\nStatus: 404 Not Found\r\n\r\nhello", wire{uwsgi: true}, verdict{bad: KindStatus}},

		{"other_status", "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nhello", wire{}, verdict{bad: KindStatus}},
		{"other_body", http11("Content-Length: 5", "", "hallo"), wire{}, verdict{bad: KindBody}},
		{"other_body_in_chunks", http11("Transfer-Encoding: chunked", "", "2", "he", "3", "lla", "0", "", ""), wire{}, verdict{bad: KindBody}},
		{"other_length", http11("Content-Length: 4", "", "hell"), wire{}, verdict{bad: KindLength}},
		{"chunks_too_few", http11("Transfer-Encoding: chunked", "", "2", "he", "0", "", ""), wire{}, verdict{bad: KindLength}},
		{"chunks_too_many", http11("Transfer-Encoding: chunked", "", "6", "hello!", "0", "", ""), wire{}, verdict{bad: KindLength}},
		{"short_until_close", http11("", "hell"), wire{}, verdict{bad: KindLength}},
		{"long_until_close", http11("", "hello!"), wire{}, verdict{bad: KindLength}},
		{"no_content_with_body_wanted", "HTTP/1.1 204 No Content\r\n\r\n", wire{status: 204}, verdict{bad: KindLength}},
		{"cut_in_head", http11("Content-Le"), wire{}, verdict{bad: KindClosedEarly}},
		{"cut_in_body", http11("Content-Length: 5", "", "hel"), wire{}, verdict{bad: KindClosedEarly}},
		{"cut_in_chunk", http11("Transfer-Encoding: chunked", "", "5", "he"), wire{}, verdict{bad: KindClosedEarly}},
		{"cut_before_last_chunk", http11("Transfer-Encoding: chunked", "", "5", "hello", ""), wire{}, verdict{bad: KindClosedEarly}},

		{"garbage", "\x00\x01\x02\r\n\r\n", wire{}, verdict{bad: KindMalformed}},
		{"not_http", "SSH-2.0-OpenSSH_9.2\r\n", wire{}, verdict{bad: KindMalformed}},
		{"http2", "HTTP/2.0 200 OK\r\n\r\n", wire{}, verdict{bad: KindMalformed}},
		{"status_of_two_digits", "HTTP/1.1 20 OK\r\n\r\n", wire{}, verdict{bad: KindMalformed}},
		{"status_below_100", "HTTP/1.1 099 OK\r\n\r\n", wire{}, verdict{bad: KindMalformed}},
		{"switching", "HTTP/1.1 101 Switching Protocols\r\n\r\n", wire{}, verdict{bad: KindMalformed}},
		{"cgi_from_http", "Status: 200 OK\r\n\r\n", wire{}, verdict{bad: KindMalformed}},
		{"bare_line_feed", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", wire{}, verdict{bad: KindMalformed}},
		{"space_before_colon", http11("Content-Length : 5", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"folded", http11("A: b", " c: d", "Content-Length: 5", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"no_colon", http11("hello", "", ""), wire{}, verdict{bad: KindMalformed}},
		{"nul_in_value", http11("A: b\x00", "Content-Length: 5", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"length_negative", http11("Content-Length: -5", "", ""), wire{}, verdict{bad: KindMalformed}},
		{"length_signed", http11("Content-Length: +5", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"length_huge", http11("Content-Length: 99999999999999999999", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"length_twice", http11("Content-Length: 5", "Content-Length: 5", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"length_and_chunks", http11("Content-Length: 5", "Transfer-Encoding: chunked", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"other_coding", http11("Transfer-Encoding: gzip", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"chunks_in_http10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", wire{}, verdict{bad: KindMalformed}},
		{"chunk_size_empty", http11("Transfer-Encoding: chunked", "", "", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"chunk_size_not_hex", http11("Transfer-Encoding: chunked", "", "0x5", "hello"), wire{}, verdict{bad: KindMalformed}},
		{"chunk_too_long", http11("Transfer-Encoding: chunked", "", "4", "hello", "0", "", ""), wire{}, verdict{bad: KindMalformed}},
		{"trailer_malformed", http11("Transfer-Encoding: chunked", "", "5", "hello", "0", "nothing", "", ""), wire{}, verdict{bad: KindMalformed}},
		{"line_endless", http11("A: " + strings.Repeat("x", maxLine)), wire{}, verdict{bad: KindMalformed}},
		{"head_endless", http11(strings.Repeat("A: b\r\n", maxHead/6+1)), wire{}, verdict{bad: KindMalformed}},
		{"interim_endless", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", maxHead/25+1), wire{}, verdict{bad: KindMalformed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.wire
			if w.status == 0 {
				w.status = 200
			}
			if w.want == nil && !w.any {
				w.want = hello
			}
			if tt.want.bad == "" {
				tt.want.used = len(tt.give)
			}
			for _, step := range []int{len(tt.give), 1, 7} {
				if got := judge(&w, []byte(tt.give), step); got.bad != tt.want.bad || got.bad == "" && got != tt.want {
					t.Errorf("in pieces of %d: %v, want %v", step, got, tt.want)
				}
			}
		})
	}
}

func TestAnswerLeavesWhatIsBehind(t *testing.T) {
	w := wire{status: 200, want: hello}
	one := text(hello)
	if got, want := judge(&w, []byte(one+one), 1<<20), (verdict{keep: true, used: len(one)}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// FuzzAnswer looks for answers on which it depends how they are split, and for
// such that are taken here and not by net/http, or with another body.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(text(hello)), 3, false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n"), 1, false)
	f.Add([]byte("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello"), 2, false)
	f.Add([]byte("Status: 200 OK\r\n\r\nhello"), 5, true)
	f.Fuzz(func(t *testing.T, p []byte, step int, uwsgi bool) {
		if step < 1 {
			return
		}
		w := wire{status: 200, want: hello, uwsgi: uwsgi}
		whole := judge(&w, p, max(1, len(p)))
		if split := judge(&w, p, step); split.bad != whole.bad || whole.bad == "" && split != whole {
			t.Fatalf("whole: %v, in pieces of %d: %v", whole, step, split)
		}
		if whole.bad != "" || uwsgi {
			return
		}
		r := bufio.NewReader(bytes.NewReader(p))
		for {
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("taken, but net/http says: %v", err)
			}
			if resp.StatusCode < 200 {
				continue
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(body, hello) {
				t.Fatalf("taken, but net/http reads the body %q, %v", body, err)
			}
			return
		}
	})
}

func BenchmarkParse(b *testing.B) {
	chunked := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(large), large)
	for _, bb := range []struct {
		name string
		give string
		want []byte
	}{
		{"hello", text(hello, "Date: Mon, 01 Jan 2024 00:00:00 GMT", "Content-Type: text/plain"), hello},
		{"large", text(large), large},
		{"chunked", chunked, large},
	} {
		b.Run(bb.name, func(b *testing.B) {
			w := wire{status: 200, want: bb.want}
			p := []byte(bb.give)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			var a answer
			for b.Loop() {
				a.expect(&w, 0)
				if _, done, bad := a.feed(p); !done || bad != "" {
					b.Fatal(done, bad)
				}
			}
		})
	}
}

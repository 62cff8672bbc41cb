package http1

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/uwsgo/uwsgo/codec"
)

// headError returns the error for give, and after how many bytes it came when
// they came one at a time; -1 if there was none.
func headError(d *Decoder, give string) (at int, err error) {
	var r codec.Request
	for i := 1; i <= len(give); i++ {
		if _, err := d.Head([]byte(give[:i]), &r); err != nil {
			return i, err
		}
	}
	return -1, nil
}

// A malformed request must not be able to occupy a connection until it times out.
func TestHeadFailsAtTheEarliestByte(t *testing.T) {
	const start = "GET / HTTP/1.1\r\n"
	tests := []struct {
		name    string
		give    string // the error is due with its last byte
		wantErr *codec.Error
	}{
		{"tls_first_byte", "\x16", codec.ErrTLS},
		{"garbage_first_byte", "\x80", codec.ErrMethod},
		{"space_first_byte", " ", codec.ErrMethod},
		{"bare_lf_first_byte", "\n", codec.ErrBareLF},
		{"empty_line_without_lf", "\r\r", codec.ErrBareCR},
		{"method_character", "GE\x01", codec.ErrMethod},
		{"http2_preface", "PRI ", codec.ErrHTTP2},
		{"connect", "CONNECT ", codec.ErrConnect},
		{"target_fragment", "GET /a#", codec.ErrTarget},
		{"target_form", "GET a ", codec.ErrTargetForm},
		{"http09", "GET /a\r", codec.ErrRequestLine},
		{"other_protocol", "GET / R", codec.ErrRequestLine},
		{"version", "GET / HTTP/2", codec.ErrVersion},
		{"version_minor", "GET / HTTP/1.2", codec.ErrVersion},
		{"request_line_bare_lf", "GET / HTTP/1.1\n", codec.ErrBareLF},
		{"field_name", start + "A\x00", codec.ErrFieldName},
		{"space_before_colon", start + "A ", codec.ErrFieldName},
		{"fold", start + "A: b\r\n ", codec.ErrObsFold},
		{"field_value", start + "A: b\x00", codec.ErrFieldValue},
		{"field_bare_lf", start + "A: b\n", codec.ErrBareLF},
		{"field_bare_cr", start + "A: b\rc", codec.ErrBareCR},
		{"content_length", start + "Content-Length: x\r\n", codec.ErrContentLength},
		{"second_host", start + "Host: a\r\nHost: b\r\n", codec.ErrHostDuplicate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			if at, err := headError(&d, tt.give); err != tt.wantErr || at != len(tt.give) {
				t.Errorf("got %v after %d bytes, want %v after %d", err, at, tt.wantErr, len(tt.give))
			}
		})
	}
}

func TestHeadLimits(t *testing.T) {
	request := func(target, value string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: a\r\nB: " + value + "\r\n\r\n"
	}
	whole := len(request("/1234567", "12345"))
	tests := []struct {
		name    string
		limits  codec.Limits
		give    string
		wantErr error
	}{
		{"head_at_limit", codec.Limits{Head: whole}, request("/1234567", "12345"), nil},
		{"head_beyond_limit", codec.Limits{Head: whole}, request("/1234567", "123456"), codec.ErrHeadTooLarge},
		{"head_beyond_limit_in_target", codec.Limits{Head: 10}, request("/1234567", ""), codec.ErrTargetTooLong},
		{"target_at_limit", codec.Limits{Target: 8}, request("/1234567", ""), nil},
		{"target_beyond_limit", codec.Limits{Target: 8}, request("/12345678", ""), codec.ErrTargetTooLong},
		{"fields_at_limit", codec.Limits{Fields: 2}, request("/", ""), nil},
		{"fields_beyond_limit", codec.Limits{Fields: 1}, request("/", ""), codec.ErrTooManyFields},
		{"body_at_limit", codec.Limits{Body: 8}, "GET / HTTP/1.0\r\nContent-Length: 8\r\n\r\n", nil},
		{"body_beyond_limit", codec.Limits{Body: 8}, "GET / HTTP/1.0\r\nContent-Length: 9\r\n\r\n", codec.ErrBodyTooLarge},
		{"body_without_limit", codec.Limits{Body: -1}, "GET / HTTP/1.0\r\nContent-Length: 9223372036854775807\r\n\r\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bytewise, whole := Decoder{Limits: tt.limits}, Decoder{Limits: tt.limits}
			_, err := headError(&bytewise, tt.give)
			if !errors.Is(err, tt.wantErr) {
				t.Errorf("by byte: got %v, want %v", err, tt.wantErr)
			}
			if _, err := whole.Head([]byte(tt.give), new(codec.Request)); !errors.Is(err, tt.wantErr) {
				t.Errorf("whole: got %v, want %v", err, tt.wantErr)
			}
		})
	}
}

func TestHeadUnderscorePolicy(t *testing.T) {
	const give = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: t\r\nX_User: u\r\nContent_Length: 9\r\n" +
		"Transfer_Encoding: chunked\r\nContent_Type: evil\r\nKeep_Alive: 1\r\nHTTP_PROXY: p\r\n\r\n"
	names := func(p codec.Policy) (got []string) {
		d := Decoder{Policy: p}
		var r codec.Request
		if n, err := d.Head([]byte(give), &r); n != len(give) || err != nil {
			t.Fatal(n, err)
		}
		if r.ContentLength != 0 || r.Chunked {
			t.Errorf("a name with an underscore decided the framing")
		}
		for _, f := range r.Fields {
			got = append(got, string(r.Bytes(f.Name)))
		}
		return got
	}
	if diff := cmp.Diff([]string{"Host", "Content-Type"}, names(codec.Policy{})); diff != "" {
		t.Errorf("default: (-want +got)\n%s", diff)
	}
	want := []string{"Host", "Content-Type", "X_User", "HTTP_PROXY"}
	if diff := cmp.Diff(want, names(codec.Policy{Underscores: true})); diff != "" {
		t.Errorf("underscores let in: (-want +got)\n%s", diff)
	}
}

func TestHeadErrorStaysUntilReset(t *testing.T) {
	d := Decoder{Limits: codec.Limits{Fields: 7}}
	var r codec.Request
	_, _ = d.Head([]byte("\x00"), &r)
	if d.Idle() {
		t.Error("idle after an error")
	}
	if _, err := d.Head([]byte(smallRequest), &r); err != codec.ErrMethod {
		t.Errorf("after an error: got %v, want it again", err)
	}
	d.Reset()
	if n, err := d.Head([]byte(smallRequest), &r); n != len(smallRequest) || err != nil {
		t.Errorf("after Reset: got %d, %v", n, err)
	}
	if d.Limits.Fields != 7 {
		t.Error("Reset forgot the limits")
	}
}

func TestIdle(t *testing.T) {
	tests := []struct {
		name, give string
		want       bool
	}{
		{"nothing", "", true},
		{"empty_line", "\r\n", true},
		{"half_an_empty_line", "\r", true},
		{"method", "G", false},
		{"head", "GET / HTTP/1.0\r\nA: b\r\n", false},
		{"complete", "GET / HTTP/1.0\r\n\r\n", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			if _, err := d.Head([]byte(tt.give), new(codec.Request)); err != nil {
				t.Fatal(err)
			}
			if d.Idle() != tt.want {
				t.Errorf("got %v, want %v", d.Idle(), tt.want)
			}
		})
	}
}

// The request must not see what the next one writes into the read buffer.
func TestRetainSurvivesTheReadBuffer(t *testing.T) {
	buf := []byte("GET /caf%C3%A9?q HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n")
	var d Decoder
	var r codec.Request
	if _, err := d.Head(buf, &r); err != nil {
		t.Fatal(err)
	}
	r.Path()
	own := r.Retain(make([]byte, 0, 256))
	for i := range buf {
		buf[i] = 'x'
	}
	got := strings.Join([]string{string(r.Path()), string(r.Bytes(r.Query)), string(r.Get("b"))}, " ")
	if want := "/café q c"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if &own[0] != &r.Buf[0] {
		t.Error("Retain returned other bytes than the request uses")
	}
}

func TestHeadAllocatesNothing(t *testing.T) {
	for name, give := range map[string]string{
		"small":     smallRequest,
		"browser":   browserRequest,
		"escaped":   "GET /a%20b/../c HTTP/1.1\r\nHost: a\r\nConnection: B, c\r\nB: d\r\n\r\n",
		"malformed": "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			buf := []byte(give)
			var d Decoder
			var r codec.Request
			got := testing.AllocsPerRun(100, func() {
				d.Reset()
				_, _ = d.Head(buf[:len(buf)/2], &r)
				_, _ = d.Head(buf, &r)
				r.Path()
				r.Get("User-Agent")
			})
			if got != 0 {
				t.Errorf("%v allocations a request", got)
			}
		})
	}
}

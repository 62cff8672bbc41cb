package pymarshal

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func reader(s string) *Reader {
	r := new(Reader)
	r.Reset([]byte(s))
	return r
}

func TestReaderInt(t *testing.T) {
	for _, want := range []int64{
		0, 1, -1, 255, 1 << 15, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1,
		math.MinInt32 - 1, 1 << 45, -1 << 60, 1 << 62, math.MaxInt64, math.MinInt64,
	} {
		r := reader(string(AppendInt(nil, want)))
		if got := r.Int(); got != want || r.Err() != nil || r.More() {
			t.Errorf("Int() = %d, %v; want %d", got, r.Err(), want)
		}
	}
	if got := reader("l\x00\x00\x00\x00").Int(); got != 0 {
		t.Errorf("Int() of a long without digits = %d", got)
	}
}

func TestReaderStr(t *testing.T) {
	tests := []struct {
		name, give, want string
		wantASCII        bool
	}{
		{"unicode", "u\x03\x00\x00\x00abc", "abc", true},
		{"unicode_not_ascii", "u\x02\x00\x00\x00\u00e9", "\u00e9", false},
		{"interned", "t\x03\x00\x00\x00abc", "abc", true},
		{"ascii", "a\x03\x00\x00\x00abc", "abc", true},
		{"ascii_interned", "A\x03\x00\x00\x00abc", "abc", true},
		{"short_ascii", "z\x03abc", "abc", true},
		{"short_ascii_interned", "Z\x03abc", "abc", true},
		{"marked", "\xfa\x03abc", "abc", true},
		{"surrogate", "u\x03\x00\x00\x00\xed\xb2\x80", "\xed\xb2\x80", false},
		{"empty", "z\x00", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := reader(tt.give)
			if r.Kind() != KindStr {
				t.Errorf("Kind() = %v, want str", r.Kind())
			}
			got, ascii := r.Str()
			if string(got) != tt.want || ascii != tt.wantASCII || r.Err() != nil || r.More() {
				t.Errorf("Str() = %q, %v, %v; want %q, %v", got, ascii, r.Err(), tt.want, tt.wantASCII)
			}
			if cap(got) != len(got) {
				t.Error("appending to the view would overwrite the input")
			}
		})
	}
}

// TestReaderReply reads, in the way the engine does, what a worker sends.
func TestReaderReply(t *testing.T) {
	r := reader("(\x03\x00\x00\x00" + "i\xc8\x00\x00\x00" +
		"[\x01\x00\x00\x00" + "(\x02\x00\x00\x00" + "u\x0c\x00\x00\x00Content-Type" + "u\x09\x00\x00\x00text/html" +
		"s\x02\x00\x00\x00hi" + "N")
	if n := r.TupleLen(); n != 3 {
		t.Fatalf("TupleLen() = %d, %v", n, r.Err())
	}
	if status := r.Int(); status != 200 {
		t.Errorf("status = %d", status)
	}
	var headers []string
	for range r.ListLen() {
		if n := r.TupleLen(); n != 2 {
			t.Fatalf("a header has %d parts, %v", n, r.Err())
		}
		name, _ := r.Str()
		value, _ := r.Str()
		headers = append(headers, string(name)+": "+string(value))
	}
	if diff := cmp.Diff([]string{"Content-Type: text/html"}, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if body := r.Bytes(); string(body) != "hi" {
		t.Errorf("body = %q", body)
	}
	offset := r.Offset()
	if r.None(); r.Err() != nil || r.More() || r.Offset() != offset+1 {
		t.Errorf("after None: %v, more %v, offset %d", r.Err(), r.More(), r.Offset())
	}
}

func TestReaderReferences(t *testing.T) {
	// Marked are: the list (0), "ab" (1), the int (2). As marshal.dumps(x, 4) has it.
	r := reader("\xdb\x06\x00\x00\x00" + "\xfa\x02ab" + "r\x01\x00\x00\x00" + "\xe9\x07\x00\x00\x00" +
		"r\x02\x00\x00\x00" + "r\x01\x00\x00\x00" + "T")
	if n := r.ListLen(); n != 6 {
		t.Fatalf("ListLen() = %d, %v", n, r.Err())
	}
	first, _ := r.Str()
	if r.Kind() != KindStr {
		t.Errorf("Kind() of a reference to a str = %v", r.Kind())
	}
	second, _ := r.Str()
	number, again := r.Int(), r.Int()
	third, _ := r.Str()
	last := r.Bool()
	if r.Err() != nil || r.More() {
		t.Fatalf("error %v, more %v", r.Err(), r.More())
	}
	if string(first) != "ab" || string(second) != "ab" || string(third) != "ab" || number != 7 || again != 7 || !last {
		t.Errorf("read %q %d %q %d %q %v", first, number, second, again, third, last)
	}
}

func TestReaderErrors(t *testing.T) {
	str := func(r *Reader) { r.Str() }
	integer := func(r *Reader) { r.Int() }
	skip := func(r *Reader) { r.Skip() }
	tests := []struct {
		name, give string
		read       func(*Reader)
		want       string
		wantOffset int
	}{
		{"empty", "", skip, "it ends where a value should begin", 0},
		{"unknown_type", "y", skip, "unsupported type", 0},
		{"wrong_type", "N", str, "not of the type expected: str", 0},
		{"none_for_bool", "N", func(r *Reader) { r.Bool() }, "expected: bool", 0},
		{"int_cut", "i\x01\x00\x00", integer, "ends inside a value", 0},
		{"float_cut", "g1234567", skip, "ends inside a value", 0},
		{"long_cut_count", "l\x01\x00", integer, "ends inside a value", 0},
		{"long_cut_digits", "l\x02\x00\x00\x00\x01\x00", integer, "ends inside a value", 0},
		{"long_count_smallest", "l\x00\x00\x00\x80", integer, "ends inside a value", 0},
		{"long_digit_range", "l\x01\x00\x00\x00\x00\x80", integer, "digit out of range", 0},
		{"long_not_normal", "l\x02\x00\x00\x00\x01\x00\x00\x00", integer, "digit out of range", 0},
		{"long_two_to_63", "l\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00", integer, "does not fit 64 bits", 0},
		{"long_below_min", "l\xfb\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00\x08\x00", integer, "does not fit 64 bits", 0},
		{"long_75_bits", "l\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40", integer, "does not fit 64 bits", 0},
		{"long_90_bits", "l\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00", integer, "does not fit 64 bits", 0},
		{"str_cut", "u\x04\x00\x00\x00abc", str, "ends inside a value", 0},
		{"str_length_huge", "u\xff\xff\xff\xffabc", str, "ends inside a value", 0},
		{"short_cut", "z\x04abc", str, "ends inside a value", 0},
		{"short_no_length", "z", str, "ends inside a value", 0},
		{"ascii_is_not", "z\x01\x80", str, "above 0x7f", 0},
		{"tuple_count_huge", "(\xff\xff\xff\xff", func(r *Reader) { r.TupleLen() }, "larger than the rest", 0},
		{"list_count_one_more", "[\x02\x00\x00\x00N", func(r *Reader) { r.ListLen() }, "larger than the rest", 0},
		{"small_tuple_count", ")\x02N", func(r *Reader) { r.TupleLen() }, "larger than the rest", 0},
		{"small_tuple_cut", ")", func(r *Reader) { r.TupleLen() }, "ends inside a value", 0},
		{"list_head_cut", "[\x01\x00\x00", func(r *Reader) { r.ListLen() }, "ends inside a value", 0},
		{"dict_unfinished", "{NN", skip, "ends inside a dict", 3},
		{"dict_value_missing", "{N0", skip, "a dict ends where", 2},
		{"null_alone", "0", skip, "a dict ends where", 0},
		{"reference_to_nothing", "r\x00\x00\x00\x00", skip, "broken reference", 0},
		{"reference_cut", "[\x02\x00\x00\x00\xe9\x01\x00\x00\x00r\x00\x00", skip, "broken reference", 10},
		{"reference_to_unmarked", "[\x02\x00\x00\x00Nr\x00\x00\x00\x00", skip, "broken reference", 6},
		{"reference_to_container", "\xdb\x01\x00\x00\x00r\x00\x00\x00\x00", skip, "refers back to a container", 5},
		{"too_deep", strings.Repeat("[\x01\x00\x00\x00", MaxDepth+2) + "N", skip, "nested too deep", 5 * (MaxDepth + 1)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := reader(tt.give)
			tt.read(r)
			var err *Error
			if !errors.As(r.Err(), &err) {
				t.Fatalf("Err() = %v, want an *Error", r.Err())
			}
			if !strings.Contains(err.Error(), tt.want) || err.Offset != tt.wantOffset {
				t.Errorf("error %q, want %q at byte %d", err, tt.want, tt.wantOffset)
			}
			if r.Kind() != KindInvalid || r.More() {
				t.Errorf("after an error: kind %v, more %v", r.Kind(), r.More())
			}
			if n := r.Int(); n != 0 || r.ListLen() != 0 || r.Bytes() != nil || !r.DictEnd() || r.Err() != error(err) {
				t.Error("after an error the methods return something, or the error changes")
			}
		})
	}
}

func TestReaderSkip(t *testing.T) {
	for _, value := range []string{
		"N", "T", "F", "i1234", "l\x01\x00\x00\x0012", "g12345678", "s\x01\x00\x00\x00x", "z\x01x", "{0",
		"l\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00", // too large for Int
		"(\x02\x00\x00\x00N[\x01\x00\x00\x00T", "{z\x01k(\x01\x00\x00\x00N0", ")\x02NN",
	} {
		r := reader(value + "F")
		if r.Skip(); r.Offset() != len(value) || r.Kind() != KindBool {
			t.Errorf("Skip(%q) stops at %d of %d: %v", value, r.Offset(), len(value), r.Err())
		}
	}
}

func TestAppendLatin1(t *testing.T) {
	tests := []struct {
		name, give, want string
		wantOK           bool
	}{
		{"empty", "", "", true},
		{"ascii", "text/html", "text/html", true},
		{"latin1", "caf\u00e9 \u0080\u00ff", "caf\xe9 \x80\xff", true},
		{"above", "\u0100", "", false},
		{"euro", "10 \u20ac", "", false},
		{"emoji", "ok \U0001f600", "", false},
		{"surrogate", "\xed\xb2\x80", "", false},
		{"continuation_alone", "a\x80", "", false},
		{"cut", "a\xc3", "", false},
		{"overlong", "\xc1\x81", "", false},
		{"no_continuation", "\xc3(", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := AppendLatin1([]byte("x"), []byte(tt.give))
			if ok != tt.wantOK || string(got) != "x"+tt.want {
				t.Errorf("AppendLatin1 = %q, %v; want %q, %v", got, ok, "x"+tt.want, tt.wantOK)
			}
			in := []byte(tt.give)
			got, ok = AppendLatin1(in[:0], in)
			if ok != tt.wantOK || string(got) != tt.want {
				t.Errorf("in place: %q, %v; want %q, %v", got, ok, tt.want, tt.wantOK)
			}
			if !ok && string(in) != tt.give {
				t.Errorf("a str that cannot be converted was changed to %q", in)
			}
		})
	}
}

func TestReaderAllocs(t *testing.T) {
	buf := appendEnviron(nil, environValues())
	var r Reader
	allocs := testing.AllocsPerRun(100, func() { readEnviron(&r, buf) })
	if allocs != 0 || r.Err() != nil || r.More() {
		t.Errorf("reading an environ allocates %v times, error %v", allocs, r.Err())
	}
}

func readEnviron(r *Reader, buf []byte) {
	r.Reset(buf)
	r.DictStart()
	for !r.DictEnd() {
		r.Str()
		r.Str()
	}
}

func BenchmarkReaderEnviron(b *testing.B) {
	buf := appendEnviron(nil, environValues())
	var r Reader
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		readEnviron(&r, buf)
	}
	if r.Err() != nil {
		b.Fatal(r.Err())
	}
}

func BenchmarkReaderSkip(b *testing.B) {
	buf := appendEnviron(nil, environValues())
	var r Reader
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(buf)
		r.Skip()
	}
}

package pymarshal

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader wants that no input makes a Reader panic or look beyond it, that
// Skip and Unmarshal agree on what is well-formed, and that memory stays in
// proportion to the input.
func FuzzReader(f *testing.F) {
	f.Add(appendEnviron(nil, environValues()))
	for _, seed := range []string{
		"", "N", "{0", "(\x01\x00\x00\x00T", ")\x02TF", "[\x02\x00\x00\x00\xfa\x02abr\x00\x00\x00\x00",
		"l\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00", "l\x00\x00\x00\x80", "u\x03\x00\x00\x00\xed\xb2\x80",
		"s\xff\xff\xff\xff", "g12345678", "a\x01\x00\x00\x00x", "a\x01\x00\x00\x00\x80", "\xdb\x01\x00\x00\x00r\x00\x00\x00\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := append(bytes.Clone(b), "poison"...)
		within := whole[:len(b):len(b)]
		var r Reader
		r.Reset(within)
		for r.More() {
			before := r.Offset()
			r.Skip()
			if r.Err() == nil && (r.Offset() <= before || r.Offset() > len(b)) {
				t.Fatalf("Skip goes from %d to %d of %d", before, r.Offset(), len(b))
			}
		}
		if len(r.refs) > len(b) {
			t.Fatalf("%d references from %d bytes", len(r.refs), len(b))
		}

		r.Reset(within)
		r.Skip()
		_, err := Unmarshal(within)
		if err == nil && (r.Err() != nil || r.More()) {
			t.Fatalf("Unmarshal takes what Skip stops in at %d: %v", r.Offset(), r.Err())
		}

		// Every method, one after the other, on whatever comes.
		r.Reset(within)
		for r.More() {
			switch r.Kind() {
			case KindInvalid, KindNone:
				r.None()
			case KindBool:
				r.Bool()
			case KindInt:
				r.Int()
			case KindFloat:
				r.Float()
			case KindBytes:
				r.Bytes()
			case KindStr:
				if s, ascii := r.Str(); !ascii && r.Err() == nil {
					if latin1, ok := AppendLatin1(nil, s); ok && len(latin1) >= len(s) {
						t.Fatalf("%q is not shorter in latin-1: %q", s, latin1)
					}
				}
			case KindTuple:
				r.TupleLen()
			case KindList:
				r.ListLen()
			case KindDict:
				r.DictStart()
			case KindDictEnd:
				if !r.DictEnd() {
					r.None()
				}
			}
		}
		if !bytes.Equal(whole[:len(b)], b) {
			t.Fatal("the input was changed")
		}
	})
}

// FuzzRoundTrip wants that what is marshalled comes back the same, through Reader
// and through Unmarshal.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("caf\xe9"), int64(1)<<40, "key", 0.5)
	f.Add([]byte{}, int64(-1), "", math.Copysign(0, -1))
	f.Add(bytes.Repeat([]byte("x"), 300), int64(-1)<<63, "\u20ac", 1e300)
	f.Fuzz(func(t *testing.T, raw []byte, number int64, text string, float float64) {
		b := AppendTupleHead(nil, 4)
		b = AppendStr(b, raw)
		b = AppendBytes(b, raw)
		b = AppendInt(b, number)
		b = AppendFloat(b, float)
		var r Reader
		r.Reset(b)
		n := r.TupleLen()
		s, ascii := r.Str()
		latin1, ok := AppendLatin1(nil, s)
		if n != 4 || !ok || !bytes.Equal(latin1, raw) || ascii != IsASCII(raw) {
			t.Fatalf("str %q came back as %q, %v", raw, latin1, ok)
		}
		if got := r.Bytes(); !bytes.Equal(got, raw) {
			t.Fatalf("bytes %q came back as %q", raw, got)
		}
		if got := r.Int(); got != number {
			t.Fatalf("int %d came back as %d", number, got)
		}
		if got := r.Float(); got != float && float == float {
			t.Fatalf("float %v came back as %v", float, got)
		}
		if r.Err() != nil || r.More() {
			t.Fatalf("error %v, more %v", r.Err(), r.More())
		}

		if float != float { // cmp.Diff finds no NaN equal
			float = 0
		}
		value := map[string]any{text: []any{text, int(number), float, raw, nil, true}}
		b, err := Marshal(value)
		if err != nil {
			if validText([]byte(text)) {
				t.Fatal(err)
			}
			return
		}
		got, err := Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if raw == nil {
			value[text].([]any)[3] = []byte{}
		}
		if diff := cmp.Diff(any(value), got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

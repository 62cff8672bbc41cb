package pymarshal

import (
	"encoding/binary"
	"fmt"
	"math"
)

// MaxDepth is how deep [Reader.Skip], [Marshal] and [Unmarshal] follow nested
// containers. Nothing that workers send comes near it.
const MaxDepth = 32

// Kind says what the next value is.
type Kind uint8

// What [Reader.Kind] returns.
const (
	KindInvalid Kind = iota // an unknown type, a broken reference, the end of the input, or an earlier error
	KindNone
	KindBool
	KindInt
	KindFloat
	KindBytes
	KindStr
	KindTuple
	KindList
	KindDict
	KindDictEnd // not a value: the end of the present dict
)

var kindNames = [...]string{"invalid", "None", "bool", "int", "float", "bytes", "str", "tuple", "list", "dict", "end of dict"}

// String returns Python's name of k.
func (k Kind) String() string { return kindNames[k] }

// kinds is the kind of each type byte, without the flag.
var kinds = [256]Kind{
	typeNone: KindNone, typeTrue: KindBool, typeFalse: KindBool, typeInt: KindInt, typeLong: KindInt,
	typeFloat: KindFloat, typeBytes: KindBytes, typeUnicode: KindStr, typeInterned: KindStr,
	typeASCII: KindStr, typeASCIIInterned: KindStr, typeShortASCII: KindStr, typeShortASCIIInterned: KindStr,
	typeTuple: KindTuple, typeSmallTuple: KindTuple, typeList: KindList, typeDict: KindDict, typeNull: KindDictEnd,
}

// Error names the fault in marshalled data and its place.
type Error struct {
	Offset int    // in bytes from the beginning
	Reason string // in plain words
}

// Error returns the reason and the offset.
func (e *Error) Error() string {
	return fmt.Sprintf("marshal data, byte %d: %s", e.Offset, e.Reason)
}

// Reader reads values one after another from bytes that need not be trusted. It copies and
// allocates nothing (but 4 bytes for each value that is marked for references, which version 2
// does not have). After an error every method returns zeros and [Reader.Err] the error, so a
// caller may check once at the end. A count never exceeds what the rest of the input could
// hold. The zero value has nothing to read. A Reader belongs to one goroutine.
type Reader struct {
	buf  []byte
	pos  int
	err  error
	refs []uint32 // where values with flagRef begin, in their order
}

// Reset makes r read b, which must not change until r and the views it has
// returned are done with. Of b the first 4 GiB can be read.
func (r *Reader) Reset(b []byte) {
	*r = Reader{buf: b[:min(int64(len(b)), math.MaxUint32)], refs: r.refs[:0]}
}

// Err returns the first error met, an *[Error].
func (r *Reader) Err() error { return r.err }

// Offset returns how many bytes have been read.
func (r *Reader) Offset() int { return r.pos }

// More reports whether there is input left and no error yet.
func (r *Reader) More() bool { return r.err == nil && r.pos < len(r.buf) }

// Kind returns the kind of the next value without reading it. For a reference it is the kind of
// the value referred to.
func (r *Reader) Kind() Kind {
	if !r.More() {
		return KindInvalid
	}
	typ := r.buf[r.pos] &^ flagRef
	if typ == typeRef {
		at, ok := r.target(r.pos)
		if !ok {
			return KindInvalid
		}
		typ = r.buf[at] &^ flagRef
	}
	return kinds[typ]
}

// None reads None.
func (r *Reader) None() { r.scalar(KindNone) }

// Bool reads True or False.
func (r *Reader) Bool() bool {
	typ, _ := r.scalar(KindBool)
	return typ == typeTrue
}

// Int reads an int that fits 64 bits; a larger one is an error.
func (r *Reader) Int() int64 {
	at := r.pos
	typ, b := r.scalar(KindInt)
	if typ == typeInt {
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	if typ != typeLong {
		return 0
	}
	negative := int32(binary.LittleEndian.Uint32(b)) < 0
	b = b[4:]
	var mag uint64
	for i := len(b) - 2; i >= 0; i -= 2 {
		digit := uint64(binary.LittleEndian.Uint16(b[i:]))
		switch {
		case digit>>longShift != 0, i == len(b)-2 && digit == 0:
			r.fail(at, "an int has a digit out of range")
			return 0
		case mag>>(64-longShift) != 0:
			r.fail(at, "an int does not fit 64 bits")
			return 0
		}
		mag = mag<<longShift | digit
	}
	switch {
	case negative && mag <= 1<<63:
		return int64(-mag)
	case !negative && mag < 1<<63:
		return int64(mag)
	}
	r.fail(at, "an int does not fit 64 bits")
	return 0
}

// Float reads a float.
func (r *Reader) Float() float64 {
	if typ, b := r.scalar(KindFloat); typ == typeFloat {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// Bytes reads bytes and returns a view of them.
func (r *Reader) Bytes() []byte {
	_, b := r.scalar(KindBytes)
	return b
}

// Str reads a str and returns a view of its UTF-8, and whether that is ASCII
// only. Whether UTF-8 that is not ASCII is well-formed has not been checked;
// Python encodes surrogates like other characters. See [AppendLatin1].
func (r *Reader) Str() (utf8 []byte, ascii bool) {
	at := r.pos
	typ, b := r.scalar(KindStr)
	ascii = IsASCII(b)
	if !ascii && typ != typeUnicode && typ != typeInterned {
		r.fail(at, "an ASCII str holds a byte above 0x7f")
		return nil, false
	}
	return b, ascii
}

// TupleLen reads the beginning of a tuple and returns how many values it has,
// which are then read one by one.
func (r *Reader) TupleLen() int { return r.container(KindTuple) }

// ListLen reads the beginning of a list and returns how many values it has,
// which are then read one by one.
func (r *Reader) ListLen() int { return r.container(KindList) }

// DictStart reads the beginning of a dict. Keys and values are then read in turn
// until [Reader.DictEnd] returns true.
func (r *Reader) DictStart() { r.container(KindDict) }

// DictEnd reads the end of a dict and returns true, or returns false when another
// key follows. After an error it returns true, so that loops end.
func (r *Reader) DictEnd() bool {
	if r.err != nil {
		return true
	}
	if r.pos >= len(r.buf) {
		r.fail(r.pos, "it ends inside a dict")
		return true
	}
	if r.buf[r.pos] != typeNull {
		return false
	}
	r.pos++
	return true
}

// Skip reads one value of any kind and forgets it.
func (r *Reader) Skip() { r.skip(0) }

func (r *Reader) skip(depth int) {
	if depth > MaxDepth {
		r.fail(r.pos, "containers are nested too deep")
		return
	}
	switch k := r.Kind(); k {
	case KindTuple, KindList:
		for n := r.container(k); n > 0 && r.err == nil; n-- {
			r.skip(depth + 1)
		}
	case KindDict:
		r.DictStart()
		for !r.DictEnd() {
			r.skip(depth + 1)
			r.skip(depth + 1)
		}
	case KindInt:
		r.scalar(k) // of any size, unlike Int
	case KindStr:
		r.Str()
	default:
		r.scalar(k)
	}
}

// scalar reads the next value, which must be of kind want and not a container. It returns the
// type byte and the payload: the contents of bytes and str, the count and digits of a typeLong.
// On error it returns 0, nil.
func (r *Reader) scalar(want Kind) (typ byte, body []byte) {
	at := r.pos
	plain := r.More() && kinds[r.buf[at]] == want && want >= KindNone && want <= KindStr
	if !plain { // marked, a reference, or a mistake
		if !r.begin(want) {
			return 0, nil
		}
		if r.buf[at]&^flagRef == typeRef {
			from, _ := r.target(at) // begin has checked it
			typ, body, _ = r.body(from)
			r.pos = at + 5
			return typ, body
		}
	}
	typ, body, end := r.body(at)
	if end == 0 {
		r.fail(at, "it ends inside a value, or a length is impossible")
		return 0, nil
	}
	r.mark(at)
	r.pos = end
	return typ, body
}

// container reads the beginning of a container and returns its count.
func (r *Reader) container(want Kind) int {
	at := r.pos
	if !r.begin(want) {
		return 0
	}
	n, end := 0, at+1
	switch typ := r.buf[at] &^ flagRef; {
	case typ == typeRef:
		r.fail(at, "it refers back to a container")
		return 0
	case typ == typeSmallTuple && len(r.buf)-at >= 2:
		n, end = int(r.buf[at+1]), at+2
	case typ == typeDict:
	case typ != typeSmallTuple && len(r.buf)-at >= 5:
		count := binary.LittleEndian.Uint32(r.buf[at+1:])
		end = at + 5
		if int64(count) > int64(len(r.buf)-end) { // each value takes a byte
			r.fail(at, "a count is larger than the rest of the data")
			return 0
		}
		n = int(count)
	default:
		r.fail(at, "it ends inside a value")
		return 0
	}
	if n > len(r.buf)-end {
		r.fail(at, "a count is larger than the rest of the data")
		return 0
	}
	r.mark(at)
	r.pos = end
	return n
}

// begin reports whether the next value is of kind want, or fails.
func (r *Reader) begin(want Kind) bool {
	got := r.Kind()
	switch {
	case r.err != nil:
	case r.pos >= len(r.buf):
		r.fail(r.pos, "it ends where a value should begin")
	case got == KindInvalid:
		r.fail(r.pos, "an unsupported type or a broken reference")
	case got != want:
		r.fail(r.pos, mismatch[want])
	case got == KindDictEnd:
		r.fail(r.pos, "a dict ends where a value should begin")
	default:
		return true
	}
	return false
}

// mismatch is put together once, so that a failing Reader allocates its error only.
var mismatch = func() (m [len(kindNames)]string) {
	for i, name := range kindNames {
		m[i] = "the value is not of the type expected: " + name
	}
	return m
}()

// body returns the type byte of the scalar at from, its payload and its end. The end is 0 when
// it lies outside the input.
func (r *Reader) body(from int) (typ byte, body []byte, end int) {
	typ = r.buf[from] &^ flagRef
	from++
	rest := r.buf[from:]
	n := int64(0)
	switch typ {
	case typeInt:
		n = 4
	case typeFloat:
		n = 8
	case typeShortASCII, typeShortASCIIInterned:
		if len(rest) < 1 {
			return 0, nil, 0
		}
		n = int64(rest[0])
		from, rest = from+1, rest[1:]
	case typeLong:
		if len(rest) < 4 {
			return 0, nil, 0
		}
		digits := int64(int32(binary.LittleEndian.Uint32(rest)))
		n = 4 + 2*max(digits, -digits)
	case typeBytes, typeUnicode, typeInterned, typeASCII, typeASCIIInterned:
		if len(rest) < 4 {
			return 0, nil, 0
		}
		n = int64(binary.LittleEndian.Uint32(rest))
		from, rest = from+4, rest[4:]
	}
	if n > int64(len(rest)) {
		return 0, nil, 0
	}
	return typ, rest[:n:n], from + int(n)
}

// mark remembers the value at offset at if it may be referred to.
func (r *Reader) mark(at int) {
	if r.buf[at]&flagRef != 0 {
		r.refs = append(r.refs, uint32(at))
	}
}

// target returns where the value is that the reference at offset at means.
func (r *Reader) target(at int) (int, bool) {
	if len(r.buf)-at < 5 {
		return 0, false
	}
	i := binary.LittleEndian.Uint32(r.buf[at+1:])
	if uint64(i) >= uint64(len(r.refs)) {
		return 0, false
	}
	return int(r.refs[i]), true
}

func (r *Reader) fail(at int, reason string) {
	if r.err == nil {
		r.err = &Error{Offset: at, Reason: reason}
	}
}

// AppendLatin1 converts s from UTF-8 to latin-1, one byte for each character, and reports
// whether that is possible. If it is not, because of a character above U+00FF or broken UTF-8,
// dst comes back as it was. The result is never longer than s, so AppendLatin1(s[:0], s)
// converts in place.
func AppendLatin1(dst, s []byte) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x80 {
			continue
		}
		// U+0080 to U+00FF are C2 80 to C3 BF.
		if s[i]&^1 != 0xc2 || i+1 == len(s) || s[i+1]&0xc0 != 0x80 {
			return dst, false
		}
		i++
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x80 {
			i++
			c = c<<6 | s[i]&0x3f
		}
		dst = append(dst, c)
	}
	return dst, true
}

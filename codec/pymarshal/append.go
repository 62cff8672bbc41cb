package pymarshal

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The type bytes. See the package comment.
const (
	typeNone               = 'N'
	typeTrue               = 'T'
	typeFalse              = 'F'
	typeInt                = 'i'
	typeLong               = 'l'
	typeFloat              = 'g'
	typeBytes              = 's'
	typeUnicode            = 'u'
	typeInterned           = 't'
	typeASCII              = 'a'
	typeASCIIInterned      = 'A'
	typeShortASCII         = 'z'
	typeShortASCIIInterned = 'Z'
	typeTuple              = '('
	typeSmallTuple         = ')'
	typeList               = '['
	typeDict               = '{'
	typeNull               = '0'
	typeRef                = 'r'

	flagRef = 0x80 // the value may be referred to by typeRef
)

// longShift is the number of bits in a digit of a typeLong.
const longShift = 15

// AppendNone appends None.
func AppendNone(dst []byte) []byte { return append(dst, typeNone) }

// AppendBool appends True or False.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, typeTrue)
	}
	return append(dst, typeFalse)
}

// AppendInt appends an int: 5 bytes when it fits 32 bits, at most 15.
func AppendInt(dst []byte, v int64) []byte {
	if v == int64(int32(v)) {
		return appendSized(dst, typeInt, uint32(v))
	}
	mag := uint64(v)
	if v < 0 {
		mag = -mag
	}
	n := int32(bits.Len64(mag)+longShift-1) / longShift
	if v < 0 {
		n = -n
	}
	dst = appendSized(dst, typeLong, uint32(n))
	for ; mag != 0; mag >>= longShift {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(mag&(1<<longShift-1)))
	}
	return dst
}

// AppendFloat appends a float.
func AppendFloat(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, typeFloat), math.Float64bits(v))
}

// AppendBytes appends bytes. As everywhere in the format, the length must be
// below 1<<31.
func AppendBytes(dst, v []byte) []byte {
	return append(AppendBytesHead(dst, len(v)), v...)
}

// AppendBytesHead appends the beginning of bytes; the caller appends n bytes.
func AppendBytesHead(dst []byte, n int) []byte {
	return appendSized(dst, typeBytes, uint32(n))
}

// AppendStr appends the str that v encodes in latin-1: each byte becomes one character. That is
// how PEP 3333 has the environ hold bytes.
func AppendStr(dst, v []byte) []byte {
	if IsASCII(v) {
		return append(AppendASCIIHead(dst, len(v)), v...)
	}
	n := len(v)
	for _, c := range v {
		n += int(c >> 7) // two bytes each from U+0080 on
	}
	dst = appendSized(dst, typeUnicode, uint32(n))
	for _, c := range v {
		if c < 0x80 {
			dst = append(dst, c)
		} else {
			dst = append(dst, 0xc0|c>>6, 0x80|c&0x3f)
		}
	}
	return dst
}

// AppendASCIIHead appends the beginning of a str of n characters; the caller
// appends them, which must be ASCII.
func AppendASCIIHead(dst []byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(dst, typeShortASCII, byte(n))
	}
	return appendSized(dst, typeASCII, uint32(n))
}

// AppendKey appends a str that Python interns, so that each lookup in a dict
// with a constant of the program finds it by identity. It must be ASCII.
func AppendKey(dst []byte, v string) []byte {
	return append(AppendKeyHead(dst, len(v)), v...)
}

// AppendKeyHead appends the beginning of a key; the caller appends its n bytes,
// which must be ASCII.
func AppendKeyHead(dst []byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(dst, typeShortASCIIInterned, byte(n))
	}
	return appendSized(dst, typeASCIIInterned, uint32(n))
}

// AppendTupleHead appends the beginning of a tuple; n values must follow.
func AppendTupleHead(dst []byte, n int) []byte { return appendSized(dst, typeTuple, uint32(n)) }

// AppendListHead appends the beginning of a list; n values must follow.
func AppendListHead(dst []byte, n int) []byte { return appendSized(dst, typeList, uint32(n)) }

// AppendDictStart appends the beginning of a dict. Keys and values must follow in
// turn, then [AppendDictEnd]. Of equal keys the last counts.
func AppendDictStart(dst []byte) []byte { return append(dst, typeDict) }

// AppendDictEnd ends the dict begun last.
func AppendDictEnd(dst []byte) []byte { return append(dst, typeNull) }

func appendSized(dst []byte, typ byte, n uint32) []byte {
	return append(dst, typ, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

// IsASCII reports whether no byte of s is above 0x7f.
func IsASCII(s []byte) bool {
	for len(s) >= 8 {
		if binary.LittleEndian.Uint64(s)&0x8080808080808080 != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

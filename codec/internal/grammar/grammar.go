// Package grammar classifies octets by the grammars of RFC 9110, RFC 9112 and
// RFC 3986, one table look-up an octet. It is the only copy of these tables.
package grammar

import (
	"encoding/binary"
	"math/bits"
)

// Class is a set of the grammar productions that an octet may be part of.
type Class uint8

// The productions that the codecs need.
const (
	Token  Class = 1 << iota // tchar, RFC 9110 5.6.2
	Value                    // what a field value may hold: HTAB, SP, VCHAR, obs-text (RFC 9110 5.5)
	Target                   // what a request target may hold; see below
	Host                     // what a host name may hold; see below
	Hex                      // HEXDIG, both cases
	Digit                    // DIGIT
)

// Of is the class of each octet.
//
// Target allows more than RFC 3986: quotes, "|", "{", "\" and octets from 0x80 up. Browsers and
// old clients send them, and uWSGI passes them on. It never holds space, controls, DEL or "#",
// which other parsers cut targets at.
//
// Host is reg-name without "%" and ",": no DNS name has them, and a comma is how
// a list of two hosts would look.
var Of = build()

func build() (t [256]Class) {
	set := func(c Class, octets string) {
		for i := range len(octets) {
			t[octets[i]] |= c
		}
	}
	const alnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	set(Token, alnum+"!#$%&'*+-.^_`|~")
	set(Host, alnum+"-._~!$&'()*+;=")
	set(Hex, "0123456789ABCDEFabcdef")
	set(Digit, "0123456789")
	set(Value, "\t ")
	for c := 0x21; c < 0x100; c++ {
		if c == 0x7f {
			continue
		}
		t[c] |= Value
		if c != '#' {
			t[c] |= Target
		}
	}
	return t
}

// Is reports whether every octet of s is of class c; it is true of an empty s.
func Is(c Class, s []byte) bool {
	for _, b := range s {
		if Of[b]&c == 0 {
			return false
		}
	}
	return true
}

// Skip returns the index of the first octet of s, from i on, that is not of
// class c, or len(s).
func Skip(c Class, s []byte, i int) int {
	for i < len(s) && Of[s[i]]&c != 0 {
		i++
	}
	return i
}

const (
	low  = 0x0101010101010101
	high = 0x8080808080808080
)

// SkipValue is Skip for [Value], eight octets at a time, as values are most of
// a request.
func SkipValue(s []byte, i int) int {
	for len(s)-i >= 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		// An octet's top bit is set below where it is under 0x20, or is 0x7f.
		// A borrow or carry can only mark octets after the first true one.
		stop := (w-low*0x20)&^w&high | (w^low*0x7f-low)&^(w^low*0x7f)&high
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) / 8
		if s[i] != '\t' {
			return i
		}
		i++
	}
	return Skip(Value, s, i)
}

// Unhex returns the value of a hex digit; of anything else it returns nonsense.
func Unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// Package pymarshal reads and writes the part of CPython's marshal format that crosses between
// the server and its Python workers. Python keeps compiled modules in this format.
// marshal.loads and marshal.dumps are built in, written in C, and several times faster than
// pickle or json for these values.
//
// A value is one type byte and what that type needs. Lengths, counts and numbers
// are little-endian:
//
//	N                          None
//	T   F                      True, False
//	i   int32                  int
//	l   int32 n, |n| × uint16  int beyond 32 bits: digits of 15 bits, lowest first; n < 0: negative
//	g   float64                float
//	s   uint32 n, n bytes      bytes
//	u   uint32 n, n bytes      str, as UTF-8; surrogates are encoded like other characters
//	t   uint32 n, n bytes      the same, interned
//	a A uint32 n, n bytes      str of ASCII only; A interned
//	z Z uint8  n, n bytes      the same, shorter than 256; Z interned
//	(   uint32 n, n values     tuple
//	)   uint8  n, n values     tuple shorter than 256
//	[   uint32 n, n values     list
//	{   key, value, … 0        dict; the byte '0' stands where the next key would
//	r   uint32 i               the i-th value whose type byte had its top bit set
//
// So ("GET", 1, b"\x00") as this package writes it is
//
//	28 03 00 00 00   7a 03 47 45 54   69 01 00 00 00   73 01 00 00 00 00
//	(  3             z  3  G  E  T    i  1             s  1           \x00
//
// The output suits marshal.loads of CPython 3.9 and later, and of PyPy. The input may be the
// output of marshal.dumps(x, 2), or of later versions with these types only. From version 3 on
// dumps refers back to marked values; that is understood for all values except containers.
// Complex numbers, sets, code and ints beyond 64 bits are refused.
//
// [Reader] and the Append functions are for the hot path and do not allocate;
// [Marshal] and [Unmarshal] are for configuration and reports.
package pymarshal

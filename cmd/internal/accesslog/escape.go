package accesslog

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const hex = "0123456789abcdef"

// plain marks the visible bytes that need no escape in a JSON string.
var plain = func() (is [256]bool) {
	for c := range is {
		is[c] = ' ' <= c && c < 0x7f && c != '"' && c != '\\'
	}
	return is
}()

// appendEscaped adds value to dst with the escapes that the package comment
// describes.
func appendEscaped(dst, value []byte) []byte {
	done := 0 // value[:done] is in dst
	for i := 0; i < len(value); {
		c := value[i]
		if plain[c] {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			if r, size = utf8.DecodeRune(value[i:]); unicode.IsPrint(r) && size > 1 {
				i += size
				continue
			} else if size == 1 {
				r = rune(c) // not UTF-8: the byte itself
			}
		}
		dst = append(dst, value[done:i]...)
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case r > 0xffff: // JSON has no longer escapes
			high, low := utf16.EncodeRune(r)
			dst = appendUnit(appendUnit(dst, high), low)
		default:
			dst = appendUnit(dst, r)
		}
		i += size
		done = i
	}
	return append(dst, value[done:]...)
}

// appendUnit adds \uXXXX.
func appendUnit(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// AppendPrintable adds text to dst and escapes what a terminal would act on, as appendEscaped does:
// control characters other than tabs and ends of lines, and bytes that are no UTF-8. Quotes and
// backslashes stay.
func AppendPrintable(dst, text []byte) []byte {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == '\n', r == '\t', size > 1 && unicode.IsPrint(r), size == 1 && ' ' <= r && r < 0x7f:
			dst = append(dst, text[:size]...)
		case size == 1:
			dst = append(dst, '\\', 'u', '0', '0', hex[text[0]>>4], hex[text[0]&15])
		default:
			dst = appendEscaped(dst, text[:size])
		}
		text = text[size:]
	}
	return dst
}

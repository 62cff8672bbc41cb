// Package printable escapes text for logs. So a client's text cannot end a line, imitate
// another line, or control the terminal.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text escapes text for one line of a log, as the request log does: \u001b stands for an
// unprintable character or invalid UTF-8. wire also escapes quotes and backslashes, so that
// input cannot imitate an escape.
func Text(text string, wire bool) string {
	plain := func(r rune, size int) bool {
		switch {
		case r == '"' || r == '\\':
			return !wire
		case r == utf8.RuneError && size == 1:
			return false
		}
		return unicode.IsPrint(r)
	}
	var b strings.Builder
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		piece := text[at : at+size]
		at += size
		switch {
		case plain(r, size):
			b.WriteString(piece)
		case r == '"' || r == '\\':
			b.WriteString(`\` + piece)
		case size == 1: // as a byte, also where it is no UTF-8
			fmt.Fprintf(&b, `\u%04x`, piece[0])
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	return b.String()
}

// Package printable escapes text for logs, so that nothing a client sent can end a line,
// look like another one, or act on the terminal that shows it.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Text returns text as it may stand in one line of a log, escaped as in the request
// log: \u001b for what is not printable, or is no UTF-8. What is of the wire has
// quotes and backslashes escaped too, so that it cannot look like an escape.
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

// Package shell writes words for a shell.
package shell

import (
	"regexp"
	"strings"
)

// plain matches words that a shell takes as they are.
var plain = regexp.MustCompile(`^[-_=:./,@%+0-9A-Za-z]+$`)

// Quote puts a word into single quotes if a shell would change it.
func Quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

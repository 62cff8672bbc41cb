// Package shell writes words for a shell to read.
package shell

import (
	"regexp"
	"strings"
)

// plain is a word that a shell takes as it stands.
var plain = regexp.MustCompile(`^[-_=:./,@%+0-9A-Za-z]+$`)

// Quote puts a word into single quotes where a shell would read it otherwise.
func Quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

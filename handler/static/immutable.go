package static

import "strings"

// Matcher matches names; a regular expression is one.
type Matcher interface{ MatchString(name string) bool }

// HashedNames matches names with a hash of the content, as bundlers and Django's
// ManifestStaticFilesStorage make them: app.3f2a9c1bd04e.css, index-BdX3a9Qk.js. A possible
// version or date does not match.
var HashedNames Matcher = hashedNames{}

type hashedNames struct{}

func (hashedNames) MatchString(name string) bool {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '-' })
	for i := 1; i < len(parts)-1; i++ { // the name comes before, the file type after
		if isHash(parts[i]) {
			return true
		}
	}
	return false
}

// isHash reports whether s looks random: it mixes digits with letters of both cases, or
// hexadecimal digits of both kinds.
func isHash(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	var digits, lower, upper, other int
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'f':
			lower++
		case c >= 'g' && c <= 'z' || c == '_':
			lower, other = lower+1, other+1
		case c >= 'A' && c <= 'Z':
			upper, other = upper+1, other+1
		default:
			return false
		}
	}
	return digits > 0 && lower > 0 && (other == 0 || upper > 0)
}

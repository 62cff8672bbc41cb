package logger

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Pattern is a regular expression of log-route, log-drain and their kin. Go's kind takes time in
// proportion to the message. A pattern with what only PCRE has, such as the (?!…) that tells JSON
// from other lines, may backtrack: each search has a time limit, beyond which it does not match.
type Pattern struct {
	quick *regexp.Regexp
	slow  *regexp2.Regexp
}

// patternTime bounds a search that may backtrack.
const patternTime = 100 * time.Millisecond

// ParsePattern compiles a regular expression.
func ParsePattern(text string) (*Pattern, error) {
	quick, err := regexp.Compile(text)
	if err == nil {
		return &Pattern{quick: quick}, nil
	}
	slow, other := regexp2.Compile(text, regexp2.None)
	if other != nil {
		return nil, fmt.Errorf("%q is no regular expression: %w", text, err)
	}
	slow.MatchTimeout = patternTime
	return &Pattern{slow: slow}, nil
}

// Match reports whether the pattern is found in the message, of which the newline at the
// end is no part.
func (p *Pattern) Match(message []byte) bool {
	message = bytes.TrimSuffix(message, []byte("\n"))
	if p.quick != nil {
		return p.quick.Match(message)
	}
	found, err := p.slow.MatchString(string(message))
	return found && err == nil
}

// Route is one value of log-route or log-req-route: only the logger of that name gets the messages
// that match.
type Route struct {
	Name    string
	Pattern *Pattern
}

// ParseRoute reads "name pattern".
func ParseRoute(value string) (Route, error) {
	name, text, ok := strings.Cut(value, " ")
	if !ok {
		return Route{}, fmt.Errorf("%q is not of the form LOGGER REGEX", value)
	}
	p, err := ParsePattern(text)
	return Route{name, p}, err
}

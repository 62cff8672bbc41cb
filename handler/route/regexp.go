package route

import "regexp"

// Regexp compiles a pattern for other packages. Its error says what to write instead of
// PCRE-only parts.
func Regexp(expr string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, patternError(expr, err)
	}
	return re, nil
}

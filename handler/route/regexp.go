package route

import "regexp"

// Regexp compiles a pattern for others than rules. Its error tells what to write in place of what
// PCRE alone understands.
func Regexp(expr string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, patternError(expr, err)
	}
	return re, nil
}

package config

import (
	"regexp"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// Deadline is a rule of route that says how long requests may run.
type Deadline struct {
	Option   string // what is matched: route, PATH_INFO; route-uri, REQUEST_URI; route-host, HTTP_HOST
	Pattern  *regexp.Regexp
	Harakiri time.Duration // 0 for ever
}

// route reads REGEX ACTION:ARGUMENTS, of whose actions harakiri is the only one here: what
// others do is missing.
// The first space ends the pattern, as in uWSGI.
func (r *resolver) route(option string, e ini.Entry) error {
	const form = "%q is not of the form REGEX harakiri:SECONDS"
	pattern, command, _ := strings.Cut(e.Value, " ")
	action, args, ok := strings.Cut(strings.TrimLeft(command, " "), ":")
	if !ok {
		return e.Origin.Errorf(e.Key, form, e.Value)
	}
	if action != "harakiri" {
		r.action(e, action)
		return nil
	}
	if args == "" {
		return e.Origin.Errorf(e.Key, form, e.Value)
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return e.Origin.Errorf(e.Key, "%w in %q: patterns are Go's (RE2), which lack some of what PCRE has", err, pattern)
	}
	e.Value = args
	limit, err := seconds(e)
	if err != nil {
		return err
	}
	r.Deadlines = append(r.Deadlines, Deadline{Option: option, Pattern: compiled, Harakiri: limit})
	return nil
}

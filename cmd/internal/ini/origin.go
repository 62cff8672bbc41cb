package ini

import "fmt"

// Origin is where an option was given. The zero value is the command line.
type Origin struct {
	File string // as named
	Line int    // from 1
	Env  string // the environment variable
}

// Name returns the option as its user wrote it, for messages: "app.ini:12: threads", "--threads" or
// "UWSGI_THREADS". Without a key it is what was given by position.
func (o Origin) Name(key string) string {
	switch {
	case o.File == "-":
		return fmt.Sprintf("standard input:%d: %s", o.Line, key)
	case o.File != "":
		return fmt.Sprintf("%s:%d: %s", o.File, o.Line, key)
	case o.Env != "":
		return o.Env
	case key == "":
		return "command line"
	}
	return "--" + key
}

// Errorf returns an error about the option key that was given here.
func (o Origin) Errorf(key, format string, args ...any) error {
	return fmt.Errorf("%s: %w", o.Name(key), fmt.Errorf(format, args...))
}

// String returns the place without an option: "app.ini:12", "environment UWSGI_THREADS" or "command
// line".
func (o Origin) String() string {
	switch {
	case o.File == "-":
		return fmt.Sprintf("standard input:%d", o.Line)
	case o.File != "":
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	case o.Env != "":
		return "environment " + o.Env
	}
	return "command line"
}

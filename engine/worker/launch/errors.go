package launch

import (
	"fmt"
)

// LoadError is returned by worker.Start when an app cannot be loaded and
// [Config].NeedApp is set. The traceback, if there is one, is on stderr.
type LoadError struct {
	App    App
	Reason string // one line: what is missing or wrong, and the likely fix
}

// Error returns the app and the reason.
func (e *LoadError) Error() string {
	return fmt.Sprintf("cannot load app %s: %s", e.App, e.Reason)
}

// StartError is returned by worker.Start when its processes exit before they serve, or cannot
// be made, and no app is known to be at fault.
type StartError struct {
	Reason string // one line: what happened during which step
}

// Error returns the reason.
func (e *StartError) Error() string { return e.Reason }

// PythonError says that no Python interpreter can be run, and what to do.
type PythonError struct {
	Path string // what was tried
	From string // the origin of the path; see [Config].PythonFrom
	Err  error
}

// Error returns the path that was tried and why it failed.
func (e *PythonError) Error() string {
	from := ""
	if e.From != "" {
		from = " (from " + e.From + ")"
	}
	return fmt.Sprintf("python interpreter %s%s: %v", e.Path, from, e.Err)
}

// Unwrap returns the reason.
func (e *PythonError) Unwrap() error { return e.Err }

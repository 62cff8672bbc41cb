package launch

import (
	"fmt"
)

// LoadError is returned by worker.Start when an app cannot be loaded and
// [Config].NeedApp is set. The traceback, if there is one, is on stderr.
type LoadError struct {
	App    App
	Reason string // one line: what is missing or wrong, and what may have been meant
}

// Error returns the app and the reason.
func (e *LoadError) Error() string {
	return fmt.Sprintf("cannot load app %s: %s", e.App, e.Reason)
}

// StartError is returned by worker.Start when the processes of the apps end, or cannot be
// made, before they serve, and it is not known to be the fault of an app.
type StartError struct {
	Reason string // one line: what happened while what was done
}

// Error returns the reason.
func (e *StartError) Error() string { return e.Reason }

// PythonError says that no Python interpreter can be run, and what to do.
type PythonError struct {
	Path string // what was tried
	From string // where the path is from; see [Config].PythonFrom
	Err  error
}

// Error returns what was tried and why it failed.
func (e *PythonError) Error() string {
	from := ""
	if e.From != "" {
		from = " (from " + e.From + ")"
	}
	return fmt.Sprintf("python interpreter %s%s: %v", e.Path, from, e.Err)
}

// Unwrap returns the reason.
func (e *PythonError) Unwrap() error { return e.Err }

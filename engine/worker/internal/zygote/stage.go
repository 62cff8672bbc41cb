package zygote

import (
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/engine/worker/launch"
)

// Stage is a step of a process before it serves, for the log and for errors.
type Stage struct {
	App   int    // the place in [launch.Config].Apps of the app that it imports, -1 for none
	Text  string // such as "importing app.py"; empty before its Python runs
	Since time.Time
	looks int // since it began
	Group int // the process group of a command that it runs, 0 for none
}

// ExitError returns the error for a process that has exited during the stage. how says how.
func (s Stage) ExitError(c *launch.Config, who, how string) error {
	if s.App >= 0 && s.App < len(c.Apps) {
		return &launch.LoadError{App: c.Apps[s.App], Reason: fmt.Sprintf("%s ended while it was importing it (%s): what is imported must not end, replace or daemonize its process, nor close descriptors that it has not opened", who, how)}
	}
	return &launch.StartError{Reason: fmt.Sprintf("%s ended before it could serve, while it was %s: %s", who, s.Text, how)}
}

// reportAfter is the number of looks, one a second, after which the log says that a stage
// lasts. The number doubles each time.
const reportAfter = 10

// NewStage returns a stage that begins now and imports no app.
func NewStage(text string) Stage { return Stage{App: -1, Text: text, Since: time.Now()} }

// Lasts counts a look and reports whether to log that the stage lasts.
func (s *Stage) Lasts() bool {
	s.looks++
	n := s.looks
	if n%reportAfter != 0 {
		return false
	}
	n /= reportAfter
	return n&(n-1) == 0
}

package wsgi

import (
	"bytes"

	"github.com/uwsgo/uwsgo/engine"
	"github.com/uwsgo/uwsgo/engine/worker"
)

// mostLogVariables bounds how many variables one request sets for the log, and their bytes.
const (
	mostLogVariables = 64
	mostLogBytes     = 64 << 10
)

// logged holds an app's settings for an exchange's log line.
type logged struct {
	vars  map[string][]byte
	bytes int
	wants bool
}

var logVars = engine.NewKey[logged]()

// LogVariable returns the app's uwsgi.set_logvar value for the log of x, nil for none.
func LogVariable(x *engine.Exchange, name string) []byte { return logVars.Of(x).vars[name] }

// LogsThis reports whether the app has called uwsgi.log_this_request for x.
func LogsThis(x *engine.Exchange) bool { return logVars.Of(x).wants }

// LogVariable implements worker.LogClient.
func (c *call) LogVariable(_ *worker.Core, name, value []byte) {
	l := logVars.Of(c.x)
	if len(name) == 0 {
		l.wants = true
		return
	}
	_, again := l.vars[string(name)]
	l.bytes += len(name) + len(value)
	if l.bytes > mostLogBytes || !again && len(l.vars) >= mostLogVariables {
		return
	}
	if l.vars == nil {
		l.vars = make(map[string][]byte)
	}
	l.vars[string(name)] = bytes.Clone(value)
}

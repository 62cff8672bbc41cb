package accesslog

import (
	"bytes"
	"fmt"
	"time"
)

// Logger writes the server's own lines, about its start, its workers and its
// troubles, into the sink of the request lines. It is safe for all goroutines
// and never blocks.
type Logger struct {
	sink *Sink
	date date
}

// NewLogger returns a Logger whose lines begin with the time in the strftime
// format of log-date and " - ", as uWSGI's do; with date "" they are plain. A bare
// log-date means [CTime].
func NewLogger(sink *Sink, date string) *Logger {
	return &Logger{sink: sink, date: compileDate(date)}
}

// Printf writes one line; the newline at its end is added where it is missing.
// Use %q for whatever a client sent, so that it cannot end the line and forge
// another. Whatever a terminal would act on is escaped.
func (l *Logger) Printf(format string, args ...any) {
	var line []byte
	if len(l.date) > 0 {
		line = append(l.date.append(line, time.Now()), " - "...)
	}
	line = AppendPrintable(line, fmt.Appendf(nil, format, args...))
	if !bytes.HasSuffix(line, []byte("\n")) {
		line = append(line, '\n')
	}
	_, _ = l.sink.Write(line) // fails after Close only, when there is no log any more
	notify(l.sink.hurry)
}

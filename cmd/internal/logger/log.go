package logger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
)

// Logger writes the server's own lines, about its start, its workers and its troubles. Any
// goroutine may use it, and it never blocks.
type Logger struct {
	sink *Sink
	date accesslog.Date // at the beginning of lines, before " - ", as in uWSGI with log-date
	json bool
}

// Printf writes one line, and adds a missing newline. Use %q for what a client has sent, so that it
// cannot end the line and forge another. It escapes what a terminal would act on. A nil Logger
// writes nothing.
func (l *Logger) Printf(format string, args ...any) {
	if l == nil {
		return
	}
	text := fmt.Appendf(nil, format, args...)
	var line []byte
	if l.json {
		line = appendObject(nil, "uwsgo", accesslog.AppendPrintable(nil, text))
	} else {
		if len(l.date) > 0 {
			line = append(l.date.Append(line, time.Now()), " - "...)
		}
		line = accesslog.AppendPrintable(line, text)
		if !bytes.HasSuffix(line, []byte("\n")) {
			line = append(line, '\n')
		}
	}
	_ = l.sink.main.add(line) // it fails only after Close, when there is no log
	notify(l.sink.main.hurry)
}

// wrap adds what a child has printed, in the form of the log.
func (l *Logger) wrap(dst, message []byte) []byte {
	if !l.json {
		return append(dst, message...)
	}
	text := bytes.TrimSpace(message)
	if len(text) > 0 && text[0] == '{' && bytes.IndexByte(text, '\n') < 0 && json.Valid(text) {
		return append(dst, message...) // the app logs JSON by itself
	}
	return appendObject(dst, "app", message)
}

// appendObject adds a line of log-json.
func appendObject(dst []byte, source string, text []byte) []byte {
	dst = time.Now().AppendFormat(append(dst, `{"time":"`...), "2006-01-02T15:04:05.000000Z07:00")
	dst = append(append(append(dst, `","source":"`...), source...), `","message":"`...)
	dst = accesslog.AppendJSON(dst, bytes.TrimSuffix(text, []byte("\n")))
	return append(dst, "\"}\n"...)
}

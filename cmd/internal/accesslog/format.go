package accesslog

import (
	"slices"
	"strconv"
	"strings"
)

// Options change what a [Format] writes. The zero value is uWSGI's default.
type Options struct {
	Micros bool // log-micros: the default line tells microseconds
	// Memory is memory-report: the default line begins with the worker's memory; 2 adds its private
	// memory.
	Memory int
	// Date is the strftime format of %(ftime): log-date's, if logformat-strftime is set. Empty
	// means the format of %(ltime).
	Date string
	// Own names variables that Record.Own has for sure; it may have others.
	Own []string
}

// Format is a compiled log-format: a list of pieces of text and variables. It is immutable, so all
// loops may use it at once.
type Format struct {
	segments []segment
	unknown  []string
	secret   []string
	memory   int
}

// segment is a piece of text and the variable behind it: a number, another value, or none.
type segment struct {
	text   string
	number func(r *Record) int64
	value  value
}

// value appends the value of a variable to a line.
type value func(dst []byte, r *Record) []byte

const (
	ctimeLayout = "Mon Jan _2 15:04:05 2006"
	logTime     = "%d/%b/%Y:%H:%M:%S %z" // of %(ltime)
)

// Default returns the line that uWSGI writes without log-format.
func Default(o Options) *Format {
	var line strings.Builder
	if o.Memory > 0 {
		line.WriteString("{address space usage: %(vsz) bytes/%(vszM)MB} {rss usage: %(rss) bytes/%(rssM)MB} ")
	}
	if o.Memory == 2 {
		line.WriteString("{uss usage: %( uss) bytes/%( ussM)MB} {pss usage: %( pss) bytes/%( pssM)MB} ")
	}
	line.WriteString("[pid: %(pid)|app: %( app)|req: %( appreq)/%( req)] %(addr) (%( user)) {%(vars) vars in %(pktsize) bytes} " +
		"[%(ctime)] %(method) %(uri) => generated %(rsize) bytes in ")
	if o.Micros {
		line.WriteString("%(micros) micros")
	} else {
		line.WriteString("%(msecs) msecs")
	}
	line.WriteString("%( via)(%(proto) %(status)) %(headers) headers in %(hsize) bytes (%(switches) switches on core %(core))%( broken)")
	return Compile(line.String(), o)
}

// Compile compiles the value of log-format: text with variables written %(name). As in uWSGI every
// text is a format. An unknown variable is written as "-", like one without a value, and "%("
// without its ")" is text.
func Compile(format string, o Options) *Format {
	f := &Format{}
	for format != "" {
		text, rest, found := strings.Cut(format, "%(")
		name, after, closed := strings.Cut(rest, ")")
		if found && !closed {
			text, after, found = format, "", false
		}
		one := segment{text: text}
		if found {
			if one.number = numbers[name]; one.number == nil {
				one.value = f.variable(name, o)
			}
			f.remember(name)
		}
		f.segments = append(f.segments, one)
		format = after
	}
	return f
}

// Unknown returns the names in the format that are no variable, for a warning at the start: uWSGI
// takes them for variables that the app sets, which uwsgo does not have.
func (f *Format) Unknown() []string { return slices.Clone(f.unknown) }

// Secret returns the variables that are written as "-" because they hold passwords.
func (f *Format) Secret() []string { return slices.Clone(f.secret) }

// Memory reports whether lines have the worker's memory: 1, or 2 with its private memory.
func (f *Format) Memory() int { return f.memory }

// Append adds the line of r to dst, with its newline. It allocates only where dst has to grow.
func (f *Format) Append(dst []byte, r *Record) []byte {
	for i := range f.segments {
		s := &f.segments[i]
		dst = append(dst, s.text...)
		switch {
		case s.number != nil:
			dst = strconv.AppendInt(dst, s.number(r), 10)
		case s.value != nil:
			dst = s.value(dst, r)
		}
	}
	return append(dst, '\n')
}

// numbers are the variables that hold a number of the record.
var numbers = map[string]func(r *Record) int64{
	"status": func(r *Record) int64 { return int64(r.Status) },
	"rsize":  func(r *Record) int64 { return r.BodySize },
	"hsize":  func(r *Record) int64 { return r.HeadSize },
	"size":   func(r *Record) int64 { return r.BodySize + r.HeadSize },
	"cl":     func(r *Record) int64 { return r.ContentLength },
	"micros": func(r *Record) int64 { return r.Duration },
	"msecs":  func(r *Record) int64 { return r.Duration / 1e3 },
	// uwsgo only.
	"queue_micros": func(r *Record) int64 { return r.Waited },
	"queue_msecs":  func(r *Record) int64 { return r.Waited / 1e3 },

	"time":      func(r *Record) int64 { return r.Start / 1e6 },
	"tmsecs":    func(r *Record) int64 { return r.Start / 1e3 },
	"tmicros":   func(r *Record) int64 { return r.Start },
	"epoch":     func(r *Record) int64 { return (r.Start + r.Duration) / 1e6 },
	"pid":       func(r *Record) int64 { return int64(r.PID) },
	"wid":       func(r *Record) int64 { return int64(r.Worker) },
	"core":      func(r *Record) int64 { return int64(r.Core) },
	"switches":  func(r *Record) int64 { return int64(r.Switches) },
	"vars":      func(r *Record) int64 { return int64(r.Vars) },
	"pktsize":   func(r *Record) int64 { return int64(r.PacketSize) },
	"headers":   func(r *Record) int64 { return int64(r.Headers) },
	"modifier1": func(r *Record) int64 { return int64(r.Modifier1) },
	"modifier2": func(r *Record) int64 { return int64(r.Modifier2) },
	"werr":      func(r *Record) int64 { return int64(r.WriteErrors) },
	"rerr":      func(r *Record) int64 { return int64(r.ReadErrors) },
	"ioerr":     func(r *Record) int64 { return int64(r.ReadErrors + r.WriteErrors) },
	"vsz":       func(r *Record) int64 { return r.VSZ },
	"vszM":      func(r *Record) int64 { return r.VSZ >> 20 },
	"rss":       func(r *Record) int64 { return r.RSS },
	"rssM":      func(r *Record) int64 { return r.RSS >> 20 },

	" uss":  func(r *Record) int64 { return r.USS },
	" ussM": func(r *Record) int64 { return r.USS >> 20 },
	" pss":  func(r *Record) int64 { return r.PSS },
	" pssM": func(r *Record) int64 { return r.PSS >> 20 },

	// Only the default line uses these names, which nobody writes by accident.
	" app":    func(r *Record) int64 { return int64(r.App) },
	" appreq": func(r *Record) int64 { return r.AppRequests },
	" req":    func(r *Record) int64 { return r.Requests },
}

// texts are the variables that are a text from the client.
var texts = map[string]func(r *Record) []byte{
	"uri":     func(r *Record) []byte { return r.URI },
	"method":  func(r *Record) []byte { return r.Method },
	"user":    func(r *Record) []byte { return r.User },
	"addr":    func(r *Record) []byte { return r.Addr },
	"host":    func(r *Record) []byte { return r.Host },
	"proto":   func(r *Record) []byte { return r.Proto },
	"uagent":  func(r *Record) []byte { return r.lookup("HTTP_USER_AGENT") },
	"referer": func(r *Record) []byte { return r.lookup("HTTP_REFERER") },

	// A plugin of uWSGI's escapes these; here every text is escaped.
	"json_uri":  func(r *Record) []byte { return r.URI },
	"json_host": func(r *Record) []byte { return r.Host },
}

// secrets are the variables that hold passwords, which no log gets.
var secrets = []string{"HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"}

func (r *Record) lookup(name string) []byte {
	if r.Var == nil {
		return nil
	}
	return r.Var(name)
}

// remember notes that lines have the worker's memory.
func (f *Format) remember(name string) {
	switch strings.TrimSuffix(name, "M") {
	case "rss", "vsz":
		f.memory = max(f.memory, 1)
	case " uss", " pss":
		f.memory = 2
	}
}

// variable returns the value of a %(name) that is no number.
func (f *Format) variable(name string, o Options) value {
	if value, ok := texts[name]; ok {
		return func(dst []byte, r *Record) []byte { return appendText(dst, value(r)) }
	}
	if value, ok := texts[strings.TrimPrefix(name, " ")]; ok { // empty stays empty: the default line has () for nobody
		return func(dst []byte, r *Record) []byte { return appendEscaped(dst, value(r)) }
	}
	if name, ok := strings.CutPrefix(name, "var."); ok {
		if slices.Contains(secrets, name) {
			f.secret = append(f.secret, name)
			return func(dst []byte, _ *Record) []byte { return append(dst, '-') }
		}
		return func(dst []byte, r *Record) []byte { return appendText(dst, r.lookup(name)) }
	}
	switch name {
	case "ctime":
		return f.date(CTime)
	case "ftime":
		if o.Date != "" {
			return f.date(o.Date)
		}
		fallthrough
	case "ltime":
		return f.date(logTime)
	case "secs":
		return appendSeconds
	case " iso":
		return appendISO(CompileDate("%Y-%m-%dT%H:%M:%S"), CompileDate("%z"))
	case " via":
		return appendVia
	case "broken": // uwsgo only
		return func(dst []byte, r *Record) []byte { return appendText(dst, []byte(r.Broken)) }
	case " why":
		return func(dst []byte, r *Record) []byte { return append(dst, r.Broken...) }
	case " broken":
		return appendBroken
	}
	if !slices.Contains(o.Own, name) {
		f.unknown = append(f.unknown, name)
	}
	return func(dst []byte, r *Record) []byte {
		if r.Own == nil {
			return append(dst, '-')
		}
		return appendText(dst, r.Own(name))
	}
}

// date returns the value of a date of the request.
func (f *Format) date(format string) value {
	date := CompileDate(format)
	return func(dst []byte, r *Record) []byte { return appendDate(dst, &date, r) }
}

// appendISO returns a time with microseconds in the form of RFC 3339.
func appendISO(day, zone Date) value {
	return func(dst []byte, r *Record) []byte {
		dst = appendDate(dst, &day, r)
		start := len(dst)
		dst = strconv.AppendInt(dst, 1e6+r.Start%1e6, 10)
		dst[start] = '.'
		dst = appendDate(dst, &zone, r)
		return append(dst[:len(dst)-2], ':', dst[len(dst)-2], dst[len(dst)-1])
	}
}

// appendText adds a text of the client, "-" for an empty one.
func appendText(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, '-')
	}
	return appendEscaped(dst, value)
}

// appendSeconds adds the duration in seconds, with six decimals as uWSGI has.
func appendSeconds(dst []byte, r *Record) []byte {
	dst = strconv.AppendInt(dst, r.Duration/1e6, 10)
	start := len(dst)
	dst = strconv.AppendInt(dst, 1e6+r.Duration%1e6, 10) // the leading 1 keeps the zeros
	dst[start] = '.'
	return dst
}

// appendVia adds what is between the time and the status of the default line: a blank, or how the
// response was made.
func appendVia(dst []byte, r *Record) []byte {
	if r.Via != "" {
		dst = append(append(dst, " via "...), r.Via...)
		dst = append(dst, "()"...)
	}
	return append(dst, ' ')
}

// appendBroken adds, at the end of the default line, why an answer is not whole. The line of a
// whole answer is uWSGI's.
func appendBroken(dst []byte, r *Record) []byte {
	if r.Broken == "" {
		return dst
	}
	return append(append(dst, " broken off: "...), r.Broken...)
}

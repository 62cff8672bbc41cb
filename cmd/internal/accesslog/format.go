package accesslog

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options change what a [Format] writes. The zero value is uWSGI's default.
type Options struct {
	Micros bool // log-micros: the default line tells microseconds
	Memory bool // memory-report: the default line begins with the worker's memory
	// Date is the strftime format of %(ftime): log-date's where logformat-strftime
	// is set. Empty means the format of %(ltime).
	Date string
}

// Format is a compiled log-format: a list of segments, each a piece of text or
// a variable. It is immutable and may be used by all loops at once.
type Format struct {
	segments []segment
	unknown  []string
	memory   bool
}

// segment appends its text or its variable's value to a line.
type segment func(dst []byte, r *Record) []byte

const (
	ctimeLayout = "Mon Jan _2 15:04:05 2006"
	ltimeLayout = "02/Jan/2006:15:04:05 -0700"
)

// Default returns the line that uWSGI writes without log-format.
func Default(o Options) *Format {
	var line strings.Builder
	if o.Memory {
		line.WriteString("{address space usage: %(vsz) bytes/%(vszM)MB} {rss usage: %(rss) bytes/%(rssM)MB} ")
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

// Compile compiles the value of log-format, text with variables written
// %(name). As in uWSGI every text is a format: a variable that is not known is
// written as "-", like one that has no value, and "%(" without its ")" is text.
func Compile(format string, o Options) *Format {
	f := &Format{}
	for format != "" {
		text, rest, found := strings.Cut(format, "%(")
		name, after, closed := strings.Cut(rest, ")")
		if found && !closed {
			text, after, found = format, "", false
		}
		if text != "" {
			f.segments = append(f.segments, func(dst []byte, _ *Record) []byte { return append(dst, text...) })
		}
		if found {
			f.segments = append(f.segments, f.variable(name, o))
		}
		format = after
	}
	return f
}

// Unknown returns the names in the format that are no variable, for a warning at
// the start: uWSGI takes them for variables that the app sets, which uwsgo does
// not have.
func (f *Format) Unknown() []string { return slices.Clone(f.unknown) }

// Memory reports whether lines tell the worker's memory.
func (f *Format) Memory() bool { return f.memory }

// Append adds the line of r, with the newline at its end, to dst. It allocates
// only where dst has to grow.
func (f *Format) Append(dst []byte, r *Record) []byte {
	for _, s := range f.segments {
		dst = s(dst, r)
	}
	return append(dst, '\n')
}

// numbers are the variables that are a number of the record.
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

	// Of the default line only; nobody can write these names by accident.
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
}

func (r *Record) lookup(name string) []byte {
	if r.Var == nil {
		return nil
	}
	return r.Var(name)
}

// variable returns the segment of one %(name).
func (f *Format) variable(name string, o Options) segment {
	if value, ok := numbers[name]; ok {
		f.memory = f.memory || strings.HasPrefix(name, "rss") || strings.HasPrefix(name, "vsz")
		return func(dst []byte, r *Record) []byte { return strconv.AppendInt(dst, value(r), 10) }
	}
	if value, ok := texts[name]; ok {
		return func(dst []byte, r *Record) []byte { return appendText(dst, value(r)) }
	}
	if name, ok := strings.CutPrefix(name, "var."); ok {
		return func(dst []byte, r *Record) []byte { return appendText(dst, r.lookup(name)) }
	}
	switch name {
	case "ctime":
		return func(dst []byte, r *Record) []byte { return time.UnixMicro(r.Start).AppendFormat(dst, ctimeLayout) }
	case "ftime":
		if o.Date != "" {
			date := compileDate(o.Date)
			return func(dst []byte, r *Record) []byte { return date.append(dst, time.UnixMicro(r.Start)) }
		}
		fallthrough
	case "ltime":
		return func(dst []byte, r *Record) []byte { return time.UnixMicro(r.Start).AppendFormat(dst, ltimeLayout) }
	case "secs":
		return appendSeconds
	case " user": // the default line has () for nobody
		return func(dst []byte, r *Record) []byte { return appendEscaped(dst, r.User) }
	case " via":
		return appendVia
	case "broken": // uwsgo only
		return func(dst []byte, r *Record) []byte { return appendText(dst, []byte(r.Broken)) }
	case " broken":
		return appendBroken
	}
	f.unknown = append(f.unknown, name)
	return func(dst []byte, _ *Record) []byte { return append(dst, '-') }
}

// appendText adds a text from the client, "-" where it is empty.
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

// appendVia adds what stands between the time and the status of the default
// line: a blank, or how the response was made.
func appendVia(dst []byte, r *Record) []byte {
	if r.Via != "" {
		dst = append(append(dst, " via "...), r.Via...)
		dst = append(dst, "()"...)
	}
	return append(dst, ' ')
}

// appendBroken adds, at the end of the default line, why an answer is not whole. Those
// that are whole have the line that they have in uWSGI.
func appendBroken(dst []byte, r *Record) []byte {
	if r.Broken == "" {
		return dst
	}
	return append(append(dst, " broken off: "...), r.Broken...)
}

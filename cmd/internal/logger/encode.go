package logger

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/accesslog"
)

// Encoder is one value of log-encoder or log-req-encoder. It changes each message before a logger
// gets it.
type Encoder struct {
	For    string // the logger's name; empty for all
	encode func(dst, message []byte, now time.Time) []byte
}

// encoders maps names to what makes the function of an argument.
var encoders = map[string]func(arg string) func(dst, message []byte, now time.Time) []byte{
	"prefix": func(arg string) func([]byte, []byte, time.Time) []byte {
		return func(dst, message []byte, _ time.Time) []byte { return append(append(dst, arg...), message...) }
	},
	"suffix": func(arg string) func([]byte, []byte, time.Time) []byte {
		return func(dst, message []byte, _ time.Time) []byte { return append(append(dst, message...), arg...) }
	},
	"nl": func(string) func([]byte, []byte, time.Time) []byte {
		return func(dst, message []byte, _ time.Time) []byte { return append(append(dst, message...), '\n') }
	},
	"format": func(arg string) func([]byte, []byte, time.Time) []byte {
		return template(arg, func(dst, text []byte) []byte { return append(dst, text...) })
	},
	"json": func(arg string) func([]byte, []byte, time.Time) []byte { return template(arg, accesslog.AppendJSON) },
	"gzip": func(string) func([]byte, []byte, time.Time) []byte {
		return compressor(gzip.NewWriter(nil))
	},
	"compress": func(string) func([]byte, []byte, time.Time) []byte {
		return compressor(zlib.NewWriter(nil))
	},
}

// ParseEncoder reads "encoder argument", or "encoder:name argument" for one logger.
func ParseEncoder(value string) (Encoder, error) {
	name, arg, _ := strings.Cut(value, " ")
	name, named, _ := strings.Cut(name, ":")
	build, ok := encoders[name]
	if !ok {
		var names []string
		for name := range encoders {
			names = append(names, name)
		}
		slices.Sort(names)
		return Encoder{}, fmt.Errorf("%q is no log encoder: there are %s", name, strings.Join(names, ", "))
	}
	return Encoder{For: named, encode: build(arg)}, nil
}

// template compiles text with the variables ${msg}, ${msgnl}, ${unix}, ${millis}, ${micros} and
// ${strftime:format}. Others are empty, as in uWSGI. escape adds a variable's value.
func template(text string, escape func(dst, text []byte) []byte) func([]byte, []byte, time.Time) []byte {
	type part func(dst, message []byte, now time.Time) []byte
	var parts []part
	number := func(value func(time.Time) int64) part {
		return func(dst, _ []byte, now time.Time) []byte { return strconv.AppendInt(dst, value(now), 10) }
	}
	for text != "" {
		plain, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if found && !closed {
			plain, after, found = text, "", false
		}
		if plain != "" {
			parts = append(parts, func(dst, _ []byte, _ time.Time) []byte { return append(dst, plain...) })
		}
		format, dated := strings.CutPrefix(name, "strftime:")
		switch {
		case !found:
		case name == "msg":
			parts = append(parts, func(dst, message []byte, _ time.Time) []byte {
				return escape(dst, bytes.TrimSuffix(message, []byte("\n")))
			})
		case name == "msgnl":
			parts = append(parts, func(dst, message []byte, _ time.Time) []byte { return escape(dst, message) })
		case name == "unix":
			parts = append(parts, number(time.Time.Unix))
		case name == "millis":
			parts = append(parts, number(time.Time.UnixMilli))
		case name == "micros":
			parts = append(parts, number(time.Time.UnixMicro))
		case dated:
			date := accesslog.CompileDate(format)
			parts = append(parts, func(dst, _ []byte, now time.Time) []byte { return escape(dst, date.Append(nil, now)) })
		}
		text = after
	}
	return func(dst, message []byte, now time.Time) []byte {
		for _, p := range parts {
			dst = p(dst, message, now)
		}
		return dst
	}
}

// compressor returns an encoder that makes a stream of its own of each message, as uWSGI does.
// Readers of several, such as zcat, put them together.
func compressor(w interface {
	io.WriteCloser
	Reset(io.Writer)
},
) func([]byte, []byte, time.Time) []byte {
	var out bytes.Buffer
	return func(dst, message []byte, _ time.Time) []byte {
		out.Reset()
		w.Reset(&out)
		_, _ = w.Write(message) // into memory
		_ = w.Close()
		return append(dst, out.Bytes()...)
	}
}

package accesslog

import (
	"strconv"
	"time"
)

// CTime is the strftime format of a bare log-date: "Sun Sep 21 16:40:17 2025".
const CTime = "%a %b %e %H:%M:%S %Y"

// Date is a compiled strftime format: pieces of text and Go time layouts.
type Date []datePiece

type datePiece struct {
	text   string
	layout string // "" for a text or the Unix time
	epoch  bool
}

// layouts maps the conversions of strftime(3) in the C locale to Go layouts.
var layouts = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': ctimeLayout, 'd': "02", 'D': "01/02/06", 'e': "_2",
	'F': "2006-01-02", 'h': "Jan", 'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04", 'p': "PM", 'r': "03:04:05 PM",
	'R': "15:04", 'S': "05", 'T': "15:04:05", 'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST",
}

// CompileDate compiles a strftime format. Unknown conversions stay as they are, as in the C
// library.
func CompileDate(format string) Date {
	var d Date
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			d = append(d, datePiece{text: format[i : i+1]})
			continue
		}
		i++
		switch c := format[i]; {
		case layouts[c] != "":
			d = append(d, datePiece{layout: layouts[c]})
		case c == 's':
			d = append(d, datePiece{epoch: true})
		case c == '%':
			d = append(d, datePiece{text: "%"})
		default:
			d = append(d, datePiece{text: format[i-1 : i+1]})
		}
	}
	return d
}

// Append adds the time to dst.
func (d Date) Append(dst []byte, t time.Time) []byte {
	for _, piece := range d {
		switch {
		case piece.epoch:
			dst = strconv.AppendInt(dst, t.Unix(), 10)
		case piece.layout != "":
			dst = t.AppendFormat(dst, piece.layout)
		default:
			dst = append(dst, piece.text...)
		}
	}
	return dst
}

// seconds remembers the text of a date for one second: no format is finer, and a busy loop writes
// many lines in a second.
type seconds struct {
	date *Date
	at   int64
	text []byte
}

// appendDate adds the date of the request's start.
func appendDate(dst []byte, d *Date, r *Record) []byte {
	at := r.Start / 1e6
	for i := range r.dates {
		if s := &r.dates[i]; s.date == d {
			if s.at != at {
				s.at, s.text = at, d.Append(s.text[:0], time.Unix(at, 0))
			}
			return append(dst, s.text...)
		}
	}
	if len(r.dates) >= mostDates {
		return d.Append(dst, time.Unix(at, 0))
	}
	r.dates = append(r.dates, seconds{d, at, d.Append(nil, time.Unix(at, 0))})
	return append(dst, r.dates[len(r.dates)-1].text...)
}

// mostDates bounds the dates that a Record remembers. A format has one or two.
const mostDates = 4

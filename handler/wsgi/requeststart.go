package wsgi

import "time"

// mostWaited bounds what X-Request-Start is believed to say: a clock that is wrong by
// more than an hour says nothing.
const mostWaited = time.Hour

// waited returns how long ago the front server had the request, by the value of
// X-Request-Start: Unix time, perhaps behind "t=", in seconds (nginx: "t=${msec}"),
// milliseconds (Heroku), microseconds (Apache, New Relic) or nanoseconds, by the number
// of its digits. It is 0 where the value says nothing, or names a time to come. Any
// client may send the header, so nothing but what is told of a request depends on it.
func waited(value []byte, now func() time.Time) time.Duration {
	if len(value) == 0 {
		return 0
	}
	at, ok := requestStart(value)
	if !ok {
		return 0
	}
	if d := now().Sub(time.Unix(0, at)); d > 0 && d <= mostWaited {
		return d
	}
	return 0
}

// requestStart returns a time in nanoseconds of Unix time.
func requestStart(v []byte) (nanoseconds int64, ok bool) {
	if len(v) > 1 && v[0] == 't' && v[1] == '=' {
		v = v[2:]
	}
	whole, n := digits(v)
	var unit int64
	switch {
	case n < 9 || n > 19:
		return 0, false
	case n <= 11: // until the year 5138
		unit = 1e9
	case n <= 14:
		unit = 1e6
	case n <= 17:
		unit = 1e3
	default:
		unit = 1
	}
	if whole < 0 || whole > (1<<63-1)/unit-1 { // 19 digits may be too many
		return 0, false
	}
	at := whole * unit
	v = v[n:]
	if len(v) > 0 && v[0] == '.' {
		part, n := digits(v[1:min(len(v), 10)])
		v = v[1+n:]
		for ; n > 0; n-- {
			unit /= 10
		}
		at += part * unit
		for len(v) > 0 && v[0] >= '0' && v[0] <= '9' {
			v = v[1:]
		}
	}
	return at, len(v) == 0
}

// digits reads the number that b begins with, of at most 19 digits, and returns how
// many it has.
func digits(b []byte) (number int64, n int) {
	for n < len(b) && n < 19 && b[n] >= '0' && b[n] <= '9' {
		number = number*10 + int64(b[n]-'0')
		n++
	}
	return number, n
}

package wsgi

import "time"

// mostWaited bounds X-Request-Start: beyond an hour a clock is wrong.
const mostWaited = time.Hour

// waited returns how long ago the front server got the request, from X-Request-Start. The value
// is Unix time, perhaps after "t=", in seconds (nginx: "t=${msec}"), milliseconds (Heroku),
// microseconds (Apache, New Relic) or nanoseconds; the number of digits tells. It is 0 for a
// malformed value or a future time. Any client may send the header, so only reports about the
// request depend on it.
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

// requestStart converts the value to Unix time in nanoseconds.
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

// digits reads a number of at most 19 digits at the start of b, and returns how many digits it
// has.
func digits(b []byte) (number int64, n int) {
	for n < len(b) && n < 19 && b[n] >= '0' && b[n] <= '9' {
		number = number*10 + int64(b[n]-'0')
		n++
	}
	return number, n
}

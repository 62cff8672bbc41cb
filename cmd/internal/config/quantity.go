package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// units are the units of one kind of number.
type units struct {
	factors map[string]factor
	example string // an example for messages
	several bool   // 1h30m
	exact   string // one unit for messages: the number's own
}

// factor is a ratio: a unit is times/per of the option's own.
type factor struct{ times, per int64 }

// The kinds of number. The case of a unit of one letter counts, because M is a minute to some and a
// million to others. Longer units may have any case.
var (
	counts = &units{example: "1000, 10k or 1M", factors: map[string]factor{
		"k": {1000, 1}, "K": {1000, 1}, "m": {1e6, 1}, "M": {1e6, 1}, "g": {1e9, 1}, "G": {1e9, 1},
	}}
	sizes     = &units{example: "65536, 64k or 1MiB", factors: bytesIn(1)}
	mebibytes = &units{example: "512, 512M or 2GiB", exact: "MiB", factors: bytesIn(1 << 20)}
	times     = &units{example: "90, 5m or 1h30m", exact: "seconds", several: true, factors: map[string]factor{
		"s": {1, 1}, "sec": {1, 1}, "secs": {1, 1}, "second": {1, 1}, "seconds": {1, 1},
		"ms": {1, 1000}, "msec": {1, 1000}, "msecs": {1, 1000}, "millisecond": {1, 1000}, "milliseconds": {1, 1000},
		"m": {60, 1}, "min": {60, 1}, "mins": {60, 1}, "minute": {60, 1}, "minutes": {60, 1},
		"h": {3600, 1}, "hr": {3600, 1}, "hrs": {3600, 1}, "hour": {3600, 1}, "hours": {3600, 1},
		"d": {86400, 1}, "day": {86400, 1}, "days": {86400, 1},
		"w": {604800, 1}, "week": {604800, 1}, "weeks": {604800, 1},
	}}
	percents = &units{example: "50", factors: map[string]factor{"%": {1, 1}}}
)

// bytesIn returns the units of sizes for an option that counts in so many bytes. A thousand is
// 1024, as in reload-on-rss and in nginx.
func bytesIn(base int64) map[string]factor {
	factors := map[string]factor{"b": {1, base}, "B": {1, base}, "byte": {1, base}, "bytes": {1, base}}
	for i, letter := range "kmgt" {
		f := factor{1 << (10 * (i + 1)), base}
		for _, name := range []string{string(letter), strings.ToUpper(string(letter)), string(letter) + "b", string(letter) + "ib"} {
			factors[name] = f
		}
	}
	return factors
}

// find returns the unit of that name.
func (u *units) find(name string) (factor, bool) {
	if u == nil {
		return factor{}, false
	}
	f, ok := u.factors[name]
	if !ok && len(name) > 1 {
		f, ok = u.factors[strings.ToLower(name)]
	}
	return f, ok
}

// quantity reads a number of at most limit, with or without a unit. uWSGI takes the digits at the
// start and drops the rest: there 5m is 5, and a value without digits is 0. Here the rest is a
// unit, a comment, or an error: "4 ; workers" is 4.
func quantity(e ini.Entry, u *units, limit int64) (int64, error) {
	if !e.HasValue {
		return 1, nil
	}
	refuse := func(format string, args ...any) (int64, error) {
		return 0, e.Origin.Errorf(e.Key, "%q "+format, append([]any{e.Value}, args...)...)
	}
	such := "1000"
	if u != nil {
		such = u.example
	}
	rest := strings.TrimLeft(e.Value, blanks)
	n, ok := ini.LeadingInt(rest)
	switch {
	case !ok && strings.TrimSpace(e.Value) == "":
		return 0, e.Origin.Errorf(e.Key, "it needs a number: %s = 1", e.Key)
	case !ok && strings.HasPrefix(e.Value, "$("):
		return refuse("is not a number: the environment has no such variable")
	case !ok:
		if digits := spelt(e.Value); digits != "" {
			return refuse("is not a number such as %s: write %s = %s", such, e.Key, digits)
		}
		return refuse("is not a number such as %s", such)
	case n < 0:
		return refuse("is negative")
	}
	total, first := int64(0), true
	var before factor
	for {
		f, name := factor{1, 1}, ""
		rest = strings.TrimLeft(strings.TrimLeft(rest, "+-"), "0123456789")
		apart := strings.TrimLeft(rest, blanks)
		if comment(rest, apart) {
			if !first { // 1h30
				return refuse("ends without a unit: write it like %s", such)
			}
			rest = ""
		} else {
			name = apart[:len(apart)-len(strings.TrimLeftFunc(apart, letter))]
			if f, ok = u.find(name); !ok {
				return refuse("is not a whole number such as %s", such)
			}
			rest = apart[len(name):]
		}
		switch {
		case !first && f.times*before.per >= before.times*f.per:
			return refuse("has the unit %s after one that is no larger: write it like %s", name, such)
		case n > (1<<63-1)/f.times:
			return 0, tooLarge(e, n, limit)
		case n*f.times%f.per != 0:
			return refuse("is not a whole number of %s: write it like %s", u.exact, such)
		}
		part := n * f.times / f.per
		if part > limit || total > limit-part {
			return 0, tooLarge(e, max(part, total), limit)
		}
		total += part
		apart = strings.TrimLeft(rest, blanks)
		if comment(rest, apart) {
			break
		}
		if n, ok = ini.LeadingInt(rest); !ok || n < 0 || !u.several {
			return refuse("is not a whole number such as %s", such)
		}
		rest, first, before = apart, false, f
	}
	return total, nil
}

// spelt returns the digits of a number written as a word; empty for anything else.
func spelt(value string) string {
	words := strings.Fields("zero one two three four five six seven eight nine ten eleven twelve")
	word, rest, _ := strings.Cut(strings.ToLower(strings.TrimSpace(value)), " ")
	if i := slices.Index(words, word); i >= 0 {
		return strings.TrimSpace(strconv.Itoa(i) + " " + rest)
	}
	return ""
}

func tooLarge(e ini.Entry, n, limit int64) error {
	return e.Origin.Errorf(e.Key, "%d is too large: at most %d", n, limit)
}

const blanks = " \t\n\v\f\r"

// comment reports whether the rest is only a comment; apart is rest without leading blanks. uWSGI
// takes any text for a comment. Here it has to begin as one: a word is a unit or a mistake, and so
// is text that goes on with the number.
func comment(rest, apart string) bool {
	switch {
	case apart == "" || apart[0] == ';' || apart[0] == '#' || strings.HasPrefix(apart, "//") || strings.HasPrefix(apart, "/*"):
		return true
	case len(apart) == len(rest):
		return false
	}
	return apart[0] == '(' || apart[0] == '[' || strings.HasPrefix(apart, "- ") || strings.HasPrefix(apart, "--") || strings.HasPrefix(apart, "<!--")
}

func letter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '%' || r >= 0x80
}

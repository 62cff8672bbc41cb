package config

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
)

// number reads a count of at most limit. Like uWSGI it takes the leading digits
// and leaves the rest, so that "4 ; workers" is 4; what has no digits, which
// uWSGI takes for 0, is an error, and so is a number that goes on in another way.
func number(e ini.Entry, limit int64) (int64, error) {
	if !e.HasValue {
		return 1, nil
	}
	n, ok := ini.LeadingInt(e.Value)
	switch {
	case !ok && e.Value == "":
		return 0, e.Origin.Errorf(e.Key, "it needs a number: %s = 1", e.Key)
	case !ok && strings.HasPrefix(e.Value, "$("):
		return 0, e.Origin.Errorf(e.Key, "%q is not a number: the environment has no such variable", e.Value)
	case !ok:
		return 0, e.Origin.Errorf(e.Key, "%q is not a number", e.Value)
	case goesOn(e.Value):
		return 0, e.Origin.Errorf(e.Key, "%q is not a whole number in digits alone, such as 1000", e.Value)
	case n < 0:
		return 0, e.Origin.Errorf(e.Key, "%q is negative", e.Value)
	case n > limit:
		return 0, e.Origin.Errorf(e.Key, "%d is too large: at most %d", n, limit)
	}
	return n, nil
}

// goesOn reports whether the number at the start of s is written with a fraction, an
// exponent, separators or in hexadecimal: its first digits alone are not what is meant,
// such as 1 for 1e30, or 0, which often stands for no limit, for 0.5.
func goesOn(s string) bool {
	s = strings.TrimLeft(strings.TrimLeft(strings.TrimSpace(s), "+-"), "0123456789")
	if len(s) < 2 || !strings.Contains(".,_'eExX", s[:1]) {
		return false
	}
	rest := s[1:]
	if s[0] == 'e' || s[0] == 'E' {
		rest = strings.TrimLeft(rest, "+-")
	}
	return rest != "" && '0' <= rest[0] && rest[0] <= '9'
}

// numberOrTrue reads a number for which people write true, and nothing, for 1
// and false for 0.
func numberOrTrue(e ini.Entry, limit int64) (int64, error) {
	word, _, _ := strings.Cut(strings.TrimSpace(e.Value), " ")
	switch strings.ToLower(word) {
	case "", "true", "on", "yes":
		return 1, nil
	case "false", "off", "no":
		return 0, nil
	}
	return number(e, limit)
}

// maxSeconds is the longest time that an option can ask for: some 30 years.
const maxSeconds = 1_000_000_000

// maxBytes is the largest size: what a 64-bit process can address takes less.
const maxBytes = 1 << 50

// maxRequests is more than a worker answers in a lifetime.
const maxRequests = 1_000_000_000_000

// maxSignal is the largest number of a signal.
const maxSignal = 64

// seconds reads a time.
func seconds(e ini.Entry) (time.Duration, error) {
	n, err := number(e, maxSeconds)
	return time.Duration(n) * time.Second, err
}

// fraction reads a time in seconds that may have a fraction. Like number it leaves
// what follows.
func fraction(e ini.Entry) (time.Duration, error) {
	word, _, _ := strings.Cut(strings.TrimSpace(e.Value), " ")
	if whole, part, found := strings.Cut(word, "."); found {
		f, err := strconv.ParseFloat("0."+part, 64)
		if err != nil || strings.Trim(whole+part, "0123456789") != "" {
			return 0, e.Origin.Errorf(e.Key, "%q is not a number of seconds such as 2 or 0.5", e.Value)
		}
		n, _ := ini.LeadingInt("0" + whole)
		if n > maxSeconds {
			return 0, e.Origin.Errorf(e.Key, "%d is too large: at most %d", n, int64(maxSeconds))
		}
		return time.Duration(n)*time.Second + time.Duration(f*float64(time.Second)), nil
	}
	if goesOn(word) {
		return 0, e.Origin.Errorf(e.Key, "%q is not a number of seconds such as 2 or 0.5", e.Value)
	}
	return seconds(e)
}

// size reads a number of bytes.
func size(e ini.Entry) (int64, error) { return number(e, maxBytes) }

// megabytes reads a size that is given in MiB, and returns bytes.
func megabytes(e ini.Entry) (int64, error) {
	n, err := number(e, maxBytes>>20)
	return n << 20, err
}

// truth reads a flag and warns where uWSGI's rule surprises: a comment behind
// false makes it true.
func truth(list *ini.List, e ini.Entry) bool {
	on := !e.HasValue || ini.Bool(e.Value)
	if words := strings.Fields(e.Value); on && len(words) > 1 && !ini.Bool(words[0]) {
		list.Warnf("%s: %q counts as true, as what follows %q belongs to the value: put it on a line of its own",
			e.Origin.Name(e.Key), e.Value, words[0])
	}
	return on
}

// owner reads USER, USER:GROUP or :GROUP.
func owner(e ini.Entry) (string, error) {
	user, group, ok := strings.Cut(e.Value, ":")
	if user == "" && group == "" || ok && group == "" || strings.Contains(group, ":") {
		return "", e.Origin.Errorf(e.Key, "%q is not of the form USER, USER:GROUP or :GROUP", e.Value)
	}
	return e.Value, nil
}

// mode reads chmod-socket.
func mode(e ini.Entry) (fs.FileMode, error) {
	if e.Value == "" || e.Value == "1" {
		return 0o666, nil
	}
	var m fs.FileMode
	for _, c := range []byte(e.Value) {
		if c < '0' || c > '7' || len(e.Value) != 3 {
			return 0, e.Origin.Errorf(e.Key, "%q is not three octal digits such as 660", e.Value)
		}
		m = m<<3 | fs.FileMode(c-'0')
	}
	return m, nil
}

// umask reads octal digits, as C's strtoul does with base 8.
func umask(e ini.Entry) (int, error) {
	digits := e.Value
	if f := strings.Fields(digits); len(f) > 0 {
		digits = f[0]
	}
	n, err := strconv.ParseUint(digits, 8, 16)
	if err != nil || n > 0o777 {
		return -1, e.Origin.Errorf(e.Key, "%q is not a mask of octal digits such as 027", e.Value)
	}
	return int(n), nil
}

// pair splits a value NAME=VALUE.
func pair(e ini.Entry, form string) (name, value string, err error) {
	name, value, ok := strings.Cut(e.Value, "=")
	if !ok || name == "" {
		return "", "", e.Origin.Errorf(e.Key, "%q is not of the form %s", e.Value, form)
	}
	return name, value, nil
}

// text reads a string that must say something.
func text(e ini.Entry, what string) (string, error) {
	if e.Value == "" {
		return "", fmt.Errorf("%s: it needs %s", e.Origin.Name(e.Key), what)
	}
	return e.Value, nil
}

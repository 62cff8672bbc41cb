package config

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uwsgo/uwsgo/cmd/internal/ini"
	"github.com/uwsgo/uwsgo/cmd/internal/nearest"
)

// number reads a count of at most limit, with or without a unit: 10k is 10,000.
func number(e ini.Entry, limit int64) (int64, error) { return quantity(e, counts, limit) }

// plain reads a number without a unit, such as that of a signal.
func plain(e ini.Entry, limit int64) (int64, error) { return quantity(e, nil, limit) }

// percent reads a percentage, with or without its sign.
func percent(e ini.Entry, limit int64) (int64, error) { return quantity(e, percents, limit) }

// numberOrTrue reads a number. true, or no value, is 1 and false is 0.
func numberOrTrue(e ini.Entry, u *units, limit int64) (int64, error) {
	word, _, _ := strings.Cut(strings.TrimSpace(e.Value), " ")
	switch strings.ToLower(word) {
	case "", "true", "on", "yes":
		return 1, nil
	case "false", "off", "no":
		return 0, nil
	}
	return quantity(e, u, limit)
}

// maxSeconds bounds times: some 30 years.
const maxSeconds = 1_000_000_000

// maxBytes bounds sizes: a 64-bit process can address less.
const maxBytes = 1 << 50

// seconds reads a time in whole seconds, or with units: 90, 5m, 1h30m.
func seconds(e ini.Entry) (time.Duration, error) {
	n, err := quantity(e, times, maxSeconds)
	return time.Duration(n) * time.Second, err
}

// secondsIn is seconds for a part of the value of e.
func secondsIn(e ini.Entry, part string) (time.Duration, error) {
	return seconds(ini.Entry{Key: e.Key, Value: strings.TrimSpace(part), HasValue: true, Origin: e.Origin})
}

// words splits a list by commas and blanks.
func words(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
}

// fraction reads a time in seconds, with a fraction or with units: 0.5, 500ms, 2m.
func fraction(e ini.Entry) (time.Duration, error) {
	word, _, _ := strings.Cut(strings.TrimSpace(e.Value), " ")
	digits, unit := word, time.Second
	if ms, found := strings.CutSuffix(word, "ms"); found {
		digits, unit = ms, time.Millisecond
	} else if s, found := strings.CutSuffix(word, "s"); found {
		digits = s
	}
	if whole, part, found := strings.Cut(digits, "."); found || unit != time.Second {
		f, err := strconv.ParseFloat("0."+part+"0", 64)
		if err != nil || strings.Trim(whole+part, "0123456789") != "" || whole+part == "" {
			return 0, e.Origin.Errorf(e.Key, "%q is not a number of seconds such as 2 or 0.5", e.Value)
		}
		n, _ := ini.LeadingInt("0" + whole)
		if n > maxSeconds {
			return 0, e.Origin.Errorf(e.Key, "%d is too large: at most %d", n, int64(maxSeconds))
		}
		return time.Duration(n)*unit + time.Duration(f*float64(unit)), nil
	}
	d, err := seconds(e)
	if err != nil && strings.ContainsAny(word, "eE_',") {
		err = e.Origin.Errorf(e.Key, "%q is not a number of seconds such as 2 or 0.5", e.Value)
	}
	return d, err
}

// size reads a size in bytes, or with a unit: 65536, 64k, 1MiB.
func size(e ini.Entry) (int64, error) { return quantity(e, sizes, maxBytes) }

// megabytes reads a size in MiB, or with a unit, and returns bytes.
func megabytes(e ini.Entry) (int64, error) {
	n, err := quantity(e, mebibytes, maxBytes>>20)
	return n << 20, err
}

// truth reads a flag. As in uWSGI, all is true but false, off, no and 0. truth refuses a word by
// which people mean no, and warns of others that mean nothing.
func truth(list *ini.List, e ini.Entry) (bool, error) {
	on := !e.HasValue || ini.Bool(e.Value)
	words := flagWords(e.Value)
	if !on || len(words) == 0 {
		return on, nil
	}
	switch first := words[0]; {
	case !ini.Bool(first):
		list.Warnf("%s: %q counts as true, as what follows %q belongs to the value: put it on a line of its own",
			e.Origin.Name(e.Key), e.Value, first)
	case meansYes(first):
	case strings.HasPrefix(first, "$("):
		list.Warnf("%s: %q counts as true, as in uWSGI: the environment has no such variable", e.Origin.Name(e.Key), e.Value)
	case meansNo(first):
		return false, e.Origin.Errorf(e.Key, "%q is neither true nor false: write %s = true, or false", e.Value, e.Key)
	default:
		list.Warnf("%s: %q counts as true, as in uWSGI: write %s = true, or false", e.Origin.Name(e.Key), e.Value, e.Key)
	}
	return on, nil
}

// isTruth reports whether value is a word for true or false.
func isTruth(value string) bool {
	words := flagWords(value)
	return len(words) == 0 || !ini.Bool(words[0]) || meansYes(words[0])
}

func flagWords(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t;#", r) })
}

func meansYes(word string) bool {
	switch strings.Trim(strings.ToLower(word), `"'`) {
	case "true", "yes", "on", "t", "y", "enable", "enabled":
		return true
	}
	return strings.Trim(word, "0123456789") == ""
}

// meansNo reports whether people may mean no by a word that uWSGI takes for true: a slip in false,
// a quoted false, another word for it, a negative number, or a placeholder that has no value.
func meansNo(word string) bool {
	word = strings.Trim(strings.ToLower(word), `"',.:!`)
	if !ini.Bool(word) || nearest.Within(word, "false", 2) || nearest.Within(word, "disabled", 2) {
		return true
	}
	return strings.HasPrefix(word, "-") || strings.HasPrefix(word, "%(") ||
		slices.Contains([]string{"n", "f", "of", "not", "none", "null", "nil", "never", "nope"}, word)
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

// trailing matches a TCP address with text behind it that uWSGI drops.
var trailing = regexp.MustCompile(`^((?:\[[^\]/]*\]|[^\[/:@]*):[0-9]+)[ \t;#].*$`)

// address returns the address that an option names, without a comment behind its port.
func address(value string) string { return trailing.ReplaceAllString(value, "$1") }

// pair splits a value NAME=VALUE.
func pair(e ini.Entry, form string) (name, value string, err error) {
	name, value, ok := strings.Cut(e.Value, "=")
	if !ok || name == "" {
		return "", "", e.Origin.Errorf(e.Key, "%q is not of the form %s", e.Value, form)
	}
	return name, value, nil
}

// text reads a string that must not be empty.
func text(e ini.Entry, what string) (string, error) {
	if e.Value == "" {
		return "", fmt.Errorf("%s: it needs %s", e.Origin.Name(e.Key), what)
	}
	return e.Value, nil
}

// oneOf refuses a value that is none of these words.
func oneOf(e ini.Entry, words []string) error {
	if slices.Contains(words, e.Value) {
		return nil
	}
	return e.Origin.Errorf(e.Key, "%q is none of %s", e.Value, strings.Join(words, ", "))
}

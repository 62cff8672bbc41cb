package report

import (
	"fmt"
	"math"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/uwsgo/uwsgo/bench/result"
)

// number prints a value for a reader: whole numbers in full, others with three figures, or four
// from 1000 on. No measurement is more exact.
func number(v float64) string {
	abs := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case abs >= 1e15: // no measurement, but it must not take a line
		return strconv.FormatFloat(v, 'g', 4, 64)
	case v == math.Trunc(v) && abs < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case abs >= 999.5:
		unit := math.Pow(10, max(math.Floor(math.Log10(abs))-3, 0))
		return thousands(math.Round(v/unit) * unit)
	}
	// Rounding first, so that 9.996 is 10.0 and not 10.00.
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(rounded))))
	return strconv.FormatFloat(rounded, 'f', min(max(decimals, 0), 6), 64)
}

// thousands prints a whole number with a comma before each three figures.
func thousands(v float64) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v < 0 {
		return "-" + s
	}
	return s
}

// count prints a number of things exactly.
func count(n int64) string { return thousands(float64(n)) }

// spread prints a median and, where there were several values, the least and
// the greatest: "13.5 (13.1–14.0)".
func spread(s result.Spread) string {
	switch {
	case s.N == 0:
		return "–"
	case s.Min == s.Max:
		return number(s.Median)
	}
	return number(s.Median) + " (" + number(s.Min) + "–" + number(s.Max) + ")"
}

// times prints a factor with as many figures as mean something.
func times(v float64) string {
	switch {
	case v <= 0 || math.IsInf(v, 1):
		return number(v) + "×"
	case v < 0.1: // two figures
		return strconv.FormatFloat(v, 'f', 1-int(math.Floor(math.Log10(v))), 64) + "×"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64) + "×"
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64) + "×"
	}
	return number(v) + "×"
}

// ratio prints a verdict: a factor with its interval and the leading side, "no difference", or
// "–".
func ratio(r result.Ratio) string {
	switch {
	case r.Verdict == result.Unknown && (turnedRound[r.Why] != "" || r.Why == "not the same rounds"):
		return r.String() + " (" + r.Why + ")"
	case r.Verdict == result.Unknown || r.Verdict == result.NoDifference:
		return r.String()
	case r.Value == 0:
		return r.Verdict.String()
	case math.IsInf(r.Value, 1):
		return r.Verdict.String() + " than 0"
	}
	return factor(r) + " " + r.Verdict.String()
}

// factor prints a ratio and its interval.
func factor(r result.Ratio) string {
	return times(r.Value) + " (" + strings.TrimSuffix(times(r.Low), "×") + "–" + strings.TrimSuffix(times(r.High), "×") + ")"
}

// heading names a metric with its unit: "CPU (µs/req)".
func heading(m result.Metric) string {
	if m.Unit == "" {
		return m.Title
	}
	return m.Title + " (" + m.Unit + ")"
}

// plural prints a number of things: "1 server", "3 servers".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(int64(n)) + " " + thing + "s"
}

// absolute matches the path of a file: two folders or more, so that "/static/x"
// in a server's configuration stays.
var absolute = regexp.MustCompile(`(^|[\s"'=:(,])(/[^\s"'/;,)]+){2,}/[^\s"'/;,)]*`)

// shorten cuts the paths in a text to their last part, since a published report
// says nothing about where things lay.
func shorten(s string) string {
	return absolute.ReplaceAllStringFunc(s, func(m string) string {
		slash := strings.IndexByte(m, '/')
		base := path.Base(m)
		if strings.HasSuffix(m, "/") {
			base += "/"
		}
		return m[:slash] + base
	})
}

// shell joins arguments so that a shell would read them as they are.
func shell(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		if arg == "" || strings.ContainsFunc(arg, quoted) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words[i] = arg
	}
	return strings.Join(words, " ")
}

// quoted tells whether a shell may take a character for more than itself.
func quoted(r rune) bool {
	plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@+%", r)
	return !plain
}

// command joins arguments for publishing: paths are cut to their last part, and
// scripts, which the source shows, are left out.
func command(args []string) string {
	cut := slices.Clone(args)
	script := false
	for i, arg := range cut {
		switch {
		case strings.Contains(arg, "\n"):
			cut[i], script = "\x00", true
		case filepath.IsAbs(arg):
			cut[i] = filepath.Base(arg)
		default:
			cut[i] = shorten(arg)
		}
	}
	s := shell(cut)
	if script {
		s = strings.ReplaceAll(s, "'\x00'", "'…'")
	}
	return s
}

// oneLine makes a text fit a line: a server's log lines come with newlines, and
// with codes that a terminal would obey.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// machine is one line about where a run was made.
func machine(m result.Machine) string {
	return fmt.Sprintf("%s, %s, %s MiB of memory, %s, %s; %s, %s", m.CPU, plural(m.Cores, "processor"), count(m.MemoryMiB), m.System, m.Kernel, m.Go, m.Python)
}

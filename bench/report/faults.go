package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// spoiling is the share of errors above which a server never counts as better than another: a
// server that skips work has less of it.
const (
	spoiling        = 0.001
	spoilingPercent = "0.1"
)

// faults are the answers that were wrong or missing, of all rounds together.
type faults struct {
	count int64
	asked int64 // 0: unknown
	kinds map[string]int64
	left  string // "4 of 64 clients served": of the worst round; "" if all clients were
	part  float64
}

// most bounds counts, so that no sum overflows, whatever a file contains.
const most = 1 << 50

func (f *faults) add(s result.Sample) {
	var sum int64
	for kind, n := range s.Errors {
		if n > 0 {
			n = min(n, most)
			f.kinds[kind] = min(f.kinds[kind]+n, most)
			sum = min(sum+n, most)
		}
	}
	counted := int64(max(0, min(s.Values["errors"], most)))
	f.count = min(f.count+max(sum, counted), most)
	f.asked = min(f.asked+max(0, min(s.Asked, most)), most)
	for _, note := range s.Notes {
		f.leave(note)
	}
}

// leftOut matches the notes that say that some clients got nothing.
var leftOut = regexp.MustCompile(`(\d{1,9}) of (\d{1,9}) (clients were served|slow clients were dropped)`)

// leave takes note of clients that got nothing, and tells whether a note is about
// such. What the worst round had is kept.
func (f *faults) leave(note string) bool {
	found := leftOut.FindStringSubmatch(note)
	if found == nil {
		return false
	}
	n, _ := strconv.ParseFloat(found[1], 64)
	of, _ := strconv.ParseFloat(found[2], 64)
	part := (of - n) / max(of, 1) // that got nothing
	what := strings.Replace(found[3], " were", "", 1)
	if strings.HasPrefix(what, "slow") {
		part = n / max(of, 1)
	}
	if part > f.part || f.left == "" {
		f.part, f.left = part, number(n)+" of "+number(of)+" "+what
	}
	return true
}

// share is the share of answers that were wrong or missing. Where nobody counted
// the requests all count as such.
func (f faults) share() float64 {
	switch {
	case f.count == 0:
		return 0
	case f.asked < f.count:
		return 1
	}
	return float64(f.count) / float64(f.asked)
}

// spoil tells whether there are so many faults that nothing good may be said of
// the figures.
func (f faults) spoil() bool { return f.left != "" || f.share() > spoiling }

// short is what stands beside a name: "1.2 % errors", or "17 errors" where
// nobody counted the requests; and before it, "4 of 64 clients served".
func (f faults) short() string {
	others := f
	if f.left == "" {
		return f.errors()
	}
	others.count -= f.kinds["no answer"] // of the clients that were left out
	if s := others.errors(); others.share() > spoiling {
		return f.left + ", " + s
	}
	return f.left
}

func (f faults) errors() string {
	switch {
	case f.count == 0:
		return ""
	case f.asked < f.count:
		return plural(int(f.count), "error")
	}
	percent := 100 * float64(f.count) / float64(f.asked)
	if percent < 0.01 {
		return "less than 0.01 % errors"
	}
	if percent > 99 && f.count < f.asked {
		return "more than 99 % errors"
	}
	if percent < 10 {
		return strconv.FormatFloat(percent, 'g', 2, 64) + " % errors"
	}
	return number(math.Round(percent)) + " % errors"
}

// long is the whole story: "17 errors of 1,400 requests (1.2 %): 12 timeout, 5 status".
func (f faults) long() string {
	if f.count == 0 {
		return f.left
	}
	s := plural(int(f.count), "error")
	if f.asked >= f.count {
		s += fmt.Sprintf(" in %s requests (%s)", count(f.asked), strings.TrimSuffix(f.errors(), " errors"))
	}
	if f.left != "" {
		s = f.left + "; " + s
	}
	kinds := slices.SortedFunc(maps.Keys(f.kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.kinds[b], f.kinds[a]), strings.Compare(a, b))
	})
	if len(kinds) == 0 {
		return s
	}
	const mostKinds = 8
	more := len(kinds) - mostKinds
	kinds = kinds[:min(len(kinds), mostKinds)]
	for i, kind := range kinds {
		kinds[i] = count(f.kinds[kind]) + " " + clip(kind, 60)
	}
	if more > 0 {
		kinds = append(kinds, "and "+plural(more, "other kind"))
	}
	return s + ": " + strings.Join(kinds, ", ")
}

package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/uwsgo/uwsgo/bench/result"
)

// faults are the answers that were wrong or missing, of all rounds together.
type faults struct {
	count int64
	asked int64 // 0: unknown
	kinds map[string]int64
}

func (f *faults) add(s result.Sample) {
	var sum int64
	for kind, n := range s.Errors {
		if n > 0 {
			f.kinds[kind] += n
			sum += n
		}
	}
	f.count += max(sum, int64(s.Values["errors"]))
	f.asked += s.Asked
}

// short is what stands beside a name: "1.2 % errors", or "17 errors" where
// nobody counted the requests.
func (f faults) short() string {
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
		return ""
	}
	s := plural(int(f.count), "error")
	if f.asked >= f.count {
		s += fmt.Sprintf(" in %s requests (%s)", count(f.asked), strings.TrimSuffix(f.short(), " errors"))
	}
	kinds := slices.SortedFunc(maps.Keys(f.kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(f.kinds[b], f.kinds[a]), strings.Compare(a, b))
	})
	if len(kinds) == 0 {
		return s
	}
	for i, kind := range kinds {
		kinds[i] = count(f.kinds[kind]) + " " + oneLine(kind)
	}
	return s + ": " + strings.Join(kinds, ", ")
}

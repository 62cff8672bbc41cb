package report

import (
	"maps"
	"math"
	"slices"

	"github.com/uwsgo/uwsgo/bench/result"
)

var inf = math.Inf(1)

// comparable tells whether a ratio of the metric says something about servers.
func comparable(m result.Metric) bool {
	return !slices.Contains([]string{"client", "errors", "rate_to_wrk", "cpu_to_wrk"}, m.Name)
}

// counted tells whether a metric counts right or wrong answers itself, so that
// errors cannot make it look better than it is.
func counted(m result.Metric) bool {
	return slices.Contains([]string{"errors", "lost", "served", "again", "whole"}, m.Name)
}

// timed tells whether a metric is about time that a stall adds to.
func timed(m result.Metric) bool {
	return slices.Contains([]string{"rate", "bytes", "p50", "p90", "p99", "p999", "max", "fast_p50", "fast_p99"}, m.Name)
}

// judge compares a metric of two servers of a case. None that has errors is said
// to be better, nor the other one worse; and none is better only since the other
// stalls.
func judge(m result.Metric, a, b row) result.Ratio {
	r := withhold(m, compare(m, a.values(m.Name), b.values(m.Name)), a.faults.spoil(), b.faults.spoil())
	switch {
	case !timed(m):
	case r.Verdict == result.Better && b.stalls():
		return result.Ratio{Why: otherStalls}
	case r.Verdict == result.Worse && a.stalls():
		return result.Ratio{Why: stallsItself}
	}
	return r
}

// withhold takes a verdict back that is in favour of a side that is spoiled by
// errors.
func withhold(m result.Metric, r result.Ratio, a, b bool) result.Ratio {
	switch {
	case counted(m):
	case r.Verdict == result.Better && a:
		return result.Ratio{Why: hasErrors}
	case r.Verdict == result.Worse && b:
		return result.Ratio{Why: otherHasErrors}
	}
	return r
}

// Why a verdict was taken back.
const (
	hasErrors      = "has errors"
	otherHasErrors = "the other has errors"
	stallsItself   = "stalls"
	otherStalls    = "the other stalls"
)

// turnedRound are the reasons as the other side has them.
var turnedRound = map[string]string{
	hasErrors: otherHasErrors, otherHasErrors: hasErrors, stallsItself: otherStalls, otherStalls: stallsItself,
}

// compare is result.Compare with rules for zeros. If both sides are zero in every round there
// is no difference. If one side is always zero and the other never, that decides.
func compare(m result.Metric, a, b map[int]float64) result.Ratio {
	if result.SameRounds(a, b) {
		if r, ok := zeros(m, a, b); ok {
			return r
		}
	}
	return result.Compare(m, a, b)
}

// zeros compares values with one or both sides always zero.
func zeros(m result.Metric, a, b map[int]float64) (result.Ratio, bool) {
	if len(a) < result.MinRounds || len(b) < result.MinRounds {
		return result.Ratio{}, false
	}
	leastA, mostA := bounds(a)
	leastB, mostB := bounds(b)
	r := result.Ratio{}
	switch {
	case mostA == 0 && mostB == 0 && leastA == 0 && leastB == 0:
		r.Value, r.Verdict = 1, result.NoDifference
	case mostA == 0 && leastA == 0 && leastB > 0:
		r.Verdict = result.Better
		if m.Higher {
			r.Verdict = result.Worse
		}
	case mostB == 0 && leastB == 0 && leastA > 0:
		r.Value, r.Verdict = inf, result.Worse
		if m.Higher {
			r.Verdict = result.Better
		}
	default:
		return r, false
	}
	return r, true
}

func bounds(values map[int]float64) (least, most float64) {
	sorted := slices.Sorted(maps.Values(values))
	return sorted[0], sorted[len(sorted)-1]
}

// invert gives b compared with a, from a compared with b.
func invert(r result.Ratio) result.Ratio {
	reciprocal := func(v float64) float64 {
		if v == 0 {
			return inf
		}
		return 1 / v
	}
	turned := result.Ratio{Verdict: r.Verdict, Why: r.Why}
	if why, ok := turnedRound[r.Why]; ok {
		turned.Why = why
	}
	if r.Verdict == result.Unknown {
		return turned
	}
	turned.Value, turned.Low, turned.High = reciprocal(r.Value), reciprocal(r.High), reciprocal(r.Low)
	switch r.Verdict {
	case result.Better:
		turned.Verdict = result.Worse
	case result.Worse:
		turned.Verdict = result.Better
	}
	return turned
}
